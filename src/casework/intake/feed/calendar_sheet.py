"""A file of days off and days worked in their place, for a year that the calendar's library does not know."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from casework.intake.feed.agreed_rows import note, read_file
from casework.intake.feed.cell import BadCell
from casework.intake.feed.sheet import read_rows
from casework.intake.sheets.column import FileColumn, normal, one_of
from casework.intake.sheets.fault import in_order
from casework.intake.sheets.kinds import DAY
from casework.intake.sheets.mending import FileFaulty, placed

MOST_DAYS: Final = 2_000
_WORDS: Final[Mapping[str, str]] = {
    "off": "off", **dict.fromkeys(("休", "休息", "放假"), "off"),
    "worked": "worked", **dict.fromkeys(("班", "上班", "调休上班"), "worked"),
}  # fmt: skip


def _kind(cell: str, column: str) -> Any:
    kind = _WORDS.get(normal(cell))
    if kind is None:
        raise BadCell(column, "unknown_kind")
    return kind == "worked"


CALENDAR_COLUMNS: Final = (
    FileColumn("day", DAY, True, ("日期",), "2027-05-01"),
    FileColumn("kind", one_of(_WORDS, "off", _kind), True, ("类型", "类别")),
)


def read_calendar_sheet(content: bytes, name: str) -> dict[date, bool]:
    """The days of a file, and whether each is worked: all of them, or CallerErrors of `read_rows`, calendar_faulty."""
    found, faults = read_file(read_rows(content, name, MOST_DAYS), CALENDAR_COLUMNS)
    table: dict[date, bool] = {}
    for row in found:
        if row["day"] in table:
            faults.append(note(row.line, "day", "repeated"))
        elif row.sound:
            table[row["day"]] = row["kind"]
    if faults:
        raise FileFaulty("calendar_faulty", name, placed(in_order(faults), content, name, CALENDAR_COLUMNS))
    return table
