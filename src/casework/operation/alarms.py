"""What the branch is warned of, wherever people look: feeds that did not come, years whose days off nobody knows.

A feed that does not come stops placements (guard `snapshot_in_time`) and nothing else: neither calls nor readiness.
"""

from datetime import date, timedelta
from typing import Final

import msgspec
from sqlalchemy.engine import Connection

from casework.people.days.loading import read_calendar, unknown_years
from casework.rules.calendar import Calendar
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates, days_closed

AHEAD: Final = timedelta(days=31)
"""How long before a year without a calendar begins it is reported."""


class FeedBehind(msgspec.Struct, frozen=True):
    """How many days the last feed of an institution lies behind the last day that was closed; 0 is well.

    `stops_placements`: more than the policy's `placement.snapshot_behind_days`.
    """

    institution: str
    last: date
    closed_on: date | None
    days: int
    stops_placements: bool


class Alarms(msgspec.Struct, frozen=True):
    """Feeds that are missing, and the years (of today, of the business dates, soon to come) without days off."""

    feeds: list[FeedBehind]
    unknown_years: list[int]


def feeds_behind(conn: Connection, branch: Branch) -> list[FeedBehind]:
    """Every institution, those whose feeds have come too."""
    closed, found = days_closed(conn), []
    for institution, last in sorted(business_dates(conn).items()):
        closed_on = closed.get(institution)
        days = max((closed_on - last).days, 0) if closed_on else 0
        at_most: int = branch.rulebook.policies.at(last).figure("placement.snapshot_behind_days")
        found.append(FeedBehind(institution, last, closed_on, days, days > at_most))
    return found


def years_without_days_off(conn: Connection, today: date) -> list[int]:
    """Of today, of the business dates, and soon to come: those that neither the library nor the branch's table knows.

    The table is asked only where the library lacks a year.
    """
    days = {today, *business_dates(conn).values()}
    wanted = {year for day in days for year in (day.year, (day + AHEAD).year)}
    library = Calendar()
    if all(library.knows(year) for year in wanted):
        return []
    return unknown_years(read_calendar(conn), [date(year, 1, 1) for year in wanted])


def alarms(conn: Connection, branch: Branch, today: date) -> Alarms:
    """What there is to be warned of; two empty lists when all is well."""
    missing = [one for one in feeds_behind(conn, branch) if one.days]
    return Alarms(missing, years_without_days_off(conn, today))
