"""What is wrong with a file of rows: where, what it held, what is wrong, what is expected; one shape for all. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from casework.errors import CallerError
from casework.intake.sheets.column import FileColumn

MOST_KEPT: Final = 20_000
"""Faults of a file that are kept: with more of them it is another file than it is taken for."""


class Fault(NamedTuple):
    """What is wrong with one row of a file, or odd about it.

    `line`: the header is 1, in a workbook the row's number. `column`: ours, none for the row as a whole. `cell`: as the
    sender finds it, C17 in a workbook, else what the file's header calls the column. `value`: masked where it is
    personal, none where it is empty or not repeated. `ref`: what the row calls itself.
    """

    line: int
    column: str | None
    code: str
    zh: str
    en: str
    file: str | None = None
    cell: str | None = None
    value: str | None = None
    expected_zh: str | None = None
    expected_en: str | None = None
    ref: str | None = None

    @property
    def place(self) -> str:
        """The cell in a workbook, else line and column."""
        return " ".join(filter(None, (str(self.line), self.cell or self.column)))

    def as_json(self) -> dict[str, Any]:
        """As programs are told it; `kind` is the code's older name."""
        told = self._asdict()
        ref = told.pop("ref")
        return told | {"kind": self.code} | ({} if ref is None else {"contact_ref": ref})


def letters(place: int) -> str:
    """What a spreadsheet calls its column at this place, from 0."""
    name, left = "", place + 1
    while left:
        left, at = divmod(left - 1, 26)
        name = chr(ord("A") + at) + name
    return name


class Places:
    """Where the columns of one file are, by its header, and what is told of the cells there."""

    def __init__(
        self, file: str, header: Sequence[str], positions: Mapping[str, int], columns: Iterable[FileColumn], *,
        workbook: bool,
    ) -> None:  # fmt: skip
        self._file, self._header, self._positions, self._workbook = file, header, positions, workbook
        self._columns = {column.name: column for column in columns}

    def placed(self, fault: Fault, cells: Sequence[str] | None) -> Fault:
        """With file, cell, value and what is expected. No `cells`: without the value."""
        column, at = self._columns.get(fault.column or ""), self._positions.get(fault.column or "")
        cell = value = None
        if at is not None:
            cell = f"{letters(at)}{fault.line}" if self._workbook else self._header[at].strip()
            if cells is not None and column is not None and at < len(cells):
                value = column.shown(cells[at])
        elif fault.column is not None and column is not None and not self._workbook:
            cell = fault.column
        return fault._replace(
            file=self._file, cell=cell, value=value,
            expected_zh=column.kind.zh if column else None, expected_en=column.kind.en if column else None,
        )  # fmt: skip

    def value(self, fault: Fault, cells: Sequence[str]) -> Fault:
        """With the value of a row that was kept."""
        return fault._replace(value=self.placed(fault, cells).value)


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """By line."""
    return sorted(faults, key=lambda one: one.line)


def by_line(faults: Iterable[Fault]) -> dict[int, list[Fault]]:
    """The faults of each row."""
    found: dict[int, list[Fault]] = {}
    for one in faults:
        found.setdefault(one.line, []).append(one)
    return found


def check_few(name: str, faults: Collection[Fault]) -> None:
    """CallerError `too_many_set_aside` where there are more than are kept."""
    if len(faults) <= MOST_KEPT:
        return
    first = next(iter(faults))
    raise CallerError(
        "too_many_set_aside",
        f"{name} 的错误超过上限 {MOST_KEPT} 处，最先是第 {first.line} 行 {first.column or ''}：{first.zh}",
        f"{name} has more faults than the {MOST_KEPT} that are kept; the first is in line {first.line}, "
        f"{first.column or 'row'}: {first.en}", file=name, at_most=MOST_KEPT,
    )  # fmt: skip
