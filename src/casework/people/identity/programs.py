"""Keys of programs: a program has a name, an owner who is there, and at most two keys, one in the place of the other.

It holds no post. Its key may do the commands that it was given, of those that permissions.toml opens to programs; it
acts as `<owner>:<program>`, which every entry names. When the owner leaves, its keys end with the owner's; whoever owns
it next is given a key of it before that.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.identity.ending import lock_person
from casework.people.identity.keys import MAX_KEYS, check_after_code, keys_of
from casework.people.staff.actor import Actor
from casework.people.staff.register import bump, stream_of
from casework.people.staff.tables import tokens
from casework.people.staff.tokens import Issued, name_of, new_key

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)
AT_ONCE: Final = 2
"""Keys that a program may have: the one it uses, and the next."""


@dataclass(frozen=True, slots=True)
class ProgramKey:
    """A live key of a program. `last_used_at` is the hour."""

    program: str
    owner: str
    id: int
    commands: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


def issue_program_key(
    conn: Connection, trail: Trail, actor: Actor, open_to: Collection[str], *, program: str, owner: str, days: int,
    commands: Collection[str], session_id: int | None = None,
) -> Issued:  # fmt: skip
    """A key of `program`, which `owner` answers for; made in the session `session_id`. Entry `staff.key_issued`.

    CallerErrors: program_name_malformed, command_not_for_programs, key_after_code, too_many_keys, days_out_of_range,
    unknown_staff, staff_unverified, staff_left.
    """
    if NAME.fullmatch(program) is None:
        raise CallerError("program_name_malformed", program=program[:64])
    wanted = sorted(set(commands))
    if not wanted or set(wanted) - set(open_to):
        barred = [name[:64] for name in wanted if name not in open_to][:20]
        raise CallerError("command_not_for_programs", commands=barred, known=sorted(open_to))
    lock_person(conn, owner)
    check_after_code(conn, session_id)
    live = [one.id for one in program_keys(conn, trail.recorded_at) if one.program == program]
    if len(live) >= AT_ONCE:
        raise CallerError("too_many_keys", at_most=AT_ONCE, keys=live)
    if len(keys_of(conn, owner, trail.recorded_at)) >= MAX_KEYS:
        raise CallerError("too_many_keys", at_most=MAX_KEYS)
    return new_key(conn, trail, actor, staff_no=owner, days=days, commands=wanted, program=program)


def program_keys(conn: Connection, now: datetime, owner: str | None = None) -> list[ProgramKey]:
    """The live keys of every program, by name, the oldest first; `owner`: of theirs alone."""
    live = tokens.c.program.is_not(None) & tokens.c.revoked_at.is_(None) & (tokens.c.expires_at > now)
    if owner is not None:
        live &= tokens.c.staff_no == owner
    return [
        ProgramKey(row.program, row.staff_no, row.id, row.commands.split(), row.created_at, row.expires_at,
                   row.last_used_at)
        for row in conn.execute(sa.select(tokens).where(live).order_by(tokens.c.program, tokens.c.id))
    ]  # fmt: skip


def revoke_program_key(conn: Connection, trail: Trail, actor: Actor, *, program: str, key_id: int) -> None:
    """Revoke a key of a program, whoever owns it; CallerError `unknown_key`. Entry `staff.key_revoked`."""
    this = (tokens.c.id == key_id) & (tokens.c.program == program) & tokens.c.revoked_at.is_(None)
    owner: Any = conn.execute(sa.select(tokens.c.staff_no).where(this)).scalar_one_or_none()
    if owner is None:
        raise CallerError("unknown_key")
    lock_person(conn, owner)
    ending = tokens.update().where(this).values(revoked_at=trail.recorded_at).returning(tokens.c.token_hash)
    revoked = conn.execute(ending).scalar_one_or_none()
    if revoked is None:  # while we waited for our turn
        raise CallerError("unknown_key")
    bump(conn)
    data = {"staff_no": owner, "key": key_id, "token": name_of(bytes(revoked)), "program": program}
    trail.append(conn, stream_of(owner), Draft("staff.key_revoked", actor.signed, data))
