"""The duties of a day as a list: as they were taken, or, before its close, as they stand."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.people.staff.permissions import Reach
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.cases.reached import covered_by
from casework.work.cases.tables import cases
from casework.work.duties.tables import duties, duty_days
from casework.work.duties.taking import reckon, taken

_OF_DAY: Final = sa.select(duties).where(
    duties.c.day == sa.bindparam("on", type_=sa.Date), duties.c.institution == sa.bindparam("institution")
)

_COUNTED: Final = (
    sa.select(duties.c.owed_by, duties.c.duty, duties.c.status, sa.func.count())
    .where(duties.c.day == sa.bindparam("on", type_=sa.Date), duties.c.institution == sa.bindparam("institution"))
    .group_by(duties.c.owed_by, duties.c.duty, duties.c.status)
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


class Counted(NamedTuple):
    """How many duties of one kind and status somebody owes."""

    owed_by: str
    duty: str
    status: str
    number: int


def counts_on(
    conn: Connection, branch: Branch, on: date, people: Collection[str] | None = None
) -> list[Counted]:  # fmt: skip
    """The duties of `duties_on`, counted; those that were taken are counted by the database."""
    counts: Counter[tuple[str, str, str]] = Counter()
    theirs = _theirs(branch, people)
    for institution in sorted(business_dates(conn)):
        if taken(conn, institution, on):
            asked = _COUNTED if people is None else _COUNTED.where(duties.c.owed_by.in_(sorted(people)))
            for *what, number in conn.execute(asked, {"on": on, "institution": institution}):
                counts[what[0], what[1], what[2]] += number
        elif not _closed_since(conn, institution, on):
            found = reckon(conn, branch, institution, on, closed=False, people=theirs)
            counts.update((row[7], row[2], row[4]) for row in found if people is None or row[7] in people)
    return [Counted(*what, number) for what, number in counts.items()]


def _found(conn: Connection, branch: Branch, on: date, people: Collection[str] | None) -> Iterator[Listed]:
    theirs = _theirs(branch, people)
    for institution in sorted(business_dates(conn)):
        if taken(conn, institution, on):
            of_day = _OF_DAY if people is None else _OF_DAY.where(duties.c.owed_by.in_(sorted(people)))
            yield from (Listed(*row) for row in conn.execute(of_day, {"on": on, "institution": institution}))
        elif not _closed_since(conn, institution, on):
            yield from (Listed(*row) for row in reckon(conn, branch, institution, on, closed=False, people=theirs))


def _theirs(branch: Branch, people: Collection[str] | None) -> tuple[str, ...] | None:
    """Of whose cases it can be; none: of anybody's, as what a post owes."""
    of_post = people is None or set(people) & branch.rulebook.permissions.posts.keys()
    return None if people is None or of_post else tuple(sorted(people))


def _closed_since(conn: Connection, institution: str, on: date) -> bool:
    """Whether a later day is closed: what was known on this one nobody can say any more."""
    later = sa.select(duty_days.c.day).where(duty_days.c.institution == institution, duty_days.c.day > on).limit(1)
    return conn.execute(later).scalar_one_or_none() is not None


class DutiesWanted(NamedTuple):
    """Which duties of a day: of these people, of one case, of this name or status, exempt by this.

    `after`: case and name before.
    """

    people: frozenset[str] | None = None
    case_id: int | None = None
    duty: str | None = None
    status: str | None = None
    after: tuple[int, str] = (0, "")
    exempt_by: str | None = None


def page_of_duties(
    conn: Connection, branch: Branch, on: date, within: Reach, wanted: DutiesWanted, limit: int
) -> list[Listed]:  # fmt: skip
    """By case and name, those of cases within a reach; at most `limit`.

    As they were taken, or, while the day is not closed, as they stand: then it must be said whose they are, for they
    are reckoned case by case. CallerError duties_not_taken_yet.
    """
    found: list[Listed] = []
    for institution in sorted(business_dates(conn)):
        if taken(conn, institution, on):
            asked = _narrowed(within, wanted).limit(limit)
            found += [Listed(*row) for row in conn.execute(asked, {"on": on, "institution": institution})]
        elif not _closed_since(conn, institution, on):
            found += _as_they_stand(conn, branch, institution, on, within, wanted)
    return sorted(found, key=lambda one: (one.case_id, one.duty))[:limit]


def _narrowed(within: Reach, wanted: DutiesWanted) -> sa.Select[Any]:
    case_id, duty = wanted.after
    further = sa.or_(duties.c.case_id > case_id, sa.and_(duties.c.case_id == case_id, duties.c.duty > duty))
    asked = _OF_DAY.where(further).order_by(duties.c.case_id, duties.c.duty)
    if not within.everything:
        asked = asked.join(cases, cases.c.id == duties.c.case_id).where(covered_by(within, cases.c))
    if wanted.people is not None:
        asked = asked.where(duties.c.owed_by.in_(sorted(wanted.people)))
    for column in _NARROWING:
        if (value := getattr(wanted, column)) is not None:
            asked = asked.where(duties.c[column] == value)
    return asked


def _as_they_stand(
    conn: Connection, branch: Branch, institution: str, on: date, within: Reach, wanted: DutiesWanted
) -> list[Listed]:  # fmt: skip
    if wanted.case_id is not None:
        reckoned = reckon(conn, branch, institution, on, closed=False, case_id=wanted.case_id)
    elif wanted.people is not None:
        of_post = wanted.people & branch.rulebook.permissions.posts.keys()  # which can be of anybody's case
        theirs = None if of_post else tuple(sorted(wanted.people))
        reckoned = reckon(conn, branch, institution, on, closed=False, people=theirs)
    else:
        raise CallerError("duties_not_taken_yet", day=str(on))
    found = [Listed(*row) for row in reckoned]
    seen = _covered(conn, within, {one.case_id for one in found})
    return [one for one in found if one.case_id in seen and _is_wanted(one, wanted)]


def duties_within(conn: Connection, within: Reach, found: Sequence[Listed]) -> list[Listed]:
    """Those of cases within a reach, in the order given."""
    seen = _covered(conn, within, {one.case_id for one in found})
    return [one for one in found if one.case_id in seen]


def _covered(conn: Connection, within: Reach, ids: Collection[int]) -> set[int]:
    if within.everything:
        return set(ids)
    found = rows.select_by_keys(conn, _WHOSE, "id", sorted(ids))
    return {row.id for row in found if within.covers(row)}


def _is_wanted(one: Listed, wanted: DutiesWanted) -> bool:
    return (
        (one.case_id, one.duty) > wanted.after
        and (wanted.people is None or one.owed_by in wanted.people)
        and all(getattr(wanted, name) in {None, getattr(one, name)} for name in _NARROWING)
    )


_NARROWING: Final = ("case_id", "duty", "status", "exempt_by")
_WHOSE: Final = sa.select(
    cases.c.id, cases.c.owner, cases.c.handler, cases.c.team, cases.c.region, cases.c.product
)  # fmt: skip
