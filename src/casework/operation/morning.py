"""The morning (5.2, 5.4): cases are given out, then task lists made from what the close of the day before left.

By the service's clock or by cron (`casework morning`), once; whoever asks for their list before that gets it all the
same, and what it then lacks is in the edition that the morning makes.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.evidence.evening.handing_in import first_fed
from casework.intake.feed.past_arrears import past_arrears
from casework.operation.alone import alone
from casework.operation.closing import is_open
from casework.operation.distributing import Distributed, distribute
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.storage.garbage import seldom_collected
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.tasks import making
from casework.work.tasks.tables import mornings, task_days


@seldom_collected()
def make_lists(
    conn: Connection, branch: Branch, on: date, actor: Actor, *, clock: Clock = now, again: bool = False
) -> int | None:
    """As `making.make`, with what the feeds say of past days.

    CallerErrors `day_without_feed` before the first; `day_not_closed` for tomorrow while today is open.
    """
    first = first_fed(conn)
    if first is not None and on < first:
        raise CallerError("day_without_feed", day=str(on))
    if on == branch.today(clock()) + timedelta(days=1) and waits_for_close(conn, on):
        raise CallerError("day_not_closed", day=str(on - timedelta(days=1)))
    return making.make(conn, branch, on, actor, past_arrears, clock=clock, again=again)


@dataclass(frozen=True, slots=True)
class Morning:
    """What was done. `tasks` none: the lists were there already, and nothing has changed since.

    `stepped_aside`: nothing was done, for another process is at it or this morning was made.
    """

    on: date
    distributed: Distributed | None = None
    tasks: int | None = None
    stepped_aside: bool = False


def morning_due(branch: Branch, at: datetime) -> date | None:
    """Whose morning it is by now; none before the policy's hour (`task.lists_at`)."""
    local = at.astimezone(ZoneInfo(branch.time_zone))
    return local.date() if local.time() >= _hour(branch, local.date()) else None


def is_made(conn: Connection, on: date) -> bool:
    """Whether that morning's cases were given out and its lists made."""
    return conn.execute(sa.select(mornings.c.day).where(mornings.c.day == on)).one_or_none() is not None


def waits_for_close(conn: Connection, on: date) -> bool:
    """Whether a day before is still to be closed, so that nobody knows what it left; or no feed has come at all."""
    return not business_dates(conn) or is_open(conn, on - timedelta(days=1))


def make_morning(engine: Engine, branch: Branch, on: date, actor: Actor, *, clock: Clock = now) -> Morning:
    """Give out the cases of the morning of a day and make its lists, once; of several at once one does it.

    Broken off, it is done the next time. CallerErrors of `distribute` and `make_lists`; `day_over` for a day that has
    passed, `day_not_closed` while the day before is open.
    """
    with alone(engine, "morning") as mine:
        with reading(engine) as conn:
            made, waits, before = is_made(conn, on), waits_for_close(conn, on), _last_made(conn, on)
        if not mine or made:
            return Morning(on, stepped_aside=True)
        if on < branch.today(clock()):
            raise CallerError("day_over", day=str(on))
        if waits:
            raise CallerError("day_not_closed", day=str(on - timedelta(days=1)))
        distributed = distribute(engine, branch, on, actor=actor, clock=clock)
        hour = datetime.combine(on, _hour(branch, on), ZoneInfo(branch.time_zone))
        again = before is not None and (bool(distributed.moves) or before < hour)
        with writing(engine) as conn:
            tasks = make_lists(conn, branch, on, actor, clock=clock, again=again)
            conn.execute(mornings.insert().values(day=on, made_at=clock(), moves=len(distributed.moves)))
    return Morning(on, distributed, tasks)


def _hour(branch: Branch, on: date) -> time:
    return time.fromisoformat(branch.rulebook.policies.at(on).figure("task.lists_at"))


def _last_made(conn: Connection, on: date) -> datetime | None:
    """When the newest edition of that morning's lists was made."""
    found: datetime | None = conn.execute(
        sa.select(sa.func.max(task_days.c.made_at)).where(task_days.c.day == on)
    ).scalar()
    return found
