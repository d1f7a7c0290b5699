"""What a guard of a case may look at: case, business date, policy, actor, the data given, and what was gathered."""

from datetime import date
from typing import Any

from casework.lifecycle.situation import SubjectSituation as AnySituation
from casework.work.cases.case import Case, Facts, Stood


class CaseSituation(AnySituation):
    """One decision's world. `gathered` was read outside the case; it goes into the entry, for the replay."""

    resumed: Stood | None = None  # set by an effect that brings the case back to where it was, as if it had not left

    @property
    def case(self) -> Case:
        """The case that is decided on."""
        case: Case = self.subject
        return case

    @property
    def facts(self) -> Facts:
        """The facts of the case."""
        return self.case.facts

    @property
    def days_past_due(self) -> int:
        """Days past due on the business date."""
        days: int = self.subject.days_past_due(self.today)
        return days


def gathered_of(newer: int | None, snapshot_on: date, closed_on: date | None) -> dict[str, Any]:
    """What guards need from outside the case: a newer case of its loan, a day that was closed without its feed.

    Both are left out where there is none: they go into every entry.
    """
    found: dict[str, Any] = {} if newer is None else {"newer_case": newer}
    if closed_on is not None and closed_on > snapshot_on:
        found["closed_on"] = closed_on.isoformat()
    return found
