"""What the gate needs of the database for some wishes at once: one statement each, whatever their number."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.lifecycle.tables import institutions
from casework.storage import rows
from casework.work.cases.holds import HOLDS
from casework.work.cases.tables import cases
from casework.work.contacts.contact import CALLS, DEBTOR
from casework.work.contacts.results import Results
from casework.work.contacts.tables import contact_log, contacts
from casework.work.gate.consents import consents_of
from casework.work.gate.judge import Wish
from casework.work.gate.seen import Course, Line, advance, hear
from casework.work.gate.standing import Arrears, OnRecord, Span, Standing
from casework.work.gate.tables import contact_permits
from casework.work.holds import LIFTED, OF_THE_LOAN

_holds: Final = HOLDS.table
_calls: Final = contact_log.c.channel.in_(sorted(CALLS))
_whose: Final = (contact_log.c.institution, contact_log.c.borrower_id)


def _among(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    return column.in_(sa.bindparam(name, expanding=True))


_CONNECTED: Final = sa.select(*_whose).where(
    _among(contact_log.c.borrower_id, "borrowers"), contact_log.c.day == sa.bindparam("today"), _calls,
    contact_log.c.outcome == "debtor",
)  # fmt: skip
_UNANSWERED: Final = (
    sa.select(contact_log.c.number, sa.func.count())
    .where(
        _among(contact_log.c.number, "numbers"), contact_log.c.day == sa.bindparam("today"), _calls,
        contact_log.c.outcome.in_(["unanswered", "invalid_number"]),
    )
    .group_by(contact_log.c.number)
)  # fmt: skip
_TOLD: Final = (
    sa.select(
        contact_log.c.number, contact_log.c.started_at, contact_log.c.contact_ref, contact_log.c.source,
        contact_log.c.result, *_whose,
    )
    .where(_among(contact_log.c.number, "numbers"), _among(contact_log.c.result, "results"))
    .order_by(contact_log.c.started_at, contact_log.c.contact_ref, contact_log.c.source)
)  # fmt: skip
_COURSE: Final = (
    sa.select(*_whose, contact_log.c.day, contact_log.c.outcome, _calls & (contact_log.c.party == "debtor"))
    .where(_among(contact_log.c.borrower_id, "borrowers"))
    .order_by(contact_log.c.started_at, contact_log.c.contact_ref, contact_log.c.source)
)
_OPEN: Final = sa.select(
    contact_permits.c.institution, contact_permits.c.borrower_id, contact_permits.c.number, contact_permits.c.channel
).where(
    _among(contact_permits.c.borrower_id, "borrowers") | _among(contact_permits.c.number, "numbers"),
    contact_permits.c.used_at.is_(None), contact_permits.c.holds_until > sa.bindparam("now"),
)  # fmt: skip
_BOOK: Final = sa.select(contacts.c.institution, contacts.c.borrower_id, contacts.c.role, contacts.c.phone_index)
_HOLDS: Final = sa.select(
    _holds.c.institution, _holds.c.borrower_id, _holds.c.loan_id, _holds.c.hold, _holds.c.begins_at, _holds.c.ends_at,
    _holds.c.state, _holds.c.last_on,
)  # fmt: skip
_ARREARS: Final = (
    sa.select(
        cases.c.institution, cases.c.borrower_id, institutions.c.business_date, sa.func.min(cases.c.oldest_due_date)
    )
    .join(institutions, institutions.c.institution == cases.c.institution)
    .where(_among(cases.c.borrower_id, "borrowers"), cases.c.live, cases.c.oldest_due_date.is_not(None))
    .group_by(cases.c.institution, cases.c.borrower_id, institutions.c.business_date)
)
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
"""Since when a number is on record whose day nobody kept."""


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
    conn: Connection, askings: Sequence[Asking], zone: tzinfo, results: Results, now: datetime, *, quiet: bool
) -> Known:  # fmt: skip
    """Everything that the judgement of these wishes needs, as it stands at this moment.

    What only contact persons need (the course of attempts, the book of numbers, arrears) is read for their debtors, and
    consents only in the `quiet` hours of any.
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
    _told(conn, known, sorted(numbers), results)
    if persons:
        _courses(conn, known, persons)
    _today(conn, known, borrowers, dialled, day)
    _reserve_open(conn, known, borrowers, dialled, day, now)
    held, arrears = holds_of(conn, borrowers, zone), _arrears(conn, persons)
    consents = consents_of(conn, borrowers) if quiet else {}
    states: dict[Customer, dict[str, Span]] = {}
    for one in askings:
        states.setdefault(one.customer, {})[one.wish.loan_id] = Span(one.state, LONG_AGO, None, one.wish.loan_id)
    standings = {
        who: Standing(
            book.get(who, ()),
            held.get(who, ()),
            consents.get(who, ()),
            arrears.get(who, Arrears()),
            tuple(states[who].values()),
        )
        for who in customers
    }
    return known._replace(standings=standings)


