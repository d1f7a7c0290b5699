"""The daily report of the basic-risk post (催收日报, 5.4): people, teams, what is missing, breaches, holds.

It is made from the day as it stands until the post issues it; then it is kept as it was issued, and shown so.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now, utc_text
from casework.errors import CallerError
from casework.evidence.evening.handing_in import (
    STREAM,
    HandIn,
    What,
    branch_time,
    entered,
    handed_in,
    write_hand_ins,
)
from casework.evidence.evening.of_day import ledger_of
from casework.evidence.evening.standing import Evening, evening_of, not_handed_in
from casework.evidence.evening.tables import FIGURES, REPORT, hand_ins
from casework.evidence.ledger.lines import unrepaired
from casework.intake.feed.past_arrears import past_arrears
from casework.log.write.trail import locked_head
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.cases.holds import HOLDS
from casework.work.contacts.registered import WHY
from casework.work.gate import reviews
from casework.work.gate.subjects import Subject
from casework.work.gate.subjects import subjects as subjects_of

_holds: Final = HOLDS.table.c
_IN_FORCE: Final = (
    sa.select(_holds.hold, sa.func.count(), sa.func.sum(sa.case((_holds.review_by <= sa.bindparam("on"), 1), else_=0)))
    .where(
        _holds.begins_on <= sa.bindparam("on", type_=sa.Date),
        sa.or_(_holds.last_on.is_(None), _holds.last_on >= sa.bindparam("on", type_=sa.Date)),
    )
    .group_by(_holds.hold)
    .order_by(_holds.hold)
)


class TeamLine(msgspec.Struct, frozen=True):
    """A team (none: people of no team): how many people, how many have handed in, and their figures added up."""

    team: str | None
    people: int
    handed_in: int
    missing: int
    due: int
    done: int
    late: int
    exempt: int
    open: int
    contacts: int


class PersonLine(msgspec.Struct, frozen=True):
    """A person: as they handed in, or as it stands. `came`: handed_in, late, missing, not_yet."""

    owed_by: str
    team: str | None
    due: int
    done: int
    late: int
    exempt: int
    open: int
    contacts: int
    came: str
    handed_in_at: datetime | None
    handed_in_by: str | None
    entry_id: str | None


class MissingLine(msgspec.Struct, frozen=True):
    """A ledger or supplement that is missing (no `handed_in_at`) or came late."""

    owed_by: str
    part: str
    due_at: datetime
    handed_in_at: datetime | None


class BreachLine(msgspec.Struct, frozen=True):
    """A contact of the day against the gate; no `verdict`: it waits for review."""

    contact_ref: str
    source: str
    loan_id: str
    staff_no: str | None
    agency: str | None
    started_at: datetime
    rules: tuple[str, ...]
    verdict: str | None


class LackingLine(msgspec.Struct, frozen=True):
    """Contacts of the day that go to review for what they lack (`contacts.registered`), and how many were reviewed."""

    why: str
    contacts: int
    reviewed: int


class HoldsInForce(msgspec.Struct, frozen=True):
    """Holds in force on the day by ground; `to_review`: those whose day of review has come."""

    hold: str
    in_force: int
    to_review: int


class UnrepairedLine(msgspec.Struct, frozen=True):
    """A case of a customer who could not be repaired."""

    case_id: int
    loan_id: str
    lost_on: date | None
    repaired_on: date | None
    repair: str | None
    overdue_fen: int
    owner: str
    handler: str


class Daily(msgspec.Struct, frozen=True):
    """The report. `without_feed`: institutions whose last feed is of a day before, with that day."""

    on: date
    made_at: datetime
    teams: list[TeamLine]
    people: list[PersonLine]
    missing: list[MissingLine]
    breaches: list[BreachLine]
    holds: list[HoldsInForce]
    unrepaired: list[UnrepairedLine]
    without_feed: dict[str, date]
    lacking: list[LackingLine] = []

    @property
    def totals(self) -> dict[str, int]:
        """The figures of everybody."""
        return {name: sum(getattr(one, name) for one in self.people) for name in FIGURES}


_decode: Final = msgspec.json.Decoder(Daily).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def daily(conn: Connection, branch: Branch, on: date, *, clock: Clock = now) -> tuple[Daily, HandIn | None]:
    """As it was issued, and the act; else as it stands. CallerErrors `day_to_come`, `day_without_feed`."""
    issued = next(iter(handed_in(conn, on, parts=(REPORT,))), None)
    if issued is None:
        return _made(conn, branch, on, clock), None
    wanted = sa.select(hand_ins.c.content).where(hand_ins.c.day == on, hand_ins.c.part == REPORT)
    return _decode(zlib.decompress(bytes(conn.execute(wanted).scalar_one()))), issued


def issue(conn: Connection, branch: Branch, on: date, actor: Actor, *, clock: Clock = now) -> HandIn:
    """Issue it: kept as it is from now on; an entry. CallerErrors `report_issued` and those of `daily`."""
    made, issued = daily(conn, branch, on, clock=clock)
    trail, content = branch.trail(clock()), _encode(made)
    if issued is None:
        head = locked_head(conn, STREAM)
        issued = next(iter(handed_in(conn, on, parts=(REPORT,))), None)
    if issued is not None:
        raise CallerError(
            "report_issued", day=str(on), by=issued.handed_in_by, at=utc_text(issued.handed_in_at),
            local_at=branch_time(branch, issued.handed_in_at), entry_id=issued.entry_id,
        )  # fmt: skip
    what = What(on, branch.rulebook.tasks.report_by, REPORT, made.totals, content)
    head, done, line = entered(trail, head, actor, what, rule="5.4")
    write_hand_ins(conn, trail, head, [line])
    return done


def _made(conn: Connection, branch: Branch, on: date, clock: Clock) -> Daily:
    evening = evening_of(conn, branch, on, clock=clock)
    whole = ledger_of(conn, branch, on, clock=clock).whole()
    subjects = subjects_of(conn, branch, past_arrears, on, on).items
    reviewed = reviews.reviews(conn, [one.contact for one in subjects])
    return Daily(
        on, evening.at, list(_teams(evening)), list(_people(evening)),
        [MissingLine(*one) for one in not_handed_in(branch, evening)],
        list(_breaches(subjects, reviewed)),
        [HoldsInForce(hold, number, int(to_review or 0)) for hold, number, to_review in _holds_on(conn, on)],
        [
            UnrepairedLine(
                one.case_id, one.loan_id, one.lost_on, one.repaired_on, one.repair, one.overdue_fen, one.owner,
                one.handler,
            )
            for one in unrepaired(whole)
        ],
        {name: last for name, last in sorted(business_dates(conn).items()) if last < on},
        list(_lacking(subjects, reviewed)),
    )  # fmt: skip


def _breaches(subjects: Sequence[Subject], reviewed: Mapping[tuple[str, str], reviews.Review]) -> Iterator[BreachLine]:
    for subject in subjects:
        one, seen = subject.contact, reviews.verdict_on(reviewed, subject)
        if subject.rules:
            yield BreachLine(
                one.contact_ref, one.source, one.loan_id, one.staff_no, one.agency, one.started_at, subject.rules,
                seen and seen.verdict,
            )  # fmt: skip


def _lacking(subjects: Sequence[Subject], reviewed: Mapping[tuple[str, str], reviews.Review]) -> Iterator[LackingLine]:
    for why in WHY:
        of_it = [one for one in subjects if why in one.lacks]
        if of_it:
            yield LackingLine(why, len(of_it), sum(reviews.verdict_on(reviewed, one) is not None for one in of_it))


def _holds_on(conn: Connection, on: date) -> Sequence[Any]:
    return conn.execute(_IN_FORCE, {"on": on}).all()


def _teams(evening: Evening) -> Iterator[TeamLine]:
    names = TeamLine.__struct_fields__[1:]
    for team, counts in evening.by_team().items():
        yield TeamLine(team, *(counts[name] for name in names))


def _people(evening: Evening) -> Iterator[PersonLine]:
    for one in evening.people:
        done = one.ledger
        yield PersonLine(
            one.owed_by, one.team, one.due, one.done, one.late, one.exempt, one.open, one.contacts, one.came,
            done.handed_in_at if done else None, done.handed_in_by if done else None, done.entry_id if done else None,
        )  # fmt: skip
