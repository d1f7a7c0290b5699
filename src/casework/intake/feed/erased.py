"""Whose personal data a feed may not bring back: borrowers who were erased and have had no new case since.

A new case is a new purpose: from the import that opens it on, their data are taken in again (decision 0020).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed.headers import SheetHeader
from casework.intake.feed.naming import named_in
from casework.intake.feed.row import ContactRow, LoanRow
from casework.intake.feed.tables import borrowers, loans
from casework.log.tables import erasures
from casework.storage import rows
from casework.work.cases.tables import cases

LOCK = "hashtext('casework/erasure')"
"""PostgreSQL's advisory lock: imports share it, an erasure has it alone. On SQLite the write lock does."""

_NEWER = sa.exists().where(
    cases.c.institution == erasures.c.institution, cases.c.borrower_id == erasures.c.borrower_id,
    cases.c.id > erasures.c.cases_until,
)  # fmt: skip
_ONE: sa.BindParameter[str] = sa.bindparam("institution")
_OF_ONE = sa.select(erasures.c.borrower_id).where(erasures.c.institution == _ONE)
_STANDING = _OF_ONE.where(~_NEWER).distinct()
_RETURNED = (
    sa.select(borrowers.c.borrower_id)
    .where(
        borrowers.c.institution == _ONE,
        borrowers.c.borrower_id.in_(_OF_ONE),
        borrowers.c.borrower_id.not_in(_STANDING),
        borrowers.c.name_sealed.is_(None),
        borrowers.c.id_number_sealed.is_(None),
    )
    .order_by(borrowers.c.borrower_id)
)
_LOANS = sa.select(loans.c.institution, loans.c.borrower_id, loans.c.loan_id)


@dataclass(frozen=True, slots=True)
class ErasedPeople:
    """Those of an institution whose data stay out of one import."""

    ids: frozenset[str]
    loan_ids: frozenset[str]

    @classmethod
    def read(cls, conn: Connection, institution: str) -> "ErasedPeople":
        """As of the start of the import, which shares the lock that an erasure takes."""
        ids = frozenset(conn.execute(_STANDING, {"institution": institution}).scalars())
        them = [Customer(institution, borrower_id) for borrower_id in sorted(ids)]
        of_them = rows.select_by_keys(conn, _LOANS, Customer._fields, them)
        return cls(ids, frozenset(row.loan_id for row in of_them))

    def loans(self, sheet: Sequence[LoanRow]) -> tuple[Sequence[LoanRow], int]:
        """The rows, without name and number of those erased; in how many something was left out."""
        if not self.ids:
            return sheet, 0
        cut = [
            row._replace(borrower_name=None, id_number=None)
            if row.borrower_id in self.ids and (row.borrower_name or row.id_number)
            else row
            for row in sheet
        ]
        return cut, sum(after is not before for after, before in zip(cut, sheet, strict=True))

    def contacts(self, sheet: Sequence[ContactRow]) -> tuple[Sequence[ContactRow], int]:
        """The rows, without those of the erased; how many those were."""
        kept = [row for row in sheet if row.borrower_id not in self.ids] if self.ids else sheet
        return kept, len(sheet) - len(kept)

    def cells(self, header: SheetHeader, cells: tuple[str, ...]) -> tuple[str, ...] | None:
        """Of the cells of a row that is set aside the ids alone, if it names somebody erased; none if it does not."""
        if not self.ids:
            return None
        theirs = named_in(header.positions, len(header.names), cells) & (self.ids | self.loan_ids)
        if not theirs:
            return None
        return tuple(cell if cell in theirs else "" for cell in map(str.strip, cells))


def share_lock(conn: Connection) -> None:
    """Keep erasures waiting until this transaction ends."""
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text(f"SELECT pg_advisory_xact_lock_shared({LOCK})"))


def hold_lock(conn: Connection) -> None:
    """Wait until no import runs, and keep others waiting; TryAgain if one runs for long."""
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK})"))


def returned(conn: Connection, institution: str) -> frozenset[str]:
    """Its customers who were erased, have a new case since, and of whom nothing is on the books again."""
    return frozenset(conn.execute(_RETURNED, {"institution": institution}).scalars())
