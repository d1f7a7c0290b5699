"""Which institutions feed this branch: the first by its first feed, every other because an administrator added it.

Numbers of customers and payments are an institution's own, so a feed of one that nobody knows could be any bank's.
"""

import re
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import INSTITUTION
from casework.errors import CallerError
from casework.intake.feed.tables import institutions_added
from casework.log.write.trail import Draft, Trail
from casework.people.staff.actor import Actor

STREAM: Final = "register:institutions"
ADDED: Final = "institution.added"
REGISTERED_BY_FEED: Final = "institution_registered"
"""The warning of the feed that registered its institution (`cell.TEXTS`)."""


def known_institutions(conn: Connection) -> list[str]:
    """In order."""
    return sorted(conn.execute(sa.select(institutions_added.c.institution)).scalars())


def register_or_refuse(conn: Connection, trail: Trail, actor: Actor, institution: str, run_id: int) -> bool:
    """Let in a feed of a known institution, and the branch's very first, which is an entry; whether it was the first.

    CallerError institution_unknown. `trail` is written by the caller, in the import's transaction.
    """
    known = known_institutions(conn)
    if institution in known:
        return False
    if not known:  # two first feeds wait for each other at the stream, and the second sees what the first made known
        trail.append(conn, STREAM, Draft(ADDED, actor.signed, {"institution": institution, "run": run_id}))
        known = known_institutions(conn)
        if not known:
            _enter(conn, institution)
            return True
    raise CallerError(
        "institution_unknown",
        f"数据来自未登记的机构 {institution}（已登记：{'、'.join(known)}）；确属本机构的，请先运行 "
        f"casework institution add {institution}",
        f"the feed is of {institution}, which is not known here (known: {', '.join(known)}); if it is right, run: "
        f"casework institution add {institution}",
        institution=institution, known=known,
    )  # fmt: skip


def add(conn: Connection, trail: Trail, actor: Actor, institution: str) -> None:
    """Make an institution known, so that its feeds are taken; an entry. CallerErrors institution_malformed, _known."""
    if re.fullmatch(INSTITUTION, institution, re.ASCII) is None:
        raise CallerError("institution_malformed", allowed=INSTITUTION)
    trail.append(conn, STREAM, Draft(ADDED, actor.signed, {"institution": institution}))
    if institution in known_institutions(conn):
        raise CallerError("institution_known", institution=institution)
    _enter(conn, institution)


def _enter(conn: Connection, institution: str) -> None:
    conn.execute(institutions_added.insert().values(institution=institution))
