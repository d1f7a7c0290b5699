"""Posts that nobody may hold together, on any one day: neither in their own right nor by deputising for somebody."""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff import dossier, mistakes
from casework.people.staff.permissions import Permissions
from casework.people.staff.person import Absence, Person, overlapping
from casework.people.staff.tables import absences


def check_posts(permissions: Permissions, posts: Collection[str]) -> None:
    """CallerErrors unknown_post, posts_conflict for what nobody may hold at a time."""
    unknown = sorted(set(posts) - permissions.posts.keys())
    if unknown:
        raise mistakes.unknown_post(unknown, permissions.posts)
    conflicts = permissions.conflicts_of(frozenset(posts))
    if conflicts:
        raise mistakes.posts_conflict(posts, [(conflict.zh, conflict.en) for conflict in conflicts])


def check_grant(
    conn: Connection, permissions: Permissions, person: Person, post: str, from_on: date, until_on: date | None
) -> None:
    """CallerError posts_conflict: with a post that they hold then, or that they lend or are lent by deputising then."""
    others = [held.post for held in person.posts if overlapping(held, from_on, until_on)]
    for absence, other in _lending(conn, person):
        if overlapping(absence, from_on, until_on):
            days = max(absence.from_on, from_on), min(absence.until_on, until_on or absence.until_on)
            others += [held.post for held in other.posts if overlapping(held, *days)]
    for other_post in sorted(set(others)):
        check_posts(permissions, {post, other_post})


def check_deputy(permissions: Permissions, principal: Person, deputy: Person, from_on: date, until_on: date) -> None:
    """CallerError posts_conflict: the deputy would act by a post that conflicts with one that they hold then."""
    lent = [held for held in principal.posts if overlapping(held, from_on, until_on)]
    for own in deputy.posts:
        for held in lent:
            if overlapping(own, from_on, until_on) and overlapping(held, own.from_on, own.until_on):
                check_posts(permissions, {own.post, held.post})


def _lending(conn: Connection, person: Person) -> Iterator[tuple[Absence, Person]]:
    """Their leaves with the deputies, and the leaves of those they deputise for; the others' rows are locked too."""
    principals = conn.execute(_PRINCIPALS, {"deputy": person.staff_no}).scalars().all()
    deputies = [absence.deputy for absence in person.absences if absence.deputy is not None]
    others = dossier.persons(conn, {*principals, *deputies}, lock=True)
    for absence in person.absences:
        if absence.deputy is not None:
            yield absence, others[absence.deputy]
    for other in others.values():
        yield from ((absence, other) for absence in other.absences if absence.deputy == person.staff_no)


_PRINCIPALS: Final = sa.select(absences.c.staff_no).where(absences.c.deputy == sa.bindparam("deputy")).distinct()
