"""The next task: taken by one, so nobody else gets it; from one's own lists, and then from what one's team has left."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.people.staff.roster_rows import read_roster
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.tasks.acts import Desk
from casework.work.tasks.holding import hold_first
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
            desk.read_cases(list(some))
            wanted = [
                task for task in some if desk.is_live(task) and (task.list_of in own or desk.covers(task))
            ]  # fmt: skip
            task = _held(desk, wanted, some)
            if task is not None:
                desk.begin(task)
                return task._replace(held_by=actor.id)
    raise CallerError("nothing_left", day=str(desk.on))


_Free = dict[Task, Any]
"""Tasks that nobody had begun, each with its row: where it stood then."""


def _held(desk: Desk, wanted: Sequence[Task], found: _Free) -> Task | None:
    """The first of them that nobody else is about to begin, held; what was begun since it was read is passed over."""
    by_id = {task.id: task for task in wanted}
    while (number := hold_first(desk.conn, list(by_id))) is not None:
        task = by_id[number]
        stand, row = desk.read_stands([number]).get(number), found[task]
        if stand is None or stand[2:] == (row.moved_to, row.until, row.held_by, row.held_on, row.done_on):
            return task
        by_id = {one.id: one for one in wanted[wanted.index(task) + 1 :]}
    return None


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


def _free(conn: Connection, on: date, edition: int, whose: Sequence[str]) -> Iterator[_Free]:
    """What nobody has begun, in order; some at a time."""
    asked: dict[str, Any] = {"on": on, "edition": edition, "most": _AT_ONCE, "rank": 0, "id": 0}
    for _ in range(_MOST_TRIES):
        with rows.together(conn):
            answers = [rows.ask(conn, one, asked | {"list": name}) for name in whose for one in FREE]
        found = sorted((row for answer in answers for row in answer()), key=lambda row: (row.rank, row.id))[:_AT_ONCE]
        yield dict(zip(standing(found, on), found, strict=True))
        if len(found) < _AT_ONCE:
            return
        asked |= {"rank": found[-1].rank, "id": found[-1].id}
