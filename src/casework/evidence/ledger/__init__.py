"""The collection ledger of a day (5.2, 催收台账): what was owed, what was done, what was not and why, every contact."""
