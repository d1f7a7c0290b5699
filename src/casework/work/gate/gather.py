"""What the gate needs of the database for some wishes at once: one statement each, whatever their number."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.lifecycle.tables import institutions
from casework.storage import rows
from casework.storage.database import UtcDateTime
from casework.work.cases.holds import HOLDS
from casework.work.cases.tables import cases
from casework.work.contacts.contact import CALLS, CONTACT, DEBTOR, MESSAGE
from casework.work.contacts.results import SUSPENDED, Results
from casework.work.contacts.tables import contact_log, contacts
from casework.work.gate.consents import consents_of
from casework.work.gate.judge import Wish
from casework.work.gate.paid import paid_asked
from casework.work.gate.seen import Course, Line, advance, hear
from casework.work.gate.standing import Arrears, OnRecord, Span, Standing
from casework.work.gate.tables import contact_permits
from casework.work.holds import LIFTED, OF_THE_LOAN

_holds: Final = HOLDS.table


def _literal(words: str) -> sa.ColumnElement[bool]:
    """Words of SQL, not values: a statement that is prepared once takes parameters and nothing else."""
    return sa.literal_column(words, sa.Boolean)


_CALLED: Final = _literal(f"channel IN ({', '.join(map(repr, sorted(CALLS)))})")
_whose: Final = (contact_log.c.institution, contact_log.c.borrower_id)


class _Asked(NamedTuple):
    """The statements, for one dialect."""

    connected: sa.Select[Any]
    unanswered: sa.Select[Any]
    capped: sa.Select[Any]
    told: sa.Select[Any]
    course: sa.Select[Any]
    open: sa.Select[Any]
    arrears: sa.Select[Any]


@cache
def _asked(dialect: str) -> _Asked:
    def among(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
        return rows.among(column, name, dialect)

    log, permits, today = contact_log.c, contact_permits.c, sa.bindparam("today", type_=sa.Date)
    by_time = log.started_at, log.contact_ref, log.source
    arrears = sa.select(
        cases.c.institution, cases.c.borrower_id, institutions.c.business_date, sa.func.min(cases.c.oldest_due_date)
    ).join(institutions, institutions.c.institution == cases.c.institution)
    return _Asked(
        connected=sa.select(*_whose).where(
            among(log.borrower_id, "borrowers"), log.day == today, _CALLED, _literal(f"outcome = '{DEBTOR}'")
        ),
        unanswered=sa.select(log.number, sa.func.count())
        .where(
            among(log.number, "numbers"), log.day == today, _CALLED,
            _literal("outcome IN ('unanswered', 'invalid_number')"),
        ).group_by(log.number),
        capped=sa.select(*_whose, log.party, log.channel).where(
            among(log.borrower_id, "borrowers"), log.day == today,
            _literal(f"channel = '{MESSAGE}'") | (_CALLED & _literal(f"party = '{CONTACT}'")),
        ),
        told=sa.select(log.number, *by_time, log.result, *_whose)
        .where(among(log.number, "numbers"), among(log.result, "results")).order_by(*by_time),
        course=sa.select(*_whose, log.day, log.outcome, _CALLED & _literal(f"party = '{DEBTOR}'"))
        .where(among(log.borrower_id, "borrowers")).order_by(*by_time),
        open=sa.select(permits.institution, permits.borrower_id, permits.number, permits.party, permits.channel).where(
            among(permits.borrower_id, "borrowers") | among(permits.number, "numbers"), permits.used_at.is_(None),
            permits.holds_until > sa.bindparam("now", type_=UtcDateTime),
        ),
        arrears=arrears.where(
            among(cases.c.borrower_id, "borrowers"), cases.c.live, cases.c.oldest_due_date.is_not(None)
        ).group_by(cases.c.institution, cases.c.borrower_id, institutions.c.business_date),
    )  # fmt: skip


_BOOK: Final = sa.select(
    contacts.c.institution, contacts.c.borrower_id, contacts.c.role, contacts.c.phone_index, contacts.c.found_by,
    contacts.c.added_at, contacts.c.ended_at,
)  # fmt: skip
_REFUSED: Final = sa.select(contacts.c.phone_index, contacts.c.refused_at).where(contacts.c.refused_at.is_not(None))
_HOLDS: Final = sa.select(
    _holds.c.institution, _holds.c.borrower_id, _holds.c.loan_id, _holds.c.hold, _holds.c.begins_at, _holds.c.ends_at,
    _holds.c.state, _holds.c.last_on,
)  # fmt: skip
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
"""Since when a number is on record that a feed brought: the core-banking system knew it before."""


class Known(NamedTuple):
    """All that was asked for; whoever and whatever was not has no entry."""

    courses: Mapping[Customer, Course]
    lines: Mapping[bytes, Line]
    standings: Mapping[Customer, Standing]


class Asking(NamedTuple):
    """A wish, the debtor and the case that it is about, and who would act."""

    wish: Wish
    customer: Customer
    posts: frozenset[str]
    state: str
    product: str | None
    case_id: int
    actor_id: str
    contact_id: int | None = None


def gather(
    conn: Connection, askings: Sequence[Asking], zone: tzinfo, results: Results, now: datetime, *, quiet: bool,
    capped: bool,
) -> Known:  # fmt: skip
    """Everything that the judgement of these wishes needs, as it stands at this moment.

    What only contact persons need (the course of attempts, the book of numbers, arrears) is read for their debtors, and
    consents only in the `quiet` hours of any, and what X8 counts where it is `capped` for any.
    """
    customers = {one.customer for one in askings}
    others = {one.customer for one in askings if one.wish.party != "debtor"}
    persons = {one.customer for one in askings if one.wish.party == "contact"}
    borrowers, day = sorted({one.borrower_id for one in customers}), now.astimezone(zone).date()
    book = _book(conn, others)
    numbers = {one.wish.number for one in askings if one.wish.number is not None}
    dialled = sorted(numbers)
    numbers |= {one.number for who in persons for one in book.get(who, ()) if one.role == "debtor" and one.number}
    known = Known({one: Course() for one in customers}, {number: Line() for number in numbers}, {})
    asked, said = _asked(conn.dialect.name), _said(results)
    of_them = {"borrowers": borrowers, "numbers": dialled, "today": day, "now": now}
    of_persons = {"borrowers": sorted({one.borrower_id for one in persons})}
    with rows.together(conn):
        told = rows.ask(conn, asked.told, {"numbers": sorted(numbers), "results": sorted(said)}) if numbers else list
        courses = rows.ask(conn, asked.course, of_persons) if persons else list
        connected = rows.ask(conn, asked.connected, {name: of_them[name] for name in ("borrowers", "today")})
        to_cap = (
            rows.ask(conn, asked.capped, {name: of_them[name] for name in ("borrowers", "today")}) if capped else list
        )
        unanswered = (
            rows.ask(conn, asked.unanswered, {name: of_them[name] for name in ("numbers", "today")})
            if dialled else list
        )  # fmt: skip
        opened = rows.ask(conn, asked.open, {name: of_them[name] for name in ("borrowers", "numbers", "now")})
        holds = rows.ask_by_keys(conn, _HOLDS, "borrower_id", borrowers)
        paid = paid_asked(conn, borrowers, zone)
        overdue = rows.ask(conn, asked.arrears, of_persons) if persons else list
        marked = rows.ask_by_keys(conn, _REFUSED, "phone_index", sorted(numbers)) if others else list
        consents = consents_of(conn, borrowers) if quiet else {}
    _tell(known, told(), said)
    _run(known, courses())
    _count(known, day, connected(), to_cap(), unanswered(), opened())
    held, remitted, arrears = _spans(holds(), zone), paid(), _arrears(overdue())
    asked_not_to = _earliest(marked())
    states = _states(askings)
    standings = {
        who: Standing(
            book.get(who, ()), held.get(who, ()), consents.get(who, ()), arrears.get(who, Arrears()),
            tuple(states[who].values()), remitted.get(who, ()), asked_not_to,
        )
        for who in customers
    }  # fmt: skip
    return known._replace(standings=standings)


def _count(
    known: Known, day: date, connected: Sequence[Any], to_cap: Sequence[Any], unanswered: Sequence[Any],
    opened: Sequence[Any],
) -> None:  # fmt: skip
    """What happened today, and what is permitted and open, by debtor and by number."""
    for whose in connected:
        reserve(known, Customer(*whose), DEBTOR, "call", None, day)
    for institution, borrower_id, party, channel in to_cap:
        if (course := known.courses.get(Customer(institution, borrower_id))) is not None:
            course.count(party, channel, day)
    for number, calls in unanswered:
        line = known.lines[bytes(number)]
        line.day, line.unanswered = day, calls
    for institution, borrower_id, number, party, channel in opened:
        whose = Customer(institution, borrower_id)
        reserve(known, whose, party, channel, None if number is None else bytes(number), day)


def _states(askings: Sequence[Asking]) -> dict[Customer, dict[str, Span]]:
    """Of each debtor the states of the cases that are asked about, by loan."""
    found: dict[Customer, dict[str, Span]] = {}
    for one in askings:
        found.setdefault(one.customer, {})[one.wish.loan_id] = Span(one.state, LONG_AGO, None, one.wish.loan_id)
    return found


def reserve(known: Known, customer: Customer, party: str, channel: str, number: bytes | None, day: date) -> None:
    """What is permitted counts until its outcome: a call as connected (X2), on its number as unanswered (X3); X8."""
    course = known.courses.get(customer)
    if course is not None:
        course.count(party, channel, day, connected=True)
    line = known.lines.get(number) if number is not None and channel in CALLS else None
    if line is not None:
        line.unanswered, line.day = line.unanswered_on(day) + 1, day


def holds_of(conn: Connection, borrowers: Sequence[str], zone: tzinfo) -> dict[Customer, list[Span]]:
    """The holds of these borrowers, those that are over too; one that was lifted stops nothing from that day on."""
    return _spans(rows.select_by_keys(conn, _HOLDS, "borrower_id", borrowers), zone)


def _spans(holds: Sequence[Any], zone: tzinfo) -> dict[Customer, list[Span]]:
    found: dict[Customer, list[Span]] = {}
    for row in holds:
        bound = row.loan_id if row.hold in OF_THE_LOAN else None
        ends_at = datetime.combine(row.last_on, time(), zone) if row.state == LIFTED else row.ends_at
        span = Span(row.hold, row.begins_at, ends_at, bound)
        found.setdefault(Customer(row.institution, row.borrower_id), []).append(span)
    return found


def book_of(conn: Connection, borrowers: Sequence[str]) -> dict[Customer, list[OnRecord]]:
    """The ways to reach these borrowers and the people around them."""
    found: dict[Customer, list[OnRecord]] = {}
    for row in rows.select_by_keys(conn, _BOOK, "borrower_id", borrowers):
        number = bytes(row.phone_index) if row.phone_index is not None else None
        way = OnRecord(row.role, number, row.added_at if row.found_by else LONG_AGO, row.ended_at)
        found.setdefault(Customer(row.institution, row.borrower_id), []).append(way)
    return found


def refusals(conn: Connection, numbers: Collection[bytes]) -> dict[bytes, datetime]:
    """Since when these numbers are marked as refused, in whoever's contact book."""
    return _earliest(rows.select_by_keys(conn, _REFUSED, "phone_index", sorted(numbers)))


