"""The log for auditors: search, an entry with its proof, what verification says."""
