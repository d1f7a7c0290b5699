"""The past: a case, or the portfolio, at any past instant, and between two of them; from the log alone.

What is read are entries (their bodies) and the texts they cite; no row of `cases`, nothing else that could have been
changed without an entry. Each body is authenticated and linked to the one before it before it is believed; the fold is
the door's own (`casework.work.cases.fold`).
"""
