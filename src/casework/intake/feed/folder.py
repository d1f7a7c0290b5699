"""A feed folder, read whole: `read_folder` gives a `Delivery` or one `CallerError`, and nothing in between.

The order is the point: the manifest, then every file's digest, then each file's header, rows, row count and
control sum. Rows that cannot be used are set aside with line, column and reason; only a folder that is not
what its manifest says is refused. Nothing here knows the database: loans unknown to the books are put aside
later (`Sheet.put_aside`).
"""

import csv
import io
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import repeat
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from casework import ids
from casework.errors import CallerError
from casework.intake.feed.bounds import (
    COLUMN_LIMIT,
    USUAL,
    Bounds,
    Room,
    too_many_columns,
    too_many_rows,
)
from casework.intake.feed.cell import (
    TEXTS,
    BadCell,
    CellNote,
    check_row,
)
from casework.intake.feed.control_sum import ControlSum
from casework.intake.feed.headers import (
    APART,
    SET_ASIDE_COLUMNS,
    Kind,
    SheetHeader,
    sound_cells,
    understand,
)
from casework.intake.feed.manifest import (
    FeedManifest,
    FileEntry,
    read_files,
    read_manifest,
)
from casework.intake.feed.row import (
    ContactRow,
    LoanRow,
    OverdueRow,
    Parser,
    RepaymentRow,
    contact_parser,
    loan_parser,
    overdue_parser,
    repayment_parser,
)
from casework.intake.feed.sheet import SheetLines, read_rows
from casework.intake.feed.total_row import Totals
from casework.intake.sheets.every_fault import faults_behind

Row = TypeVar("Row", bound=tuple[Any, ...])

NOTICES_KEPT: Final = 1_000
_REPEATED: Final[Mapping[Kind, tuple[str, str]]] = {
    "loans": ("loan_id", "repeated_loan"),
    "overdue": ("loan_id", "repeated_loan"),
    "repayments": ("payment_id", "repeated_payment"),
}


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
    content: bytes  # as it lay in the folder, so that the cells of a row can be found again
    rows: list[Row] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)  # the first ones
    more_notices: Counter[str] = field(default_factory=Counter)  # how many there were besides, by code
    bounds: Bounds = USUAL
    workbook: bool = False

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
        keeping every row's text would double the memory of every feed. `CallerError` too_many_set_aside.
        """
        if not faults:
            return self
        notes = {self.lines[index]: note for index, note in faults.items()}
        room, more = self.room(), []
        for line, cells in read_rows(self.content, self.name, self.bounds.rows):
            if line in notes:
                more.append(SetAside(line, *notes[line], tuple(cells)))
                room.take(*more[-1][:4])
        kept = [index for index in range(len(self.rows)) if index not in faults]
        return replace(
            self,
            rows=[self.rows[index] for index in kept],
            lines=[self.lines[index] for index in kept],
            set_aside=sorted([*self.set_aside, *more]),
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


def read_folder(path: Path, bounds: Bounds = USUAL) -> Delivery:
    """Read a feed folder whole, within `bounds`.

    `CallerError`, and then nothing is to be imported: folder_missing, manifest_missing, manifest_malformed,
    file_missing, file_unreadable, file_too_large, file_cut, file_digest_differs, csv_malformed,
    column_missing, column_repeated, row_count_differs, control_sum_differs, too_many_rows, too_many_columns,
    row_too_long, too_many_set_aside.
    """
    manifest = read_manifest(path)
    for entry in manifest.files:
        if entry.rows > bounds.rows:
            raise too_many_rows(entry.name, bounds.rows)
    contents = read_files(path, manifest)
    sheets: dict[Kind, FeedSheet[Any]] = {}
    refused: list[CallerError] = []
    for entry in manifest.files:
        try:
            sheets[entry.kind] = _read_sheet(manifest, entry, contents[entry.kind], bounds)
        except CallerError as mistake:
            refused.append(mistake)
    if refused:
        raise _together(refused)
    return Delivery(
        as_of=manifest.as_of,
        institution=manifest.institution,
        digest=manifest.digest,
        files=tuple(manifest.files),
        overdue=sheets["overdue"],
        loans=sheets.get("loans"),
        contacts=sheets.get("contacts"),
        repayments=sheets.get("repayments"),
    )


def _together(refused: Sequence[CallerError]) -> CallerError:
    """The first, which says what is wrong with the other files too."""
    first, *others = refused
    if not others:
        return first
    also = [{"code": one.code, "zh": one.zh, "en": str(one), **one.facts} for one in others]
    return CallerError(
        first.code, "；".join(one.zh for one in refused), "; ".join(map(str, refused)), **first.facts, more=also
    )


def set_aside_csv(kind: Kind, header: Sequence[str], rows: Iterable[SetAside]) -> str:
    """The set-aside rows as a CSV to be mended and fed again: the file's columns, then line and reason.

    The four columns at the end are known to the importer and not read. Cells are as they came, formulas too: for
    whoever may open it in a spreadsheet there is `safe_form.in_safe_form`.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*header, *SET_ASIDE_COLUMNS])
    width = len(header)
    for row in rows:
        cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
        columns = APART.join(one.column or kind for one in row.notes)
        codes = APART.join(one.code for one in row.notes)
        zh, en = "；".join(TEXTS[one.code][0] for one in row.notes), APART.join(TEXTS[one.code][1] for one in row.notes)
        writer.writerow([*cells, row.line, columns, codes, f"{zh} / {en}"])
    return out.getvalue()


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


