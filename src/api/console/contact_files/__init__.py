"""Contact files: sent, taken in behind the page, what was set aside."""
