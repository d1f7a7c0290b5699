"""An at-risk flag (出险): why a customer's loans are at risk, noticed when (5.6). Pure.

It is the customer's and lives in their stream; their cases learn of it as a fact, which moves owner and handler. Its
chart is `statecharts/risk.toml`.
"""

from datetime import date
from typing import Annotated

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Label, Rows, Subject
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect = REGISTRY.guard, REGISTRY.effect


class RiskFlag(Subject):
    """A customer's flag that their loans are at risk, until it is lifted."""

    institution: str
    borrower_id: str
    loan_id: str
    ground: str
    noticed_on: date
    lifted_on: Annotated[date | None, Label("解除日期", "Lifted on")] = None


@guard(facts=("flag",))
def not_flagged_yet(now: SubjectSituation, _: Params) -> Verdict:
    """One flag of a customer at a time."""
    other = now.gathered.get("flag")
    return Verdict(other is None, {"flag": other}, {"flags_at_most": 1})


@effect()
def end_today(now: SubjectSituation, _: Params) -> None:
    """Lifted on the day on which that is entered."""
    flag: RiskFlag = now.subject
    flag.lifted_on = now.today


RISK = Noun(chart="risk", word="risk", subject=RiskFlag, rows=Rows(RiskFlag), registry=REGISTRY)
