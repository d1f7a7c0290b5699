"""What guards share: how a date is shown, which grounds are arrears, when the debtor was seen."""

from datetime import date, timedelta

from casework.work.cases.situation import CaseSituation

FOR_ARREARS = ("arrears", "old_npl")
"""Openings whose case ends with the arrears; the others end when their own ground does (1.2.2)."""


def shown(day: date | None) -> str | None:
    """A date as reasons quote it; where there is none the chart has a text of its own (`without`)."""
    return day.isoformat() if day else None


def day_after_due(now: CaseSituation) -> date | None:
    """The first day past due, from which a debt is in arrears; none without a due date."""
    due = now.case.oldest_due_date
    return due + timedelta(days=1) if due else None


def last_seen_on(now: CaseSituation) -> date | None:
    """The last day on which the debtor was reached or found; none if they never were."""
    return max((day for day in (now.facts.connected_on, now.facts.found_on) if day is not None), default=None)
