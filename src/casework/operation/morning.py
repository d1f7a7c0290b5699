"""The morning: task lists are made from what the close of the day before left, by whoever asks for theirs first."""

from datetime import date

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.intake.feed.past_arrears import past_arrears
from casework.people.staff.actor import Actor
from casework.storage.garbage import seldom_collected
from casework.work.cases.branch import Branch
from casework.work.tasks import making


@seldom_collected()
def make_lists(
    conn: Connection, branch: Branch, on: date, actor: Actor, *, clock: Clock = now, again: bool = False
) -> int | None:
    """As `making.make`, with what the feeds say of past days."""
    return making.make(conn, branch, on, actor, past_arrears, clock=clock, again=again)
