"""The register as one day sees it: who is there, with which posts, where, and how much he can carry."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.staff.person import ACTIVE, LEFT, UNVERIFIED
from casework.staff.tables import absences, memberships, posts_held, staff


@dataclass(frozen=True, slots=True)
class Colleague:
    """One member of staff on that day. `capacity` is in open cases, none means the policy's; `away`: on leave."""

    staff_no: str
    status: str
    posts: frozenset[str]
    team: str | None
    region: str | None
    capacity: int | None
    away: bool
    deputy: str | None
    returned_on: date | None = None
    merged_into: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether he may own a case: he has not left (an unverified one owns those that the feed gave him)."""
        return self.status in (ACTIVE, UNVERIFIED)


@dataclass(frozen=True)
class Roster:
    """Everybody on `on`, by staff number. `going` get no cases any more, though theirs are still theirs."""

    on: date
    colleagues: Mapping[str, Colleague]
    going: frozenset[str] = frozenset()

    @cached_property
    def by_post(self) -> Mapping[str, tuple[Colleague, ...]]:
        """The active holders of each post, by staff number; those away are among them."""
        held: dict[str, list[Colleague]] = {}
        for colleague in self.colleagues.values():
            if colleague.status == ACTIVE:
                for post in colleague.posts:
                    held.setdefault(post, []).append(colleague)
        return {post: tuple(found) for post, found in held.items()}

    def is_there(self, staff_no: str | None) -> bool:
        """Whether this is somebody who may own a case."""
        colleague = self.colleagues.get(staff_no) if staff_no else None
        return colleague is not None and colleague.is_there

    def known(self, staff_no: str | None) -> str | None:
        """The number of whoever a number means, if he is there: of one that was merged, whom it was merged into."""
        colleague = self.colleagues.get(staff_no) if staff_no else None
        if colleague is not None and colleague.merged_into is not None:
            colleague = self.colleagues.get(colleague.merged_into)  # a merge leads to somebody who was not merged
        return colleague.staff_no if colleague is not None and colleague.is_there else None


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
