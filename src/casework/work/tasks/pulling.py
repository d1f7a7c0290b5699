"""The next task: taken by one, so nobody else gets it; from one's own lists, and then from what one's team has left."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.people.staff.roster_rows import read_roster
from casework.work.cases.branch import Branch
from casework.work.tasks.acts import Desk
from casework.work.tasks.making import edition_of
from casework.work.tasks.own import FREE, Task, standing, whose_of

_AT_ONCE: Final = 20
_MOST_TRIES: Final = 50


def take_next(conn: Connection, branch: Branch, actor: Actor, at: datetime) -> Task:
    """Begin the next task of today that nobody has begun: an entry, in the caller's transaction.

    First of one's own list, of those whom one deputises for, of one's posts; then, where the policy says
    (`task.pull_team`), of the lists of others of the same team and post, as far as one reaches the case.
    CallerErrors `lists_not_made`, `nothing_left`.
    """
    desk = Desk(conn, branch, actor, at)
    edition = edition_of(conn, desk.on)
    if edition is None:
        raise CallerError("lists_not_made", day=str(desk.on))
    own = whose_of(actor)
    for whose in _lists(conn, desk):
        for some in _free(conn, desk.on, edition, whose):
            desk.know(iter(some))
            for task in some:
                if desk.is_live(task) and (task.list_of in own or desk.covers(task)):
                    desk.begin(task)
                    return task._replace(held_by=actor.id)
    raise CallerError("nothing_left", day=str(desk.on))


def _lists(conn: Connection, desk: Desk) -> Iterator[Sequence[str]]:
    """One after another; those of a team together."""
    for one in whose_of(desk.actor):
        yield [one]
    if desk.actor.team is None or not desk.policy.figure("task.pull_team"):
        return
    roster = read_roster(conn, desk.on)
    yield [
        colleague.staff_no
        for colleague in roster.colleagues.values()
        if colleague.team == desk.actor.team and colleague.posts & desk.actor.posts
        and colleague.staff_no not in desk.actor.people
    ]  # fmt: skip


def _free(conn: Connection, on: date, edition: int, whose: Sequence[str]) -> Iterator[list[Task]]:
    """What nobody has begun, in order; some at a time."""
    if not whose:
        return
    asked: dict[str, Any] = {"on": on, "editions": [0, edition], "whose": list(whose)}
    for start in range(0, _MOST_TRIES * _AT_ONCE, _AT_ONCE):
        found = [
            row for statement in FREE for row in conn.execute(statement.limit(_AT_ONCE).offset(start), asked)
        ]  # fmt: skip
        yield sorted(standing(found, on), key=lambda one: (one.rank, one.id))
        if len(found) < _AT_ONCE:
            return
