"""What guards share: how an absent fact or a date is shown, and which grounds are arrears."""

from datetime import date, timedelta

from casework.cases.situation import Situation

NONE = "–"
FOR_ARREARS = ("arrears", "old_npl")
"""Openings whose case ends with the arrears; the others end when their own ground does (1.2.2)."""


def shown(day: date | None) -> str:
    """A date as reasons quote it."""
    return day.isoformat() if day else NONE


def day_after_due(now: Situation) -> date | None:
    """The first day past due, from which a debt is in arrears; none without a due date."""
    due = now.case.oldest_due_date
    return due + timedelta(days=1) if due else None
