"""A file of days off and days worked in their place, for a year that the calendar's library does not know."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.intake.feed.agreed_rows import note, read_file
from casework.intake.feed.cell import BadCell
from casework.intake.feed.sheet import read_rows
from casework.intake.sheets.column import FileColumn, normal, one_of
from casework.intake.sheets.fault import Fault, in_order
from casework.intake.sheets.kinds import DAY
from casework.intake.sheets.mending import FileFaulty, placed
from casework.intake.sheets.taken import FileTaken
from casework.people.days.loading import load_calendar
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch

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
    _, table, faults = _read(content, name)
    if faults:
        raise FileFaulty("calendar_faulty", name, faults)
    return table


def import_calendar(
    conn: Connection, branch: Branch, content: bytes, name: str, actor: Actor, *, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> FileTaken:  # fmt: skip
    """Load that table in the caller's transaction, or tell of every fault: then nothing is loaded. Rows are days.

    Known already are the days of years of which nothing is new. CallerErrors of `read_rows`, calendar_empty.
    """
    rows, table, faults = _read(content, name)
    progress(rows)
    if faults:
        return FileTaken(rows, set_aside=faults, not_done=len(table))
    trail = branch.trail(clock())
    years = load_calendar(conn, trail, actor, table)
    trail.write(conn)
    new = sum(day.year in years for day in table)
    return FileTaken(rows, stored=new, repeated=len(table) - new)


def _read(content: bytes, name: str) -> tuple[int, dict[date, bool], list[Fault]]:
    """How many rows there are, the days that could be read, and what is wrong with the others."""
    found, faults = read_file(read_rows(content, name, MOST_DAYS), CALENDAR_COLUMNS)
    table: dict[date, bool] = {}
    for row in found:
        if row["day"] in table:
            faults.append(note(row.line, "day", "repeated"))
        elif row.sound:
            table[row["day"]] = row["kind"]
    return len(found), table, placed(in_order(faults), content, name, CALENDAR_COLUMNS) if faults else []
