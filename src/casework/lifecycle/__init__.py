"""What is the same for everything that has a life of its own: chart, struct, log, row. No noun's name stands here."""
