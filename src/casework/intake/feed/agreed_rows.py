"""Files of what was agreed elsewhere: columns in English or Chinese, typed rows, faults by cell. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from casework import ids
from casework.intake.feed.cell import BadCell
from casework.intake.feed.cell_texts import TEXTS as CELL_TEXTS
from casework.intake.feed.headers import places_of
from casework.intake.feed.sheet import SheetLines
from casework.intake.sheets.column import FileColumn, names_of
from casework.intake.sheets.fault import Fault, check_few

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


def note(line: int, column: str | None, code: str) -> Fault:
    """One of our own codes."""
    return Fault(line, column, code, *(TEXTS.get(code) or CELL_TEXTS[code]))


@dataclass(frozen=True, slots=True)
class Row:
    """One row as far as it could be read; an empty cell is none, and so is one that could not be read."""

    line: int
    values: Mapping[str, Any]
    sound: bool = True

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


def read_file(rows: SheetLines, columns: Sequence[FileColumn]) -> tuple[list[Row], list[Fault]]:
    """The rows as far as they could be read, and every fault of every cell; a row that has one is not `sound`.

    CallerErrors column_missing, column_repeated, too_many_set_aside.
    """
    numbered = iter(rows)
    places = places_of(
        next(numbered, (0, ()))[1], names_of(columns), [column.name for column in columns if column.compulsory]
    )
    width = 1 + max(places.values(), default=-1)
    read: list[Row] = []
    faults: list[Fault] = []
    for line, cells in numbered:
        values: dict[str, Any] = dict.fromkeys(column.name for column in columns)
        wrong = [note(line, None, "wrong_cell_count")] if len(cells) < width else []
        for column in () if wrong else columns:
            try:
                values[column.name] = _cell(column, cells, places)
            except BadCell as bad:
                wrong.append(note(line, *bad.note))
        faults += wrong
        read.append(Row(line, values, sound=not wrong))
        check_few(rows.name, faults)
    return read, faults


def _cell(column: FileColumn, cells: Sequence[str], places: Mapping[str, int]) -> Any:
    cell = cells[places[column.name]] if column.name in places else ""
    if ids.ERROR_VALUE.fullmatch(cell.strip().upper()):
        raise BadCell(column.name, "error_value")
    if cell.strip() and column.kind.read is not None:
        return column.kind.read(cell, column.name)
    if column.compulsory:
        raise BadCell(column.name, "missing_value")
    return None
