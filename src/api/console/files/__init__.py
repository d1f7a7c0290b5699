"""Files that somebody took out and that were made behind."""
