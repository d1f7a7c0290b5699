"""A file of staff, from rows of text to lines that can be compared with the register. Pure.

Columns in English or Chinese, in any order. An empty cell, or a column that is not there, says nothing; `-` says that
there is none. Every fault is reported by line and column; what a cell held is not repeated where it may be personal.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from casework import ids
from casework.errors import CallerError
from casework.intake.feed.cell import BadCell, Dates, text_cell
from casework.intake.feed.cell_texts import TEXTS as CELL_TEXTS
from casework.intake.feed.headers import places_of
from casework.intake.sheets.column import CellKind, FileColumn, is_ours, names_of, normal, one_of
from casework.intake.sheets.fault import Fault, check_few
from casework.intake.sheets.kinds import DAY, STAFF
from casework.intake.sheets.kinds import text as words_of
from casework.people.staff.actor import SYSTEM_POST
from casework.people.staff.person import (
    LONGEST_CODE,
    LONGEST_NAME,
    MOST_CASES,
    fault_of_staff_no,
)

MOST_BYTES: Final = 4 << 20
MOST_ROWS: Final = 10_000
NONE: Final = "-"
_CAPACITY: Final = CellKind(f"0至{MOST_CASES}的整数", f"a whole number from 0 to {MOST_CASES}", "80")
_POSTS: Final = CellKind(
    "岗位代码或名称，多个以逗号隔开", "codes or names of posts, several with commas", "phone_collector"
)
_PLACE: Final = words_of(LONGEST_CODE, "", code=True)
_FIXED: Final = (
    FileColumn("staff_no", STAFF, True, ("工号", "员工号", "员工编号")),
    FileColumn("name", words_of(LONGEST_NAME, "示例员工", code=True), True, ("姓名", "员工姓名")),
    FileColumn("posts", _POSTS, False, ("岗位", "职位")), FileColumn("team", _PLACE, False, ("团队", "所属团队")),
    FileColumn("region", _PLACE, False, ("区域", "所属区域")),
    FileColumn("capacity", _CAPACITY, False, ("上限", "在办上限", "案件上限")),
    FileColumn("joined_on", DAY, False, ("入职日期", "入职日"), "2024-01-02"),
    FileColumn("leaves_on", DAY, False, ("离职日期", "离职日", "最后工作日"), NONE),
)  # fmt: skip
COMPULSORY: Final = ("staff_no", "name")
_KNOWN: Final = names_of(_FIXED)
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


@dataclass(frozen=True, slots=True)
class SheetLine:
    """What one row says of one person. `says` are the columns with a word in them; the others are left alone.

    In a cell that could not be read it says nothing.
    """

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

    def without(self, column: str | None) -> "SheetLine | None":
        """The same line where it says nothing in this column; none where it cannot do without."""
        if column is None or column not in self.says or column == "staff_no":
            return None
        empty: Any = {"name": "", "posts": ()}.get(column)
        return replace(self, says=self.says - {column}, **{column: empty})


@dataclass(frozen=True, slots=True)
class PeopleSheet:
    """A file as far as it could be read: its lines, every fault, the columns that nothing here reads.

    `faulty`: lines of which some cells could not be read, without those.
    """

    lines: tuple[SheetLine, ...]
    faults: tuple[Fault, ...]
    unread: tuple[str, ...]
    faulty: tuple[SheetLine, ...] = ()


def read_sheet(rows: Iterable[tuple[int, Sequence[str]]], posts: Mapping[str, str]) -> PeopleSheet:
    """Read a file's numbered rows, the header first. `posts`: what a cell may call a post, and its code.

    CallerErrors: column_missing, column_repeated, too_many_rows.
    """
    numbered = iter(rows)
    columns, unread = _understand(next(numbered, (0, ()))[1])
    lines: dict[str, SheetLine] = {}
    faulty: list[SheetLine] = []
    faults: list[Fault] = []
    for count, (number, cells) in enumerate(numbered, 1):
        if count > MOST_ROWS:
            raise CallerError("too_many_rows", most=MOST_ROWS)
        if not any(cell.strip() for cell in cells):
            continue
        found, wrong = _line(number, cells, columns, posts)
        faults += wrong
        check_few("file", faults)
        if found is None:
            continue
        if found.staff_no in lines:
            faults.append(fault(number, "staff_no", "repeated_staff_no"))
        elif wrong:
            faulty.append(found)
        else:
            lines[found.staff_no] = found
    return PeopleSheet(tuple(lines.values()), tuple(faults), unread, tuple(faulty))


def fault(line: int, column: str | None, code: str) -> Fault:
    """A fault of this file's own codes."""
    return Fault(line, column, code, *TEXTS[code])


def staff_columns(labels: Mapping[str, Mapping[str, str]]) -> tuple[FileColumn, ...]:
    """The columns of a file of staff, where posts have these labels."""
    words = {name: code for code, said in labels.items() if code != SYSTEM_POST for name in (code, said["zh"])}
    posts = one_of(words, _POSTS.example)
    kind = posts._replace(zh=f"{posts.zh}；多个以逗号隔开", en=f"{posts.en}; several with commas")
    return tuple(one.like(kind=kind) if one.name == "posts" else one for one in _FIXED)


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
    unread = [
        cell.strip()[:64] for cell, column in zip(header, columns, strict=True) if column is None and not is_ours(cell)
    ]
    return columns, tuple(name for name in unread if name)


def _line(
    number: int, cells: Sequence[str], columns: Sequence[str | None], posts: Mapping[str, str]
) -> tuple[SheetLine | None, list[Fault]]:
    if len(cells) != len(columns):
        return None, [fault(number, None, "wrong_cell_count")]
    values: dict[str, Any] = {}
    faults: list[Fault] = []
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
    if "staff_no" not in values:
        return None, faults
    says = frozenset(values)
    return SheetLine(number, **{"name": "", **values}, says=says), faults


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
