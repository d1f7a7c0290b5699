"""Whom a token names at this moment, and how far it goes; the register decides, never the token."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.people.identity.tables import sessions
from casework.people.staff.access_mac import ALLOWING, holds
from casework.people.staff.acting import actor_for, version_of
from casework.people.staff.actor import Actor, program
from casework.people.staff.permissions import ENROL_ONLY
from casework.people.staff.tables import register_version, tokens
from casework.rules.statechart.policy import Policy

KEY, ACCESS, OUTSIDE = "key", "access", "outside"
Answering = Callable[[Connection, Actor, date], Actor]
"""Adds those for whom the roster has the actor answer that day (`Branch.answering`)."""


def _nobody_else(_conn: Connection, actor: Actor, _on: date) -> Actor:
    return actor


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a valid token names, and until when; `kind` is key, access (of a session) or outside (of an issuer)."""

    actor: Actor
    expires_at: datetime
    kind: str = KEY
    token_hash: bytes | None = None
    session_id: int | None = None
    shown_factor: bool = True


# One statement, so that one moment: a token that dies between two would pass with the version of after its death.
_HOLDER = (
    sa.select(
        register_version.c.version, *(tokens.c[name] for name in (*ALLOWING[tokens.name], "mac")), sessions.c.ended_at,
        *(sessions.c[name].label(f"session_{name}") for name in (*ALLOWING[sessions.name], "mac")),
    )
    .select_from(
        register_version.outerjoin(
            tokens, (tokens.c.token_hash == sa.bindparam("token_hash")) & tokens.c.revoked_at.is_(None)
        ).outerjoin(sessions, sessions.c.id == tokens.c.session_id)
    )
)  # fmt: skip


def holder_of(
    conn: Connection, token_hash: bytes, now: datetime, mac_key: bytes, *, today: date, policy: Policy,
    answering: Answering = _nobody_else,
) -> Holder | None:  # fmt: skip
    """Whom this token names now; None when it is unknown, expired, revoked, or its holder may not act.

    Also when this service did not make it so, and when it is of a session that is over or was never opened.
    """
    row = conn.execute(_HOLDER, {"token_hash": token_hash}).one()
    if (
        row.token_hash is None
        or not hmac.compare_digest(bytes(row.token_hash), token_hash)
        or row.expires_at <= now
        or not holds(mac_key, tokens.name, row)
        or (row.kind == ACCESS and not _is_open(row, now, mac_key))
    ):
        return None
    commands = None if row.commands is None else frozenset(row.commands.split())
    if row.program is not None:
        return _of_program(conn, row, today)
    shown = row.kind != ACCESS or bool(row.session_second_factor)
    # A key says nothing of the session it was made in: for somebody else's post it does not count as a second factor.
    lent = row.kind == ACCESS and bool(row.session_second_factor)
    actor = _actor(conn, row.staff_no, today, row.version, commands, policy, answering, shown=shown, lent=lent)
    if actor is None:
        return None
    return Holder(actor, row.expires_at, row.kind, token_hash, row.session_id, shown)


def _of_program(conn: Connection, row: Any, today: date) -> Holder | None:
    """A program acts while its owner is there: whoever else is to own it is given a key of it."""
    try:
        actor_for(conn, row.staff_no, "api", today=today)
    except CallerError:
        return None
    actor = program(row.staff_no, row.program, frozenset((row.commands or "").split()), row.version)
    return Holder(actor, row.expires_at, row.kind, bytes(row.token_hash))


def _is_open(row: Any, now: datetime, mac_key: bytes) -> bool:
    """Whether the session that an access token belongs to is one that a log-in opened, and goes on."""
    if row.session_family_hash is None or row.session_staff_no != row.staff_no:
        return False
    if row.ended_at is not None or row.session_expires_at <= now:
        return False
    return holds(mac_key, sessions.name, row, "session_")


def outside_holder(
    conn: Connection, staff_no: str, expires_at: datetime, *, shown_factor: bool, today: date, policy: Policy,
    answering: Answering = _nobody_else,
) -> Holder | None:  # fmt: skip
    """The holder of an outside issuer's token; None when the register does not know them as active."""
    version = version_of(conn)
    actor = _actor(conn, staff_no, today, version, None, policy, answering, shown=shown_factor, lent=shown_factor)
    return None if actor is None else Holder(actor, expires_at, OUTSIDE, shown_factor=shown_factor)


def still_holds(
    conn: Connection, holder: Holder, now: datetime, mac_key: bytes, *, today: date, policy: Policy,
    answering: Answering = _nobody_else,
) -> Holder | None:  # fmt: skip
    """The same token looked up anew; None when it has died meanwhile."""
    if holder.token_hash is not None:
        return holder_of(conn, holder.token_hash, now, mac_key, today=today, policy=policy, answering=answering)
    if holder.expires_at <= now:
        return None
    return outside_holder(
        conn, holder.actor.id, holder.expires_at, shown_factor=holder.shown_factor, today=today, policy=policy,
        answering=answering,
    )  # fmt: skip


def needs_factor(actor: Actor, policy: Policy) -> bool:
    """Whether one of the actor's own posts asks for a second factor (login.second_factor_posts)."""
    return bool(_asking(policy) & actor.posts)


def _asking(policy: Policy) -> frozenset[str]:
    return frozenset(policy.figure("login.second_factor_posts"))


def _actor(
    conn: Connection, staff_no: str, today: date, version: int, commands: frozenset[str] | None, policy: Policy,
    answering: Answering, *, shown: bool, lent: bool,
) -> Actor | None:  # fmt: skip
    try:
        actor = answering(conn, actor_for(conn, staff_no, "api", today=today), today)
    except CallerError:
        return None
    principals = actor.principals
    if not lent:  # deputising for an approver takes what that post takes; without it the deputy keeps their own work
        principals = tuple(one for one in principals if not one.posts & _asking(policy))
    if not shown and needs_factor(actor, policy):
        commands = ENROL_ONLY
    return msgspec.structs.replace(actor, commands=commands, principals=principals, register_version=version)
