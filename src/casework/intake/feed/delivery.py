"""What a feed folder brought, whoever read it. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from casework.intake.feed.feed_sheet import FeedSheet
from casework.intake.feed.manifest import FileEntry
from casework.intake.feed.row import ContactRow, LoanRow, OverdueRow, RepaymentRow


@dataclass(frozen=True)
class Delivery:
    """A feed folder that is what its manifest says, with every row either parsed or set aside."""

    as_of: date
    institution: str
    digest: str  # `Manifest.digest`: the same for the same files of the same day
    files: tuple[FileEntry, ...]
    overdue: FeedSheet[OverdueRow]
    loans: FeedSheet[LoanRow] | None
    contacts: FeedSheet[ContactRow] | None
    repayments: FeedSheet[RepaymentRow] | None

    @property
    def sheets(self) -> list[FeedSheet[Any]]:
        """The files that came, in the order in which an import uses them."""
        sheets = (self.loans, self.contacts, self.overdue, self.repayments)
        return [sheet for sheet in sheets if sheet is not None]
