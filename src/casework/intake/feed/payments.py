"""Which payments a feed may bring: each number once, and reversals that undo what was really received.

A number that comes again with the same content changes nothing. What contradicts the payments on the books is set aside
with a reason of its own, so that nothing is counted, uncounted or re-opened by a row that undoes nothing.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.cell import CellNote
from casework.intake.feed.row import RepaymentRow
from casework.intake.feed.tables import repayments
from casework.storage import rows

PAYMENT: Final = ("institution", "payment_id")
"""What a payment is known by: each institution numbers its own."""
_HELD: Final = sa.select(repayments.c.institution, *(repayments.c[name] for name in RepaymentRow._fields))
_REVERSALS: Final = sa.select(repayments.c.loan_id, repayments.c.reverses).where(repayments.c.reverses.is_not(None))

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,120}")


def payment_ref(payment_id: str) -> str:
    """A payment's id as a reference in an entry; an id in another alphabet by its digest."""
    if _PLAIN_ID.fullmatch(payment_id):
        return f"pay:{payment_id}"
    return f"pay:sha256-{hashlib.sha256(payment_id.encode()).hexdigest()[:32]}"


def disputed_payments(conn: Connection, institution: str, sheet: Sequence[RepaymentRow]) -> dict[int, CellNote]:
    """Which rows (by index) contradict the institution's payments or the rows before them; for `Sheet.put_aside`.

    Two questions to the database, however many rows. A payment's number comes once in `sheet` (the folder's reader
    sees to that).
    """
    reversals = [row for row in sheet if row.reverses is not None]
    held = held_payments(
        conn, institution, {row.payment_id for row in sheet} | {str(row.reverses) for row in reversals}
    )
    known = {row.payment_id: row for row in sheet} | held
    undone = {
        row[1] for row in rows.select_by_keys(conn, _REVERSALS, "loan_id", sorted({r.loan_id for r in reversals}))
    }
    faults: dict[int, CellNote] = {}
    for index, row in enumerate(sheet):
        before = held.get(row.payment_id)
        if before is not None:
            if before != row:
                faults[index] = CellNote("payment_id", "payment_differs")
        elif row.reverses is not None:
            code = _fault_of_reversal(row, known.get(row.reverses), undone)
            if code is not None:
                faults[index] = CellNote("reverses", code)
            else:
                undone.add(row.reverses)
    return faults


def held_payments(conn: Connection, institution: str, payment_ids: Iterable[str]) -> dict[str, RepaymentRow]:
    """The institution's payments and reversals of these numbers that are on the books."""
    found = rows.select_by_keys(conn, _HELD, PAYMENT, [(institution, number) for number in sorted(payment_ids)])
    return {row.payment_id: RepaymentRow(*row[1:]) for row in found}


def _fault_of_reversal(row: RepaymentRow, undone: RepaymentRow | None, undone_before: Collection[str]) -> str | None:
    if row.reverses == row.payment_id:
        return "reversal_of_itself"
    if undone is None:
        return "unknown_payment"
    if undone.reverses is not None:
        return "reversal_of_reversal"
    if undone.loan_id != row.loan_id:
        return "reversal_of_another_loan"
    if undone.amount_fen != row.amount_fen:
        return "reversal_amount_differs"
    if undone.payment_id in undone_before:
        return "reversed_already"
    return None
