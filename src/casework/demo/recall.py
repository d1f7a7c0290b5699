"""A loan that is not overdue and is recalled for misuse; later the finding is cleared."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.demo.files import INSTITUTION
from casework.intake.feed.tables import loans
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Record
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Command, OpenCase
from casework.work.cases.gather import business_dates
from casework.work.cases.tables import cases

_WITHOUT_CASE: Final = (
    sa.select(loans)
    .where(
        ~sa.select(cases.c.id).where(cases.c.loan_id == loans.c.loan_id).exists(), loans.c.owner_staff_no.is_not(None)
    )
    .order_by(loans.c.loan_id)
    .limit(1)
)  # fmt: skip
_COPIED: Final = ("loan_id", "institution", "borrower_id", "product", "channel_code", "team", "region")


def recalled_and_cleared(conn: Connection, branch: Branch, officers: Sequence[Actor], clock: Clock) -> int | None:
    """The case, opened and found cleared by an officer of the loan's region; none where each loan has a case."""
    loan = conn.execute(_WITHOUT_CASE).one_or_none()
    if loan is None:
        return None
    officer = next(actor for actor in officers if actor.region == loan.region)
    opening = OpenCase(
        actor=officer, ground="misuse", data={"finding": "inspection:2024-06", "recall_demand": "letter:2024-06"},
        loan={**{name: getattr(loan, name) for name in _COPIED}, "owner": loan.owner_staff_no},
        measure={
            "oldest_due_date": None, "bucket": "M0", "overdue_principal_fen": 0, "overdue_interest_fen": 0,
            "overdue_penalty_fen": 0, "outstanding_principal_fen": loan.outstanding_principal_fen or 0,
            "risk_class": loan.risk_class, "npl_since": None,
        },
    )  # fmt: skip
    case_id = _done(conn, branch, opening, clock)
    today = business_dates(conn)[INSTITUTION]
    noted = Record(actor=officer, id=case_id, kind="finding_cleared", on=today, evidence="visit:2024-06")
    return _done(conn, branch, noted, clock)


def _done(conn: Connection, branch: Branch, command: Command, clock: Clock) -> int:
    (outcome,) = advance(conn, [command], branch, clock=clock)
    if not isinstance(outcome, Done):
        raise TypeError(f"the story of the recalled loan stops: {outcome}")
    return outcome.id
