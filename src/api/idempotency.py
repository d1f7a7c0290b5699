"""Idempotency keys: per actor, stored in the transaction they answer for, kept 24 hours.

A repeat gets the first answer, another request under the same key is told so, and while the first still runs (here or in
another process) a repeat is told that. All keys of a batch are claimed in one statement each.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import rows
from casework.cases.tables import idempotency
from casework.errors import CallerError

KEPT = timedelta(hours=24)
PURGED_AT_ONCE = 500
_SHAPE = re.compile(r"[\x21-\x7e]{1,128}")
_COLUMNS = ("actor_id", "key", "request_hash", "status", "answer", "created_at")


@dataclass(frozen=True, slots=True)
class Key:
    """Whose key it is and what it was sent with."""

    actor_id: str
    key: str
    request_hash: bytes

    @property
    def name(self) -> tuple[str, str]:
        """What makes it unique."""
        return self.actor_id, self.key

    @property
    def lock(self) -> int:
        """A signed 64-bit number for PostgreSQL's advisory locks."""
        digest = hashlib.sha256(f"{self.actor_id}\0{self.key}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it is sent, and sent again."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    media_type: str = "application/json"
    replayed: bool = False


def key_of(header: str | None, actor_id: str, *parts: bytes) -> Key | None:
    """The key of a request whose identity is `parts` (method, path, If-Match, body); CallerError if it is malformed."""
    if header is None:
        return None
    if _SHAPE.fullmatch(header) is None:
        raise CallerError(
            "malformed_header", "Idempotency-Key 须为1至128个可见 ASCII 字符",
            "Idempotency-Key must have 1 to 128 visible ASCII characters", header="Idempotency-Key",
        )  # fmt: skip
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return Key(actor_id, header, digest.digest())


def running() -> CallerError:
    """Another request with this key is still running."""
    return CallerError(
        "idempotency_running", "同一 Idempotency-Key 的请求仍在处理中",
        "a request with this Idempotency-Key is still running; repeat it later",
    )  # fmt: skip


def mismatch() -> CallerError:
    """The key was used for another request."""
    return CallerError(
        "idempotency_mismatch", "该 Idempotency-Key 已用于另一请求",
        "this Idempotency-Key was used for another request",
    )  # fmt: skip


def claim(conn: Connection, keys: Sequence[Key], now: datetime) -> dict[tuple[str, str], Answer | CallerError]:
    """What is already known of `keys`: their first answers, or why they cannot be used; the rest are claimed."""
    known: dict[tuple[str, str], Answer | CallerError] = {}
    if not keys:
        return known
    if conn.dialect.name == "postgresql":
        # The locks first, in a statement of their own: the next one then sees what the holder before committed.
        held = conn.execute(_LOCKS, {"locks": [key.lock for key in keys]}).scalars().all()
        known = {key.name: running() for key, mine in zip(keys, held, strict=True) if not mine}
    by_name = {key.name: key for key in keys}
    found = conn.execute(_STORED, {"names": list(by_name), "since": now - KEPT})
    for row in found:
        name = (row.actor_id, row.key)
        same = bytes(row.request_hash) == by_name[name].request_hash
        known[name] = _unpacked(row.status, bytes(row.answer)) if same else mismatch()
    return known


_LOCKS = sa.text(
    "SELECT pg_try_advisory_xact_lock(k) FROM unnest(CAST(:locks AS bigint[])) WITH ORDINALITY AS u(k, n) ORDER BY n"
)
_STORED = sa.select(
    idempotency.c.actor_id, idempotency.c.key, idempotency.c.request_hash, idempotency.c.status, idempotency.c.answer
).where(
    sa.tuple_(idempotency.c.actor_id, idempotency.c.key).in_(sa.bindparam("names", expanding=True)),
    idempotency.c.created_at > sa.bindparam("since"),
)


def store(conn: Connection, answers: Sequence[tuple[Key, Answer]], now: datetime) -> None:
    """Keep the first answers; what has run out of its 24 hours makes room, a bounded number at a time."""
    if not answers:
        return
    old = sa.select(idempotency.c.actor_id, idempotency.c.key).where(idempotency.c.created_at <= now - KEPT)
    gone = conn.execute(old.order_by(idempotency.c.created_at).limit(PURGED_AT_ONCE)).all()
    if gone:
        names = sa.tuple_(idempotency.c.actor_id, idempotency.c.key)
        # Names that were taken again in the meantime are younger and stay.
        conn.execute(idempotency.delete().where(names.in_(list(map(tuple, gone))), idempotency.c.created_at <= now - KEPT))
    stored = [(*key.name, key.request_hash, answer.status, _packed(answer), now) for key, answer in answers]
    _forget_expired(conn, [key.name for key, _ in answers], now)
    rows.insert_many(conn, idempotency, stored, _COLUMNS)


def _forget_expired(conn: Connection, names: list[tuple[str, str]], now: datetime) -> None:
    """A key whose 24 hours are over may be used anew, whether or not the purge has come to it."""
    conn.execute(_EXPIRED, {"names": names, "until": now - KEPT})


_EXPIRED = idempotency.delete().where(
    sa.tuple_(idempotency.c.actor_id, idempotency.c.key).in_(sa.bindparam("names", expanding=True)),
    idempotency.c.created_at <= sa.bindparam("until"),
)


def _packed(answer: Answer) -> bytes:
    return msgspec.msgpack.encode((dict(answer.headers), answer.media_type, answer.body))


def _unpacked(status: int, packed: bytes) -> Answer:
    parts: tuple[dict[str, str], str, bytes] = msgspec.msgpack.decode(packed, type=tuple[dict[str, str], str, bytes])
    headers, media_type, body = parts
    return Answer(status, body, {**headers, "Idempotent-Replay": "true"}, media_type, replayed=True)


__all__ = ["KEPT", "Answer", "Key", "claim", "key_of", "mismatch", "running", "store"]

