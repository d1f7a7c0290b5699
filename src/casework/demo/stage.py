"""The invented branch as it runs: its staff, a month of feeds, the journeys, all through the real doors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.demo import living, people
from casework.demo.branch import acts_of, generate
from casework.demo.departure import depart
from casework.demo.files import INSTITUTION
from casework.demo.hours import DAYTIME, EVENING, FEED, MORNING, DemoClock
from casework.demo.passwords import give_password
from casework.demo.recall import recalled_and_cleared
from casework.demo.steps import (
    APPROVER,
    CALLER,
    OFFICER,
    RISK,
    Day,
    DemoPerson,
    DemoStep,
    Journey,
    Morning,
    cleared,
)
from casework.demo.story import JOURNEYS
from casework.demo.visiting import Visits
from casework.errors import CallerError
from casework.intake.contact_book.adding import Finding
from casework.intake.contact_book.repairing import find
from casework.intake.dialler.importing import import_contacts
from casework.intake.dialler.learning import learn_days
from casework.intake.dialler.recording import DIALLER
from casework.intake.feed.folder import read_folder
from casework.intake.feed.load import ImportRequest, import_feed
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Note, Open, Record, Refused
from casework.operation.startup import Started
from casework.people.staff import acting, register, tokens
from casework.people.staff.actor import Actor, system
from casework.storage import rows
from casework.storage.database import writing
from casework.work.cases.case import Case, from_row
from casework.work.cases.commands import Command
from casework.work.cases.gather import CASE_ROWS, business_dates
from casework.work.cases.tables import cases
from casework.work.four_eyes import requests

Progress = Callable[[str, int, int], None]
TODAY = date(2024, 7, 1)
"""For whoever measures or compares: the day after a month that stays the same."""
DAYS: Final = 30
_CALLS: Final = 8  # at most, one an hour
_CONTACT_COLUMNS: Final = "contact_ref,staff_no,loan_id,party,phone,channel,started_at,result"


@dataclass
class DemoTold:
    """What came of it: cases by journey, tokens by post, the feed of the day after, the hand-over of who left."""

    cases: dict[str, list[int]] = field(default_factory=dict)
    handover: int = 0
    next_feed: Path = Path()  # not imported: for whoever looks at the demo
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)  # post: staff number, token
    password: str = field(default="", repr=False)  # of whoever is in `personas`
    personas: dict[str, str] = field(default_factory=dict)  # post: staff number
    days_off: list[int] = field(default_factory=list)  # the years for which days off were brought along


def before(today: date, days: int = DAYS) -> datetime:
    """When such a demo's rulebook is published: a day before all that happens in it."""
    return datetime.combine(today - timedelta(days=days + 1), time(), UTC)


def perform(
    started: Started, folder: Path, *, seed: int, loans_number: int, days: int = DAYS, today: date = TODAY,
    progress: Progress,
) -> DemoTold:  # fmt: skip
    """Fill an upgraded, otherwise empty database; feeds are kept below `folder`, the last is of the day before `today`.

    CallerError `day_to_come`.
    """
    if today > started.branch.today(now()):
        raise CallerError("day_to_come", day=str(today))
    told = DemoTold()
    first_day, clock = today - timedelta(days=days), DemoClock(started.branch.time_zone)
    clock.set(first_day, time())
    cast = _hire(started, seed, told, clock)
    told.days_off = living.bring_days_off(started, today, clock)
    progress("generating", 0, 1)
    *folders, told.next_feed = generate(folder, seed=seed, loans=loans_number, days=days + 1, first_day=first_day)
    progress("generating", 1, 1)
    acts = acts_of(days)  # the feed goes on about what the earlier ones did
    stage, visits = _Stage(started, cast, told, clock), Visits(started, cast, told.cases, clock, today)
    owing = {row.loan_id for row in read_folder(folders[-1]).overdue.rows}
    for number, delivery in enumerate(folders):
        clock.set(first_day + timedelta(days=number), DAYTIME)
        stage.next_day()
        visits.make(first_day + timedelta(days=number))
        clock.set(first_day + timedelta(days=number), FEED)
        import_feed(started.engine, started.branch, delivery, ImportRequest(system("feed"), clock=clock))
        progress("daily feeds", number + 1, len(folders))
        if number in acts:
            clock.set(first_day + timedelta(days=number), EVENING)
            stage.act((*JOURNEYS, *living.after_act(days - 1 - number)))
            stage.recall()
        clock.set(first_day + timedelta(days=number), EVENING)
        visits.order(first_day + timedelta(days=number + 1), owing)
    clock.set(today, MORNING)
    stage.next_day()
    told.handover = depart(started, cast, clock)
    stage.act(living.of_collector(told.personas[CALLER.post]))
    progress("the day", 0, 1)
    living.begin_day(started, cast, folders, today, clock)
    visits.begin(now())
    progress("the day", 1, 1)
    _let_in(started, cast, told)
    return told


