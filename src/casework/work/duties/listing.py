"""The duties of a day as a list: as they were taken, or, before its close, as they stand."""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.duties.tables import duties, duty_days
from casework.work.duties.taking import reckon, taken

_OF_DAY: Final = sa.select(duties).where(
    duties.c.day == sa.bindparam("on", type_=sa.Date), duties.c.institution == sa.bindparam("institution")
)


class Listed(NamedTuple):
    """One row of `duties`."""

    day: date
    case_id: int
    duty: str
    loan_id: str
    status: str
    exempt_by: str | None
    due_on: date
    owed_by: str
    institution: str


def duties_on(
    conn: Connection, branch: Branch, on: date, people: Collection[str] | None = None
) -> list[Listed]:  # fmt: skip
    """Every duty of the day, by loan, of a day before the first close, none; `people`: what one of them owes."""
    order = {name: place for place, name in enumerate(branch.rulebook.duties.by_name)}
    found = [one for one in _found(conn, branch, on, people) if people is None or one.owed_by in people]
    return sorted(found, key=lambda one: (one.loan_id, one.case_id, order.get(one.duty, len(order))))


def _found(conn: Connection, branch: Branch, on: date, people: Collection[str] | None) -> Iterator[Listed]:
    # What a post owes can be of anybody's case.
    theirs = None if people is None or set(people) & branch.rulebook.permissions.posts.keys() else tuple(sorted(people))
    for institution in sorted(business_dates(conn)):
        if taken(conn, institution, on):
            of_day = _OF_DAY if people is None else _OF_DAY.where(duties.c.owed_by.in_(sorted(people)))
            yield from (Listed(*row) for row in conn.execute(of_day, {"on": on, "institution": institution}))
        elif not _closed_since(conn, institution, on):
            yield from (Listed(*row) for row in reckon(conn, branch, institution, on, closed=False, people=theirs))


def _closed_since(conn: Connection, institution: str, on: date) -> bool:
    """Whether a later day is closed: what was known on this one nobody can say any more."""
    later = sa.select(duty_days.c.day).where(duty_days.c.institution == institution, duty_days.c.day > on).limit(1)
    return conn.execute(later).scalar_one_or_none() is not None
