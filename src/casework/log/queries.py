"""Reading the log: one entry, and its leaf. Finding entries: casework.evidence.search."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.format.chain import is_genuine
from casework.log.format.entry_line import EntryLine
from casework.log.tables import entries, leaves
from casework.log.write.grown import Log


def find_entry(conn: Connection, mac_key: bytes, entry_id: str) -> EntryLine:
    """One entry by its id, such as `case:7:3`; CallerError `unknown_entry`."""
    return line_of(_row_of(conn, entry_id), mac_key)


def _row_of(conn: Connection, entry_id: str) -> Any:
    stream, _, number = entry_id.rpartition(":")
    row = None
    if number.isascii() and number.isdecimal() and len(number) <= 18 and len(stream) <= 80 and stream.isprintable():
        place = (entries.c.stream == stream, entries.c.stream_seq == int(number))
        columns = (
            entries.c.stream,
            entries.c.stream_seq,
            entries.c.body,
            entries.c.leaf_hash,
            entries.c.mac,
            entries.c.recorded_at,
        )
        row = conn.execute(sa.select(*columns).where(*place)).one_or_none()
    if row is None:
        raise CallerError("unknown_entry")
    return row


def leaf_of_entry(conn: Connection, log: Log, entry_id: str) -> tuple[int, bytes]:
    """Index and leaf hash of a sealed entry; CallerErrors `unknown_entry`, `not_sealed_yet`."""
    leaf = bytes(_row_of(conn, entry_id).leaf_hash)
    stream, _, number = entry_id.rpartition(":")
    index = conn.execute(
        sa.select(leaves.c.leaf_index)
        .join(entries, entries.c.id == leaves.c.entry)
        .where(leaves.c.log == log.number, entries.c.stream == stream, entries.c.stream_seq == int(number))
    ).scalar()
    if index is None:
        raise CallerError(
            "not_sealed_yet", "该分录尚未封存", "this entry is not sealed yet", entry_id=entry_id
        )  # fmt: skip
    return int(index), leaf


def line_of(row: Any, mac_key: bytes) -> EntryLine:
    """An entry as it is shown."""
    return EntryLine(
        f"{row.stream}:{row.stream_seq}",
        msgspec.Raw(bytes(row.body)),
        bytes(row.leaf_hash).hex(),
        row.recorded_at,
        is_genuine(mac_key, bytes(row.body), row.leaf_hash, row.mac),
    )
