"""Duties of a day (1.3.1, 1.3.2, 3.2): what each case is owed, by when, and whether it was done, is late or exempt.

`debtor` is what a day's contacts came to, `judge` the duties of one case: all pure.
"""
