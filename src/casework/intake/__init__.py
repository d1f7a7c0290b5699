"""What comes from outside: feeds of the core-banking system, files of people."""
