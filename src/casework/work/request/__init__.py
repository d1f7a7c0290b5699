"""One request under four eyes, as the rules see it: its fold, its guards, its topics. Pure.

Asking, reviewing and approving with a database is `casework.work.four_eyes`, above the cases that it changes.
"""
