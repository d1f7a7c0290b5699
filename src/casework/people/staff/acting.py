"""Who acts, as the register says it on a day. It only reads; what changes the register stands beside it."""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff import mistakes
from casework.people.staff.actor import Actor, Principal
from casework.people.staff.person import ACTIVE, UNVERIFIED
from casework.people.staff.roster_rows import in_force
from casework.people.staff.tables import absences, memberships, posts_held, register_version, staff
from casework.storage import rows


def version_of(conn: Connection) -> int:
    """The register's version as this transaction sees it."""
    (row,) = rows.ask_all(conn, register_version)()
    return int(row.version)


def actor_for(conn: Connection, staff_no: str, via: str, *, today: date) -> Actor:
    """The actor behind a staff number, with whom they deputise for.

    CallerErrors: `unknown_staff`, `staff_unverified` for one only a feed named, `staff_left`.
    """
    row = conn.execute(_PERSON, {"staff_no": staff_no}).one_or_none()
    if row is None:
        raise mistakes.unknown_staff(staff_no)
    if row.status == UNVERIFIED:
        raise mistakes.staff_unverified(staff_no)
    if row.status != ACTIVE or (row.leaves_on is not None and row.leaves_on < today):
        raise mistakes.staff_left(staff_no)
    version = version_of(conn)
    away = [found[0] for found in conn.execute(_DEPUTISED, {"deputy": staff_no, "on": today})]
    everybody = [staff_no, *away]
    posts: dict[str, set[str]] = {who: set() for who in everybody}
    for who, post in conn.execute(_POSTS_OF, {"who": everybody, "on": today}):
        posts[who].add(post)
    homes = {who: (team, region) for who, team, region in conn.execute(_HOMES_OF, {"who": everybody, "on": today})}
    principals = tuple(Principal(who, frozenset(posts[who]), *homes.get(who, (None, None))) for who in away)
    return Actor(
        staff_no, "staff", via, frozenset(posts[staff_no]), *homes.get(staff_no, (None, None)), principals=principals,
        register_version=version,
    )  # fmt: skip


_PERSON = sa.select(staff.c.status, staff.c.leaves_on).where(staff.c.staff_no == sa.bindparam("staff_no"))
_DEPUTISED = (
    sa.select(absences.c.staff_no)
    .join(staff, staff.c.staff_no == absences.c.staff_no)
    .where(absences.c.deputy == sa.bindparam("deputy"), in_force(absences), staff.c.status == ACTIVE)
    .where(sa.or_(staff.c.leaves_on.is_(None), staff.c.leaves_on >= sa.bindparam("on", type_=sa.Date)))
    .order_by(absences.c.staff_no)
)
_WHO: sa.BindParameter[Any] = sa.bindparam("who", expanding=True)
_POSTS_OF = sa.select(posts_held.c.staff_no, posts_held.c.post).where(
    posts_held.c.staff_no.in_(_WHO), in_force(posts_held)
)
_HOMES_OF = sa.select(memberships.c.staff_no, memberships.c.team, memberships.c.region).where(
    memberships.c.staff_no.in_(_WHO), in_force(memberships)
)
