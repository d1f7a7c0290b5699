"""A file of staff, from rows of text to lines that can be compared with the register. Pure.

Columns in English or Chinese, in any order. An empty cell, or a column that is not there, says nothing; `-` says that
there is none. Every fault is reported by line and column; what a cell held is not repeated where it may be personal.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from casework import ids
from casework.errors import CallerError
from casework.intake.feed.cell import TEXTS as CELL_TEXTS
from casework.intake.feed.cell import BadCell, Dates, text_cell
from casework.intake.feed.headers import normal, places_of
from casework.people.staff.actor import SYSTEM_POST
from casework.people.staff.person import (
    LONGEST_CODE,
    LONGEST_NAME,
    MOST_CASES,
    fault_of_staff_no,
)

MOST_BYTES: Final = 4 << 20
MOST_ROWS: Final = 10_000
MOST_FAULTS: Final = 200  # that are reported; of more only the number
NONE: Final = "-"
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "staff_no": ("工号", "员工号", "员工编号"), "name": ("姓名", "员工姓名"), "posts": ("岗位", "职位"),
    "team": ("团队", "所属团队"), "region": ("区域", "所属区域"), "capacity": ("上限", "在办上限", "案件上限"),
    "joined_on": ("入职日期", "入职日"), "leaves_on": ("离职日期", "离职日", "最后工作日"),
}  # fmt: skip
COMPULSORY: Final = ("staff_no", "name")
_KNOWN: Final = {normal(name): column for column, aliases in COLUMNS.items() for name in (column, *aliases)}
_SEPARATORS: Final = re.compile("[\\s,;、\uff0c\uff1b]+")  # the full-width comma and semicolon too
TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    **ids.TEXTS,
    **{code: CELL_TEXTS[code] for code in ("malformed_date", "placeholder_date", "wrong_cell_count")},
    "malformed_staff_no": (
        "工号须为1至32位字母、数字或 . _ -，至少一个数字",
        "not a staff number: 1 to 32 letters, digits or . _ -, at least one digit",
    ),
    "reserved_staff_no": ("工号是系统保留名称", "a name that the service keeps for itself, no staff number"),
    "repeated_staff_no": ("同一工号在文件中重复出现", "the staff number is in the file already, on an earlier line"),
    "unknown_post": ("没有这样的岗位", "there is no such post"),
    "malformed_capacity": (f"上限须为0至{MOST_CASES}的整数", f"a capacity is a whole number from 0 to {MOST_CASES}"),
    "cannot_be_none": ("此列不能填“-”", "this column cannot be “-”"),
}  # fmt: skip


class SheetFault(NamedTuple):
    """What is wrong in which line and column (none: the line as a whole)."""

    line: int
    column: str | None
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class SheetLine:
    """What one row says of one person. `says` are the columns with a word in them; the others are left alone."""

    line: int
    staff_no: str
    name: str
    posts: tuple[str, ...] = ()
    team: str | None = None
    region: str | None = None
    capacity: int | None = None
    joined_on: date | None = None
    leaves_on: date | None = None
    says: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PeopleSheet:
    """A file as far as it could be read: its lines, every fault, and the columns that nothing here reads."""

    lines: tuple[SheetLine, ...]
    faults: tuple[SheetFault, ...]
    unread: tuple[str, ...]


def read_sheet(rows: Iterable[tuple[int, Sequence[str]]], posts: Mapping[str, str]) -> PeopleSheet:
    """Read a file's numbered rows, the header first. `posts`: what a cell may call a post, and its code.

    CallerErrors: column_missing, column_repeated, too_many_rows.
    """
    numbered = iter(rows)
    columns, unread = _understand(next(numbered, (0, ()))[1])
    lines: dict[str, SheetLine] = {}
    faults: list[SheetFault] = []
    for count, (number, cells) in enumerate(numbered, 1):
        if count > MOST_ROWS:
            raise CallerError("too_many_rows", most=MOST_ROWS)
        if not any(cell.strip() for cell in cells):
            continue
        found, wrong = _line(number, cells, columns, posts)
        faults += wrong
        if found is not None and found.staff_no in lines:
            faults.append(fault(number, "staff_no", "repeated_staff_no"))
        elif found is not None:
            lines[found.staff_no] = found
    return PeopleSheet(tuple(lines.values()), tuple(faults), unread)


def fault(line: int, column: str | None, code: str) -> SheetFault:
    """A fault of this file's own codes."""
    return SheetFault(line, column, code, *TEXTS[code])


def post_names(labels: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What a cell may call a post (its code, its label in either language), and its code."""
    return {
        normal(name): code
        for code, words in labels.items() if code != SYSTEM_POST for name in (code, words["zh"], words["en"])
    }  # fmt: skip


def _understand(header: Sequence[str]) -> tuple[list[str | None], tuple[str, ...]]:
    """The column at each place, none for one that nothing here reads; and the names of those."""
    places = {at: name for name, at in places_of(header, _KNOWN, COMPULSORY).items()}
    columns = [places.get(at) for at in range(len(header))]
    unread = [cell.strip()[:64] for cell, column in zip(header, columns, strict=True) if column is None]
    return columns, tuple(name for name in unread if name)


def _line(
    number: int, cells: Sequence[str], columns: Sequence[str | None], posts: Mapping[str, str]
) -> tuple[SheetLine | None, list[SheetFault]]:
    if len(cells) != len(columns):
        return None, [fault(number, None, "wrong_cell_count")]
    values: dict[str, Any] = {}
    faults: list[SheetFault] = []
    for column, cell in zip(columns, cells, strict=True):
        if column is None:
            continue
        try:
            if ids.ERROR_VALUE.fullmatch(cell.strip().upper()):
                raise BadCell(column, "error_value")
            if cell.strip() == NONE:
                values[column] = _none(column)
            elif cell.strip():
                values[column] = _value(column, cell, posts)
            elif column in COMPULSORY:
                raise BadCell(column, "missing_value")
        except BadCell as bad:
            faults.append(fault(number, column, bad.note.code))
    if faults:
        return None, faults
    return SheetLine(number, **values, says=frozenset(values)), []


def _none(column: str) -> Any:
    if column in (*COMPULSORY, "joined_on"):
        raise BadCell(column, "cannot_be_none")
    return () if column == "posts" else None


def _value(column: str, cell: str, posts: Mapping[str, str]) -> Any:
    text = cell.strip()
    match column:
        case "staff_no":
            staff_no = ids.fold(text)
            if (fault := fault_of_staff_no(staff_no)) is not None:
                raise BadCell(column, fault)
            return staff_no
        case "name":
            return text_cell(cell, column, LONGEST_NAME)
        case "team" | "region":
            return text_cell(cell, column, LONGEST_CODE)
        case "posts":
            return _posts(text, posts)
        case "capacity":
            if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) <= MOST_CASES):
                raise BadCell(column, "malformed_capacity")
            return int(text)
        case _:
            return Dates(column).read(text)


def _posts(text: str, posts: Mapping[str, str]) -> tuple[str, ...]:
    """Codes or labels, separated; a label may hold blanks, so the cell as a whole is tried first."""
    whole = posts.get(normal(text))
    if whole is not None:
        return (whole,)
    names = [name for name in _SEPARATORS.split(text) if name]
    if not all(normal(name) in posts for name in names):
        raise BadCell("posts", "unknown_post")
    return tuple(sorted({posts[normal(name)] for name in names}))
