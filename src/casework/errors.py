"""The three failures, kept apart: a refusal is a value, a caller's mistake is raised here, a bug crashes.

A `CallerError` is raised where the mistake is seen and mapped exactly once at the edge: to problem+json by the
API (`api.problems`), to one line and an exit code by the shell (`casework.cli`).
"""

from typing import Any

from casework.codes import texts_of


class CallerError(Exception):
    """A mistake of the caller, told once, clearly, in both languages.

    `code` is stable snake_case, one of `casework.codes`; `facts` are the typed details for
    machines (never personal data). `str()` is the English text.
    """

    def __init__(self, code: str, zh: str | None = None, en: str | None = None, **facts: Any) -> None:
        """The code's own texts (`casework.codes`), unless more can be said."""
        if zh is None or en is None:
            zh, en = texts_of(code, facts)
        super().__init__(en)
        self.code = code
        self.zh = zh
        self.en = en
        self.facts = facts


class RulesBroken(Exception):
    """A chart or policy file that may not be used: file, key and reason of every fault found."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class TryAgain(Exception):
    """The database could not take the work now (locked, full, gone, read only); nothing was changed.

    `code` is one of database_busy, database_full, database_gone, database_read_only, or outcome_unknown, where it may
    have been changed; `retry_after_s` is a hint in seconds.
    """

    def __init__(self, code: str, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.code = code
        self.retry_after_s = retry_after_s
