"""The next task: taken by one, so nobody else gets it; from one's own lists, and then from what one's team has left.

One statement finds the first that nobody has begun and nobody is about to begin, and holds it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache, partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.people.staff.roster_rows import read_roster
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.reached import covered_by
from casework.work.cases.tables import cases
from casework.work.tasks.acts import Desk
from casework.work.tasks.holding import held_if_free
from casework.work.tasks.making import edition_of
from casework.work.tasks.own import DECIDED, FIELDS, OF_TASK_ID, ON, Task, standing, whose_of
from casework.work.tasks.tables import task_days, task_standing, tasks

_LOOKED_THROUGH: Final[sa.ColumnElement[int]] = sa.literal_column("100")
"""For one that nobody holds: more than are being begun at a time."""
_MOST_TRIES: Final = 50
Ask = Callable[[], Sequence[Any]]
"""The first row of a list, or of several, whose task is held now; none where none is left."""


def take_next(conn: Connection, branch: Branch, actor: Actor, at: datetime) -> Task:
    """Begin the next task of today that nobody has begun: an entry, in the caller's transaction.

    First of one's own list, of those whom one deputises for, of one's posts; then, where the policy says
    (`task.pull_team`), of the lists of others of the same team and post, as far as one reaches the case.
    CallerErrors `lists_not_made`, `nothing_left`.
    """
    desk = Desk(conn, branch, actor, at)
    for ask in _asks(desk):
        for _ in range(_MOST_TRIES):
            task = next(standing(found := ask(), desk.on), None)
            if task is None:
                break
            stand, row = desk.read_stands([task.id]).get(task.id), found[0]
            # Begun by somebody who was done between our look and our hold: the next look sees it.
            if stand is None or stand[2:] == (row.moved_to, row.until, row.held_by, row.held_on, row.done_on):
                desk.begin(task)
                return task._replace(held_by=actor.id)
    code = "lists_not_made" if edition_of(conn, desk.on) is None else "nothing_left"
    raise CallerError(code, day=str(desk.on))


def _asks(desk: Desk) -> Iterator[Ask]:
    """One list after another; those of a team together."""
    conn, on = desk.conn, desk.on
    posts, reach = desk.branch.rulebook.permissions.posts, desk.reach()
    for one in whose_of(desk.actor):
        if one in posts and not reach.everything:  # as the list shows it: what they do not reach is not theirs to begin
            yield partial(_first_reached, conn, on, one, reach)
        else:
            yield partial(_first_of, conn, {"on": on, "list": one})
    if desk.actor.team is None or not desk.policy.figure("task.pull_team"):
        return
    others = [
        colleague.staff_no
        for colleague in read_roster(conn, on).colleagues.values()
        if colleague.team == desk.actor.team and colleague.posts & desk.actor.posts
        and colleague.staff_no not in desk.actor.people
    ]  # fmt: skip
    of_team = _first(conn.dialect.name, lambda list_of: list_of.in_(others), _within(reach))
    yield lambda: conn.execute(of_team, {"on": on}).all()


def _within(reach: Reach) -> sa.ColumnElement[bool]:
    return sa.or_(tasks.c.case_id.is_(None), covered_by(reach, cases.c))


def _first_reached(conn: Connection, on: date, post: str, reach: Reach) -> Sequence[Any]:
    wanted = _first(conn.dialect.name, lambda list_of: list_of == post, _within(reach))
    return conn.execute(wanted, {"on": on}).all()


def _first_of(conn: Connection, asked: Mapping[str, Any]) -> Sequence[Any]:
    return rows.ask(conn, _of_one(conn.dialect.name), asked)()


@cache
def _of_one(dialect: str) -> sa.Select[Any]:
    wanted = sa.bindparam("list", type_=sa.String)
    return _first(dialect, lambda list_of: list_of == wanted, sa.true())


def _first(
    dialect: str, is_wanted: Callable[[sa.Column[Any]], sa.ColumnElement[bool]], reached: sa.ColumnElement[bool]
) -> sa.Select[Any]:  # fmt: skip
    """What nobody has begun of lists, themselves and moved to them, the first by rank that can be held.

    A request, a report, a form is decided, not begun: nobody is handed what they had a part in.
    """
    newest = sa.select(sa.func.max(task_days.c.edition)).where(task_days.c.day == ON).scalar_subquery()
    free = (
        task_standing.c.done_on.is_(None),
        sa.or_(task_standing.c.until.is_(None), task_standing.c.until <= ON),
        sa.or_(task_standing.c.held_on.is_(None), task_standing.c.held_on != ON),
        tasks.c.task.not_in([sa.literal_column(f"'{one}'") for one in DECIDED]),
        tasks.c.day == ON,
        sa.or_(tasks.c.edition == newest, sa.and_(tasks.c.edition == sa.literal_column("0"), newest.is_not(None))),
        sa.or_(cases.c.live.is_(None), cases.c.live),
        reached,
    )
    parts = (
        sa.select(*FIELDS)
        .join(task_standing, OF_TASK_ID, isouter=True)
        .where(is_wanted(tasks.c.list_of))
        .where(sa.or_(task_standing.c.list_of.is_(None), task_standing.c.list_of == tasks.c.list_of)),
        sa.select(*FIELDS)
        .select_from(task_standing)
        .join(tasks, OF_TASK_ID)
        .where(is_wanted(task_standing.c.list_of), task_standing.c.day >= ON)
        .where(task_standing.c.list_of != tasks.c.list_of),
    )
    some = [
        sa.select(
            part.join(cases, cases.c.id == tasks.c.case_id, isouter=True)
            .where(*free).order_by(tasks.c.rank, tasks.c.id).limit(_LOOKED_THROUGH).subquery()
        )
        for part in parts
    ]  # fmt: skip
    both = sa.union_all(*some).subquery()
    waiting = sa.select(both).order_by(both.c.rank, both.c.id).limit(_LOOKED_THROUGH).subquery()
    # Row by row in the order of `waiting`, which has a limit of its own: what comes after the first is not tried.
    return sa.select(waiting).where(held_if_free(waiting.c.id, dialect)).limit(sa.literal_column("1"))
