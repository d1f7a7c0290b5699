"""The bytes of the log: entries, chains, trees, notes, proofs. Pure."""
