"""Who owes a duty of a day: a post, or somebody of the case or whoever answers for them, if they may do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from casework.people.shifts.answering import Answers
from casework.rules.statechart.chart import Chart
from casework.work.cases.duty_doers import posts_that_may
from casework.work.cases.duty_rules import OWED_BY, DutyRule
from casework.work.duties.judge import VisitMade


@dataclass(frozen=True, slots=True)
class Owing:
    """`of_case`: whose it is of a case, or a post; `may`: the posts that may do it, where not all may; else whose."""

    of_case: str
    may: frozenset[str]
    otherwise: str | None

    @classmethod
    def of(cls, rule: DutyRule, charts: Mapping[str, Chart]) -> Self:
        """By the rule, and what the charts let posts open."""
        return cls(rule.owed_by, posts_that_may(rule, charts), rule.else_owed_by)

    def who(self, answers: Answers, case: Any, visits: Sequence[VisitMade]) -> str:
        """Whoever answers that day for whom the rule names; who is off lends what they may to whoever answers."""
        if self.of_case not in OWED_BY:
            return self.of_case
        theirs: str = visits[0].visitor if self.of_case == "visitor" else getattr(case, self.of_case)
        who = answers.who(theirs).staff_no
        if self.otherwise is None or any(self.may & _posts(answers, one) for one in (theirs, who)):
            return who
        return self.otherwise


def _posts(answers: Answers, staff_no: str) -> frozenset[str]:
    found = answers.roster.colleagues.get(staff_no)
    return frozenset() if found is None else found.posts
