"""The sweep of departures: approved plans whose day has come are carried out; who leaves without a plan is reported."""

from datetime import date

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.clock import Clock, now
from casework.errors import CallerError, TryAgain
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.handover.applying import Applied, apply
from casework.work.handover.orphans import Ahead, departures_ahead
from casework.work.handover.replanning import Replanned
from casework.work.handover.tables import handovers

_TRIES = 3


class FailedSweep(msgspec.Struct, frozen=True):
    """A plan that could not be carried out, and the code why; it stays as it was."""

    handover: int
    code: str


class Swept(msgspec.Struct, frozen=True):
    """What the sweep did: plans applied, planned anew because the world had changed, failed; departures unplanned."""

    applied: list[Applied]
    replanned: list[Replanned]
    failed: list[FailedSweep]
    ahead: list[Ahead]


def sweep_departures(engine: Engine, branch: Branch, *, clock: Clock = now) -> Swept:
    """Apply every approved plan that is due, each in a transaction of its own, as the service itself.

    Afterwards lists whose last day lies within `staff.departure_warning_days` (or has passed) without an approved plan.
    """
    today = branch.today(clock())
    with reading(engine) as conn:
        due = list(conn.execute(_DUE, {"today": today}).scalars())
    done = [_applied(engine, branch, handover_id, clock) for handover_id in due]
    with reading(engine) as conn:
        ahead = departures_ahead(conn, today, warning_days(branch, today))
    return Swept(
        [one for one in done if isinstance(one, Applied)], [one for one in done if isinstance(one, Replanned)],
        [one for one in done if isinstance(one, FailedSweep)], ahead,
    )  # fmt: skip


def warning_days(branch: Branch, today: date) -> int:
    """So many days ahead a departure without a plan is reported."""
    return int(branch.rulebook.policies.at(today).figure("staff.departure_warning_days"))


def _applied(engine: Engine, branch: Branch, handover_id: int, clock: Clock) -> Applied | Replanned | FailedSweep:
    for _ in range(_TRIES):
        try:
            with writing(engine) as conn:
                return apply(conn, branch, handover_id, actor=system("sweep"), clock=clock)
        except CallerError as mistake:  # of this plan alone: the others go on
            return FailedSweep(handover_id, mistake.code)
        except TryAgain as busy:
            if busy.code != "database_busy":
                raise
    return FailedSweep(handover_id, "database_busy")


_DUE = (
    sa.select(handovers.c.id)
    .where(handovers.c.due_on <= sa.bindparam("today", type_=sa.Date))
    .order_by(handovers.c.due_on, handovers.c.id)
)
