"""Which customer a number means: an institution's own, or, where the number is only one's, that one's."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.errors import CallerError
from casework.intake.feed.tables import borrowers, loans
from casework.people.staff.permissions import EVERYTHING, Reach
from casework.work.cases.filter import check_id, check_text
from casework.work.cases.reached import covered_by
from casework.work.cases.tables import cases
from casework.work.cases.unseen import unseen

LOAN_PLACES = {
    "owner": loans.c.owner_staff_no, "handler": loans.c.owner_staff_no, "team": loans.c.team,
    "region": loans.c.region, "product": loans.c.product,
}  # fmt: skip
"""The columns of a loan that a reach looks at, by the names that those of a case have."""
_HOLDING = (borrowers, loans, cases)


def customer_named(
    conn: Connection, borrower_id: str, institution: str | None = None, *, within: Reach = EVERYTHING
) -> Customer:
    """The customer who is meant; without `institution` the only one with this number, or the only one within reach.

    CallerErrors `filter_malformed`, `unknown_borrower`; `institution_needed`, which names those within reach that have
    the number and no others. Whether the one who is meant is within reach is not asked here.
    """
    borrower_id = check_id("borrower_id", borrower_id)
    if institution is not None:
        check_text("institution", institution)
    known = [one for one in institutions_of(conn, borrower_id) if institution in (None, one)]
    if not known:
        raise unseen("unknown_borrower")
    if len(known) > 1 and not within.everything:
        # Where none is within reach any of them is refused alike: that there are several is not told.
        known = _within_reach(conn, borrower_id, within) or known[:1]
    if len(known) > 1:
        raise institution_needed(known)
    return Customer(known[0], borrower_id)


def is_within(customer: tuple[sa.ColumnElement[str], sa.ColumnElement[str]], within: Reach) -> sa.ColumnElement[bool]:
    """Whether a case or loan of a customer (institution, number) is within reach."""
    return sa.or_(
        sa.exists().where(of_customer(cases, customer), covered_by(within, cases.c)),
        sa.exists().where(of_customer(loans, customer), covered_by(within, LOAN_PLACES)),
    )


def of_customer(
    table: sa.Table, customer: Customer | tuple[sa.ColumnElement[str], sa.ColumnElement[str]]
) -> sa.ColumnElement[bool]:
    """Whether a row is the customer's, in any table that has `institution` and `borrower_id`."""
    institution, borrower_id = customer
    return sa.and_(table.c.borrower_id == borrower_id, table.c.institution == institution)


def institution_needed(known: Sequence[str]) -> CallerError:
    """The mistake of naming a number that several have without saying whose; `known` are those that may be shown."""
    return CallerError(
        "institution_needed", f"多个机构都有这个客户号，请指明机构：{'、'.join(known)}",
        f"several institutions have a borrower of this number; say which is meant: {', '.join(known)}",
        field="institution", institutions=list(known),
    )  # fmt: skip


def institutions_of(conn: Connection, borrower_id: str) -> list[str]:
    """The institutions that have a customer of this number."""
    found = [sa.select(table.c.institution).where(table.c.borrower_id == borrower_id) for table in _HOLDING]
    return sorted(conn.execute(sa.union(*found)).scalars())


def _within_reach(conn: Connection, borrower_id: str, within: Reach) -> list[str]:
    of_cases = sa.select(cases.c.institution).where(cases.c.borrower_id == borrower_id, covered_by(within, cases.c))
    of_loans = sa.select(loans.c.institution).where(loans.c.borrower_id == borrower_id, covered_by(within, LOAN_PLACES))
    return sorted(conn.execute(sa.union(of_cases, of_loans)).scalars())
