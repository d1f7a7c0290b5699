"""What the books say of a loan that is not in arrears: whether its case is done with, and as what (decision 0027).

Every live case whose loan is not in the overdue snapshot is looked at with every feed, whatever it was opened for and
however long ago its loan left the arrears. A loan that left the books without having been paid (written
off, transferred) is never taken for a settled one.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.booked import Booked, OnBooks
from casework.intake.feed.row import LoanRow
from casework.intake.feed.tables import loans
from casework.people.staff.actor import SYSTEM_POST
from casework.storage import rows
from casework.work.cases.tables import cases
from casework.work.four_eyes.tables import requests

UNPAID: Final = frozenset({"written_off", "transferred"})
"""Statuses of loans that left the books without having been paid."""


class NotOverdue(NamedTuple):
    """A live case whose loan is not in the overdue snapshot, as it was measured last."""

    loan_id: str
    case_id: int
    state: str
    oldest_due_date: date | None
    outstanding_fen: int
    opened_on: date
    opened_by: str
    write_off_asked: bool  # its write-off is asked for and not decided

    @property
    def opened_by_feed_on(self) -> date | None:
        """The day on which the feed opened it; none if a person did."""
        return self.opened_on if self.opened_by == SYSTEM_POST else None


class Word(NamedTuple):
    """What the books say: off them unpaid (`written_off`, `transferred`), or what is outstanding, if known."""

    taken_off: str | None
    outstanding_fen: int | None
    closed: bool = False  # said in so many words, by the status

    @property
    def paid(self) -> bool:
        """Nothing is outstanding, and not because the loan was taken off the books."""
        return self.taken_off is None and self.outstanding_fen == 0


_LIVE: Final = sa.select(
    cases.c.loan_id,
    cases.c.id,
    cases.c.state,
    cases.c.oldest_due_date,
    cases.c.outstanding_principal_fen,
    cases.c.opened_on,
    cases.c.opened_by,
).where(cases.c.live == sa.true())


_WRITE_OFF_ASKED: Final = sa.select(requests.c.subject).where(
    requests.c.what == "write_off", requests.c.live == sa.true()
)


def cases_not_overdue(conn: Connection, live: Iterable[str], overdue: Collection[str]) -> list[NotOverdue]:
    """The live cases of those of the loans `live` that are not among `overdue`, in order of loan.

    Nearly all are among them, and of those no more than the number of the loan is read.
    """
    found = rows.select_by_keys(conn, _LIVE, "loan_id", [loan_id for loan_id in live if loan_id not in overdue])
    asked = set(conn.execute(_WRITE_OFF_ASKED).scalars())
    return [NotOverdue._make((*row, f"case:{row[1]}" in asked)) for row in found]


def word_on(loan_id: str, on_books: OnBooks | None, known: Booked | None) -> Word:
    """The word of this feed's loans file, if one came, on a loan of which `known` is the books' last row.

    The status decides. A loan last heard of as written off or transferred stays so when a later file omits it.
    """
    told = on_books.outstanding_fen(loan_id) if on_books else None
    if known is not None and known.status in UNPAID:
        return Word(known.status, told)
    return Word(None, told, on_books is not None and loan_id in on_books.closed)


_OFF: Final = sa.select(loans.c.loan_id, loans.c.status).where(loans.c.status.in_(sorted(UNPAID)))


def still_off(conn: Connection, institution: str, sheet: Sequence[LoanRow]) -> Sequence[LoanRow]:
    """The rows with the status that holds: one without a status and without anything outstanding says nothing new.

    A loan that left the books unpaid stays so until a file says otherwise: by a status, or by what is outstanding.
    """
    off = {row.loan_id: row.status for row in conn.execute(_OFF.where(loans.c.institution == institution))}
    if not off:
        return sheet
    return [
        row._replace(status=off[row.loan_id])
        if row.loan_id in off and row.status is None and not row.outstanding_principal_fen
        else row
        for row in sheet
    ]
