"""Contact files: rows, the log of debtors, what cases learn, the close of a day."""
