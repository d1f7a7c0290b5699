"""Loans in arrears that nobody works on: in the last snapshot, without a live case, until somebody acts (5.4).

A case can end while its loan stays overdue (decision 0006): cancelled, settled by compromise, transferred.
"""

from datetime import date

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed import run as runs
from casework.intake.feed.reconcile import Snapshot
from casework.lifecycle.tables import institutions
from casework.storage import rows
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases

_APART = "\n"  # in no number of a loan (`ids`)
_LIVE = sa.select(sa.func.aggregate_strings(cases.c.loan_id, _APART)).where(cases.c.live)
_LATEST = sa.select(cases.c.loan_id, cases.c.id)


class LoanWithoutCase(msgspec.Struct, frozen=True):
    """A loan in arrears on `as_of`, amounts in fen, and how its last case ended, if it ever had one.

    `ended_as` is how the case was closed or settled; `since` the business date on which it came into `last_state`.
    """

    loan_id: str
    institution: str
    as_of: date
    days_past_due: int
    overdue_fen: int
    outstanding_principal_fen: int
    last_case: int | None
    last_state: str | None
    ended_as: str | None
    since: date | None


def without_case(conn: Connection, *, after: str = "", limit: int | None = None) -> list[LoanWithoutCase]:
    """In order of loan numbers, from behind `after`; at most `limit`."""
    found: list[tuple[str, str, Snapshot]] = []
    for institution in conn.execute(sa.select(institutions.c.institution)).scalars().all():
        snapshot = runs.snapshot_of(conn, runs.last_applied(conn, institution))
        if snapshot is not None:
            idle = snapshot.rows.keys() - set(live_loans(conn, institution))
            found += [(loan_id, institution, snapshot) for loan_id in idle if loan_id > after]
    found = sorted(found, key=lambda one: one[0])[:limit]
    last = _last_cases(conn, [loan_id for loan_id, *_ in found])
    return [_told(loan_id, institution, snapshot, last.get(loan_id)) for loan_id, institution, snapshot in found]


def live_loans(conn: Connection, institution: str) -> list[str]:
    """The loans of an institution that have a live case, each once: as one text, a fifth of what rows of one cost."""
    found: str | None = conn.execute(_LIVE.where(cases.c.institution == institution)).scalar_one()
    return found.split(_APART) if found else []


def _last_cases(conn: Connection, loan_ids: list[str]) -> dict[str, Case]:
    latest: dict[str, int] = {}
    for loan_id, case_id in rows.select_by_keys(conn, _LATEST, "loan_id", loan_ids):
        latest[loan_id] = max(case_id, latest.get(loan_id, 0))
    ended = map(from_row, rows.select_by_keys(conn, CASE_ROWS, "id", sorted(latest.values())))
    return {case.loan_id: case for case in ended}


def _told(loan_id: str, institution: str, snapshot: Snapshot, last: Case | None) -> LoanWithoutCase:
    row = snapshot.rows[loan_id]
    days_past_due = (snapshot.as_of - row.oldest_due_date).days
    case = (last.id, last.state, last.ended_as, last.state_since) if last else (None,) * 4
    return LoanWithoutCase(
        loan_id, institution, snapshot.as_of, days_past_due, row.overdue_fen, row.outstanding_principal_fen, *case
    )
