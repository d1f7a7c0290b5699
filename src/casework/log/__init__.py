"""The log that convicts: who did what under which chart and policy, in bytes nobody can quietly change.

`entry` fixes the exact bytes of one entry (pure), `chain` hashes, authenticates and links them (pure).
Formats and promises: docs/log.md §§3 and 5.
"""
