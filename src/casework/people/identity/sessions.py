"""Sessions: what a log-in opens. Access for minutes, a refresh token replaced at each use, one end for all of it.

A refresh token is `cwr_`, a part that names the session and a part that changes. Whoever shows the first with an old
second has a copy: the session ends, for both of them (RFC 9700, 4.14).
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.identity.ending import end_sessions, lock_person
from casework.people.identity.holding import ACCESS, needs_factor
from casework.people.identity.tables import sessions
from casework.people.staff.access_mac import changed, holds, with_mac
from casework.people.staff.acting import actor_for
from casework.people.staff.actor import Actor
from casework.people.staff.register import stream_of
from casework.people.staff.tables import tokens
from casework.people.staff.tokens import PREFIX, hash_of
from casework.rules.statechart.policy import Policy

_REFRESH = re.compile(r"cwr_([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})", re.ASCII)
KEPT_DAYS = 30
MAX_OPEN = 20
"""Sessions one person may have open; the oldest ends for the next, so that a program that never logs out is bounded."""


@dataclass(frozen=True, slots=True)
class TokensGranted:
    """What a log-in or refresh gives, told this once. `must_enrol`: only the second factor may be set up."""

    session_id: int
    access_token: str
    refresh_token: str
    expires_in: int
    session_expires_at: datetime
    must_enrol: bool


@dataclass(frozen=True, slots=True)
class OpenSession:
    """An open session as its holder sees it."""

    id: int
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    second_factor: bool


def open_session(
    conn: Connection, trail: Trail, policy: Policy, actor: Actor, *, step: int | None, after_code: bool,
    prefix: str = PREFIX,
) -> TokensGranted:  # fmt: skip
    """Open a session of somebody who has shown who they are; the caller holds their row. Entry `staff.logged_in`.

    `step` is the time step of the second factor that was shown; none: none was. `after_code`: whoever issued the code
    with which the password was set may be who logs in; no key is made in this session. `prefix` says what its access
    token is for (`tokens.PREFIX`, `tokens.PAGE_PREFIX`).
    """
    _make_room(conn, trail, actor)
    family, rotating = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    expires_at = trail.recorded_at + timedelta(hours=policy.figure("login.session_hours"))
    second_factor = step is not None
    session_id: int = conn.execute(
        sessions.insert().values(with_mac(trail.mac_key, sessions.name, {
            "staff_no": actor.id, "family_hash": _hashed(family), "refresh_hash": _hashed(rotating),
            "second_factor": second_factor, "after_code": after_code, "created_at": trail.recorded_at,
            "refreshed_at": trail.recorded_at,
            "expires_at": expires_at,
        })).returning(sessions.c.id)
    ).scalar_one()  # fmt: skip
    _sweep(conn, trail, actor.id)
    data = {
        "staff_no": actor.id, "via": "password", "session": session_id, "second_factor": second_factor, "step": step,
        "after_code": after_code,
        "expires_at": utc_text(expires_at),
    }  # fmt: skip
    trail.append(conn, stream_of(actor.id), Draft("staff.logged_in", actor.signed, data))
    text = f"cwr_{family}.{rotating}"
    return _granted(conn, trail, policy, actor, session_id, text, expires_at, second_factor, prefix)


def prolong(conn: Connection, trail: Trail, policy: Policy, token_hash: bytes) -> None:
    """What a page's cookie holds is good for the access minutes anew, at most as long as its session: idle time.

    No entry: it shows nothing that the log-in did not give. A token that has died stays dead.
    """
    found = sa.select(tokens, sessions.c.expires_at.label("ends_at")).join(
        sessions, sessions.c.id == tokens.c.session_id
    )
    row = conn.execute(found.where(tokens.c.token_hash == token_hash, sessions.c.ended_at.is_(None))).one_or_none()
    if row is None or row.expires_at <= trail.recorded_at or not holds(trail.mac_key, tokens.name, row):
        return
    until = min(trail.recorded_at + timedelta(minutes=policy.figure("login.access_minutes")), row.ends_at)
    live = (tokens.c.token_hash == token_hash) & tokens.c.revoked_at.is_(None)
    conn.execute(tokens.update().where(live).values(changed(trail.mac_key, tokens.name, row, expires_at=until)))


def refresh(conn: Connection, trail: Trail, policy: Policy, refresh_token: str) -> TokensGranted | CallerError:
    """New tokens for an old refresh token; `not_authenticated` as a value, because what it ended must be kept."""
    found = _REFRESH.fullmatch(refresh_token)
    if found is None:
        return not_authenticated()
    row = _session(conn, _hashed(found[1]))
    if row is None:
        return not_authenticated()
    lock_person(conn, row.staff_no)  # before the session, as every other change of their access does
    row = _session(conn, _hashed(found[1]), lock=True)
    if row is None or row.ended_at is not None or row.expires_at <= trail.recorded_at:
        return not_authenticated()
    if not holds(trail.mac_key, sessions.name, row):  # no session that a log-in opened
        return not_authenticated()
    if not hmac.compare_digest(bytes(row.refresh_hash), _hashed(found[2])):
        end_sessions(conn, trail, which=[row.id])
        data = {"staff_no": row.staff_no, "session": row.id, "cause": "refresh_token_reused"}
        signed = Actor(row.staff_no, "staff", "api", frozenset()).signed
        trail.append(conn, stream_of(row.staff_no), Draft("staff.session_ended", signed, data))
        return not_authenticated()
    try:
        actor = actor_for(conn, row.staff_no, "api", today=trail.today)
    except CallerError:
        return not_authenticated()
    rotating = secrets.token_urlsafe(32)
    fresh = changed(trail.mac_key, sessions.name, row, refresh_hash=_hashed(rotating))
    fresh["refreshed_at"] = trail.recorded_at
    conn.execute(sessions.update().where(sessions.c.id == row.id).values(fresh))
    _sweep(conn, trail, row.staff_no)
    text = f"cwr_{found[1]}.{rotating}"
    return _granted(conn, trail, policy, actor, row.id, text, row.expires_at, row.second_factor)


def log_out(conn: Connection, trail: Trail, actor: Actor, session_id: int) -> None:
    """End the session the actor came in with. Entry `staff.logged_out`."""
    _end_own(conn, trail, actor, session_id, "staff.logged_out")


def end_session(conn: Connection, trail: Trail, actor: Actor, session_id: int) -> None:
    """End one of the actor's own sessions; CallerError `unknown_session`. Entry `staff.session_ended`."""
    _end_own(conn, trail, actor, session_id, "staff.session_ended")


