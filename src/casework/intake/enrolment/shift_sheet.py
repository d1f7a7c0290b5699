"""A file of shifts: a row for each person and day, headers in English or Chinese."""

from collections.abc import Callable
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.intake.feed.agreed_rows import AgreedColumn, RowNote, day, read_file, staff
from casework.intake.feed.cell import BadCell
from casework.intake.feed.headers import normal
from casework.intake.feed.sheet import read_rows
from casework.log.write.trail import Trail
from casework.people.shifts.entering import MOST, ShiftGiven, enter_shifts, faults_of
from casework.people.shifts.shift_rules import ShiftRules
from casework.people.staff.actor import Actor

MOST_TOLD: Final = 20


class ShiftsTaken(NamedTuple):
    """How many rows were entered, the days that changed, and the rows that were not entered, with cell and fault."""

    rows: int
    days: list[date]
    set_aside: list[RowNote]


def import_shifts(
    conn: Connection, trail: Trail, actor: Actor, rules: ShiftRules, content: bytes, name: str, *,
    closed: date | None, atomic: bool = True,
) -> ShiftsTaken:  # fmt: skip
    """Enter the shifts of a file, all or none; or, not `atomic`, those of the rows with which nothing is wrong.

    An empty shift takes the person off the roster of the day. CallerErrors of `read_rows` and of `enter_shifts`;
    if `atomic`, roster_faulty names every line that cannot be used, and why.
    """
    found, faults = read_file(read_rows(content, name, MOST), _columns(rules))
    given = [ShiftGiven(row["day"], row["staff_no"], row["shift"], row["stand_in"]) for row in found]
    told = [RowNote(found[one.place - 1].line, one.field, *one[2:]) for one in faults_of(conn, rules, given, closed)]
    aside = sorted([*faults, *told], key=lambda one: one.line)
    if aside and atomic:
        raise _faulty(name, aside)
    lines = {one.line for one in aside}
    sound = [one for one, row in zip(given, found, strict=True) if row.line not in lines]
    days = enter_shifts(conn, trail, actor, rules, sound, closed=closed) if sound or not aside else []
    return ShiftsTaken(len(sound), days, aside)


def _columns(rules: ShiftRules) -> tuple[AgreedColumn, ...]:
    return (
        AgreedColumn("day", day, compulsory=True, aliases=("日期",)),
        AgreedColumn("staff_no", staff, compulsory=True, aliases=("工号", "员工号")),
        AgreedColumn("shift", _shift(rules), compulsory=False, aliases=("班次", "排班")),
        AgreedColumn("stand_in", staff, compulsory=False, aliases=("替班人", "替班", "代班人")),
    )


def _shift(rules: ShiftRules) -> Callable[[str, str], Any]:
    def read(cell: str, column: str) -> Any:
        shift = rules.of(normal(cell))
        if shift is None:
            raise BadCell(column, "unknown_shift")
        return shift.code

    return read


def _faulty(name: str, faults: list[RowNote]) -> CallerError:
    zh = "；".join(f"第{one.line}行 {one.column or ''}：{one.zh}" for one in faults[:MOST_TOLD])
    en = "; ".join(f"line {one.line}, {one.column or 'row'}: {one.en}" for one in faults[:MOST_TOLD])
    told = [one._asdict() for one in faults]
    return CallerError("roster_faulty", f"{name}未导入：{zh}", f"{name}: nothing was entered: {en}", faults=told)
