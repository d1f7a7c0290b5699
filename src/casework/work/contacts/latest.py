"""The latest contacts with a debtor, as whoever works the case sees them."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.work.contacts.contact import CALLS, DEBTOR, Contact
from casework.work.contacts.results import Results
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of

MOST: Final = 50
_COURSE: Final = sa.select(
    *(contact_log.c[name] for name in ("party", "channel", "outcome", "result"))
).order_by(contact_log.c.started_at.desc(), contact_log.c.id.desc())  # fmt: skip


def latest_contacts(conn: Connection, customer: Customer, limit: int = MOST) -> list[Contact]:
    """At most `limit`, the newest first, over all loans, channels and callers."""
    theirs = (contact_log.c.borrower_id == customer.borrower_id, contact_log.c.institution == customer.institution)
    wanted = CONTACTS.where(*theirs).order_by(contact_log.c.started_at.desc(), contact_log.c.id.desc()).limit(limit)
    return [contact_of(row) for row in conn.execute(wanted)]


def is_half_lost(conn: Connection, customer: Customer, results: Results) -> bool:
    """Whether calls to the debtor fail since they were last connected, while somebody around them has answered.

    A number that turned out to be nobody's is no answer.
    """
    theirs = (contact_log.c.borrower_id == customer.borrower_id, contact_log.c.institution == customer.institution)
    failed = answered = False
    for row in conn.execute(_COURSE.where(*theirs)):
        if row.outcome == DEBTOR:
            break
        failed = failed or (row.party == DEBTOR and row.channel in CALLS)
        result = results.by_code.get(row.result)
        is_wrong = result is not None and result.number == "wrong"
        answered = answered or (row.party != DEBTOR and row.outcome == "third_party" and not is_wrong)
    return failed and answered


def contacts_of_day(
    conn: Connection, staff_no: str, day: date, *, calls: bool = False, outcome: str | None = None, after: int = 0,
    limit: int = MOST,
) -> list[Contact]:  # fmt: skip
    """Those that somebody made on a day of the branch, in their order: at most `limit` beyond the first `after`."""
    theirs = [contact_log.c.staff_no == staff_no, contact_log.c.day == day]
    if calls:
        theirs.append(contact_log.c.channel.in_(sorted(CALLS)))
    if outcome is not None:
        theirs.append(contact_log.c.outcome == outcome)
    wanted = CONTACTS.where(*theirs).order_by(contact_log.c.started_at, contact_log.c.id).offset(after).limit(limit)
    return [contact_of(row) for row in conn.execute(wanted)]


class Called(NamedTuple):
    """What somebody's calls of a day came to."""

    calls: int
    connected: int


def called_by(conn: Connection, staff_no: str, day: date) -> Called:
    """The calls that somebody made on a day of the branch, and in how many the debtor was reached."""
    theirs = (contact_log.c.staff_no == staff_no, contact_log.c.day == day, contact_log.c.channel.in_(sorted(CALLS)))
    reached = sa.func.sum(sa.case((contact_log.c.outcome == DEBTOR, 1), else_=0))
    row = conn.execute(sa.select(sa.func.count(), reached).where(*theirs)).one()
    return Called(int(row[0]), int(row[1] or 0))


class LastResult(NamedTuple):
    """What the contact came to that was recorded last."""

    result: str
    started_at: datetime


def last_results(conn: Connection, customers: Collection[Customer]) -> dict[Customer, LastResult]:
    """By customer, of some; one statement."""
    numbers = sorted({one.borrower_id for one in customers})
    newest = (
        sa.select(sa.func.max(contact_log.c.id))
        .where(contact_log.c.borrower_id.in_(numbers))
        .group_by(contact_log.c.institution, contact_log.c.borrower_id)
    )
    wanted = sa.select(
        contact_log.c.institution, contact_log.c.borrower_id, contact_log.c.result, contact_log.c.started_at
    ).where(contact_log.c.id.in_(newest))  # fmt: skip
    found = conn.execute(wanted) if numbers else ()
    return {Customer(row.institution, row.borrower_id): LastResult(row.result, row.started_at) for row in found}
