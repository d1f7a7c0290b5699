"""A task is held while somebody acts on it: it has a stream of its own, so acts on different tasks never wait.

Held until the transaction ends, before anything is read of where it stands; on SQLite a writer is alone anyway.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy.engine import Connection

from casework.storage import rows
from casework.work.tasks.making import STREAM

KIND: Final = STREAM.partition(":")[0]
_ALL: Final = "SELECT pg_advisory_xact_lock(k) FROM (SELECT k FROM unnest(%s::bigint[]) AS k ORDER BY k) AS ordered"
# A function's rows are met one by one, in its order: what comes after the first that could be held is not tried.
_FIRST: Final = "SELECT k FROM unnest(%s::bigint[]) AS k WHERE pg_try_advisory_xact_lock(k) LIMIT 1"


def stream_of(task_id: int) -> str:
    """Where the acts on it are on record."""
    return f"{KIND}:{task_id}"


def hold(conn: Connection, ids: Collection[int]) -> None:
    """All of them, in one order whoever asks; waits for other holders."""
    if ids and conn.dialect.name != "sqlite":
        rows.tell_postgresql(conn, _ALL, [sorted(map(_key, ids))])


def hold_first(conn: Connection, ids: Sequence[int]) -> int | None:
    """The first of them, in this order, that nobody holds; none: all are held."""
    if not ids or conn.dialect.name == "sqlite":
        return next(iter(ids), None)
    of_key = {_key(one): one for one in ids}
    held = rows.ask_postgresql(conn, _FIRST, [list(of_key)])
    return of_key[held[0].k] if held else None


def _key(task_id: int) -> int:
    digest = hashlib.blake2b(b"task %d" % task_id, digest_size=8, person=b"casework/tasks").digest()
    return int.from_bytes(digest, "big", signed=True)
