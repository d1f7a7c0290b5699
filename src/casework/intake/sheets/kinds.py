"""Kinds of cells that files of several kinds have: what they may hold, in words, and what reads them. Pure."""

from datetime import datetime, time, tzinfo
from typing import Any, Final

from casework import ids
from casework.intake.feed.cell import BadCell, Dates, amount_cell, key_cell, text_cell
from casework.intake.sheets.column import CellKind
from casework.people.staff.person import fault_of_staff_no
from casework.rules.statechart.fields import EARLIEST, LATEST


def _key(cell: str, column: str) -> Any:
    return key_cell(cell, column)


def _day(cell: str, column: str) -> Any:
    return Dates(column).read(cell.strip())


def _yuan(cell: str, column: str) -> Any:
    return amount_cell(cell, column)


def _staff(cell: str, column: str) -> Any:
    number = ids.fold(cell)
    if fault_of_staff_no(number) is not None:
        raise BadCell(column, "malformed_staff_no")
    return number


def text(longest: int, example: str, *, code: bool = False) -> CellKind:
    """A text of at most so many characters."""
    return CellKind(
        f"文字，最多{longest}个字符", f"text of at most {longest} characters", example,
        lambda cell, column: text_cell(cell, column, longest), code,
    )  # fmt: skip


KEY: Final = CellKind(ids.ALLOWED[0].format(ids.LONGEST), ids.ALLOWED[1].format(ids.LONGEST), "EX-2024-0001", _key)
"""An id."""
CODE: Final = CellKind("代码", "a code", "")
TEXT: Final = CellKind("文字", "text", "", code=False)
DAY: Final = CellKind(
    f"日期，如 2024-05-31、2024/5/31、20240531、2024年5月31日，{EARLIEST}至{LATEST}",
    f"a date, such as 2024-05-31, 2024/5/31 or 20240531, from {EARLIEST} to {LATEST}", "2024-05-31", _day,
)  # fmt: skip
YUAN: Final = CellKind(
    "以元计的金额，最多两位小数，如 1234.56 或 1,234.56",
    "an amount in yuan with at most two decimal places, such as 1234.56",
    "1234.56", _yuan,
)  # fmt: skip
STAFF: Final = CellKind(
    "工号：1至32位字母、数字或 . _ -，至少一个数字",
    "a staff number: 1 to 32 letters, digits or . _ -, at least one digit",
    "EX001", _staff,
)  # fmt: skip
PHONE: Final = CellKind(
    "电话号码，如 12000000000、0571-88000000转801", "a phone number, such as 12000000000 or 0571-88000000转801",
    "12000000000", None, code=False,
)  # fmt: skip
INSTANT: Final = CellKind(
    "带时区的时间，如 2024-05-31T10:00:00+08:00", "a time with its offset, such as 2024-05-31T10:00:00+08:00",
    "2024-05-31T10:00:00+08:00",
)  # fmt: skip


def moment(zone: tzinfo) -> CellKind:
    """A time with its offset; a date means the beginning of that day in branch time."""

    def read(cell: str, column: str) -> Any:
        written = cell.strip()
        try:
            if len(written) == len("2026-11-29"):
                return datetime.combine(Dates(column).read(written), time(), zone)
            at = datetime.fromisoformat(written)
            if at.tzinfo is not None:
                return at.astimezone(zone)
        except (BadCell, ValueError, OverflowError):  # the last: at an end of the calendar, elsewhere beyond it
            pass
        raise BadCell(column, "malformed_time")

    return CellKind(
        f"日期（当日零时），或{INSTANT.zh}", f"a date (the beginning of that day), or {INSTANT.en}", "2024-05-31", read
    )
