"""Bearer tokens: 256 random bits shown once, kept as SHA-256; issue and revocation are entries of `staff:<no>`."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit.trail import Draft, Trail
from casework.errors import CallerError
from casework.staff.actor import Actor
from casework.staff.register import ACTIVE, actor_for, stream_of
from casework.staff.tables import staff, tokens

PREFIX = "cw_"
DEFAULT_DAYS = 30
MAX_DAYS = 366
_SHAPE = re.compile(r"cw_[A-Za-z0-9_-]{43}", re.ASCII)

_HOLDER = (
    sa.select(tokens.c.token_hash, tokens.c.expires_at, staff.c.staff_no, staff.c.posts)
    .join_from(tokens, staff)
    .where(tokens.c.token_hash == sa.bindparam("token_hash"), tokens.c.revoked_at.is_(None), staff.c.status == ACTIVE)
)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a valid token names, and until when."""

    staff_no: str
    posts: frozenset[str]
    expires_at: datetime


def issue(conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, days: int = DEFAULT_DAYS) -> str:
    """A new token of an active member of staff, valid for `days` (1 to 366); it can never be read again."""
    if not 1 <= days <= MAX_DAYS:
        raise CallerError(
            "days_out_of_range", f"有效期须为1至{MAX_DAYS}天", f"a token is valid for 1 to {MAX_DAYS} days"
        )
    actor_for(conn, staff_no, actor.via)
    token = PREFIX + secrets.token_urlsafe(32)
    expires_at = trail.recorded_at + timedelta(days=days)
    conn.execute(
        tokens.insert().values(
            token_hash=hash_of(token), staff_no=staff_no, created_at=trail.recorded_at, expires_at=expires_at
        )
    )
    data = {"staff_no": staff_no, "days": days, "token": name_of(hash_of(token))}
    trail.append(conn, stream_of(staff_no), Draft("staff.token_issued", actor.signed, data))
    return token


def revoke(conn: Connection, trail: Trail, actor: Actor, *, staff_no: str) -> int:
    """Revoke every token of a member of staff that is still valid; how many there were."""
    live = (tokens.c.staff_no == staff_no) & tokens.c.revoked_at.is_(None)
    if conn.execute(sa.select(staff.c.staff_no).where(staff.c.staff_no == staff_no)).one_or_none() is None:
        raise CallerError("unknown_staff", f"没有工号{staff_no[:32]}", f"there is no staff number {staff_no[:32]}")
    found = conn.execute(sa.select(tokens.c.token_hash).where(live).with_for_update()).scalars().all()
    if not found:
        return 0
    conn.execute(tokens.update().where(live).values(revoked_at=trail.recorded_at))
    data = {"staff_no": staff_no, "tokens": sorted(name_of(bytes(one)) for one in found)}
    trail.append(conn, stream_of(staff_no), Draft("staff.tokens_revoked", actor.signed, data))
    return len(found)


def hash_of(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def name_of(token_hash: bytes) -> str:
    """A token as entries name it: enough to tell two apart, no help to guess it."""
    return token_hash.hex()[:16]


def is_shaped(text: str) -> bool:
    """Whether this could be a token at all."""
    return _SHAPE.fullmatch(text) is not None


def holder_of(conn: Connection, token_hash: bytes, now: datetime) -> Holder | None:
    """Whom this token names now; None when it is unknown, expired, revoked, or its holder is not active."""
    row = conn.execute(_HOLDER, {"token_hash": token_hash}).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.token_hash), token_hash) or row.expires_at <= now:
        return None
    return Holder(row.staff_no, frozenset(row.posts.split()), row.expires_at)
