"""A case proven to somebody else: the daily heads of all cases, and the dossier of one (decision 0019)."""