def _read_sheet(manifest: FeedManifest, entry: FileEntry, content: bytes, bounds: Bounds = USUAL) -> FeedSheet[Any]:
    read = read_rows(content, entry.name, bounds.rows)
    lines_of_cells = iter(read)
    header = _header(entry, next(lines_of_cells, (1, []))[1])
    notes: list[CellNote] = []
    more: list[ContactRow] = []  # of the row in hand, besides itself
    parse = _parser(entry.kind, header, manifest.as_of, notes, more)
    sum_up = ControlSum(entry.kind, header.positions)
    key_column, repeated = _REPEATED.get(entry.kind, ("", ""))
    seen: set[str] = set()
    width = len(header.names)
    totals, may_be_totals = Totals(entry.kind, header.positions, width), 0
    sheet: FeedSheet[Any] = FeedSheet(
        entry.kind, entry.name, entry.sha256.lower(), entry.rows, header, content, bounds=bounds, workbook=read.workbook
    )

    def checked(cells: list[str]) -> Any:
        check_row(cells, header.positions, width, errors=read.errors)
        return parse(cells)

    rows, lines, room = sheet.rows, sheet.lines, sheet.room()
    sheet.notice(_odd_about(read, header))
    count, sound = 0, sound_cells(entry.kind, manifest.as_of)
    for line, cells in lines_of_cells:
        count += 1
        if count > entry.rows + may_be_totals and not totals.may_be(cells):  # no need to read on, however long it is
            raise _row_count_differs(entry, f"more than {entry.rows}", f"多于 {entry.rows}")
        try:
            row = checked(cells)
            if repeated:
                if row[0] in seen:
                    raise BadCell(key_column, repeated)
                seen.add(row[0])
        except BadCell as bad:
            _, *others = faults_behind(bad.note, checked, cells, header.positions, sound)
            notes.clear()
            more.clear()
            may_be_totals += totals.may_be(cells)
            sheet.set_aside.append(SetAside(line, *bad.note, tuple(cells), tuple(others)))
            room.take(*sheet.set_aside[-1][:4])
            sum_up.add_text(cells, readable=len(cells) == width)
            continue
        rows += (row, *more)
        lines += repeat(line, 1 + len(more))
        more.clear()
        if notes:
            sheet.notice(Notice(line, *note) for note in notes)
            notes.clear()
        if sum_up.by_text:
            sum_up.add_text(cells, readable=True)
    left_out = _take_out_totals(sheet, totals, sum_up) if may_be_totals else 0
    count -= left_out
    # Whoever counted the lines of a file, or summed a column, may have counted blank rows and totals too.
    if entry.rows not in {count, count + left_out, count + read.blank, count + left_out + read.blank}:
        raise _row_count_differs(entry, str(count), str(count))
    sum_up.add_rows(rows)
    if sum_up.differs(entry):
        sheet.notice([Notice(1, "", "control_sum_undecided")])
    return replace(sheet, row_count=count)


def _header(entry: FileEntry, names: list[str]) -> SheetHeader:
    if len(names) > COLUMN_LIMIT:
        raise too_many_columns(entry.name, len(names))
    return understand(entry.kind, names)


def _take_out_totals(sheet: FeedSheet[Any], totals: Totals, sum_up: ControlSum) -> int:
    """Total rows are no rows: out of what was set aside, with a notice; how many. The file is read again for them."""
    numbered = iter(read_rows(sheet.content, sheet.name, sheet.bounds.rows))
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
