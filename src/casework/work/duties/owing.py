"""Who owes a duty of a day: a post, or somebody of the case or whoever answers for them, if they may do it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from casework.people.shifts.answering import Answers
from casework.work.cases.duty_doers import posts_that_may
from casework.work.cases.duty_rules import OWED_BY, DutyRule
from casework.work.cases.rulebook import Rulebook
from casework.work.duties.judge import VisitMade


@dataclass(frozen=True, slots=True)
class Owing:
    """`of_case`: whose it is of a case, or a post; `may`: the posts that may do it, where not all may; else whose.

    `by_region`: whether that post reaches cases of its own region alone; `distributes`: whose it is where nobody of
    it reaches the case, since they give cases out (5.4).
    """

    of_case: str
    may: frozenset[str]
    otherwise: str | None
    by_region: bool
    distributes: str
    _reached: dict[str | None, bool] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, rule: DutyRule, rulebook: Rulebook) -> Self:
        """By the rule, what the charts let posts open, and how far posts reach."""
        otherwise = rule.else_owed_by
        by_region = otherwise is not None and rulebook.permissions.posts[otherwise].acts == "region"
        may = posts_that_may(rule, rulebook.charts)
        return cls(rule.owed_by, may, otherwise, by_region, rulebook.owners.fallback_posts[0])

    def who(self, answers: Answers, case: Any, visits: Sequence[VisitMade]) -> str:
        """Whoever answers that day for whom the rule names; who is off lends what they may to whoever answers."""
        if self.of_case not in OWED_BY:
            return self.of_case
        theirs: str = visits[0].visitor if self.of_case == "visitor" else getattr(case, self.of_case)
        who = answers.who(theirs).staff_no
        if self.otherwise is None or any(self.may & _posts(answers, one) for one in (theirs, who)):
            return who
        return self.otherwise if self._reaches(answers, case.region) else self.distributes

    def _reaches(self, answers: Answers, region: str | None) -> bool:
        """Whether anybody who holds the post reaches a case of that region (none: of no region)."""
        known = self._reached.get(region)
        if known is None:
            holders = answers.roster.by_post.get(self.otherwise or "", ())
            places = {one.region for one in holders if one.region is not None}
            known = self._reached[region] = region in places if self.by_region else bool(holders)
        return known


def _posts(answers: Answers, staff_no: str) -> frozenset[str]:
    found = answers.roster.colleagues.get(staff_no)
    return frozenset() if found is None else found.posts
