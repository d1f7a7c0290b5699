"""A file of shifts: a row for each person and day, headers in English or Chinese."""

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.intake.feed.agreed_rows import read_file
from casework.intake.feed.cell import BadCell
from casework.intake.feed.sheet import read_rows
from casework.intake.sheets.column import CellKind, FileColumn, normal, one_of
from casework.intake.sheets.fault import Fault, in_order
from casework.intake.sheets.kinds import DAY, STAFF
from casework.intake.sheets.mending import FileFaulty, placed
from casework.intake.sheets.taken import FileTaken
from casework.log.write.trail import Trail
from casework.people.shifts.entering import MOST, ShiftGiven, compared, enter_shifts, faults_of
from casework.people.shifts.shift_rules import ShiftRules
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.cases.gather import closed_through


class ShiftsTaken(NamedTuple):
    """How many rows were entered, the days that changed, and the rows that were not entered, with cell and fault."""

    rows: int
    days: list[date]
    set_aside: list[Fault]


def import_shifts(
    conn: Connection, trail: Trail, actor: Actor, rules: ShiftRules, content: bytes, name: str, *,
    closed: date | None, atomic: bool = True,
) -> ShiftsTaken:  # fmt: skip
    """Enter the shifts of a file, all or none; or, not `atomic`, those of the rows with which nothing is wrong.

    An empty shift takes the person off the roster of the day. CallerErrors of `read_rows` and of `enter_shifts`;
    if `atomic`, roster_faulty names every line that cannot be used, and why.
    """
    _, sound, aside = _read(conn, rules, content, name, closed)
    if aside and atomic:
        raise FileFaulty("roster_faulty", name, aside)
    days = enter_shifts(conn, trail, actor, rules, sound, closed=closed) if sound or not aside else []
    return ShiftsTaken(len(sound), days, aside)


def take_roster(
    conn: Connection, branch: Branch, content: bytes, name: str, actor: Actor, *, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> FileTaken:  # fmt: skip
    """Enter all of them in the caller's transaction, or tell of every fault: then none is entered. Rows are shifts.

    CallerErrors of `read_rows`, roster_empty.
    """
    rules, closed = branch.rulebook.shifts, closed_through(conn)
    rows, sound, aside = _read(conn, rules, content, name, closed)
    progress(rows)
    if aside:
        return FileTaken(rows, set_aside=aside, not_done=len(sound))
    stored, changed = compared(conn, sound)
    trail = branch.trail(clock())
    enter_shifts(conn, trail, actor, rules, sound, closed=closed)
    trail.write(conn)
    return FileTaken(rows, stored=stored, changed=changed, repeated=rows - stored - changed)


def _read(
    conn: Connection, rules: ShiftRules, content: bytes, name: str, closed: date | None
) -> tuple[int, list[ShiftGiven], list[Fault]]:
    """How many rows there are, the shifts with which nothing is wrong, and what is wrong with the others."""
    columns = shift_columns(rules)
    found, aside = read_file(read_rows(content, name, MOST), columns)
    read = [row for row in found if row["day"] is not None and row["staff_no"] is not None]
    given = [ShiftGiven(row["day"], row["staff_no"], row["shift"], row["stand_in"]) for row in read]
    unread = {(one.line, one.column) for one in aside}
    for one in faults_of(conn, rules, given, closed):
        row = read[one.place - 1]
        if row.sound or (one.field not in ("shift", "stand_in") and (row.line, one.field) not in unread):
            aside.append(Fault(row.line, one.field, *one[2:]))
    lines = {one.line for one in aside}
    sound = [one for one, row in zip(given, read, strict=True) if row.line not in lines]
    return len(found), sound, placed(in_order(aside), content, name, columns) if aside else []


def shift_columns(rules: ShiftRules) -> tuple[FileColumn, ...]:
    """The columns of a file of shifts."""
    return (
        FileColumn("day", DAY, True, ("日期",)),
        FileColumn("staff_no", STAFF, True, ("工号", "员工号")),
        FileColumn("shift", _shift(rules), False, ("班次", "排班")),
        FileColumn("stand_in", STAFF, False, ("替班人", "替班", "代班人"), ""),
    )


def _shift(rules: ShiftRules) -> CellKind:
    def read(cell: str, column: str) -> Any:
        shift = rules.of(normal(cell))
        if shift is None:
            raise BadCell(column, "unknown_shift")
        return shift.code

    words = {word: one.code for one in rules.by_code.values() for word in (one.code, *sorted(one.called))}
    return one_of(words, next(one.code for one in rules.by_code.values() if not one.off), read)
