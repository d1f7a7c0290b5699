"""The roster of a day, read from the rows of the register."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff.person import ACTIVE, LEFT
from casework.people.staff.roster import Colleague, Roster
from casework.people.staff.tables import (
    absences,
    memberships,
    posts_held,
    staff,
)


def read_roster(conn: Connection, on: date, handing_over: Iterable[str] = ()) -> Roster:
    """Everybody on `on`; four statements, whatever the number of cases.

    Whoever has come to the last day is going, and so are those who hand their cases over (`handing_over`).
    """
    posts: dict[str, set[str]] = {}
    for staff_no, post in conn.execute(_POSTS, {"on": on}):
        posts.setdefault(staff_no, set()).add(post)
    homes = {row[0]: (row[1], row[2]) for row in conn.execute(_HOMES, {"on": on})}
    away = {row[0]: row[1] for row in conn.execute(_AWAY, {"on": on})}
    rows = conn.execute(_STAFF).all()
    found = {
        row.staff_no: Colleague(
            row.staff_no,
            LEFT if row.leaves_on is not None and row.leaves_on < on and row.status == ACTIVE else row.status,
            frozenset(posts.get(row.staff_no, ())), *homes.get(row.staff_no, (None, None)), row.capacity,
            row.staff_no in away, away.get(row.staff_no), row.returned_on, row.merged_into,
        )
        for row in rows
    }  # fmt: skip
    last_day = (row.staff_no for row in rows if row.leaves_on is not None and row.leaves_on <= on)
    return Roster(on, found, frozenset({*last_day, *handing_over}))


def in_force(table: sa.Table) -> sa.ColumnElement[bool]:
    """That a dated row is in force on the day `:on`."""
    day = sa.bindparam("on", type_=sa.Date)
    until: Any = table.c.until_on
    return sa.and_(table.c.from_on <= day, sa.or_(until.is_(None), until >= day))


_STAFF = sa.select(
    *(staff.c[name] for name in ("staff_no", "status", "capacity", "leaves_on", "returned_on", "merged_into"))
).order_by(staff.c.staff_no)
_POSTS = sa.select(posts_held.c.staff_no, posts_held.c.post).where(in_force(posts_held))
_HOMES = sa.select(memberships.c.staff_no, memberships.c.team, memberships.c.region).where(in_force(memberships))
_AWAY = sa.select(absences.c.staff_no, absences.c.deputy).where(in_force(absences))
