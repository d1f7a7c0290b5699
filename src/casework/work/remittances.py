"""A remittance: money that came during the day, or that a debtor says to have sent, before a snapshot tells. Pure.

A child of the case; its chart is `statecharts/remittance.toml`. While it is awaited the gate lets nobody demand payment
of the loan. What makes it end, but for days, is worked out from the feed (`casework.intake.feed.remitted`).
"""

from datetime import UTC, date, datetime
from typing import Annotated, Final

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Label, Rows
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect = REGISTRY.guard, REGISTRY.effect
SAID: Final = "said"
CAME: Final = "came"


class Remittance(Child):
    """Money that came, or is said to have been sent; `said_on` where the debtor said so, `ended_on` once it is over."""

    loan_id: str
    paid_on: date
    begins_at: Annotated[datetime | None, Label("停止催收起", "No demand from")] = None
    begins_on: Annotated[date | None, Label("停止催收起日", "No demand from the day")] = None
    said_at: datetime | None = None
    said_on: Annotated[date | None, Label("客户告知日期", "Day on which they said so")] = None
    amount_fen: int | None = None
    payment: str | None = None
    proof: str | None = None
    proof_sha256: str | None = None
    because: Annotated[str | None, Label("结束依据", "Ended because of")] = None
    ended_on: Annotated[date | None, Label("结束日期", "Ended on")] = None
    due_on: date | None = None
    ref: Annotated[str, Label("登记编号", "Reference")] = ""

    def __post_init__(self) -> None:
        """Days as branch time counts them: times are given with its offset."""
        self.ref = self.ref or f"M{self.id}"
        begins_at = self.begins_at or self.said_at
        if self.begins_on is None and begins_at is not None:
            self.begins_on, self.begins_at = begins_at.date(), begins_at.astimezone(UTC)
            if self.said_at is not None:
                self.said_on, self.said_at = self.begins_on, self.begins_at


def _remittance(now: SubjectSituation) -> Remittance:
    remittance: Remittance = now.subject
    return remittance


@guard(facts=())
def in_arrears(now: SubjectSituation, _: Params) -> Verdict:
    overdue = now.parent.overdue_fen
    return Verdict(overdue > 0, {"overdue_fen": overdue}, {"overdue_at_least_fen": 1})


@guard(facts=("paid_on", "said_on"))
def paid_before_said(now: SubjectSituation, _: Params) -> Verdict:
    one = _remittance(now)
    met = one.said_on is not None and one.paid_on <= one.said_on
    return Verdict(met, {"paid_on": str(one.paid_on)}, {"said_on": str(one.said_on)})


@guard(facts=())
def was_said(now: SubjectSituation, _: Params) -> Verdict:
    ground = _remittance(now).opened_for
    return Verdict(ground == SAID, {"ground": ground}, {"ground": SAID})


@guard(facts=("due_on",))
def said_long_ago(now: SubjectSituation, _: Params) -> Verdict:
    """As long as the policy lets the debtor's word alone stop demand."""
    due = _remittance(now).due_on
    return Verdict(due is not None and now.today >= due, {"today": now.today.isoformat()}, {"due_on": str(due)}, due)


@effect(params={"because": "text"})
def told_by(now: SubjectSituation, params: Params) -> None:
    """From the day after, it stops nothing."""
    one = _remittance(now)
    one.because, one.ended_on = str(params["because"]), now.today


REMITTANCE = Noun(
    chart="remittance", word="remittance", subject=Remittance, rows=Rows(Remittance), registry=REGISTRY
)  # fmt: skip
