"""Visits of the two days before, made with photos and reviewed, and those of the day that begins.

Two reps of a team go. A case has one visit a day, and the two are at one address at a time.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from casework.demo.hours import DemoClock
from casework.demo.photos import drawn_photo
from casework.demo.steps import REP, RISK
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Open
from casework.operation.startup import Started
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.case import from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases
from casework.work.photos.drawing import draw_photos
from casework.work.photos.storing import PhotoKept, PhotoSent, keep_photo

_REVIEWED: Final = time(11, 40)
_STAY: Final = timedelta(minutes=35)
_UNDER_WAY_FOR: Final = timedelta(minutes=25)
_FIRST, _LAST = time(8, 30), time(20)
_ON_ANOTHER_DAY: Final = time(10, 15)


@dataclass(frozen=True, slots=True)
class DemoVisit:
    """So many days before today, from when, who of the two leads, what they report, what the reviewer says of it."""

    name: str
    days_ago: int
    arrives: time
    leads: int = 0
    report: Mapping[str, str] = field(default_factory=dict)
    review: str = ""
    said: Mapping[str, str] = field(default_factory=dict)
    again: str = ""  # at the address of that visit, whose risk is known


_FOUND: Final = {
    "outcome": "found", "person_met": "debtor", "house": "confirmed", "workplace": "confirmed",
    "attitude": "cooperative", "ability": "partly_able", "next_step": "arrangement", "remark": "客户愿意协商分期还款",
}  # fmt: skip
_NOT_FOUND: Final = {
    "outcome": "not_found", "person_met": "neighbour", "house": "confirmed", "workplace": "not_checked",
    "attitude": "not_met", "ability": "not_known", "next_step": "visit_again", "remark": "邻居称客户晚间在家",
}  # fmt: skip
_AT_RISK: Final = "a visit sent back, a dog at the address"
UNDER_WAY: Final = "a visit under way"
VISITS: Final = (
    DemoVisit("a visit that was accepted", 2, time(9, 40), report=_FOUND, review="accept"),
    DemoVisit(
        _AT_RISK, 2, time(14, 10), report={**_NOT_FOUND, "address_risk": "dog"}, review="send_back",
        said={"reason": "incomplete", "remark": "请补充资产线索"},
    ),
    DemoVisit("a visit that waits for its review", 1, time(10, 5), leads=1, report=_NOT_FOUND),
    DemoVisit(UNDER_WAY, 0, _FIRST),
    DemoVisit("a visit at an address with a risk", 0, _LAST, again=_AT_RISK),
)  # fmt: skip


class Visits:
    """Orders and makes them as the days pass; at cases whose arrears last until today."""

    def __init__(
        self, started: Started, cast: Mapping[str, Sequence[Actor]], chosen: dict[str, list[int]], clock: DemoClock,
        today: date,
    ) -> None:  # fmt: skip
        self.started, self.clock, self.today, self.chosen = started, clock, today, chosen
        self.two = pair(cast[REP.post])
        self.reviewer = cast[RISK.post][0]
        self._numbers: dict[str, int] = {}

    def order(self, on: date, owing: Collection[str]) -> None:
        """In the evening before: each for its hour, with both who go; `owing`: the loans that will be in arrears."""
        for stop, plan in enumerate(self._of(on), 1):
            data: dict[str, Any] = {"visit_on": on.isoformat(), "address_kind": "home", "area": "A01", "stop": stop}
            found = self.chosen.get(plan.again, []) if plan.again else self._choose(owing)
            if not found:
                continue  # a small branch has fewer
            (case_id,) = found
            if plan.again:
                data["risk_acknowledged"] = True
            data["address"] = f"某市某区示例街{case_id}号3栋504室"
            leader, second = self._who(plan)
            data |= {"visitor": leader.id, "second_visitor": second.id}
            self.chosen[plan.name] = found
            command = Open(actor=self.two[0], noun="visit", ground="ordered", of=case_id, data=data)
            self._numbers[plan.name] = self._done(command)

    def make(self, on: date) -> None:
        """In the daytime: those of the day, and what the reviewer says of those of the day before."""
        for plan in self._ordered(on):
            if plan.report:
                self._make(plan, datetime.combine(on, plan.arrives, self.clock.zone))
        for plan in self._ordered(on - timedelta(days=1)):
            if plan.review:
                self.clock.set(on, _REVIEWED)
                self._fire(self.reviewer, plan, plan.review, plan.said)
        accepted = [plan for plan in self._ordered(on - timedelta(days=1)) if plan.review == "accept"]
        if accepted:
            day = on - timedelta(days=1)
            draw_photos(self.started.engine, self.started.branch, self.reviewer, day, day, clock=self.clock)

    def begin(self, at: datetime) -> None:
        """The first of the day's is under way if people have been visited for a while by this instant; ended at night.

        Of a day that has passed it has ended. Nobody is left at an address for the hours after the last visit begins,
        or for days: it would raise the alarm of X9.
        """
        present = at.astimezone(self.clock.zone)
        if present.date() == self.today:
            arrived = min(present - _UNDER_WAY_FOR, datetime.combine(self.today, _LAST, self.clock.zone))
        else:
            arrived = datetime.combine(self.today, _ON_ANOTHER_DAY, self.clock.zone)
        if arrived.date() == self.today and arrived.time() >= _FIRST:
            for plan in self._ordered(self.today)[:1]:
                self._arrive(plan, arrived)
                if arrived + _STAY <= present:
                    self._leave(plan, arrived)

    def _make(self, plan: DemoVisit, at: datetime) -> None:
        self._arrive(plan, at)
        self._leave(plan, at)
        self._fire(self._who(plan)[0], plan, "report", plan.report)

    def _leave(self, plan: DemoVisit, arrived: datetime) -> None:
        left = arrived + _STAY
        self.clock.set(left.date(), left.time())
        self._fire(self._who(plan)[0], plan, "check_out", {"at": left.isoformat()})

    def _arrive(self, plan: DemoVisit, at: datetime) -> None:
        """Both photos are taken in the first minutes."""
        (leader, _), (case_id,) = self._who(plan), self.chosen[plan.name]
        at = at.replace(second=0, microsecond=0)
        self.clock.set(at.date(), at.time())
        self._fire(leader, plan, "check_in", {"at": at.isoformat()})
        for minutes, shows in ((3, "building"), (6, "door_plate")):
            taken = at + timedelta(minutes=minutes)
            self.clock.set(taken.date(), taken.time())
            sent = PhotoSent(self._numbers[plan.name], drawn_photo(shows, case_id, taken), {"shows": shows})
            branch = self.started.branch
            kept = keep_photo(self.started.engine, branch, branch.files, leader, sent, clock=self.clock)
            if not isinstance(kept, PhotoKept):
                raise TypeError(f"a photo of {plan.name} was not kept: {kept}")

    def _of(self, on: date) -> list[DemoVisit]:
        return [plan for plan in VISITS if plan.days_ago == (self.today - on).days]

    def _ordered(self, on: date) -> list[DemoVisit]:
        return [plan for plan in self._of(on) if plan.name in self._numbers]

    def _who(self, plan: DemoVisit) -> tuple[Actor, Actor]:
        return self.two[plan.leads], self.two[1 - plan.leads]

    def _choose(self, owing: Collection[str]) -> list[int]:
        """The newest case of the first rep that nothing else happens to, if there is one."""
        taken = {case_id for ids in self.chosen.values() for case_id in ids}
        theirs = CASE_ROWS.where(
            cases.c.state == "phone_collection", cases.c.live, cases.c.owner == self.two[0].id
        ).order_by(cases.c.id.desc())
        with reading(self.started.engine) as conn:
            found = map(from_row, conn.execute(theirs))
            return [case.id for case in found if case.id not in taken and case.loan_id in owing][:1]

    def _fire(self, actor: Actor, plan: DemoVisit, event: str, data: Mapping[str, Any]) -> None:
        self._done(Fire(actor=actor, noun="visit", id=self._numbers[plan.name], event=event, data=data))

    def _done(self, command: Open | Fire) -> int:
        with writing(self.started.engine) as conn:
            (outcome,) = advance(conn, [command], self.started.branch, clock=self.clock)
        if not isinstance(outcome, Done):
            raise TypeError(f"{command} was not done: {outcome}")
        return outcome.id


def pair(reps: Sequence[Actor]) -> tuple[Actor, Actor]:
    """The first rep, and the next of their team: these two visit, and neither leaves."""
    first = reps[0]
    return first, next(actor for actor in reps[1:] if actor.team == first.team)
