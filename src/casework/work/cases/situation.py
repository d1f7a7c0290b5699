"""What a guard of a case may look at: case, business date, policy, actor, the data given, and what was gathered."""

from dataclasses import dataclass

from casework.lifecycle.situation import SubjectSituation as AnySituation
from casework.work.cases.case import Case, Facts, Stood


@dataclass(slots=True)
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
        return self.case.days_past_due(self.today)
