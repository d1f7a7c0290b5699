"""Reading the log: entries by stream, event and actor; every page reads a bounded stretch of the log."""

import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit.grown import Log
from casework.audit.tables import entries, leaves
from casework.errors import CallerError

MAX_PAGE = 200
_STRETCH = 50_000
"""Entries that one page looks at: a rare event costs many pages, never one long query."""
_MAX_ID = 2**63 - 1


class EntryLine(msgspec.Struct):
    """One entry: its body as the exact canonical bytes (JSON), and their leaf hash in hex."""

    entry_id: str
    body: msgspec.Raw
    leaf_hash: str
    recorded_at: datetime


class EntryPage(msgspec.Struct):
    """One page, oldest first; it may hold fewer entries than asked for, even none, while `next` is given."""

    items: list[EntryLine]
    next: str | None


def page_of_entries(
    conn: Connection,
    *,
    stream: str | None = None,
    event: str | None = None,
    actor: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> EntryPage:
    """Entries after the cursor `after`. `event` may end in `*`: every event that begins so.

    CallerError `filter_malformed`, `cursor_malformed`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise _malformed("filter_malformed", f"limit must be 1–{MAX_PAGE}")
    for value in (stream, event, actor):
        if value is not None and (len(value) > 80 or not value.isprintable()):
            raise _malformed("filter_malformed", "stream, event and actor are codes of at most 80 characters")
    place = _read(after) if after else 0
    conditions: list[sa.ColumnElement[bool]] = []
    if event is not None:
        conditions.append(_event(event))
    if actor is not None:
        conditions.append(entries.c.actor_id == actor)
    key: sa.Column[Any] = entries.c.id
    if stream is not None:
        key = entries.c.stream_seq
        conditions.append(entries.c.stream == stream)
    until = place + _STRETCH
    statement = (
        sa.select(
            key,
            entries.c.stream,
            entries.c.stream_seq,
            entries.c.body,
            entries.c.leaf_hash,
            entries.c.recorded_at,
        )
        .where(key > place, key <= until, *conditions)
        .order_by(key)
        .limit(limit + 1)
    )
    found = conn.execute(statement).all()
    items = [_line(row) for row in found[:limit]]
    if len(found) > limit:
        return EntryPage(items, _write(found[limit - 1][0]))
    last = sa.select(sa.func.max(key))
    if stream is not None:
        last = last.where(entries.c.stream == stream)
    end = conn.execute(last).scalar() or 0
    return EntryPage(items, _write(until) if end > until else None)


def find_entry(conn: Connection, entry_id: str) -> EntryLine:
    """One entry by its id, such as `case:7:3`; CallerError `unknown_entry`."""
    stream, _, number = entry_id.rpartition(":")
    row = None
    if number.isascii() and number.isdecimal() and len(number) <= 18 and len(stream) <= 80 and stream.isprintable():
        place = (entries.c.stream == stream, entries.c.stream_seq == int(number))
        columns = (
            entries.c.stream,
            entries.c.stream_seq,
            entries.c.body,
            entries.c.leaf_hash,
            entries.c.recorded_at,
        )
        row = conn.execute(sa.select(*columns).where(*place)).one_or_none()
    if row is None:
        raise CallerError("unknown_entry", "没有这条审计记录", "there is no such entry")
    return _line(row)


def leaf_of_entry(conn: Connection, log: Log, entry_id: str) -> tuple[int, bytes]:
    """Index and leaf hash of a sealed entry; CallerErrors `unknown_entry`, `not_sealed_yet`."""
    leaf = bytes.fromhex(find_entry(conn, entry_id).leaf_hash)
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


def _line(row: Any) -> EntryLine:
    return EntryLine(
        f"{row.stream}:{row.stream_seq}",
        msgspec.Raw(bytes(row.body)),
        bytes(row.leaf_hash).hex(),
        row.recorded_at,
    )


def _event(event: str) -> sa.ColumnElement[bool]:
    if event.endswith("*"):
        return entries.c.event.startswith(event[:-1], autoescape=True)
    return entries.c.event == event


def _write(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def _read(cursor: str) -> int:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = int(base64.b64decode(padded, altchars=b"-_", validate=True)[:20])
    except (binascii.Error, ValueError):
        place = -1
    if not 0 <= place <= _MAX_ID - _STRETCH:
        raise _malformed("cursor_malformed", "the cursor is not one of this list")
    return place


def _malformed(code: str, en: str) -> CallerError:
    zh = "分页游标无效" if code == "cursor_malformed" else "筛选条件不正确"
    return CallerError(code, zh, en)
