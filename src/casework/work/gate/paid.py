"""Loans of which nobody demands payment for now, because money came or is said to have been sent (rule `paid`)."""

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta, tzinfo
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.storage import rows
from casework.work.cases.lifecycles import REMITTANCES
from casework.work.gate.standing import Span

PAID: Final = "paid"
_kept: Final = REMITTANCES.table
_REMITTANCES: Final = sa.select(
    _kept.c.institution, _kept.c.borrower_id, _kept.c.loan_id, _kept.c.begins_at, _kept.c.ended_on
)
_DAY: Final = timedelta(days=1)


def paid_of(conn: Connection, borrowers: Sequence[str], zone: tzinfo) -> dict[Customer, list[Span]]:
    """From when until when remittances of these borrowers stop demand: to the end of the day on which they ended."""
    return paid_asked(conn, borrowers, zone)()


def paid_asked(
    conn: Connection, borrowers: Sequence[str], zone: tzinfo
) -> Callable[[], dict[Customer, list[Span]]]:  # fmt: skip
    """`paid_of` in two steps: the call of what is returned waits for the answer."""
    asked = rows.ask_by_keys(conn, _REMITTANCES, "borrower_id", borrowers)

    def found() -> dict[Customer, list[Span]]:
        spans: dict[Customer, list[Span]] = {}
        for row in asked():
            ends_at = None if row.ended_on is None else datetime.combine(row.ended_on + _DAY, time(), zone)
            span = Span(PAID, row.begins_at, ends_at, row.loan_id)
            spans.setdefault(Customer(row.institution, row.borrower_id), []).append(span)
        return spans

    return found
