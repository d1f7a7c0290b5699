"""Which entries of the queue may be sealed: looked at anew from their bytes, one stretch of the queue at a time.

An entry is sealed only when its body gives its leaf hash, its MAC is the service's, its columns repeat it, and its
predecessor in its stream is sealed, now or before. What fails stays in the queue, told by name, and holds up nothing
but its own stream (docs/log.md §2).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.format.chain import follows, leaf_hash, mac_matches
from casework.log.format.entry import Entry, MalformedEntry, decode_strict
from casework.log.stored import as_stored
from casework.log.tables import entries, leaves, unsealed
from casework.log.write.grown import Log
from casework.storage import rows

WAITING: Final = "predecessor_unsealed"
"""Not a fault: its predecessor stays in the queue, or came while the queue was read."""

_COLUMNS = ("stream", "stream_seq", "event", "actor_id", "reason_code", "recorded_at", "body", "leaf_hash", "mac")
Place = tuple[str, int]
"""A stream and a number in it."""


class LeftUnsealed(msgspec.Struct, frozen=True):
    """An entry that may not be sealed: its row, what it calls itself, and why (a code of `audit.findings`)."""

    row: int
    entry_id: str | None
    code: str


class Stretch(NamedTuple):
    """One stretch of the queue: what may be sealed, in order (row, leaf hash), and what is left behind.

    `until` is the last row looked at, none at the end of the queue.
    """

    sealable: list[tuple[int, bytes]]
    left: list[LeftUnsealed]
    until: int | None


class _Checked(NamedTuple):
    row: int
    place: Place
    leaf: bytes
    entry: Entry


class _Sealed(NamedTuple):
    """The entry before the next one of a stream: its leaf hash and time, or no hash while it waits itself."""

    leaf: bytes | None
    recorded_at: str | None


def read_stretch(conn: Connection, log: Log, mac_key: bytes, *, after: int, limit: int) -> Stretch:
    """Look at the next `limit` rows of the queue above `after`."""
    found = _queued(conn, log, after, limit)
    until = int(found[-1][0]) if len(found) == limit else None
    checked, left = [], []
    for row in found:
        looked_at = _look_at(row, mac_key)
        if isinstance(looked_at, LeftUnsealed):
            left.append(looked_at)
        else:
            checked.append(looked_at)
    here = {one.place for one in checked}
    before = [(stream, seq - 1) for stream, seq in sorted(here) if seq > 1 and (stream, seq - 1) not in here]
    known = _predecessors(conn, log, before)
    sealable = []
    for one in checked:
        code = _link_fault(one, known, here)
        if code is None:
            sealable.append((one.row, one.leaf))
            known[one.place] = _Sealed(one.leaf, one.entry.recorded_at)
        else:
            left.append(LeftUnsealed(one.row, one.entry.entry_id, code))
            known.setdefault(one.place, _Sealed(None, None))
    return Stretch(sealable, left, until)


def _queued(conn: Connection, log: Log, after: int, limit: int) -> Sequence[Any]:
    """Rows of the queue with their entry (none: nulls) and their leaf in this log, if they have one already."""
    copied = as_stored(entries, _COLUMNS, conn.dialect.name).selected_columns
    sealed = sa.and_(leaves.c.log == log.number, leaves.c.entry == unsealed.c.entry)
    whole = unsealed.outerjoin(entries, entries.c.id == unsealed.c.entry).outerjoin(leaves, sealed)
    return conn.execute(
        sa.select(unsealed.c.entry, leaves.c.leaf_index, *copied)
        .select_from(whole).where(unsealed.c.entry > after).order_by(unsealed.c.entry).limit(limit)
    ).all()  # fmt: skip


def _look_at(found: Any, mac_key: bytes) -> _Checked | LeftUnsealed:
    """One row by itself: bytes, hash, MAC, form, columns."""
    row, leaf_index, *columns, body, stored_leaf, tag = found
    stream, seq = columns[:2]
    name = f"{stream}:{seq}"
    if stream is None:
        return LeftUnsealed(row, None, "queue_dangling")
    if leaf_index is not None:
        return LeftUnsealed(row, name, "queue_repeat")
    if type(body) is not bytes or type(tag) is not bytes:
        return LeftUnsealed(row, name, "body_malformed")
    leaf = leaf_hash(body)
    if not mac_matches(mac_key, leaf, tag):
        genuine = type(stored_leaf) is bytes and len(stored_leaf) == len(leaf)
        return LeftUnsealed(
            row, name, "body_changed" if genuine and mac_matches(mac_key, stored_leaf, tag) else "mac_wrong"
        )
    if leaf != stored_leaf:
        return LeftUnsealed(row, name, "leaf_hash_changed")
    try:
        entry = decode_strict(body)
    except MalformedEntry:
        return LeftUnsealed(row, name, "body_malformed")
    if copied(entry) != tuple(columns):
        return LeftUnsealed(row, name, "column_differs")
    return _Checked(row, (stream, seq), leaf, entry)


def copied(entry: Entry) -> tuple[Any, ...]:
    """What a row repeats of its body: stream, number, event, actor, reason and time, as they are stored."""
    return (
        entry.stream, entry.stream_seq, entry.event, entry.actor.id, entry.reason_code, entry.recorded_at,
    )  # fmt: skip


def _link_fault(one: _Checked, known: Mapping[Place, _Sealed], here: Collection[Place]) -> str | None:
    stream, seq = one.place
    if one.place in known:
        return "stream_repeat"
    if seq == 1:
        return follows(None, 0, one.entry)
    before = known.get((stream, seq - 1))
    if before is None and (stream, seq - 1) not in here:
        return "stream_hole"
    if before is None or before.leaf is None:
        return WAITING
    return follows(before.leaf, seq - 1, one.entry, prev_recorded_at=before.recorded_at)


# --- the entries before


_PG_BEFORE = (
    "SELECT e.stream, e.stream_seq, l.leaf_hash, to_char(timezone('UTC', e.recorded_at), "
    '\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') AS recorded_at '
    "FROM unnest(%s::text[], %s::bigint[]) AS w(stream, seq) "
    "JOIN entries e ON e.stream = w.stream AND e.stream_seq = w.seq "
    "LEFT JOIN leaves l ON l.log = %s AND l.entry = e.id"
)
_SQLITE_BEFORE = sa.text(
    "SELECT e.stream, e.stream_seq, l.leaf_hash, e.recorded_at FROM json_each(:wanted) w "
    "JOIN entries e ON e.stream = w.value ->> 0 AND e.stream_seq = w.value ->> 1 "
    "LEFT JOIN leaves l ON l.log = :log AND l.entry = e.id"
)


def _predecessors(conn: Connection, log: Log, wanted: Sequence[Place]) -> dict[Place, _Sealed]:
    """What is known of these entries; those that are not there are left out."""
    if not wanted:
        return {}
    if conn.dialect.name == "sqlite":
        text = msgspec.json.encode(wanted).decode()
        found: Sequence[Any] = conn.execute(_SQLITE_BEFORE, {"wanted": text, "log": log.number}).all()
    else:
        streams, numbers = zip(*wanted, strict=True)
        found = rows.ask_postgresql(conn, _PG_BEFORE, (list(streams), list(numbers), log.number))()
    return {(row[0], row[1]): _Sealed(None if row[2] is None else bytes(row[2]), row[3]) for row in found}
