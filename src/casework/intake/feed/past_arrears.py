"""How far past due debtors were in the snapshots of past days (X5): read back from the feeds as they were applied."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed.reconcile import unpack
from casework.intake.feed.run import APPLIED
from casework.intake.feed.tables import feed_runs, snapshots
from casework.storage import rows
from casework.work.cases.loans import loans
from casework.work.gate.standing import Arrears

_RUNS: Final = (
    sa.select(feed_runs.c.institution, feed_runs.c.as_of, feed_runs.c.id)
    .where(feed_runs.c.status == APPLIED)
    .order_by(feed_runs.c.id)
)
_LOANS: Final = sa.select(loans.c.loan_id, loans.c.institution, loans.c.borrower_id)


def past_arrears(conn: Connection, wanted: Collection[tuple[Customer, date]]) -> dict[Customer, Arrears]:
    """The highest DPD of each debtor's loans in the newest snapshot of each of the days, or before it.

    The latest correction of a day counts. Snapshots are read one at a time, and only those that are asked for.
    """
    days: dict[str, set[date]] = defaultdict(set)
    whose: dict[str, dict[str, str]] = defaultdict(dict)
    for customer, day in wanted:
        days[customer.institution].add(day)
    if not days:
        return {}
    customers = {customer for customer, _ in wanted}
    for row in rows.select_by_keys(conn, _LOANS, "borrower_id", sorted({one.borrower_id for one in customers})):
        if Customer(row.institution, row.borrower_id) in customers:
            whose[row.institution][row.loan_id] = row.borrower_id
    found: dict[Customer, dict[date, int]] = {customer: {} for customer in customers}
    read: dict[str, list[date]] = {}
    for institution, asked in days.items():
        runs = _newest(conn, institution, asked)
        read[institution] = sorted(runs)
        for as_of, run_id in runs.items():
            for borrower_id, dpd in _of_snapshot(conn, run_id, as_of, whose[institution]):
                of_debtor = found[Customer(institution, borrower_id)]
                of_debtor[as_of] = max(of_debtor.get(as_of, 0), dpd)
    return {customer: Arrears(read[customer.institution], dpd) for customer, dpd in found.items()}


def _newest(conn: Connection, institution: str, days: Collection[date]) -> dict[date, int]:
    """The run of the newest snapshot of each day or before, by the snapshot's own day."""
    runs = {as_of: run_id for of, as_of, run_id in conn.execute(_RUNS) if of == institution}
    known = sorted(runs)
    places = {bisect_right(known, day) - 1 for day in days}
    return {known[place]: runs[known[place]] for place in sorted(places) if place >= 0}


def _of_snapshot(
    conn: Connection, run_id: int, as_of: date, whose: Mapping[str, str]
) -> Iterable[tuple[str, int]]:  # fmt: skip
    content = conn.execute(sa.select(snapshots.c.rows).where(snapshots.c.run_id == run_id)).scalar_one()
    snapshot = unpack(bytes(content)).rows
    for loan_id, borrower_id in whose.items():
        if loan_id in snapshot:
            yield borrower_id, (as_of - snapshot[loan_id].oldest_due_date).days
