"""The gate before a contact and the judgement after it (X1–X6): who may be reached, how often, when.

It is no lifecycle. `seen` is what contacts say of those after them, `standing` what else is on record, `judge` the
rules over both, `breaches` the same rules over everything that was recorded.
"""
