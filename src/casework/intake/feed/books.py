"""What the books know: of loans, customers and payments undone, and of the people and places that loans name."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.intake.feed.booked import Booked
from casework.intake.feed.row import LoanRow
from casework.intake.feed.tables import (
    borrowers,
    feed_runs,
    loans,
    repayments,
)
from casework.people.staff import places
from casework.people.staff.roster_rows import read_roster
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.ownership import is_barred

_BOOKED = sa.select(*(loans.c[name] for name in Booked._fields))


def booked(conn: Connection, loan_ids: Iterable[str]) -> dict[str, Booked]:
    """What is known of these loans; unknown ones are left out."""
    return {row[0]: Booked(*row) for row in rows.select_by_keys(conn, _BOOKED, "loan_id", list(loan_ids))}


_CUSTOMERS = sa.select(borrowers.c.institution, borrowers.c.borrower_id)


def known_borrowers(conn: Connection, institution: str, borrower_ids: Iterable[str]) -> set[str]:
    """Which of these customers of the institution are on the books."""
    wanted = [Customer(institution, borrower_id) for borrower_id in sorted(set(borrower_ids))]
    return {row.borrower_id for row in rows.select_by_keys(conn, _CUSTOMERS, Customer._fields, wanted)}


class Reversed(NamedTuple):
    """A payment undone: the reversal's own id, the payment it undoes with date and amount, the run that brought it."""

    reversal: str
    loan_id: str
    payment: str
    paid_on: date
    amount_fen: int
    run_id: int
    received_on: date  # `as_of` of that run


def reversals_of(conn: Connection, loan_ids: Iterable[str]) -> dict[str, list[Reversed]]:
    """Every payment of these loans that was undone, by loan."""
    undone = repayments.alias("undone")
    # A run enters its day when it ends, so the present one has none yet; it is known by its id.
    statement = (
        sa.select(
            repayments.c.payment_id,
            repayments.c.loan_id,
            undone.c.payment_id,
            undone.c.paid_on,
            undone.c.amount_fen,
            repayments.c.run_id,
            sa.func.coalesce(feed_runs.c.as_of, repayments.c.paid_on),
        )
        .join(
            undone,
            (undone.c.institution == repayments.c.institution) & (undone.c.payment_id == repayments.c.reverses),
        )
        .join(feed_runs, feed_runs.c.id == repayments.c.run_id)
        .where(repayments.c.reverses.is_not(None), undone.c.loan_id == repayments.c.loan_id)
    )
    found: dict[str, list[Reversed]] = {}
    for row in rows.select_by_keys(conn, statement, "loan_id", list(loan_ids)):
        found.setdefault(row[1], []).append(Reversed(*row))
    return found


def unverified_places(conn: Connection, sheet: Sequence[LoanRow]) -> dict[str, int]:
    """How many teams and regions these loans name that nobody registered, as warnings; none while none is registered.

    The loans go in with them: a place that the register does not know is the feed's word, not an error.
    """
    places_ = {
        "unverified_team": ({row.team for row in sheet}, {row.code for row in places.all_teams(conn)}),
        "unverified_region": ({row.region for row in sheet}, {row.code for row in places.all_regions(conn)}),
    }  # fmt: skip
    counts = {code: len(named - known - {None}) for code, (named, known) in places_.items() if known}
    return {code: number for code, number in counts.items() if number}


def barred_owners(
    conn: Connection, branch: Branch, sheet: Sequence[LoanRow], *, clock: Clock = now
) -> dict[str, int]:  # fmt: skip
    """How many people these loans name whose posts own no case (auditors, administrators), as a warning.

    Their cases go to whom the rules name next.
    """
    colleagues = read_roster(conn, branch.today(clock())).colleagues
    named = {row.owner_staff_no for row in sheet if row.owner_staff_no in colleagues}
    barred = sum(is_barred(colleagues[staff_no], branch.rulebook.owners) for staff_no in named if staff_no)
    return {"owner_without_owning_post": barred} if barred else {}