def end_all(conn: Connection, trail: Trail, actor: Actor, staff_no: str, cause: str, *, but: int | None = None) -> None:
    """End every open session of somebody whom the caller holds, `but` perhaps the one that asks."""
    which = [one.id for one in open_sessions(conn, staff_no, trail.recorded_at) if one.id != but]
    if which:
        end_sessions(conn, trail, which=which)
        data = {"staff_no": staff_no, "sessions": which, "cause": cause}
        trail.append(conn, stream_of(staff_no), Draft("staff.session_ended", actor.signed, data))


def open_sessions(conn: Connection, staff_no: str, now: datetime) -> list[OpenSession]:
    """Their open sessions, oldest first (at most `MAX_OPEN`)."""
    live = (sessions.c.staff_no == staff_no) & sessions.c.ended_at.is_(None) & (sessions.c.expires_at > now)
    return [
        OpenSession(row.id, row.created_at, row.refreshed_at, row.expires_at, row.second_factor)
        for row in conn.execute(sa.select(sessions).where(live).order_by(sessions.c.id))
    ]


def purge(conn: Connection, now: datetime) -> int:
    """Forget sessions that were over `KEPT_DAYS` ago, and their tokens; the log keeps what matters. How many."""
    over = sessions.c.expires_at < now - timedelta(days=KEPT_DAYS)
    conn.execute(tokens.delete().where(tokens.c.session_id.in_(sa.select(sessions.c.id).where(over))))
    return conn.execute(sessions.delete().where(over)).rowcount


def not_authenticated() -> CallerError:
    """What every bad proof of who somebody is comes to; it never says why."""
    return CallerError("not_authenticated", "登录已失效，请重新登录", "log in again")


def _end_own(conn: Connection, trail: Trail, actor: Actor, session_id: int, event: str) -> None:
    lock_person(conn, actor.id)
    if session_id not in {one.id for one in open_sessions(conn, actor.id, trail.recorded_at)}:
        raise CallerError("unknown_session")
    end_sessions(conn, trail, which=[session_id])
    data = {"staff_no": actor.id, "session": session_id}
    trail.append(conn, stream_of(actor.id), Draft(event, actor.signed, data))


def _make_room(conn: Connection, trail: Trail, actor: Actor) -> None:
    surplus = open_sessions(conn, actor.id, trail.recorded_at)[: -(MAX_OPEN - 1)]
    if surplus:
        which = [one.id for one in surplus]
        end_sessions(conn, trail, which=which)
        data = {"staff_no": actor.id, "sessions": which, "cause": "too_many"}
        trail.append(conn, stream_of(actor.id), Draft("staff.session_ended", actor.signed, data))


def _granted(
    conn: Connection, trail: Trail, policy: Policy, actor: Actor, session_id: int, refresh_token: str,
    session_ends_at: datetime, second_factor: bool, prefix: str = PREFIX,
) -> TokensGranted:  # fmt: skip
    access = prefix + secrets.token_urlsafe(32)
    minutes = timedelta(minutes=policy.figure("login.access_minutes"))
    expires_at = min(trail.recorded_at + minutes, session_ends_at)
    conn.execute(
        tokens.insert().values(with_mac(trail.mac_key, tokens.name, {
            "token_hash": hash_of(access), "staff_no": actor.id, "kind": ACCESS, "session_id": session_id,
            "program": None, "commands": None, "created_at": trail.recorded_at, "expires_at": expires_at,
        }))
    )  # fmt: skip
    must_enrol = not second_factor and needs_factor(actor, policy)
    seconds = int((expires_at - trail.recorded_at).total_seconds())
    return TokensGranted(session_id, access, refresh_token, seconds, session_ends_at, must_enrol)


def _session(conn: Connection, family_hash: bytes, *, lock: bool = False) -> Any:
    statement = sa.select(sessions).where(sessions.c.family_hash == family_hash)
    return conn.execute(statement.with_for_update() if lock else statement).one_or_none()


def _sweep(conn: Connection, trail: Trail, staff_no: str) -> None:
    """Forget their access tokens that have run out: the session they belonged to is what the log knows."""
    over = (tokens.c.staff_no == staff_no) & (tokens.c.kind == ACCESS) & (tokens.c.expires_at < trail.recorded_at)
    conn.execute(tokens.delete().where(over))


def _hashed(part: str) -> bytes:
    return hashlib.sha256(part.encode()).digest()
