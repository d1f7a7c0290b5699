"""Photos of visits: their files in the file store, sealed with the borrower's key, and their rows."""
