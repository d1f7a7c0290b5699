"""From the bytes of one file to a `FeedSheet`: every row parsed or set aside, counted and added up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice, repeat
from operator import itemgetter
from typing import Any, Final

from casework.errors import CallerError
from casework.intake.feed.bounds import COLUMN_LIMIT, USUAL, Bounds, too_many_columns
from casework.intake.feed.cell import BadCell, CellNote, check_row
from casework.intake.feed.control_sum import ControlSum
from casework.intake.feed.feed_sheet import FeedSheet, Notice, SetAside
from casework.intake.feed.headers import Kind, SheetHeader, sound_cells, understand
from casework.intake.feed.manifest import FileEntry
from casework.intake.feed.plain_rows import BLOCK, block_parser
from casework.intake.feed.row import (
    ContactRow,
    Parser,
    contact_parser,
    loan_parser,
    overdue_parser,
    repayment_parser,
)
from casework.intake.feed.sheet import SheetLines, read_rows
from casework.intake.feed.total_row import Totals
from casework.intake.sheets.every_fault import faults_behind

_REPEATED: Final[Mapping[Kind, tuple[str, str]]] = {
    "loans": ("loan_id", "repeated_loan"),
    "overdue": ("loan_id", "repeated_loan"),
    "repayments": ("payment_id", "repeated_payment"),
}
_KEY: Final = itemgetter(0)
_Lines = list[tuple[int, list[str]]]


def read_sheet(
    as_of: date, entry: FileEntry, content: bytes, bounds: Bounds = USUAL, again: Callable[[], bytes] | None = None
) -> FeedSheet[Any]:
    """Read one file of a feed of that day, as its manifest states it. `CallerError` as `folder.read_folder`.

    `again` gives the content once more, should it be needed; without it the sheet keeps it.
    """
    read = read_rows(content, entry.name, bounds.rows)
    numbered = iter(read)
    header = _header(entry, next(numbered, (1, []))[1])
    sheet = _SheetBeingRead(as_of, entry, again or (lambda: content), bounds, read, header)
    while sheet.took_plain_rows() or sheet.took_block(numbered):
        pass
    return sheet.ended()


class _SheetBeingRead:
    """What is known of a file so far. Rows are taken in blocks: by columns where all is plain, else one by one."""

    def __init__(
        self, as_of: date, entry: FileEntry, again: Callable[[], bytes], bounds: Bounds, read: SheetLines,
        header: SheetHeader,
    ) -> None:  # fmt: skip
        kind, width = entry.kind, len(header.names)
        self._entry, self._read, self._header = entry, read, header
        self._notes: list[CellNote] = []
        self._more: list[ContactRow] = []  # of the row in hand, besides itself
        self._parse = _parser(kind, header, as_of, self._notes, self._more)
        self._parse_block = None if read.errors else block_parser(kind, header.positions, as_of)
        self._width = width
        self._sum_up = ControlSum(kind, header.positions)
        self._key_column, self._repeated = _REPEATED.get(kind, ("", ""))
        self._seen: set[str] = set()
        self._totals, self._may_be_totals = Totals(kind, header.positions, width), 0
        self._sound = sound_cells(kind, as_of)
        self._count = 0
        self._sheet: FeedSheet[Any] = FeedSheet(
            kind, entry.name, entry.sha256.lower(), entry.rows, header, again, bounds=bounds, workbook=read.workbook
        )  # fmt: skip
        self._room = self._sheet.room()
        self._interrupted: CallerError | None = None
        self._sheet.notice(_odd_about(read, header))

    def took_plain_rows(self) -> bool:
        """Take the next rows as columns, as they stand in the file; whether there are such."""
        if self._parse_block is None or self._interrupted is not None:
            return False
        found = self._read.plain_rows(self._width)
        if found is None:
            return False
        taken = self._took_columns(found.columns, found.lines)
        if not taken:
            self._read.put_back(found)
        return taken

    def took_block(self, numbered: Iterator[tuple[int, list[str]]]) -> bool:
        """Parse the next rows or set them aside; whether there were some."""
        block = self._next_block(numbered)
        lines, rows = [line for line, _ in block], [cells for _, cells in block]
        if set(map(len, rows)) != {self._width} or not self._took_columns([*zip(*rows, strict=True)], lines):
            for line, cells in block:
                self._take_one(line, cells)
        return bool(block)

    def _next_block(self, numbered: Iterator[tuple[int, list[str]]]) -> _Lines:
        """The next rows, not more than the manifest still speaks of; none at the end.

        What interrupts the reading is raised behind the rows before it: it is their faults that come first.
        """
        if self._interrupted is not None:
            raise self._interrupted
        block: _Lines = []
        try:
            for row in islice(numbered, max(1, min(BLOCK, self._entry.rows - self._count))):
                block.append(row)  # those before an interruption are kept
        except CallerError as mistake:
            self._interrupted = mistake
            if not block:
                raise
        return block

    def _took_columns(self, columns: Sequence[Sequence[str]], lines: Sequence[int]) -> bool:
        """Take rows if all of their cells are plain, the manifest speaks of them and each names another loan."""
        if self._parse_block is None or self._count + len(lines) > self._entry.rows:
            return False
        rows = self._parse_block(columns)
        if rows is None:
            return False
        keys = set(map(_KEY, rows))
        if len(keys) != len(rows) or not self._seen.isdisjoint(keys):
            return False
        self._seen |= keys
        self._count += len(rows)
        self._sheet.rows.extend(rows)
        self._sheet.lines.extend(lines)
        return True

    def _take_one(self, line: int, cells: list[str]) -> None:
        entry, sheet, notes, more = self._entry, self._sheet, self._notes, self._more
        self._count += 1
        if self._count > entry.rows + self._may_be_totals and not self._totals.may_be(cells):
            raise _row_count_differs(entry, f"more than {entry.rows}", f"多于 {entry.rows}")  # however long it is
        try:
            row = self._checked(cells)
            if self._repeated:
                if row[0] in self._seen:
                    raise BadCell(self._key_column, self._repeated)
                self._seen.add(row[0])
        except BadCell as bad:
            self._set_aside(line, cells, bad)
            return
        sheet.rows.extend((row, *more))
        sheet.lines.extend(repeat(line, 1 + len(more)))
        more.clear()
        if notes:
            sheet.notice(Notice(line, *note) for note in notes)
            notes.clear()
        if self._sum_up.by_text:
            self._sum_up.add_text(cells, readable=True)

    def _checked(self, cells: list[str]) -> Any:
        check_row(cells, self._header.positions, len(self._header.names), errors=self._read.errors)
        return self._parse(cells)

    def _set_aside(self, line: int, cells: list[str], bad: BadCell) -> None:
        _, *others = faults_behind(bad.note, self._checked, cells, self._header.positions, self._sound)
        self._notes.clear()
        self._more.clear()
        self._may_be_totals += self._totals.may_be(cells)
        self._sheet.set_aside.append(SetAside(line, *bad.note, tuple(cells), tuple(others)))
        self._room.take(*self._sheet.set_aside[-1][:4])
        self._sum_up.add_text(cells, readable=len(cells) == len(self._header.names))

    def ended(self) -> FeedSheet[Any]:
        """The sheet, its rows counted and added up. `CallerError` row_count_differs, control_sum_differs."""
        entry, sheet, blank = self._entry, self._sheet, self._read.blank
        left_out = _take_out_totals(sheet, self._totals, self._sum_up) if self._may_be_totals else 0
        count = self._count - left_out
        # Whoever counted the lines of a file, or summed a column, may have counted blank rows and totals too.
        if entry.rows not in {count, count + left_out, count + blank, count + left_out + blank}:
            raise _row_count_differs(entry, str(count), str(count))
        self._sum_up.add_rows(sheet.rows)
        if self._sum_up.differs(entry):
            sheet.notice([Notice(1, "", "control_sum_undecided")])
        return replace(sheet, row_count=count)


def _parser(kind: Kind, header: SheetHeader, as_of: date, notes: list[CellNote], more: list[ContactRow]) -> Parser[Any]:
    positions, width = header.positions, len(header.names)
    match kind:
        case "overdue":
            return overdue_parser(positions, width, as_of, notes)
        case "loans":
            return loan_parser(positions, width, as_of, notes)
        case "contacts":
            return contact_parser(positions, width, notes, more)
        case "repayments":
            return repayment_parser(positions, width, as_of)


def _header(entry: FileEntry, names: Sequence[str]) -> SheetHeader:
    if len(names) > COLUMN_LIMIT:
        raise too_many_columns(entry.name, len(names))
    return understand(entry.kind, names)


def _take_out_totals(sheet: FeedSheet[Any], totals: Totals, sum_up: ControlSum) -> int:
    """Total rows are no rows: out of what was set aside, with a notice; how many. The file is read again for them."""
    numbered = iter(read_rows(sheet.again(), sheet.name, sheet.bounds.rows))
    next(numbered, None)
    on = totals.lines(numbered)
    out = [row for row in sheet.set_aside if row.line in on]
    sheet.set_aside[:] = [row for row in sheet.set_aside if row.line not in on]
    sheet.notice(Notice(row.line, "", "total_row") for row in out)
    for row in out:
        sum_up.leave_out(row.cells)
    return len(on)


def _odd_about(read: SheetLines, header: SheetHeader) -> Iterable[Notice]:
    """What is odd about the file as a whole."""
    yield from (Notice(1, column, "column_absent") for column in header.absent)
    yield from (Notice(1, column, "column_unknown") for column in header.unknown)
    if read.first_hidden:
        yield Notice(1, "", "first_sheet_hidden")


def _row_count_differs(entry: FileEntry, found_en: str, found_zh: str) -> CallerError:
    return CallerError(
        "row_count_differs",
        f"{entry.name} 的行数与清单不符：清单 {entry.rows} 行，实际 {found_zh} 行",
        f"{entry.name} has {found_en} rows, but the manifest states {entry.rows}",
        file=entry.name,
        stated=entry.rows,
    )
