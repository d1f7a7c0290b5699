"""The morning: task lists are made from what the close of the day before left, by whoever asks for theirs first."""

from datetime import date

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.evidence.evening.handing_in import first_fed
from casework.intake.feed.past_arrears import past_arrears
from casework.people.staff.actor import Actor
from casework.storage.garbage import seldom_collected
from casework.work.cases.branch import Branch
from casework.work.tasks import making


@seldom_collected()
def make_lists(
    conn: Connection, branch: Branch, on: date, actor: Actor, *, clock: Clock = now, again: bool = False
) -> int | None:
    """As `making.make`, with what the feeds say of past days; CallerError `day_without_feed` before the first."""
    first = first_fed(conn)
    if first is not None and on < first:
        raise CallerError("day_without_feed", day=str(on))
    return making.make(conn, branch, on, actor, past_arrears, clock=clock, again=again)