def reserve(known: Known, customer: Customer, number: bytes | None, day: date) -> None:
    """A call that is permitted counts as connected (X2) and, on its number, as unanswered (X3) until its outcome."""
    course = known.courses.get(customer)
    if course is not None:
        course.connected_calls, course.calls_on = course.connected_calls_on(day) + 1, day
    line = known.lines.get(number) if number is not None else None
    if line is not None:
        line.unanswered, line.day = line.unanswered_on(day) + 1, day


def holds_of(conn: Connection, borrowers: Sequence[str], zone: tzinfo) -> dict[Customer, list[Span]]:
    """The holds of these borrowers, those that are over too; one that was lifted stops nothing from that day on."""
    found: dict[Customer, list[Span]] = {}
    for row in rows.select_by_keys(conn, _HOLDS, "borrower_id", borrowers):
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
        found.setdefault(Customer(row.institution, row.borrower_id), []).append(OnRecord(row.role, number, LONG_AGO))
    return found


def _book(conn: Connection, customers: Collection[Customer]) -> dict[Customer, list[OnRecord]]:
    return book_of(conn, sorted({one.borrower_id for one in customers})) if customers else {}


def _told(conn: Connection, known: Known, numbers: Sequence[bytes], results: Results) -> None:
    said = {code: one.number for code, one in results.by_code.items() if one.number is not None}
    if not numbers:
        return
    for row in conn.execute(_TOLD, {"numbers": numbers, "results": sorted(said)}):
        number, what = bytes(row.number), said[row.result]
        course = known.courses.get(Customer(row.institution, row.borrower_id), Course())
        hear((row.started_at, row.contact_ref, row.source), course, number, known.lines[number], what)


def _courses(conn: Connection, known: Known, customers: Collection[Customer]) -> None:
    borrowers = sorted({one.borrower_id for one in customers})
    for institution, borrower_id, day, outcome, is_attempt in conn.execute(_COURSE, {"borrowers": borrowers}):
        course = known.courses.get(Customer(institution, borrower_id))
        if course is not None:
            advance(course, day, connected=outcome == DEBTOR, attempt=is_attempt)


def _today(
    conn: Connection, known: Known, borrowers: Sequence[str], numbers: Sequence[bytes], day: date
) -> None:  # fmt: skip
    for row in conn.execute(_CONNECTED, {"borrowers": borrowers, "today": day}):
        reserve(known, Customer(*row), None, day)
    if numbers:
        for number, calls in conn.execute(_UNANSWERED, {"numbers": numbers, "today": day}):
            line = known.lines[bytes(number)]
            line.day, line.unanswered = day, calls


def _reserve_open(
    conn: Connection, known: Known, borrowers: Sequence[str], numbers: Sequence[bytes], day: date, now: datetime
) -> None:  # fmt: skip
    asked = {"borrowers": borrowers, "numbers": numbers, "now": now}
    for institution, borrower_id, number, channel in conn.execute(_OPEN, asked):
        if channel in CALLS:
            reserve(known, Customer(institution, borrower_id), None if number is None else bytes(number), day)


def _arrears(conn: Connection, customers: Collection[Customer]) -> dict[Customer, Arrears]:
    if not customers:
        return {}
    borrowers = sorted({one.borrower_id for one in customers})
    return {
        Customer(institution, borrower_id): Arrears((on,), {on: (on - oldest).days})
        for institution, borrower_id, on, oldest in conn.execute(_ARREARS, {"borrowers": borrowers})
    }
