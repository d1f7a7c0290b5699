"""One file of a feed, read: its usable rows, those set aside, and what is odd about it. Each step makes a new one."""

from array import array
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from casework import ids
from casework.intake.feed.bounds import USUAL, Bounds, Room
from casework.intake.feed.cell import CellNote
from casework.intake.feed.headers import Kind, SheetHeader
from casework.intake.feed.sheet import read_rows

Row = TypeVar("Row", bound=tuple[Any, ...])

NOTICES_KEPT: Final = 1_000


class SetAside(NamedTuple):
    """A row that was not used: where, which of our columns ("" = the whole row), why, its cells; what else is wrong.

    The cells are personal data: whoever stores them seals them.
    """

    line: int
    column: str
    code: str
    cells: tuple[str, ...]
    more: tuple[CellNote, ...] = ()

    @property
    def notes(self) -> tuple[CellNote, ...]:
        """Everything that is wrong with it."""
        return CellNote(self.column, self.code), *self.more


class Notice(NamedTuple):
    """Something odd about a row that was used (or, on line 1, about the file)."""

    line: int
    column: str
    code: str


@dataclass(frozen=True)
class FeedSheet(Generic[Row]):
    """One file, read: its usable rows in order (`lines[i]` is where `rows[i]` stood), and the rest of it."""

    kind: Kind
    name: str
    sha256: str
    row_count: int
    header: SheetHeader
    again: Callable[[], bytes] = field(compare=False)  # the file once more: its cells are not kept
    rows: list[Row] = field(default_factory=list)
    lines: "array[int]" = field(default_factory=partial(array, "I"))
    set_aside: list[SetAside] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)  # the first ones
    more_notices: Counter[str] = field(default_factory=Counter)  # how many there were besides, by code
    bounds: Bounds = USUAL
    workbook: bool = False
    packed: bytes | None = field(default=None, compare=False)  # of arrears: these rows as a snapshot, if made already

    def notice(self, found: Iterable[Notice]) -> None:
        """Keep the first ones and count the others: a row may have several, and a file very many rows."""
        for one in found:
            if len(self.notices) < NOTICES_KEPT:
                self.notices.append(one)
            else:
                self.more_notices[one.code] += 1

    def room(self) -> Room:
        """For what may be set aside besides."""
        room = Room(self.kind, self.name, self.header.names, self.bounds)
        for row in self.set_aside:
            room.take(*row[:4])
        return room

    def put_aside(self, faults: Mapping[int, CellNote]) -> "FeedSheet[Row]":
        """The sheet without the rows at these indexes of `rows`, which are set aside for the reasons given.

        For what only the books can tell (unknown_loan). The file is read again for the cells: it is rare, and
        keeping every row's text would double the memory of every feed. `CallerError` too_many_set_aside, and those of
        `again` where the file is not there any more, or another.
        """
        if not faults:
            return self
        notes = {self.lines[index]: note for index, note in faults.items()}
        room, more = self.room(), []
        for line, cells in read_rows(self.again(), self.name, self.bounds.rows):
            if line in notes:
                more.append(SetAside(line, *notes[line], tuple(cells)))
                room.take(*more[-1][:4])
        kept = [index for index in range(len(self.rows)) if index not in faults]
        return replace(
            self,
            rows=[self.rows[index] for index in kept],
            lines=array("I", [self.lines[index] for index in kept]),
            set_aside=sorted([*self.set_aside, *more]),
            packed=None,
        )

    def named_aside(self, column: str) -> set[str]:
        """What the rows set aside name in a column, as far as their cells are where they belong."""
        at, width = self.header.positions[column], len(self.header.names)
        return {ids.fold(row.cells[at]) for row in self.set_aside if len(row.cells) == width}

    def also_unknown(self, column: str, code: str, known: Container[str]) -> "FeedSheet[Row]":
        """The sheet where a row that was set aside for something else is told of what the books do not know, too."""
        at, width = self.header.positions[column], len(self.header.names)

        def told(row: SetAside) -> SetAside:
            if len(row.cells) != width or any(one.column == column for one in row.notes):
                return row
            return row if ids.fold(row.cells[at]) in known else row._replace(more=(*row.more, CellNote(column, code)))

        return replace(self, set_aside=[told(row) for row in self.set_aside]) if self.set_aside else self

    def set_aside_keys(self) -> tuple[set[str], int]:
        """The loan ids (first key column) of the rows set aside, and how many of them do not tell theirs.

        A row with the wrong number of cells tells it only in the first place: behind it cells may have moved.
        """
        keys = [self._key_of(row) for row in self.set_aside]
        named = {key for key, fault in keys if fault is None}
        return named, sum(fault is not None for _, fault in keys)

    def unnamed_rows(self) -> list[tuple[int, str]]:
        """Lines of the rows set aside that do not tell their loan, and why: any loan could be theirs."""
        faults = [(row.line, self._key_of(row)[1]) for row in self.set_aside]
        return [(line, fault) for line, fault in faults if fault is not None]

    def _key_of(self, row: SetAside) -> tuple[str, str | None]:
        """The loan id of a row set aside, and what is wrong with it."""
        position = self.header.positions["loan_id"]
        if row.code == "wrong_cell_count" and (position > 0 or not row.cells):
            return "", row.code
        key = ids.fold(row.cells[position])
        return key, ids.fault_of(key)
