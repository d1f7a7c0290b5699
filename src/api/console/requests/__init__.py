"""Four eyes: what waits, one request, deciding it."""
