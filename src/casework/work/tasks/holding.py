"""A task is held while somebody acts on it: it has a stream of its own, so acts on different tasks never wait.

Held until the transaction ends, before anything is read of where it stands; on SQLite a writer is alone anyway.
"""

from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.storage import rows
from casework.work.tasks.making import STREAM

KIND: Final = STREAM.partition(":")[0]
_KEYS: Final = int.from_bytes(b"task\0\0\0\0", "big")
"""To which a task's id is added: its advisory lock."""
_ALL: Final = "SELECT pg_advisory_xact_lock(k) FROM (SELECT k FROM unnest(%s::bigint[]) AS k ORDER BY k) AS ordered"


def stream_of(task_id: int) -> str:
    """Where the acts on it are on record."""
    return f"{KIND}:{task_id}"


def hold(conn: Connection, ids: Collection[int]) -> None:
    """All of them, in one order whoever asks; waits for other holders."""
    if ids and conn.dialect.name != "sqlite":
        rows.tell_postgresql(conn, _ALL, [[_KEYS + one for one in ids]])


def held_if_free(task_id: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[bool]:
    """The condition that nobody holds it; where that is so, whoever asks does."""
    if dialect == "sqlite":
        return sa.true()
    return sa.func.pg_try_advisory_xact_lock(task_id + sa.literal_column(str(_KEYS)))