def _hire(started: Started, seed: int, told: DemoTold, clock: Clock) -> dict[str, list[Actor]]:
    """Everybody on the staff, from the first day on."""
    cast: dict[str, list[Actor]] = {"system": [system("sweep")]}
    with writing(started.engine) as conn:
        trail = started.branch.trail(clock())
        for member in people.staff(seed):
            register.add(
                conn,
                trail,
                system("cli"),
                started.branch.rulebook.permissions,
                staff_no=member.staff_no,
                name=member.name,
                posts=[member.post],
                team=member.team,
                region=member.region,
            )
            actor = acting.actor_for(conn, member.staff_no, "cli", today=trail.today)
            cast.setdefault(member.post, []).append(actor)
        trail.write(conn)
    told.personas = {post: cast[post][0].id for post in living.PERSONAS}
    return cast


def _let_in(started: Started, cast: Mapping[str, Sequence[Actor]], told: DemoTold) -> None:
    """A password for the first of each post, a token for one collector and one auditor, good from now on."""
    with writing(started.engine) as conn:
        trail = started.branch.trail(now())
        told.password = give_password(conn, started.branch, trail, list(told.personas.values()))
        for post in ("phone_collector", "auditor"):
            staff_no = cast[post][0].id
            told.tokens[post] = staff_no, tokens.issue(conn, trail, system("cli"), staff_no=staff_no)
        trail.write(conn)


