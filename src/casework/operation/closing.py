"""The close of a day whole, by cron or the service's own clock: the sweep, requests that ran out, departures.

A day is closed after its feed and its contact files; the clock takes a time of day for that. A time before noon is of
the morning after: what it closes is the day before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.operation.alarms import AHEAD
from casework.operation.alone import alone
from casework.operation.sweeping import Swept, sweep
from casework.people.days.loading import read_calendar, unknown_years
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from casework.storage.jobs import ended, forget
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates, days_closed
from casework.work.four_eyes.requests import expire_due
from casework.work.handover.sweep import Swept as Departures
from casework.work.handover.sweep import sweep_departures
from casework.work.photos.dropping import drop_files

RUN: Final = "sweep"
"""As which job a close is entered when it has come to its end."""
_NOON = time(12)


@dataclass(slots=True)
class Closed:
    """What was done. `stepped_aside`: nothing, for another process is at it.

    `unknown_years`: those of the days closed or soon to come of which nobody knows the days off.
    """

    swept: Swept
    expired: int = 0
    departures: Departures = field(default_factory=lambda: Departures([], [], [], []))
    file_trouble: str | None = None  # why files that are to go are still in the store; they are tried again
    unknown_years: list[int] = field(default_factory=list)
    stepped_aside: bool = False


def close(
    engine: Engine, branch: Branch, day: date | None = None, *, once: bool = False, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> Closed:  # fmt: skip
    """Close `day` and those before it that nobody closed; CallerErrors of `sweep`.

    `once`: who finds it closed steps aside too; else what became known since is looked for.
    """
    began_at = clock()
    with alone(engine, "sweep") as mine:
        if not mine or (once and day is not None and not _is_still_open(engine, day)):
            return Closed(Swept(), stepped_aside=True)
        swept = sweep(engine, branch, day, clock=clock, progress=progress)
        with writing(engine) as conn:
            expired = expire_due(conn, branch)
            kept_days: int = branch.rulebook.policies.at(branch.today(clock())).figure("work.kept_days")
            forget(conn, clock() - timedelta(days=kept_days))
        departures = sweep_departures(engine, branch)
        with reading(engine) as conn:
            ahead = [day + AHEAD for day in swept.days[-1:]]
            unknown = unknown_years(read_calendar(conn), [*swept.days, *ahead])
        trouble = _without_lost_files(engine, branch, clock)
        with writing(engine) as conn:
            ended(conn, RUN, system("sweep").id, began_at)
        return Closed(swept, expired, departures, trouble, unknown)


def _without_lost_files(engine: Engine, branch: Branch, clock: Clock) -> str | None:
    """A store that fails keeps no day open."""
    try:
        drop_files(engine, branch, clock=clock)
    except CallerError as error:
        return str(error)
    return None


def _is_still_open(engine: Engine, day: date) -> bool:
    with reading(engine) as conn:
        return is_open(conn, day)


def day_due(at: time, local: datetime) -> date:
    """The last day that a clock set to `at` has to close by `local`, in branch time."""
    days = (1 if at < _NOON else 0) + (0 if local.time() >= at else 1)
    return local.date() - timedelta(days=days)


def is_open(conn: Connection, day: date) -> bool:
    """Whether some institution's day, or one before it, was not closed yet."""
    closed = days_closed(conn)
    return any(closed.get(institution, date.min) < day for institution in business_dates(conn))
