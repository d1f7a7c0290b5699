"""Borrowers: finding them, seeing them masked, being shown them in clear."""
