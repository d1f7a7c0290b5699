"""A call-back: a debtor or somebody around them asked to be called again, at a minute. Pure.

A child of the case; its chart is `statecharts/callback.toml`. A contact with whom it is for, at or after its minute,
makes it done (`casework.intake.dialler.called_back`); the close of its day without one, missed.
"""

from datetime import UTC, date, datetime
from typing import Annotated

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Label, Rows
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect = REGISTRY.guard, REGISTRY.effect


class CallBack(Child):
    """Whom to call when; `contact_id`: the way to reach them on record, `asked_by` none: who is to be called."""

    loan_id: str
    due_at: Annotated[datetime, Label("约定回拨时间", "Due at")]
    party: Annotated[str, Label("回拨对象", "Whom to call")]
    asked_by: Annotated[str | None, Label("提出人", "Asked for by")] = None
    contact_id: Annotated[int | None, Label("联系方式编号", "Way to reach them")] = None
    contact: Annotated[str | None, Label("回拨催收记录", "Contact made")] = None
    called_at: Annotated[datetime | None, Label("实际联系时间", "Called at")] = None
    call_on: Annotated[date | None, Label("约定回拨日", "Due on the day")] = None
    due_on: date | None = None

    def __post_init__(self) -> None:
        """The day as branch time counts it: the minute is given with its offset."""
        if self.call_on is None:
            self.call_on, self.due_at = self.due_at.date(), self.due_at.astimezone(UTC)
            self.asked_by = self.asked_by or self.party


def _call_back(now: SubjectSituation) -> CallBack:
    call_back: CallBack = now.subject
    return call_back


@guard(facts=("stranger",))
def in_their_book(now: SubjectSituation, _: Params) -> Verdict:
    """A way to reach whom it is for, where one is named, is on record as theirs."""
    stranger = now.gathered.get("stranger")
    return Verdict(stranger is None, {"stranger": stranger}, {})


@guard(facts=("call_on",))
def day_over(now: SubjectSituation, _: Params) -> Verdict:
    """At the close of its day."""
    day = _call_back(now).call_on
    return Verdict(day is not None and now.today >= day, {"today": now.today.isoformat()}, {"call_on": str(day)}, day)


@effect()
def called(now: SubjectSituation, _: Params) -> None:
    call_back = _call_back(now)
    call_back.contact = str(now.given["contact"])
    call_back.called_at = datetime.fromisoformat(now.given["called_at"]).astimezone(UTC)


CALLBACK = Noun(chart="callback", word="callback", subject=CallBack, rows=Rows(CallBack), registry=REGISTRY)
