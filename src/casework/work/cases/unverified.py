"""Whom a feed named and nobody registered: they own cases, cannot log in, and somebody has to say who they are."""

from datetime import date

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import branch_date
from casework.people.staff.person import UNVERIFIED
from casework.people.staff.tables import staff
from casework.work.cases.tables import cases


class Unverified(msgspec.Struct):
    """One of them: since when (`days` days ago), and how many cases, not finally closed, they own by now."""

    staff_no: str
    open_cases: int
    first_named_on: date
    days: int


def unverified(conn: Connection, today: date, time_zone: str) -> list[Unverified]:
    """All of them, those with most cases first; two index ranges, whatever the number of cases."""
    held = sa.func.count(cases.c.id)
    theirs = sa.and_(cases.c.owner == staff.c.staff_no, cases.c.closed_as.is_(None))
    wanted = (
        sa.select(staff.c.staff_no, held, staff.c.added_at)
        .outerjoin(cases, theirs)
        .where(staff.c.status == UNVERIFIED)
        .group_by(staff.c.staff_no, staff.c.added_at)
        .order_by(held.desc(), staff.c.staff_no)
    )
    named = ((staff_no, number, branch_date(at, time_zone)) for staff_no, number, at in conn.execute(wanted))
    return [Unverified(staff_no, number, on, (today - on).days) for staff_no, number, on in named]
