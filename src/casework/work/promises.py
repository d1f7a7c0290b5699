"""A promise to pay: a child of the case, judged by the money that came (1.3.1d). Pure.

Its chart is `statecharts/promise.toml`; which payments count for it, and when it is judged, `casework.feed.promised`.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any

import msgspec

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Label, Rows
from casework.months import months_between
from casework.rules.statechart.fields import DataFault
from casework.rules.statechart.policy import Policy
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect, recorder = REGISTRY.guard, REGISTRY.effect, REGISTRY.recorder
BROKEN = "broken"


class Promise(Child):
    """One promise. `counted_fen`: what came for it, by payment; `due_on`: the last day of grace, while it is open."""

    loan_id: str
    amount_fen: int
    pay_by: date
    made_on: date | None = None
    ref: str = ""
    staff_no: str | None = None
    counted_fen: Annotated[dict[str, int], Label("已计入还款", "Paid towards it")] = msgspec.field(default_factory=dict)
    because: Annotated[str | None, Label("判定依据", "Judged because of")] = None  # payment, left, grace_over, reversal
    judged_on: Annotated[date | None, Label("判定日期", "Judged on")] = None
    due_on: date | None = None

    def __post_init__(self) -> None:
        """A promise made here has the number that it gets; it is made on the day on which it is entered."""
        self.ref = self.ref or f"P{self.id}"
        self.made_on = self.made_on or self.opened_on

    @property
    def received_fen(self) -> int:
        """The sum of what counts for it."""
        return sum(self.counted_fen.values())

    def day_faults(self, on: date, latest: date, policy: Policy) -> list[DataFault]:
        """Money counts from the day on which it was promised, however late that was entered."""
        if self.made_on is not None and self.made_on <= on <= latest:
            return []
        return Child.day_faults(self, on, latest, policy)


def _promise(now: SubjectSituation) -> Promise:
    promise: Promise = now.subject
    return promise


# ── guards ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@guard(facts=("made_on",))
def debtor_connected_that_day(now: SubjectSituation, _: Params) -> Verdict:
    made_on = _promise(now).made_on
    met = made_on in [day.on for day in now.parent.facts.attempt_days if day.connected]
    return Verdict(met, {"made_on": str(made_on)}, {"connected": True})


@guard(params={"percent": "int"}, facts=("amount_fen", "least_fen"))
def promises_enough(now: SubjectSituation, params: Params) -> Verdict:
    """So much of what is overdue, or one instalment where that is less.

    No feed names one: the average of those missed stands in, by the whole months since the oldest due date and one.
    """
    overdue = now.parent.overdue_fen
    missed = max(months_between(now.parent.oldest_due_date, now.today), 0) + 1
    least = min(-(-overdue * params["percent"] // 100), -(-overdue // missed))
    amount = _promise(now).amount_fen
    return Verdict(amount >= least, {"amount_fen": amount}, {"least_fen": least})


@guard(params={"days": "int"}, facts=("pay_by", "at_latest"))
def within_the_horizon(now: SubjectSituation, params: Params) -> Verdict:
    """From the day on which it was made, however late it is entered."""
    promise = _promise(now)
    latest = (promise.made_on or now.today) + timedelta(days=params["days"])
    return Verdict(promise.pay_by <= latest, {"pay_by": str(promise.pay_by)}, {"at_latest": str(latest)})


@guard(facts=("amount_fen", "overdue_fen"))
def no_more_than_owed(now: SubjectSituation, _: Params) -> Verdict:
    amount, owed = _promise(now).amount_fen, now.parent.overdue_fen
    return Verdict(amount <= owed, {"amount_fen": amount}, {"overdue_fen": owed})


@guard(params={"count": "int"}, facts=("made", "at_most"))
def few_promises(now: SubjectSituation, params: Params) -> Verdict:
    """An episode is the case: what was promised in it so far."""
    made = now.parent.facts.promises_made
    return Verdict(made < params["count"], {"made": made}, {"at_most": params["count"]})


@guard(params={"count": "int"}, facts=("broken_in_a_row",))
def not_broken_in_a_row(now: SubjectSituation, params: Params) -> Verdict:
    """After so many the next is for another post: the chart has an opening of its own for it."""
    row = now.parent.facts.broken_in_a_row
    return Verdict(row < params["count"], {"broken_in_a_row": row}, {"broken_in_a_row_below": params["count"]})


@guard(facts=("received_fen", "amount_fen"))
def covered(now: SubjectSituation, _: Params) -> Verdict:
    promise = _promise(now)
    saw = {"received_fen": promise.received_fen}
    return Verdict(promise.received_fen >= promise.amount_fen, saw, {"amount_fen": promise.amount_fen})


@guard(facts=())
def something_came(now: SubjectSituation, _: Params) -> Verdict:
    received = _promise(now).received_fen
    return Verdict(received > 0, {"received_fen": received}, {"received_at_least_fen": 1})


@guard(facts=("due_on",))
def grace_over(now: SubjectSituation, _: Params) -> Verdict:
    """At the close of the last day of grace."""
    due = _promise(now).due_on
    return Verdict(due is not None and now.today >= due, {"today": now.today.isoformat()}, {"due_on": str(due)}, due)


@guard(facts=("remittance",))
def no_word_awaited(now: SubjectSituation, _: Params) -> Verdict:
    """Money that came or is said to have been sent in time, of which no snapshot has told yet."""
    promise = _promise(now)
    first, last = promise.made_on or date.min, promise.due_on or date.max
    waiting = sorted(ref for ref, day in now.parent.facts.remittances.items() if first <= day <= last)
    return Verdict(not waiting, {"remittance": waiting[0] if waiting else None}, {"remittance": None})


@guard(facts=())
def kept_by_leaving(now: SubjectSituation, _: Params) -> Verdict:
    because = _promise(now).because
    return Verdict(because == "left", {"because": because}, {"because": "left"})


# ── effects and facts ───────────────────────────────────────────────────────────────────────────────────────────────


@effect(params={"because": "text"})
def judged(now: SubjectSituation, params: Params) -> None:
    promise = _promise(now)
    promise.because = str(now.given.get("because", params["because"]))
    promise.judged_on = now.today


@effect()
def not_judged(now: SubjectSituation, _: Params) -> None:
    promise = _promise(now)
    promise.because = promise.judged_on = None


@recorder
def payment(now: SubjectSituation, _: Params) -> None:
    """So much of a payment counts for this promise, however often it is reported."""
    promise = _promise(now)
    promise.counted_fen = {**promise.counted_fen, now.given["payment"]: now.given["amount_fen"]}


@recorder
def reversal(now: SubjectSituation, _: Params) -> None:
    promise = _promise(now)
    promise.counted_fen = _without(promise.counted_fen, now.given["payment"])


def _without(counted: Mapping[str, int], payment: Any) -> dict[str, int]:
    return {name: fen for name, fen in counted.items() if name != payment}


PROMISE = Noun(chart="promise", word="promise", subject=Promise, rows=Rows(Promise), registry=REGISTRY)
