"""Cases without a person who is there, and departures that nobody has planned: there must be none.

The database itself refuses an open case of somebody who has left (decision 0013), and the full search does not trust
it. What a status does not say are dates: somebody whose last day has passed can no longer act, so their cases are
orphans until the departure is applied.
"""

from datetime import date, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff.tables import staff
from casework.work.cases.tables import cases
from casework.work.handover.tables import handovers
from casework.work.handovers import DEPARTURE

MOST = 10_000
"""Orphans that are listed; more than that are counted elsewhere."""


class Orphan(msgspec.Struct):
    """A case, not finally closed, whose owner or handler is not there; `why`: missing, left, merged, past_last_day."""

    case_id: int
    role: str
    staff_no: str
    why: str
    last_day: date | None


class Ahead(msgspec.Struct):
    """Somebody whose last day is known and near, or past, and who has no plan that could be applied."""

    staff_no: str
    leaves_on: date
    days_left: int
    cases: int
    status: str | None
    handover: int | None


def orphans(conn: Connection, today: date) -> list[Orphan]:
    """Every orphan, by case. Looks at all open cases: for people and audits, not for every scrape."""
    found = []
    for role in ("owner", "handler"):
        who = cases.c[role]
        wanted = (
            sa.select(cases.c.id, who.label("staff_no"), staff.c.status, staff.c.leaves_on)
            .outerjoin(staff, staff.c.staff_no == who)
            .where(cases.c.closed_as.is_(None), sa.or_(staff.c.staff_no.is_(None), _not_there(today)))
            .order_by(cases.c.id)
            .limit(MOST)
        )
        found += [Orphan(row.id, role, row.staff_no, _why(row.status), row.leaves_on) for row in conn.execute(wanted)]
    return sorted(found, key=lambda orphan: (orphan.case_id, orphan.role))[:MOST]


def count_orphans(conn: Connection, today: date) -> int:
    """How many cases are orphans by date: those of people whose last day has passed. A few index ranges.

    Those by status cannot be: the foreign keys of `cases` forbid them.
    """
    late = sa.select(staff.c.staff_no).where(staff.c.leaves_on < today, staff.c.present == sa.true())
    theirs = sa.or_(cases.c.owner.in_(late), cases.c.handler.in_(late))
    wanted = sa.select(sa.func.count()).select_from(cases).where(theirs, cases.c.closed_as.is_(None))
    return int(conn.execute(wanted).scalar_one())


def departures_ahead(conn: Connection, today: date, within_days: int) -> list[Ahead]:
    """Who leaves within so many days (or should have) and has no approved plan, the nearest first."""
    owned = (
        sa.select(sa.func.count())
        .select_from(cases)
        .where(sa.or_(cases.c.owner == staff.c.staff_no, cases.c.handler == staff.c.staff_no))
        .where(cases.c.closed_as.is_(None))
        .scalar_subquery()
    )
    plan = sa.and_(
        handovers.c.staff_no == staff.c.staff_no, handovers.c.live == sa.true(), handovers.c.opened_for == DEPARTURE
    )
    wanted = (
        sa.select(staff.c.staff_no, staff.c.leaves_on, owned, handovers.c.state, handovers.c.id)
        .outerjoin(handovers, plan)
        .where(staff.c.present == sa.true(), staff.c.leaves_on <= today + timedelta(days=within_days))
        .where(handovers.c.due_on.is_(None))  # what is approved is due
        .order_by(staff.c.leaves_on, staff.c.staff_no)
    )
    return [Ahead(row[0], row[1], (row[1] - today).days, row[2], row[3], row[4]) for row in conn.execute(wanted)]


def _not_there(today: date) -> sa.ColumnElement[bool]:
    return sa.or_(staff.c.status.in_(("left", "merged")), staff.c.leaves_on < today)


def _why(status: str | None) -> str:
    if status is None:
        return "missing"
    return status if status in ("left", "merged") else "past_last_day"
