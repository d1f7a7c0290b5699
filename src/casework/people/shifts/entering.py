"""Entering shifts: each day whose roster changes is an entry of `register:roster`, with what changes on it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail, locked_head
from casework.people.shifts.shift_rules import ShiftRules
from casework.people.shifts.tables import shifts
from casework.people.staff import mistakes
from casework.people.staff.actor import Actor
from casework.people.staff.person import ACTIVE
from casework.people.staff.register import bump
from casework.people.staff.tables import staff
from casework.rules.statechart.fields import EARLIEST, LATEST
from casework.storage import rows

ROSTER: Final = "register:roster"
ENTERED: Final = "roster.entered"
MOST: Final = 20_000
"""Shifts that one command may enter: five hundred people for a month, and more."""
LONGEST_DAYS: Final = 92
"""That may be listed at once."""
_AN_ENTRY: Final = 500
"""Shifts that one entry may hold, for its length has a bound."""
_COLUMNS: Final = ("day", "staff_no", "shift", "stand_in")
_STATUS: Final = sa.select(staff.c.staff_no, staff.c.status)


class ShiftGiven(NamedTuple):
    """The shift of somebody on a day; none takes it off the roster. `stand_in` answers in the place of who is off."""

    day: date
    staff_no: str
    shift: str | None
    stand_in: str | None = None


class ShiftFault(NamedTuple):
    """What is wrong with one of those given, by its place among them, from 1."""

    place: int
    field: str
    code: str
    zh: str
    en: str


def faults_of(
    conn: Connection, rules: ShiftRules, given: Sequence[ShiftGiven], closed: date | None
) -> list[ShiftFault]:  # fmt: skip
    """Everything that is wrong with shifts to be entered; a few statements, however many they are.

    `closed`: the last day that is closed. Who answered for whom until then stays: it was owed and handed in by that.
    """
    named = {one.staff_no for one in given} | {one.stand_in for one in given if one.stand_in is not None}
    status = {row.staff_no: row.status for row in rows.select_by_keys(conn, _STATUS, "staff_no", sorted(named))}
    late = set(_changed(conn, [one for one in given if closed is not None and one.day <= closed]))
    seen: set[tuple[date, str]] = set()
    found: list[ShiftFault] = []
    for place, one in enumerate(given, start=1):
        found += [ShiftFault(place, *fault) for fault in _faults(one, rules, status)]
        if one in late:
            zh, en = f"{one.day}已日终，当日班表不再改变", f"{one.day} is closed: its roster stays as it is"
            found.append(ShiftFault(place, "day", "roster_of_closed_day", zh, en))
        if (one.day, one.staff_no) in seen:
            zh, en = f"{one.staff_no}在{one.day}已有一班", f"{one.staff_no} has a shift on {one.day} already"
            found.append(ShiftFault(place, "staff_no", "shift_repeated", zh, en))
        seen.add((one.day, one.staff_no))
    return found


def _faults(
    one: ShiftGiven, rules: ShiftRules, status: Mapping[str, str]
) -> Iterable[tuple[str, str, str, str]]:  # fmt: skip
    if not EARLIEST <= one.day <= LATEST:
        yield "day", "day_out_of_range", f"日期须在{EARLIEST}至{LATEST}之间", f"a day is {EARLIEST} to {LATEST}"
    known = None if one.shift is None else rules.by_code.get(one.shift)
    if one.shift is not None and known is None:
        codes = ", ".join(rules.by_code)
        yield "shift", "shift_unknown", f"没有此班次（可用：{codes}）", f"no such shift; there are {codes}"
    for field, staff_no in (("staff_no", one.staff_no), ("stand_in", one.stand_in)):
        if staff_no is not None and status.get(staff_no) != ACTIVE:
            fault = mistakes.unknown_staff(staff_no)
            if staff_no in status:
                fault = mistakes.wrong_status(staff_no, status[staff_no], ACTIVE)
            yield field, fault.code, fault.zh, str(fault)
    if one.stand_in == one.staff_no:
        yield "stand_in", "stand_in_oneself", "不能由本人替班", "nobody stands in for themselves"
    elif one.stand_in is not None and not (known is not None and known.off):
        yield "stand_in", "stand_in_not_needed", "当班人员不需替班", "who is there needs no stand-in"


def enter_shifts(
    conn: Connection, trail: Trail, actor: Actor, rules: ShiftRules, given: Sequence[ShiftGiven], *,
    closed: date | None,
) -> list[date]:  # fmt: skip
    """Put them in the roster, all or none, in the place of what it had for person and day; the days that changed.

    What it has already changes nothing and is no entry. `closed`: as in `faults_of`. CallerErrors
    roster_empty, roster_too_long, roster_faulty, which names every fault.
    """
    if not given:
        raise CallerError("roster_empty")
    if len(given) > MOST:
        raise CallerError("roster_too_long", at_most=MOST)
    if faults := faults_of(conn, rules, given, closed):
        raise roster_faulty(faults)
    if not _changed(conn, given):
        return []
    locked_head(conn, ROSTER)  # whoever else enters shifts waits until these are in
    changed = _changed(conn, given)
    for day, of_day in groupby(changed, key=lambda one: one.day):
        found = list(of_day)
        for at in range(0, len(found), _AN_ENTRY):
            _enter(conn, trail, actor, day, found[at : at + _AN_ENTRY])
    if changed:
        bump(conn)  # who answers for whom, and so who may reach which case, is another
    return sorted({one.day for one in changed})


def enter_sound(
    conn: Connection, trail: Trail, actor: Actor, rules: ShiftRules, given: Sequence[ShiftGiven], *,
    closed: date | None,
) -> tuple[list[ShiftFault], list[date]]:  # fmt: skip
    """Put those in the roster with which nothing is wrong; the faults of the others, and the days that changed.

    CallerErrors roster_empty, roster_too_long.
    """
    faults = faults_of(conn, rules, given, closed) if len(given) <= MOST else []
    faulty = {one.place for one in faults}
    sound = [one for place, one in enumerate(given, 1) if place not in faulty]
    entered = enter_shifts(conn, trail, actor, rules, sound, closed=closed) if sound or not given else []
    return faults, entered


def compared(conn: Connection, given: Sequence[ShiftGiven]) -> tuple[int, int]:
    """How many of them the roster does not have at all, and of how many it has another."""
    held = {(one.day, one.staff_no) for one in _held(conn, {one.day for one in given})} if given else set()
    changed = _changed(conn, given)
    others = sum((one.day, one.staff_no) in held for one in changed)
    return len(changed) - others, others


def _changed(conn: Connection, given: Sequence[ShiftGiven]) -> list[ShiftGiven]:
    """Those that the roster does not have already."""
    held = {(one.day, one.staff_no): one for one in _held(conn, {one.day for one in given})} if given else {}
    changed = (one for one in given if held.get((one.day, one.staff_no), one._replace(shift=None)) != one)
    return sorted(changed, key=lambda one: (one.day, one.staff_no))


def _enter(conn: Connection, trail: Trail, actor: Actor, day: date, found: Sequence[ShiftGiven]) -> None:
    said = [{"staff_no": one.staff_no, "shift": one.shift, "stand_in": one.stand_in} for one in found]
    trail.append(conn, ROSTER, Draft(ENTERED, actor.signed, {"on": day.isoformat(), "shifts": said}))
    conn.execute(shifts.delete().where(shifts.c.day == day, shifts.c.staff_no.in_([one.staff_no for one in found])))
    rows.insert_many(conn, shifts, [tuple(one) for one in found if one.shift is not None], _COLUMNS)


def roster_faulty(faults: Sequence[ShiftFault]) -> CallerError:
    """That some of what was given cannot be used; the first few in words, all of them as facts."""
    zh = "；".join(f"第{one.place}项 {one.field}：{one.zh}" for one in faults[:10])
    en = "; ".join(f"item {one.place}, {one.field}: {one.en}" for one in faults[:10])
    return CallerError(
        "roster_faulty", f"班表未保存：{zh}", f"nothing was entered: {en}", faults=[one._asdict() for one in faults]
    )


def shifts_between(conn: Connection, first: date, last: date) -> list[ShiftGiven]:
    """The roster of these days, by day and person. CallerErrors dates_out_of_order, roster_days_too_many."""
    if last < first:
        raise mistakes.dates_out_of_order("from_on", "until_on")
    if (last - first).days >= LONGEST_DAYS:
        raise CallerError("roster_days_too_many", at_most=LONGEST_DAYS)
    wanted = sa.select(*(shifts.c[name] for name in _COLUMNS)).where(shifts.c.day.between(first, last))
    return [ShiftGiven(*row) for row in conn.execute(wanted.order_by(shifts.c.day, shifts.c.staff_no))]


def every_shift(conn: Connection) -> dict[tuple[str, str], tuple[str, str | None]]:
    """All that the roster has, by day and person."""
    return {(row.day.isoformat(), row.staff_no): (row.shift, row.stand_in) for row in conn.execute(sa.select(shifts))}


def _held(conn: Connection, days: Collection[date]) -> list[ShiftGiven]:
    wanted = sa.select(*(shifts.c[name] for name in _COLUMNS)).where(shifts.c.day.between(min(days), max(days)))
    return [ShiftGiven(*row) for row in conn.execute(wanted)]