def _earliest(marked: Sequence[Any]) -> dict[bytes, datetime]:
    found: dict[bytes, datetime] = {}
    for row in marked:
        number = bytes(row.phone_index)
        found[number] = min(row.refused_at, found.get(number, row.refused_at))
    return found


def _book(conn: Connection, customers: Collection[Customer]) -> dict[Customer, list[OnRecord]]:
    return book_of(conn, sorted({one.borrower_id for one in customers})) if customers else {}


def _said(results: Results) -> dict[str, str]:
    telling = ((code, one.number) for code, one in results.by_code.items())
    return {code: number for code, number in telling if number is not None and number != SUSPENDED}


def _tell(known: Known, told: Sequence[Any], said: Mapping[str, str]) -> None:
    for row in told:
        number, what = bytes(row.number), said[row.result]
        course = known.courses.get(Customer(row.institution, row.borrower_id), Course())
        hear((row.started_at, row.contact_ref, row.source), course, number, known.lines[number], what)


def _run(known: Known, courses: Sequence[Any]) -> None:
    for institution, borrower_id, day, outcome, is_attempt in courses:
        course = known.courses.get(Customer(institution, borrower_id))
        if course is not None:
            advance(course, day, connected=outcome == DEBTOR, attempt=is_attempt)


def _arrears(overdue: Sequence[Any]) -> dict[Customer, Arrears]:
    return {
        Customer(institution, borrower_id): Arrears((on,), {on: (on - oldest).days})
        for institution, borrower_id, on, oldest in overdue
    }
