"""A loan as the last feed left it: what a case opened by hand begins with."""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed import run as runs
from casework.intake.feed.booked import Booked
from casework.intake.feed.books import booked
from casework.intake.feed.borrowers import loan_in_reach
from casework.intake.feed.row import OverdueRow
from casework.lifecycle.tables import institutions
from casework.people.staff.permissions import Reach
from casework.work.cases.branch import Branch
from casework.work.cases.filter import check_id
from casework.work.cases.tables import cases
from casework.work.cases.unseen import unseen


def last_known(conn: Connection, branch: Branch, loan_id: str) -> tuple[dict[str, str | None], dict[str, Any]] | None:
    """The loan and its figures, as `commands.Open` takes them; None for a loan that is not on the books."""
    loan = booked(conn, [loan_id]).get(loan_id)
    if loan is None:
        return None
    named = {
        "loan_id": loan.loan_id, "institution": loan.institution, "borrower_id": loan.borrower_id,
        "product": loan.product, "channel_code": loan.channel_code, "team": loan.team, "region": loan.region,
        "owner": loan.owner_staff_no,
    }  # fmt: skip
    return named, _figures(branch, loan, _overdue_row(conn, loan), _business_date(conn, loan.institution))


def known_loan(
    conn: Connection, branch: Branch, loan_id: str, within: Reach
) -> tuple[dict[str, str | None], dict[str, Any]]:
    """The loan as `last_known` gives it; CallerError `unknown_loan`, the same where it is beyond reach."""
    found = last_known(conn, branch, loan_id)
    if found is None or not loan_in_reach(conn, loan_id, within):
        raise unseen("unknown_loan")
    return found


def customer_of_loan(conn: Connection, loan_id: str, within: Reach) -> Customer:
    """Whose loan it is; CallerErrors `filter_malformed`, and `unknown_loan`, the same where it is beyond reach."""
    loan = booked(conn, [check_id("loan_id", loan_id)]).get(loan_id)
    if loan is None or not loan_in_reach(conn, loan_id, within):
        raise unseen("unknown_loan")
    return Customer(loan.institution, loan.borrower_id)


def _business_date(conn: Connection, institution: str) -> date | None:
    found: date | None = conn.execute(
        sa.select(institutions.c.business_date).where(institutions.c.institution == institution)
    ).scalar_one_or_none()
    return found


def _overdue_row(conn: Connection, loan: Booked) -> OverdueRow | None:
    """Its row of the last snapshot. A loan that never had a case was never in one; then nothing is unpacked."""
    had_case = conn.execute(sa.select(cases.c.id).where(cases.c.loan_id == loan.loan_id).limit(1)).first()
    if had_case is None:
        return None
    snapshot = runs.snapshot_of(conn, runs.last_applied(conn, loan.institution))
    return None if snapshot is None else snapshot.rows.get(loan.loan_id)


def _figures(branch: Branch, loan: Booked, row: OverdueRow | None, business_date: date | None) -> dict[str, Any]:
    policies = branch.rulebook.policies
    policy = policies.at(business_date) if business_date else policies.all[-1]
    days = (business_date - row.oldest_due_date).days if row and business_date else 0
    return {
        "oldest_due_date": row.oldest_due_date.isoformat() if row else None,
        "bucket": policy.bucket(days),
        "overdue_principal_fen": row.overdue_principal_fen if row else 0,
        "overdue_interest_fen": row.overdue_interest_fen if row else 0,
        "overdue_penalty_fen": row.overdue_penalty_fen if row else 0,
        "outstanding_principal_fen": row.outstanding_principal_fen if row else loan.outstanding_principal_fen or 0,
        "risk_class": loan.risk_class,
        "npl_since": loan.npl_since.isoformat() if loan.npl_since else None,
        "disbursed_on": loan.disbursed_on.isoformat() if loan.disbursed_on else None,
    }
