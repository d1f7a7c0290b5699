"""Taking somebody's access away: everything with which they could come in again dies in the caller's transaction."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.identity.tables import (
    passwords,
    reset_codes,
    second_factors,
    sessions,
)
from casework.people.staff.actor import Actor
from casework.people.staff.register import bump, stream_of
from casework.people.staff.tables import staff, tokens
from casework.people.staff.tokens import name_of


def end_access(conn: Connection, trail: Trail, actor: Actor, *, staff_no: str) -> int:
    """End the tokens, keys and sessions of a member of staff, their reset code, password and second factor.

    How many of these there were; nothing is written when there was none. CallerError `unknown_staff`.
    Whoever comes back begins with a new code of the administrator.
    """
    lock_person(conn, staff_no)
    revoked, ended = _revoke(conn, trail, staff_no)
    others = {
        what: conn.execute(table.delete().where(table.c.staff_no == staff_no)).rowcount
        for what, table in (("reset_codes", reset_codes), ("passwords", passwords), ("second_factors", second_factors))
    }
    found = len(revoked) + len(ended) + sum(others.values())
    if not found:
        return 0
    bump(conn)
    data = {"staff_no": staff_no, "tokens": revoked, "sessions": ended, **others}
    trail.append(conn, stream_of(staff_no), Draft("staff.access_ended", actor.signed, data, rules=("1.1.1",)))
    return found


def revoke_tokens(conn: Connection, trail: Trail, actor: Actor, *, staff_no: str) -> int:
    """Revoke every token and key of somebody who stays, end their sessions; how many tokens and keys there were.

    CallerError `unknown_staff`.
    """
    lock_person(conn, staff_no)
    revoked, ended = _revoke(conn, trail, staff_no)
    if revoked or ended:
        bump(conn)
        data = {"staff_no": staff_no, "tokens": revoked, "sessions": ended}
        trail.append(conn, stream_of(staff_no), Draft("staff.tokens_revoked", actor.signed, data))
    return len(revoked)


def end_sessions(conn: Connection, trail: Trail, *, which: Sequence[int]) -> None:
    """End these sessions with their access tokens; the caller holds their person and writes the entry."""
    live = sessions.c.id.in_(which) & sessions.c.ended_at.is_(None)
    conn.execute(sessions.update().where(live).values(ended_at=trail.recorded_at))
    theirs = tokens.c.session_id.in_(which) & tokens.c.revoked_at.is_(None)
    conn.execute(tokens.update().where(theirs).values(revoked_at=trail.recorded_at))
    bump(conn)


def lock_person(conn: Connection, staff_no: str) -> Any:
    """Their row of the register, held until the end of the transaction: what changes their access waits for its turn.

    Not against rows that point at them: cases may be given to them meanwhile. CallerError `unknown_staff`.
    """
    row = conn.execute(sa.select(staff).where(staff.c.staff_no == staff_no).with_for_update(key_share=True))
    found = row.one_or_none()
    if found is None:
        raise CallerError("unknown_staff", f"没有工号{staff_no[:32]}", f"there is no staff number {staff_no[:32]}")
    return found


def _revoke(conn: Connection, trail: Trail, staff_no: str) -> tuple[list[str], list[int]]:
    """Names of the tokens revoked (those of sessions go with them) and the sessions ended."""
    live = (tokens.c.staff_no == staff_no) & tokens.c.revoked_at.is_(None)
    found = conn.execute(
        tokens.update().where(live).values(revoked_at=trail.recorded_at).returning(tokens.c.token_hash, tokens.c.kind)
    ).all()
    open_ones = (sessions.c.staff_no == staff_no) & sessions.c.ended_at.is_(None)
    ended = conn.execute(
        sessions.update().where(open_ones).values(ended_at=trail.recorded_at).returning(sessions.c.id)
    ).scalars()
    return sorted(name_of(bytes(row.token_hash)) for row in found), sorted(ended)
