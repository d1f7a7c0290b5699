"""Files of what was agreed elsewhere: columns in English or Chinese, typed rows, faults by cell. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from typing import Any, Final, NamedTuple

from casework import ids
from casework.intake.feed.cell import TEXTS as CELL_TEXTS
from casework.intake.feed.cell import (
    BadCell,
    Dates,
    amount_cell,
    key_cell,
    text_cell,
)
from casework.intake.feed.headers import normal, places_of
from casework.people.staff.person import fault_of_staff_no

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    **ids.TEXTS,
    **{
        code: CELL_TEXTS[code]
        for code in ("malformed_date", "placeholder_date", "wrong_cell_count", "malformed_amount", "negative_amount")
    },
    "malformed_time": (
        "须为日期或带时区的时间，如 2026-11-29T08:00:00+08:00",
        "neither a date nor a time with its offset, such as 2026-11-29T08:00:00+08:00",
    ),
    "malformed_staff_no": ("不是工号", "not a staff number"),
    "unknown_kind": ("类型须为休或班", "neither off nor worked"),
    "unknown_shift": ("没有此班次（请假另行登记，不在班表）", "no such shift (leave is recorded as leave, not here)"),
    "unknown_ground": ("未知的停催事由", "no such ground of a hold"),
    "unknown_loan": ("没有这笔贷款", "no such loan on the books"),
    "no_case": ("该贷款没有案件", "the loan has no case"),
    "repeated": ("文件中前面已有此行", "the file has it already, on an earlier line"),
    "differs": ("此前已导入，内容不同", "it came before with other content"),
    "in_the_future": ("晚于今天", "after today"),
    "refused": ("不符合规则", "the rules forbid it"),
    "before_it_was_made": ("承诺还款日早于承诺作出日期", "the day promised is before the day on which it was made"),
    "beyond_the_horizon": ("承诺还款日超过政策期限", "the day promised is further ahead than is let here"),
    "ends_late": ("结束时间超过政策上限", "it ends later than the policy lets anybody set here"),
    "review_missing": ("没有复核日期", "it names no day of review"),
    "unknown_staff": ("未登记的工号，已记为待核实", "nobody registered this staff number; it is entered as unverified"),
}  # fmt: skip


class RowNote(NamedTuple):
    """What is said of a row: set aside for it, or warned of."""

    line: int
    column: str | None
    kind: str
    zh: str
    en: str


def note(line: int, column: str | None, kind: str) -> RowNote:
    """One of our own codes."""
    return RowNote(line, column, kind, *TEXTS[kind])


Read = Callable[[str, str], Any]


class AgreedColumn(NamedTuple):
    """A column: how its cells are read, whether a row needs it, and its names beside our own."""

    name: str
    read: Read
    compulsory: bool
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read; an empty cell is none."""

    line: int
    values: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


def key(cell: str, column: str) -> Any:
    """An id."""
    return key_cell(cell, column)


def text(cell: str, column: str) -> Any:
    """A short text."""
    return text_cell(cell, column, 64)


def day(cell: str, column: str) -> Any:
    """A date."""
    return Dates(column).read(cell.strip())


def yuan(cell: str, column: str) -> Any:
    """An amount in yuan, in fen."""
    return amount_cell(cell, column)


def staff(cell: str, column: str) -> Any:
    """A staff number."""
    number = ids.fold(cell)
    if fault_of_staff_no(number) is not None:
        raise BadCell(column, "malformed_staff_no")
    return number


def moment(zone: tzinfo) -> Read:
    """A time with its offset; a date means the beginning of that day in branch time."""

    def read(cell: str, column: str) -> Any:
        written = cell.strip()
        try:
            if len(written) == len("2026-11-29"):
                return datetime.combine(Dates(column).read(written), time(), zone)
            at = datetime.fromisoformat(written)
        except (BadCell, ValueError):
            raise BadCell(column, "malformed_time") from None
        if at.tzinfo is None:
            raise BadCell(column, "malformed_time")
        return at.astimezone(zone)

    return read


def read_file(
    rows: Iterable[tuple[int, Sequence[str]]], columns: Sequence[AgreedColumn]
) -> tuple[list[Row], list[RowNote]]:
    """The rows that could be read, and what is wrong with the others; CallerErrors column_missing, column_repeated."""
    numbered = iter(rows)
    places = _understand(next(numbered, (0, ()))[1], columns)
    width = 1 + max(places.values(), default=-1)
    good: list[Row] = []
    bad: list[RowNote] = []
    for line, cells in numbered:
        if len(cells) < width:
            bad.append(note(line, None, "wrong_cell_count"))
            continue
        try:
            good.append(Row(line, {column.name: _cell(column, cells, places) for column in columns}))
        except BadCell as fault:
            kind = fault.note.code
            zh, en = TEXTS.get(kind) or CELL_TEXTS[kind]
            bad.append(RowNote(line, fault.note.column, kind, zh, en))
    return good, bad


def _understand(header: Sequence[str], columns: Sequence[AgreedColumn]) -> dict[str, int]:
    known = {normal(name): column.name for column in columns for name in (column.name, *column.aliases)}
    return places_of(header, known, [column.name for column in columns if column.compulsory])


def _cell(column: AgreedColumn, cells: Sequence[str], places: Mapping[str, int]) -> Any:
    cell = cells[places[column.name]] if column.name in places else ""
    if ids.ERROR_VALUE.fullmatch(cell.strip().upper()):
        raise BadCell(column.name, "error_value")
    if cell.strip():
        return column.read(cell, column.name)
    if column.compulsory:
        raise BadCell(column.name, "missing_value")
    return None
