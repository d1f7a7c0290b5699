"""The control sum of a feed file, against what the manifest states. In fen."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from casework.errors import CallerError
from casework.intake.feed.cell import fen
from casework.intake.feed.headers import Kind
from casework.intake.feed.manifest import FileEntry

AMOUNTS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "loans": ("outstanding_principal",),
    "overdue": ("overdue_principal", "overdue_interest", "overdue_penalty"),
    "contacts": (),
    "repayments": ("amount",),
}
"""What is added up of each kind; nothing of contacts."""


class ControlSum:
    """The control sum of a file: over all its rows as they are written, set aside or not.

    An amount that cannot be read leaves the sum undecided. It cannot be negative, so the readable ones alone
    may not exceed the stated sum; what they fall short of it is what the unreadable ones would have to hold,
    and is warned about. Without unreadable amounts the sums must be equal.
    """

    def __init__(self, kind: Kind, positions: Mapping[str, int]) -> None:
        """Of a file of `kind`, its columns at `positions`."""
        self.kind = kind
        self.cells = [positions[column] for column in AMOUNTS[kind]]
        self.by_text = kind == "repayments"  # a reversal's sign is in the text and not in the row
        self.sum_fen = 0
        self.unreadable = 0
        self.totals_fen = 0  # of total rows, which whoever made the manifest may have added up too

    def add_text(self, cells: Sequence[str], *, readable: bool) -> None:
        """Add a row by its cells; `readable`: they stand where the header says."""
        for position in self.cells:
            try:
                if not readable:
                    raise ValueError("cells may have moved")
                if text := cells[position].strip():
                    self.sum_fen += fen(text)
            except ValueError:
                self.unreadable += 1

    def leave_out(self, cells: Sequence[str]) -> None:
        """Take a total row, which was added by its text, out again."""
        total_fen = sum(fen(text) for position in self.cells if (text := cells[position].strip()))
        self.sum_fen -= total_fen
        self.totals_fen += total_fen

    def add_rows(self, rows: Sequence[Any]) -> None:
        """Add rows that were read; those of repayments were added by their text."""
        if self.kind == "overdue":
            self.sum_fen += sum(row[2] + row[3] + row[4] for row in rows)
        elif self.kind == "loans":
            self.sum_fen += sum(row.outstanding_principal_fen or 0 for row in rows)

    def differs(self, entry: FileEntry) -> bool:
        """Whether the sum is undecided; `CallerError` control_sum_differs if it is decided and wrong."""
        short_fen = (entry.control_sum_fen or 0) - self.sum_fen
        if self.totals_fen and short_fen == self.totals_fen:
            return False
        if short_fen == 0 or (short_fen > 0 and self.unreadable):
            return short_fen != 0
        raise CallerError(
            "control_sum_differs",
            file=entry.name,
            stated_fen=entry.control_sum_fen,
            found_fen=self.sum_fen,
            unreadable_amounts=self.unreadable,
        )
