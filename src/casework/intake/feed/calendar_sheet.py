"""A file of days off and days worked in their place, for a year that the calendar's library does not know."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from casework.errors import CallerError
from casework.intake.feed.agreed_rows import AgreedColumn, day, read_file
from casework.intake.feed.cell import BadCell
from casework.intake.feed.headers import normal
from casework.intake.feed.sheet import read_rows

MOST_DAYS: Final = 2_000
_KINDS: Final[Mapping[str, bool]] = {
    "off": False, "休": False, "休息": False, "放假": False, "worked": True, "班": True, "上班": True, "调休上班": True,
}  # fmt: skip


def _kind(cell: str, column: str) -> Any:
    worked = _KINDS.get(normal(cell))
    if worked is None:
        raise BadCell(column, "unknown_kind")
    return worked


_COLUMNS: Final = (
    AgreedColumn("day", day, compulsory=True, aliases=("日期",)),
    AgreedColumn("kind", _kind, compulsory=True, aliases=("类型", "类别")),
)


def read_calendar_sheet(content: bytes, name: str) -> dict[date, bool]:
    """The days of a file, and whether each is worked: all of them, or CallerErrors of `read_rows`, calendar_faulty."""
    found, faults = read_file(read_rows(content, name, MOST_DAYS), _COLUMNS)
    table: dict[date, bool] = {}
    wrong = [one.line for one in faults]
    for row in found:
        if row["day"] is None or row["kind"] is None or row["day"] in table:
            wrong.append(row.line)
        else:
            table[row["day"]] = row["kind"]
    if wrong:
        lines = sorted(wrong)
        raise CallerError(
            "calendar_faulty",
            f"{name}第{'、'.join(map(str, lines[:20]))}行不可用：每行须有一个日期（不得重复）和类型（休、班）",
            f"{name}: lines {', '.join(map(str, lines[:20]))} cannot be used: each needs a day of its own and a kind, "
            "off or worked", lines=lines,
        )  # fmt: skip
    return table
