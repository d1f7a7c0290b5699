"""The branch's calendar: the library's, and the days that were loaded, a year at a time, each year an entry."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.days.tables import calendar_days, outages
from casework.people.staff.actor import Actor
from casework.rules.calendar import Calendar
from casework.storage import rows

CALENDAR, OUTAGES = "register:calendar", "register:outages"
LOADED, DECLARED, WITHDRAWN = "calendar.loaded", "outage.declared", "outage.withdrawn"
_COLUMNS: Final = ("day", "is_worked")


def read_calendar(conn: Connection) -> Calendar:
    """The branch's calendar as it stands."""
    return Calendar(calendar_table(conn))


def calendar_table(conn: Connection) -> dict[date, bool]:
    """The days that were loaded, and whether they are worked."""
    return {row.day: row.is_worked for row in conn.execute(sa.select(calendar_days))}


def load_calendar(conn: Connection, trail: Trail, actor: Actor, table: Mapping[date, bool]) -> list[int]:
    """Put the days of whole years in the place of what was loaded for them; the years that changed.

    CallerError calendar_empty.
    """
    if not table:
        raise CallerError("calendar_empty")
    known, changed = calendar_table(conn), []
    for year in sorted({day.year for day in table}):
        told = {day: worked for day, worked in table.items() if day.year == year}
        if told == {day: worked for day, worked in known.items() if day.year == year}:
            continue
        trail.append(conn, CALENDAR, Draft(LOADED, actor.signed, {"year": year, **_said(told)}))
        of_year = calendar_days.c.day.between(date(year, 1, 1), date(year, 12, 31))
        conn.execute(calendar_days.delete().where(of_year))
        rows.insert_many(conn, calendar_days, sorted(told.items()), _COLUMNS)
        changed.append(year)
    return changed


def _said(told: Mapping[date, bool]) -> dict[str, Any]:
    return {
        name: [day.isoformat() for day, worked in sorted(told.items()) if worked is wanted]
        for name, wanted in (("off", False), ("worked", True))
    }


def unknown_years(calendar: Calendar, days: Iterable[date]) -> list[int]:
    """The years of these days of which neither the library nor the branch's table knows the holidays."""
    return sorted({day.year for day in days if not calendar.knows(day.year)})


def is_outage(conn: Connection, on: date) -> bool:
    """Whether an outage of that day is declared."""
    return conn.execute(sa.select(outages.c.day).where(outages.c.day == on)).scalar_one_or_none() is not None


def every_outage(conn: Connection) -> dict[date, str]:
    """All that were declared and not withdrawn, by day, the oldest first."""
    return {row.day: row.reason for row in conn.execute(sa.select(outages).order_by(outages.c.day))}
