"""Erasing a borrower's personal data, what forbids it, and what still holds them (PIPL art. 47; decision 0020).

`deciding` says whether it may be (pure), `gather` reads what that takes, `erase` does it in one transaction over every
place of `columns`; `remaining` says what it cannot reach, `scrub` sees to the files under the database, `replay`
checks the entries again.
"""