class _Stage:
    """Lets the journeys happen on the present business date, each with cases that no journey has had."""

    def __init__(self, started: Started, cast: Mapping[str, Sequence[Actor]], told: DemoTold, clock: Clock) -> None:
        self.started = started
        self.clock = clock
        self.cast = cast
        self.told = told
        self.left: list[tuple[Journey, list[int], date]] = []

    def act(self, journeys: Sequence[Journey]) -> None:
        """Every journey once."""
        with writing(self.started.engine) as conn:
            today = business_dates(conn)[INSTITUTION]
            taken = {case_id for ids in self.told.cases.values() for case_id in ids}
            for journey in journeys:
                going_on = set(self.told.cases.get(journey.follows, ()))
                chosen = list(self._candidates(conn, journey, today, taken - going_on, going_on))
                taken |= {case.id for case in chosen}
                self.told.cases.setdefault(journey.name, []).extend(case.id for case in chosen)
                self._walk(conn, journey, journey.steps, chosen, today)
                if journey.next_day:
                    self.left.append((journey, [case.id for case in chosen], today))
                else:
                    self._ended(conn, journey, [case.id for case in chosen])

    def next_day(self) -> None:
        """What the journeys of the evening before left for the day after, whose close is not told yet."""
        with writing(self.started.engine) as conn:
            while self.left:
                journey, case_ids, today = self.left.pop()
                self._walk(conn, journey, journey.next_day, _read(conn, case_ids), today)
                self._ended(conn, journey, case_ids)

    def recall(self) -> None:
        """A loan is recalled for misuse; the finding is cleared, and two other people cancel the case."""
        with writing(self.started.engine) as conn:
            case_id = recalled_and_cleared(conn, self.started.branch, self.cast[OFFICER.post], self.clock)
            if case_id is not None:
                self.told.cases.setdefault("recalled for misuse, cleared, cancelled", []).append(case_id)
                cancelled = cleared("cancel", RISK, None, APPROVER, reason="finding_cleared")
                self._clear(conn, cancelled, case_id, business_dates(conn)[INSTITUTION])

    def _walk(
        self, conn: Connection, journey: Journey, steps: Sequence[DemoStep], chosen: list[Case], today: date
    ) -> None:  # fmt: skip
        """Step by step, all its cases together: the door takes a batch."""
        opened: dict[int, int] = {}  # of each case what was opened last beside it
        for number, step in enumerate(steps, 1):
            if step.what == "request":
                for case in chosen:
                    self._clear(conn, step, case.id, today)
                continue
            if step.what == "call":
                self._call(conn, step, chosen, today)
                continue
            if step.what == "found":
                for case in chosen:
                    self._find(conn, step, case, opened[case.id], today)
                continue
            commands = [self._command(step, case, today, opened) for case in chosen]
            for case, outcome in zip(
                chosen, advance(conn, commands, self.started.branch, clock=self.clock), strict=True
            ):
                if step.what == "open" and isinstance(outcome, Done):
                    opened[case.id] = outcome.id
                expected = isinstance(outcome, Done) if step.allowed else isinstance(outcome, Refused)
                if not expected:
                    raise RuntimeError(f"{journey.name}, step {number} ({step.name}): {outcome}")

    def _ended(self, conn: Connection, journey: Journey, case_ids: list[int]) -> None:
        """Where the story says that they end."""
        for case in _read(conn, case_ids):
            if case.state != journey.ends_in:
                raise RuntimeError(f"{journey.name} ends in {case.state}, not in {journey.ends_in}")

    def _clear(self, conn: Connection, step: DemoStep, case_id: int, today: date) -> None:
        """Asked for by one, reviewed by another, approved by a third: with that it happens."""
        branch = self.started.branch
        (case,) = _read(conn, [case_id])
        data = {name: self._value(value, case, today) for name, value in step.data.items()}
        asked = requests.ask(
            conn,
            branch,
            actor=self._person(step.by, case),
            kind="event",
            subject=case.stream,
            what=step.name,
            data=data,
            clock=self.clock,
        )
        if not isinstance(asked, requests.Asked):
            raise TypeError(f"{step.name} of case {case.id} could not be asked for: {asked}")
        decisions = [(requests.review, step.reviewer), (requests.approve, step.approver)]
        for decide, person in decisions:
            if person is not None:
                moved = decide(conn, branch, asked.request_id, actor=self._person(person, case), clock=self.clock)
                if not isinstance(moved, requests.Moved):
                    raise TypeError(f"{step.name} of case {case.id} was not let through: {moved}")

    def _find(self, conn: Connection, step: DemoStep, case: Case, repair: int, today: date) -> None:
        """Into the contact book, and the end of the repair."""
        found = Finding(**{name: self._value(value, case, today) for name, value in step.data.items()})
        outcome = find(conn, self.started.branch, self._person(step.by, case), repair, found, clock=self.clock)
        if not isinstance(outcome, Done):
            raise TypeError(f"repair {repair} did not end: {outcome}")

    def _call(self, conn: Connection, step: DemoStep, chosen: Sequence[Case], today: date) -> None:
        """A contact file of these calls; the sweep would tell the cases of the day when it closes it."""
        branch, on = self.started.branch, date.fromisoformat(step.on.of(today))
        begins = [datetime.combine(on, time(10 + number), ZoneInfo(branch.time_zone)) for number in range(_CALLS)]
        lines = [_CONTACT_COLUMNS] + [
            f"demo-{case.id}-{at:%m%d%H},{self._person(step.by, case).id},{case.loan_id},debtor,12000{case.id:06},call,"
            f"{at.isoformat()},{result}"
            for case in chosen for at, result in zip(begins, step.data["results"], strict=False)
        ]  # fmt: skip
        import_contacts(conn, branch, "\n".join(lines).encode(), "calls.csv", DIALLER, system("cli"), clock=self.clock)
        learn_days(conn, branch, INSTITUTION, on, on, clock=self.clock)

    def _command(self, step: DemoStep, case: Case, today: date, opened: Mapping[int, int]) -> Command:
        actor = self._person(step.by, case)
        if step.what == "note":
            return Note(actor=actor, id=case.id, text=step.name)
        data = {name: self._value(value, case, today) for name, value in step.data.items()}
        if step.what == "open":
            return Open(actor=actor, ground=step.name, data=data, of=case.id, noun=step.noun)
        if step.what == "end":
            return Fire(actor=actor, id=opened[case.id], event=step.name, data=data, noun=step.noun)
        if step.what == "fire":
            return Fire(actor=actor, id=case.id, event=step.name, data=data)
        on = date.fromisoformat(step.on.of(today))
        evidence = f"demo:{step.name}-{case.id}-{on.isoformat()}"
        return Record(actor=actor, id=case.id, kind=step.name, on=on, evidence=evidence, data=data)

    def _person(self, person: DemoPerson, case: Case) -> Actor:
        """The owner, if they hold the post; else somebody whose post reaches the case."""
        holders = self.cast[person.post]
        own = next((actor for actor in holders if actor.id == case.owner), None)
        reaching = [actor for actor in holders if self._reaches(actor, case)] or holders
        return own or reaching[(case.id + person.number) % len(reaching)]

    def _reaches(self, actor: Actor, case: Case) -> bool:
        rulebook = self.started.branch.rulebook
        return rulebook.permissions.authority(actor, actor.posts, case, rulebook.policies.all[-1]) is not None

    def _candidates(
        self, conn: Connection, journey: Journey, today: date, taken: set[int], going_on: set[int]
    ) -> Iterator[Case]:
        """The first cases in phone collection that fit, that no other journey has, and that all its people reach.

        Where a journey follows another, only cases of that one (`going_on`).
        """
        fresh = sa.select(cases.c.id).where(cases.c.state == "phone_collection").order_by(cases.c.id)
        chosen = 0
        for case in _read(conn, [case_id for case_id in conn.execute(fresh).scalars() if case_id not in taken]):
            fits = journey.lowest_dpd <= case.days_past_due(today) <= journey.highest_dpd
            moved = case.state_since > case.opened_on  # came back from somewhere: days count from there
            reached = all(
                any(self._reaches(actor, case) for actor in self.cast[step.by.post])
                for step in (*journey.steps, *journey.next_day)
            )
            follows = not journey.follows or case.id in going_on
            if fits and not moved and reached and follows and journey.also(case):
                yield case
                chosen += 1
                if chosen == journey.many:
                    return

    def _value(self, value: Any, case: Case, today: date) -> Any:
        if isinstance(value, Day):
            return value.of(today)
        if isinstance(value, Morning):
            return value.of(today, ZoneInfo(self.started.branch.time_zone))
        if isinstance(value, DemoPerson):
            return self._person(value, case).id
        return value(case) if callable(value) else value


def _read(conn: Connection, ids: list[int]) -> list[Case]:
    return [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", ids)]
