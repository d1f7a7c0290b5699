"""What the branch is warned of, wherever people look: missing feeds, years without days off, visits that do not end.

A feed that does not come stops placements (guard `snapshot_in_time`) and nothing else: neither calls nor readiness.
"""

from datetime import date, datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.days.loading import read_calendar, unknown_years
from casework.rules.calendar import Calendar
from casework.storage.database import UtcDateTime
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates, days_closed
from casework.work.cases.lifecycles import VISITS

AHEAD: Final = timedelta(days=31)
"""How long before a year without a calendar begins it is reported."""


_visits: Final = VISITS.table.c
_UNDER_WAY: Final = (
    sa.select(_visits.id, _visits.visitor, _visits.second_visitor, _visits.checked_in_at)
    .where(
        _visits.due_on.is_not(None), _visits.live, _visits.checked_out_at.is_(None),
        _visits.checked_in_at < sa.bindparam("since", type_=UtcDateTime),
    )
    .order_by(_visits.checked_in_at, _visits.id)
)  # fmt: skip


class FeedBehind(msgspec.Struct, frozen=True):
    """How many days the last feed of an institution lies behind the last day that was closed; 0 is well.

    `stops_placements`: more than the policy's `placement.snapshot_behind_days`.
    """

    institution: str
    last: date
    closed_on: date | None
    days: int
    stops_placements: bool


class VisitUnderWay(msgspec.Struct, frozen=True):
    """A visit that was begun longer ago than the policy's `visit.alarm_after_minutes` and has not ended (X9)."""

    visit_id: int
    visitor: str
    second_visitor: str | None
    checked_in_at: datetime


class Alarms(msgspec.Struct, frozen=True):
    """Feeds that are missing, years (of today, of the business dates, soon to come) without days off, long visits."""

    feeds: list[FeedBehind]
    unknown_years: list[int]
    visits: list[VisitUnderWay] = []


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


def visits_not_ended(conn: Connection, branch: Branch, at: datetime) -> list[VisitUnderWay]:
    """Those that have lasted too long by then, the longest first."""
    policy = branch.rulebook.policies.at(branch.today(at))
    since = at - timedelta(minutes=policy.figure("visit.alarm_after_minutes"))
    return [VisitUnderWay(*row) for row in conn.execute(_UNDER_WAY, {"since": since})]


def alarms(conn: Connection, branch: Branch, at: datetime) -> Alarms:
    """What there is to be warned of; empty lists when all is well."""
    missing = [one for one in feeds_behind(conn, branch) if one.days]
    return Alarms(missing, years_without_days_off(conn, branch.today(at)), visits_not_ended(conn, branch, at))
