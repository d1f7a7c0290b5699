"""Idempotency keys: per actor, stored in the transaction they answer for, kept 24 hours.

A repeat gets the first answer, another request under the same key is refused, and while the first still runs (here or
in another process) a repeat learns that. All keys of a batch are claimed in one statement each.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.logs import log
from casework.errors import CallerError
from casework.log.format.receipt import ReceiptedChange
from casework.storage import rows
from casework.storage.array_literals import pg_kind
from casework.work.cases.answer_mac import answer_mac
from casework.work.cases.tables import ANSWER_ERASED, idempotency

KEPT = timedelta(hours=24)
PURGED_AT_ONCE = 500
_SHAPE = re.compile(r"[\x21-\x7e]{1,128}")
_COLUMNS = ("actor_id", "key", "request_hash", "status", "answer", "created_at", "mac")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
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
class StoredAnswer:
    """A response as it is sent, and sent again."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    media_type: str = "application/json"
    replayed: bool = False
    change: ReceiptedChange | None = None  # what was recorded, for the receipt


class _Packed(msgspec.Struct, array_like=True):
    """As it is stored."""

    headers: dict[str, str]
    media_type: str
    body: bytes
    change: ReceiptedChange | None


def key_of(header: str | None, actor_id: str, *parts: bytes) -> IdempotencyKey | None:
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
    return IdempotencyKey(actor_id, header, digest.digest())


def running() -> CallerError:
    """Another request with this key is still running."""
    return CallerError("idempotency_running")


def mismatch() -> CallerError:
    """The key was used for another request."""
    return CallerError("idempotency_mismatch")


def answer_erased() -> CallerError:
    """The request was carried out; what it was answered spoke of somebody whose data were erased since."""
    return CallerError("answer_erased")


def answer_changed() -> CallerError:
    """What is stored for the key is not what this service stored; it is not told, not receipted, and nothing runs."""
    return CallerError("answer_changed")


def claim(
    conn: Connection, keys: Sequence[IdempotencyKey], now: datetime, mac_key: bytes
) -> dict[tuple[str, str], StoredAnswer | CallerError]:
    """What is already known of `keys`: their first answers, or why they cannot be used; the rest are claimed.

    On PostgreSQL the lock and the look are one statement, so an answer that another process commits between the two is
    not seen; then `store` fails on the primary key, and the second try sees it.
    """
    with rows.together(conn):  # with the beginning of the transaction
        found = ask(conn, keys)
    return known(conn, keys, found(), now, mac_key)


def ask(conn: Connection, keys: Sequence[IdempotencyKey]) -> Callable[[], Sequence[Any]]:
    """`claim` in two steps, as `rows.ask_by_keys`: for `known`."""
    if not keys:
        return tuple
    if conn.dialect.name == "postgresql":
        actors, names = _texts([key.actor_id for key in keys]), _texts([key.key for key in keys])
        return rows.ask_postgresql(conn, _LOCK_AND_LOOK, (_numbers([key.lock for key in keys]), actors, names))
    found = conn.execute(_LOOK, {"names": [key.name for key in keys]}).all()  # the writer holds the database
    return lambda: found


def known(
    conn: Connection, keys: Sequence[IdempotencyKey], found: Sequence[Any], now: datetime, mac_key: bytes
) -> dict[tuple[str, str], StoredAnswer | CallerError]:
    """What `claim` says, of what `ask` was answered."""
    answers: dict[tuple[str, str], StoredAnswer | CallerError] = {}
    by_name = {key.name: key for key in keys}
    expired = []
    for row in found:
        name = (row.actor_id, row.key)
        if not row.mine:
            answers[name] = running()
        elif row.created_at is not None and not _is_ours(row, mac_key):
            log().error("answer_changed", actor=row.actor_id)
            answers[name] = answer_changed()
        elif row.created_at is not None and row.created_at <= now - KEPT:
            expired.append(name)  # its 24 hours are over: the key may be used anew, purged or not
        elif row.created_at is not None and bytes(row.answer) == ANSWER_ERASED:
            answers[name] = answer_erased()
        elif row.created_at is not None:
            same = bytes(row.request_hash) == by_name[name].request_hash
            answers[name] = _unpacked(row.status, bytes(row.answer)) if same else mismatch()
    if expired:
        conn.execute(_DELETE, {"names": expired})
    return answers


_NAME = sa.tuple_(idempotency.c.actor_id, idempotency.c.key)
_ANSWER = tuple(idempotency.c["request_hash", "status", "answer", "created_at", "mac"])
_LOOK = sa.select(idempotency.c.actor_id, idempotency.c.key, sa.true().label("mine"), *_ANSWER).where(
    _NAME.in_(sa.bindparam("names", expanding=True))
)
_LOCK_AND_LOOK = (
    "SELECT u.a AS actor_id, u.k AS key, pg_try_advisory_xact_lock(u.n) AS mine,"
    " i.request_hash, i.status, i.answer, i.created_at, i.mac"
    " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS u(n, a, k)"
    " LEFT JOIN idempotency i ON i.actor_id = u.a AND i.key = u.k"
)
_numbers, _texts = pg_kind(sa.BigInteger())[1], pg_kind(sa.String())[1]
_DELETE = idempotency.delete().where(_NAME.in_(sa.bindparam("names", expanding=True)))


def _is_ours(row: Any, mac_key: bytes) -> bool:
    parts = row.actor_id, row.key, bytes(row.request_hash), row.status, bytes(row.answer), row.created_at
    return hmac.compare_digest(answer_mac(mac_key, *parts), bytes(row.mac))


def store(
    conn: Connection, answers: Sequence[tuple[IdempotencyKey, StoredAnswer]], now: datetime, mac_key: bytes
) -> None:
    """Keep the first answers."""
    unsigned = [(*key.name, key.request_hash, answer.status, _packed(answer), now) for key, answer in answers]
    stored = [(*one, answer_mac(mac_key, *one)) for one in unsigned]
    rows.insert_many(conn, idempotency, stored, _COLUMNS)


def purge(conn: Connection, now: datetime) -> int:
    """Let go of what is older than 24 hours, the oldest first and a bounded number at a time; how many went."""
    old = sa.select(idempotency.c.actor_id, idempotency.c.key).where(idempotency.c.created_at <= now - KEPT)
    gone = conn.execute(old.order_by(idempotency.c.created_at).limit(PURGED_AT_ONCE)).all()
    if gone:
        # A name that was taken anew in the meantime is younger, and stays.
        conn.execute(
            _DELETE.where(idempotency.c.created_at <= sa.bindparam("until")),
            {"names": [tuple(row) for row in gone], "until": now - KEPT},
        )
    return len(gone)


def _packed(answer: StoredAnswer) -> bytes:
    return msgspec.msgpack.encode(_Packed(dict(answer.headers), answer.media_type, answer.body, answer.change))


def _unpacked(status: int, packed: bytes) -> StoredAnswer:
    first = msgspec.msgpack.decode(packed, type=_Packed)
    headers = {**first.headers, "Idempotent-Replay": "true"}
    return StoredAnswer(status, first.body, headers, first.media_type, replayed=True, change=first.change)


__all__ = [
    "KEPT",
    "IdempotencyKey",
    "StoredAnswer",
    "answer_changed",
    "answer_erased",
    "ask",
    "claim",
    "key_of",
    "known",
    "mismatch",
    "purge",
    "running",
    "store",
]
