"""What the books know of a loan, and what a loans file says is outstanding. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from casework.intake.feed.feed_sheet import FeedSheet
from casework.intake.feed.row import LoanRow


class Booked(NamedTuple):
    """What the books know of a loan, as far as its case needs it."""

    loan_id: str
    institution: str
    borrower_id: str
    product: str | None
    channel_code: str | None
    owner_staff_no: str | None
    team: str | None
    region: str | None
    outstanding_principal_fen: int | None
    risk_class: str | None
    npl_since: date | None
    disbursed_on: date | None
    status: str | None


def of_row(row: LoanRow, institution: str) -> Booked:
    """What a row of a loans file says of its loan, once it is on the books."""
    return Booked(
        row.loan_id, institution, row.borrower_id, row.product, row.channel_code, row.owner_staff_no, row.team,
        row.region, row.outstanding_principal_fen, row.risk_class, row.npl_since, row.disbursed_on, row.status,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OnBooks:
    """What the loans file of a feed says is outstanding: `rows` are its rows.

    `unclear` loans had their row set aside; with `unnamed`, any loan that seems omitted could be one of those rows.
    `closed` loans have nothing outstanding whatever the amount beside it: the status decides.
    """

    rows: Mapping[str, LoanRow]
    unclear: frozenset[str]
    unnamed: bool
    closed: frozenset[str] = frozenset()

    def outstanding_fen(self, loan_id: str) -> int | None:
        """Outstanding principal, 0 for a loan that the file omits, none where the file does not tell."""
        if loan_id in self.closed:
            return 0
        if loan_id in self.rows:
            return self.rows[loan_id].outstanding_principal_fen
        return None if self.unnamed or loan_id in self.unclear else 0


def stated_by(sheet: FeedSheet[LoanRow], rows: Mapping[str, LoanRow]) -> OnBooks:
    """What a loans file says is outstanding; `rows`: its rows by loan."""
    unclear, unnamed = sheet.set_aside_keys()
    closed = frozenset(row.loan_id for row in sheet.rows if row.status == "closed")
    return OnBooks(rows, frozenset(unclear), unnamed > 0, closed)
