"""Personal API keys: for programs that work in somebody's name. Hashed, scoped to commands, expiring, revocable."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.identity.ending import lock_person
from casework.people.identity.holding import KEY
from casework.people.identity.tables import sessions
from casework.people.staff.actor import Actor
from casework.people.staff.register import bump, stream_of
from casework.people.staff.tables import tokens
from casework.people.staff.tokens import Issued, name_of, new_key
from casework.storage import rows

MAX_KEYS = 50
MAX_COMMANDS_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class PersonalKey:
    """A live key as its holder sees it. `commands`: all that it may do; none: whatever its holder may.

    `program`: whose it is, where its holder owns the program (`people.identity.programs`).
    """

    id: int
    label: str | None
    commands: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    program: str | None = None


def issue_key(
    conn: Connection, trail: Trail, actor: Actor, known: Collection[str], *, label: str, days: int,
    commands: Collection[str] | None = None, session_id: int | None = None,
) -> Issued:  # fmt: skip
    """A key of the actor's own, made in the session `session_id`. Entry `staff.key_issued`.

    None is made in the first session after a one-time code: whoever issued the code might be the one who logged in,
    and the key would stay.

    CallerErrors: key_after_code, unknown_command (not a command of rules/permissions.toml), too_many_keys,
    days_out_of_range.
    """
    wanted = None if commands is None else sorted(set(commands))
    unknown = sorted(set(wanted or ()) - set(known))
    if unknown or wanted == [] or len(" ".join(wanted or ())) > MAX_COMMANDS_TEXT:
        raise CallerError("unknown_command", commands=[name[:64] for name in unknown[:20]])
    lock_person(conn, actor.id)
    check_after_code(conn, session_id)
    if len(keys_of(conn, actor.id, trail.recorded_at)) >= MAX_KEYS:
        raise CallerError("too_many_keys", at_most=MAX_KEYS)
    return new_key(conn, trail, actor, staff_no=actor.id, days=days, label=label, commands=wanted)


def check_after_code(conn: Connection, session_id: int | None) -> None:
    """CallerError `key_after_code` in the first session after a one-time code; `session_id`: none at the shell."""
    session = sa.select(sessions.c.after_code).where(sessions.c.id == session_id)
    if session_id is not None and conn.execute(session).scalar_one_or_none():
        raise CallerError("key_after_code")


def keys_of(conn: Connection, staff_no: str, now: datetime) -> list[PersonalKey]:
    """Their live keys, oldest first."""
    found = sa.select(tokens).where(_live(staff_no), tokens.c.expires_at > now).order_by(tokens.c.id)
    return [
        PersonalKey(row.id, row.label, None if row.commands is None else tuple(row.commands.split()), row.created_at,
            row.expires_at, row.last_used_at, row.program)
        for row in conn.execute(found)
    ]  # fmt: skip


def revoke_key(conn: Connection, trail: Trail, actor: Actor, key_id: int) -> None:
    """Revoke one of the actor's own keys; CallerError `unknown_key`. Entry `staff.key_revoked`."""
    lock_person(conn, actor.id)
    revoked = conn.execute(
        tokens.update().where(_live(actor.id), tokens.c.id == key_id).values(revoked_at=trail.recorded_at)
        .returning(tokens.c.token_hash)
    ).scalar_one_or_none()  # fmt: skip
    if revoked is None:
        raise CallerError("unknown_key")
    bump(conn)
    data = {"staff_no": actor.id, "key": key_id, "token": name_of(bytes(revoked))}
    trail.append(conn, stream_of(actor.id), Draft("staff.key_revoked", actor.signed, data))


def record_use(conn: Connection, hashes: Iterable[bytes], now: datetime) -> None:
    """Note the hour in which these keys were last used; one statement."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    rows.update_many(conn, tokens, "token_hash", [(one, hour) for one in sorted(hashes)], ["last_used_at"])


def _live(staff_no: str) -> sa.ColumnElement[bool]:
    return sa.and_(tokens.c.staff_no == staff_no, tokens.c.kind == KEY, tokens.c.revoked_at.is_(None))
