"""What a guard may look at: case, business date, policy, actor, the data given, and what was gathered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from casework.cases.case import Case, Facts, Stood
from casework.statechart.policy import Policy


@dataclass(slots=True)
class Situation:
    """One decision's world. `gathered` was read outside the case; it goes into the entry, for the replay."""

    case: Case
    today: date
    policy: Policy
    actor: str
    given: Mapping[str, Any] = field(default_factory=dict)
    gathered: Mapping[str, Any] = field(default_factory=dict)
    on: date | None = None  # when a fact happened; none for an event
    resumed: Stood | None = None  # set by an effect that brings the case back to where it was, as if it had not left

    @property
    def facts(self) -> Facts:
        """The facts of the case."""
        return self.case.facts

    @property
    def days_past_due(self) -> int:
        """Days past due on the business date."""
        return self.case.days_past_due(self.today)

    def at(self, day: date) -> "Situation":
        """The same situation on another day, nothing else changed (not even the policy)."""
        return replace(self, today=day)
