"""What is known of a debtor's numbers and addresses: state, when last tried, when somebody last answered there.

The state is that of the gate: the latest telling result decides, a refusal is for ever, invalid and refused hold for
whomever it was that was called, valid and wrong for this debtor.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.storage import rows
from casework.work.contacts.contact import DEBTOR
from casework.work.contacts.results import SUSPENDED, Results
from casework.work.contacts.tables import contact_log
from casework.work.gate.gather import refusals
from casework.work.gate.seen import NOTHING, Course, Line, hear
from casework.work.gate.tables import contact_permits

UNVERIFIED, VALID, WRONG, INVALID, REFUSED = "unverified", "valid", "wrong", "invalid", "refused"
STATES: Final = (UNVERIFIED, VALID, SUSPENDED, WRONG, INVALID, REFUSED)
EVER: Final = datetime.max.replace(tzinfo=UTC)
_log: Final = contact_log.c
_SAID: Final = sa.select(
    _log.number, _log.started_at, _log.contact_ref, _log.source, _log.result, _log.institution, _log.borrower_id
)  # fmt: skip
_TRIED: Final = (
    sa.select(_log.number, _log.started_at, _log.channel, _log.outcome, _log.result)
    .where(
        _log.borrower_id == sa.bindparam("borrower_id", type_=sa.String),
        _log.institution == sa.bindparam("institution", type_=sa.String),
        _log.number.is_not(None),
    )
    .order_by(_log.started_at, _log.contact_ref, _log.source)
)
_VISITED: Final = (
    sa.select(contact_permits.c.contact_id, _log.started_at, _log.outcome)
    .join(contact_log, _log.permit_id == contact_permits.c.id)
    .where(
        contact_permits.c.borrower_id == sa.bindparam("borrower_id", type_=sa.String),
        contact_permits.c.institution == sa.bindparam("institution", type_=sa.String),
        contact_permits.c.number.is_(None), contact_permits.c.contact_id.is_not(None),
    )
    .order_by(_log.started_at, _log.contact_ref, _log.source)
)  # fmt: skip


class KnownNumber(NamedTuple):
    """One number. Tried: by us, through any channel; connected: somebody answered to whom it was no wrong number."""

    state: str = UNVERIFIED
    last_tried_at: datetime | None = None
    last_connected_at: datetime | None = None


def known_numbers(
    conn: Connection, customer: Customer, numbers: Collection[bytes], results: Results, until: datetime = EVER
) -> Mapping[bytes, KnownNumber]:
    """Each of these numbers of the debtor, by what began or was noted before an instant."""
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    course, lines = _told(conn, customer, wanted, results, until)
    refused, tried = refusals(conn, wanted), _tried(conn, customer, results, until)
    known = {}
    for number in wanted:
        suspended, tried_at, connected_at = tried.get(number, (False, None, None))
        line = lines[number]
        if line.refused or refused.get(number, EVER) < until:
            state = REFUSED
        else:
            state = _state(course, number, line, suspended=suspended)
        known[number] = KnownNumber(state, tried_at, connected_at)
    return known


class Reached(NamedTuple):
    """That somebody went or wrote to an address."""

    started_at: datetime
    outcome: str


def known_addresses(
    conn: Connection, customer: Customer, of_files: Mapping[int, Sequence[Reached]], until: datetime = EVER
) -> Mapping[int, KnownNumber]:
    """By entry of the contact book, those that were visited or written to.

    Under a permit that named the entry, or (`of_files`) by contacts that name the address themselves. One where the
    debtor was met is valid.
    """
    made: dict[int, list[Reached]] = {}
    for row in conn.execute(_VISITED, customer._asdict()):
        made.setdefault(row.contact_id, []).append(Reached(row.started_at, row.outcome))
    for number, others in of_files.items():
        made.setdefault(number, []).extend(others)
    before = {number: [one for one in reached if one.started_at < until] for number, reached in made.items()}
    return {number: _known_by(sorted(reached)) for number, reached in before.items() if reached}


def _known_by(reached: Sequence[Reached]) -> KnownNumber:
    answered = [one.started_at for one in reached if one.outcome in {DEBTOR, "third_party"}]
    valid = any(one.outcome == DEBTOR for one in reached)
    return KnownNumber(
        VALID if valid else UNVERIFIED, reached[-1].started_at, answered[-1] if answered else None
    )  # fmt: skip


def of_number_and_address(number: KnownNumber, address: KnownNumber) -> KnownNumber:
    """An entry that has both: the state is the number's, tried and connected it was by either."""
    return KnownNumber(
        number.state, _later(number.last_tried_at, address.last_tried_at),
        _later(number.last_connected_at, address.last_connected_at),
    )  # fmt: skip


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    known = [at for at in (one, other) if at is not None]
    return max(known, default=None)


def _state(course: Course, number: bytes, line: Line, *, suspended: bool) -> str:
    valid = course.told.get(number, NOTHING).valid
    if course.is_wrong(number, line):
        return WRONG
    if line.invalid and (valid is None or line.invalid[-1] > valid):
        return INVALID
    if suspended:
        return SUSPENDED
    return UNVERIFIED if valid is None else VALID


def _told(
    conn: Connection, customer: Customer, numbers: list[bytes], results: Results, until: datetime
) -> tuple[Course, dict[bytes, Line]]:
    said = {code: one.number for code, one in results.by_code.items() if one.number is not None}
    course, lines = Course(), {number: Line() for number in numbers}
    found = rows.select_by_keys(conn, _SAID, "number", numbers)
    for row in sorted(found, key=lambda row: (row.started_at, row.contact_ref, row.source)):
        if row.result in said and row.started_at < until:
            number, key = bytes(row.number), (row.started_at, row.contact_ref, row.source)
            theirs = course if Customer(row.institution, row.borrower_id) == customer else Course()
            hear(key, theirs, number, lines[number], said[row.result])
    return course, lines


def _tried(
    conn: Connection, customer: Customer, results: Results, until: datetime
) -> dict[bytes, tuple[bool, datetime | None, datetime | None]]:
    """By number: whether its latest contact found it suspended, when it was last tried, and last connected."""
    found: dict[bytes, tuple[bool, datetime | None, datetime | None]] = {}
    for row in conn.execute(_TRIED, customer._asdict()):
        if row.started_at >= until:
            break
        number, result = bytes(row.number), results.by_code.get(row.result)
        says = None if result is None else result.number
        _, tried_at, connected_at = found.get(number, (False, None, None))
        answered = row.outcome in {DEBTOR, "third_party"} and says != WRONG
        found[number] = (
            says == SUSPENDED,
            row.started_at if row.channel != "inbound" else tried_at,
            row.started_at if answered else connected_at,
        )
    return found
