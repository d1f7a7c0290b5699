"""Bearer tokens: 256 random bits shown once, kept as SHA-256. Whom one names, `people.identity.holding` says."""

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.staff.access_mac import with_mac
from casework.people.staff.acting import actor_for
from casework.people.staff.actor import Actor
from casework.people.staff.register import stream_of
from casework.people.staff.tables import tokens

PREFIX = "cw_"
PAGE_PREFIX = "cwp_"  # of a cookie: no page takes a bearer's token, no other route a cookie's
DEFAULT_DAYS = 30
MAX_DAYS = 366
_SHAPE = re.compile(r"cw_[A-Za-z0-9_-]{43}", re.ASCII)
_PAGE_SHAPE = re.compile(r"cwp_[A-Za-z0-9_-]{43}", re.ASCII)


class Issued(msgspec.Struct, frozen=True):
    """A new key: `token` is shown this once."""

    id: int
    token: str
    expires_at: datetime


def issue(conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, days: int = DEFAULT_DAYS) -> str:
    """The text of a `new_key` without label or limits."""
    return new_key(conn, trail, actor, staff_no=staff_no, days=days).token


def new_key(
    conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, days: int = DEFAULT_DAYS, label: str | None = None,
    commands: Collection[str] | None = None, program: str | None = None,
) -> Issued:  # fmt: skip
    """A new key of an active member of staff, valid for `days` (1 to 366); it can never be read again.

    `commands` narrows what it may do. `program`: the key is a program's, which they own. CallerErrors:
    days_out_of_range, unknown_staff, staff_unverified, staff_left.
    Entry `staff.key_issued`; the label is free text and stays out of it.
    """
    if not 1 <= days <= MAX_DAYS:
        raise CallerError(
            "days_out_of_range", f"有效期须为1至{MAX_DAYS}天", f"a token is valid for 1 to {MAX_DAYS} days"
        )
    actor_for(conn, staff_no, actor.via, today=trail.today)
    token = PREFIX + secrets.token_urlsafe(32)
    expires_at = trail.recorded_at + timedelta(days=days)
    key_id: int = conn.execute(
        tokens.insert().values(with_mac(trail.mac_key, tokens.name, {
            "token_hash": hash_of(token), "staff_no": staff_no, "kind": "key", "label": label, "session_id": None,
            "program": program,
            "created_at": trail.recorded_at, "commands": None if commands is None else " ".join(commands),
            "expires_at": expires_at,
        })).returning(tokens.c.id)
    ).scalar_one()  # fmt: skip
    data = {
        "staff_no": staff_no, "days": days, "key": key_id, "token": name_of(hash_of(token)),
        "commands": None if commands is None else list(commands), **({"program": program} if program else {}),
    }  # fmt: skip
    trail.append(conn, stream_of(staff_no), Draft("staff.key_issued", actor.signed, data))
    return Issued(key_id, token, expires_at)


def hash_of(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def name_of(token_hash: bytes) -> str:
    """A token as entries name it: enough to tell two apart, no help to guess it."""
    return token_hash.hex()[:16]


def is_shaped(text: str) -> bool:
    """Whether this could be a token at all."""
    return _SHAPE.fullmatch(text) is not None


def is_page_shaped(text: str) -> bool:
    """Whether this could be what a page's cookie holds."""
    return _PAGE_SHAPE.fullmatch(text) is not None
