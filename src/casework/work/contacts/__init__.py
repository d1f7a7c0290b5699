"""Contacts with debtors: what happened (the log), with what result, on which number. The gate stands beside it."""
