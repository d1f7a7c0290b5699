"""A hold: why a debtor is left in peace, from when until when (5.6, X15). Pure.

It is the debtor's and lives in their stream; the cases that it binds learn of it as a fact. Its chart is
`statecharts/hold.toml`.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Label, Rows, Subject
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect = REGISTRY.guard, REGISTRY.effect
LIFTED = "lifted"
SET = "set"
"""The ground on which a collector sets one; what basic-risk sets, or was set elsewhere, waits for nobody."""
OF_THE_LOAN = frozenset({"dispute", "legal"})
"""Kinds that bind the loan which they name; all others bind the debtor, with all loans."""


class Hold(Subject):
    """One hold, in force from `begins_at` until `ends_at` (not included); none: until it is lifted."""

    institution: str
    borrower_id: str
    loan_id: str
    hold: str
    begins_at: datetime
    begins_on: Annotated[date | None, Label("开始日期", "Begins on")] = None
    ends_at: datetime | None = None
    last_on: Annotated[date | None, Label("最后停催日", "Last day in force")] = None  # on any part of it
    review_by: date | None = None
    set_by: Annotated[str | None, Label("设置人", "Set by")] = None
    to_confirm_on: Annotated[date | None, Label("待确认起", "To be confirmed since")] = None
    confirmed_on: Annotated[date | None, Label("确认日期", "Confirmed on")] = None
    confirm_missed_on: Annotated[date | None, Label("逾期未确认", "Not confirmed in time")] = None
    wish: Annotated[str | None, Label("协商意愿", "Wish for an arrangement")] = None
    papers: Annotated[str | None, Label("困难证明材料", "Papers")] = None
    due_on: date | None = None

    def __post_init__(self) -> None:
        """Days as branch time counts them: times are given with its offset."""
        if self.begins_on is None:
            self.begins_on, self.begins_at = self.begins_at.date(), self.begins_at.astimezone(UTC)
            self.set_by = self.opened_by
            self.to_confirm_on = max(self.opened_on, self.begins_on) if self.opened_for == SET else None
            if self.ends_at is not None:
                self.last_on, self.ends_at = last_day(self.ends_at), self.ends_at.astimezone(UTC)

    @property
    def subject_of(self) -> str:
        """What it binds: the loan, or everything of the debtor."""
        return self.loan_id if self.hold in OF_THE_LOAN else ""

    def binds(self, other: Subject) -> bool:
        """Whether a case of the debtor is bound by it."""
        return self.hold not in OF_THE_LOAN or getattr(other, "loan_id", None) == self.loan_id


def last_day(ends_at: datetime) -> date:
    """The last day on any part of which a hold that ends then is in force."""
    return (ends_at - timedelta(microseconds=1)).date()


def _hold(now: SubjectSituation) -> Hold:
    hold: Hold = now.subject
    return hold


@guard(facts=("overlapping",))
def no_overlap(now: SubjectSituation, _: Params) -> Verdict:
    """One hold of a kind at a time for what it binds."""
    other = now.gathered.get("overlapping")
    return Verdict(other is None, {"overlapping": other}, {"overlapping_at_most": 0})


@guard(facts=("begins_at",))
def ends_after_it_begins(now: SubjectSituation, _: Params) -> Verdict:
    """The end that is given."""
    hold, ends = _hold(now), now.given.get("ends_at")
    met = ends is None or datetime.fromisoformat(ends) > hold.begins_at
    begins_at = hold.begins_at.astimezone(ZoneInfo(now.policy.figure("branch.time_zone")))
    return Verdict(met, {"ends_at": ends}, {"begins_at": begins_at.isoformat()})


@guard(facts=("last_on",))
def over(now: SubjectSituation, _: Params) -> Verdict:
    """Its last day has passed."""
    last = _hold(now).last_on
    opens_on = last + timedelta(days=1) if last else None
    return Verdict(last is not None and last < now.today, {"last_on": str(last) if last else None}, {}, opens_on)


@effect()
def end_as_given(now: SubjectSituation, _: Params) -> None:
    hold = _hold(now)
    ends_at = datetime.fromisoformat(now.given["ends_at"])
    hold.last_on, hold.ends_at = last_day(ends_at), ends_at.astimezone(UTC)


@effect()
def end_today(now: SubjectSituation, _: Params) -> None:
    """Lifted: from now on it stops nothing; the day on which it was lifted was held."""
    hold = _hold(now)
    hold.last_on = max(hold.begins_on or now.today, min(now.today, hold.last_on or now.today))


@guard(facts=("set_by",))
def set_by_another(now: SubjectSituation, _: Params) -> Verdict:
    set_by = _hold(now).set_by
    return Verdict(now.actor != set_by, {"actor": now.actor}, {"set_by": set_by})


@guard(facts=())
def of_hardship(now: SubjectSituation, _: Params) -> Verdict:
    ground = _hold(now).hold
    return Verdict(ground == "hardship", {"hold": ground}, {"hold": "hardship"})


@guard(facts=("confirm_by",))
def confirmation_overdue(now: SubjectSituation, _: Params) -> Verdict:
    """At the close of the last day on which it may be confirmed."""
    since, days = _hold(now).to_confirm_on, now.policy.figure("hold.confirm_within_days")
    by = since + timedelta(days=days) if since else None
    return Verdict(by is not None and now.today >= by, {"confirm_by": str(by)}, {}, by)


@effect()
def confirm_today(now: SubjectSituation, _: Params) -> None:
    hold = _hold(now)
    hold.confirmed_on, hold.to_confirm_on = now.today, None


@effect()
def confirm_was_missed(now: SubjectSituation, _: Params) -> None:
    hold = _hold(now)
    hold.confirm_missed_on, hold.to_confirm_on = now.today, None


@effect()
def record_wish(now: SubjectSituation, _: Params) -> None:
    hold = _hold(now)
    hold.wish, hold.papers = now.given["wish"], now.given["papers"]
    hold.review_by = date.fromisoformat(now.given["review_by"])


@effect()
def review_later(now: SubjectSituation, _: Params) -> None:
    _hold(now).review_by = date.fromisoformat(now.given["review_by"])


HOLD = Noun(chart="hold", word="hold", subject=Hold, rows=Rows(Hold), registry=REGISTRY)
