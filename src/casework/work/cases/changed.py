"""What has changed since an instant, as the log tells it: every change is an entry, and entries lie in their order.

So no row needs a time of its own with an index that each change would have to keep. A page reads a bounded stretch of
the log; what it costs grows with what was written since, never with how many cases there are. Nothing here writes.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.lifecycle.noun import Noun
from casework.log.tables import entries

OVERLAP: Final = timedelta(minutes=1)
"""What was recorded so long before counts too: an entry may be committed after others that have a later id."""
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9_000
_STRETCH: Final = 5_000
_STRETCHES: Final = 4
_ROW: Final = (entries.c.id, entries.c.stream, entries.c.body)


class Changed(NamedTuple):
    """Numbers of a noun in the order of their changes, each once, and the entry after which to go on; none: no more."""

    numbers: list[int]
    place: int | None


class _Said(msgspec.Struct):
    data: dict[str, Any]


_said = msgspec.json.Decoder(_Said).decode


def check_since(since: datetime) -> None:
    """CallerError `filter_malformed` for an instant that names no offset, or that no entry can have."""
    if since.tzinfo is None or not _FIRST_YEAR <= since.year < _LAST_YEAR:
        needs = f"an instant with its offset (…Z, …+08:00), from {_FIRST_YEAR} on"
        raise CallerError("filter_malformed", field="updated_since", needs=needs)


def changed_since(conn: Connection, noun: Noun, since: datetime, after: int | None, limit: int) -> Changed:
    """At most `limit` numbers, fewer where a stretch of the log holds fewer. CallerError `filter_malformed`."""
    check_since(since)
    begin = since - OVERLAP
    edge = after if after is not None else _before(conn, begin)
    last = conn.execute(sa.select(sa.func.max(entries.c.id))).scalar() or 0
    found: dict[int, None] = {}
    for _ in range(_STRETCHES):
        for row_id, number in _of(conn, noun, begin, edge):
            if number not in found and len(found) == limit:
                return Changed(list(found), row_id - 1)
            found[number] = None
        edge += _STRETCH
        if edge >= last:
            return Changed(list(found), None)
    return Changed(list(found), edge)


def _of(conn: Connection, noun: Noun, begin: datetime, edge: int) -> Iterator[tuple[int, int]]:
    """The entries of a stretch that are of the noun, and which of them each is about."""
    own = f"{noun.word}:" if noun.alone else ""
    is_its = entries.c.stream.startswith(own) if own else entries.c.event.startswith(f"{noun.word}.")
    wanted = sa.select(*_ROW).where(
        entries.c.id > edge, entries.c.id <= edge + _STRETCH, entries.c.recorded_at >= begin, is_its
    )
    for row in conn.execute(wanted.order_by(entries.c.id)):
        number = row.stream.removeprefix(own) if own else _said(bytes(row.body)).data.get(noun.word)
        if number is not None:  # an opening that was refused is of none
            yield row.id, int(number)


def _before(conn: Connection, begin: datetime) -> int:
    """An entry before all that were recorded from then on: halved and halved again, for ids and times rise together."""
    low, high = 0, conn.execute(sa.select(sa.func.max(entries.c.id))).scalar() or 0
    at = sa.select(entries.c.id, entries.c.recorded_at).order_by(entries.c.id).limit(1)
    while low < high:
        middle = (low + high + 1) // 2
        row = conn.execute(at.where(entries.c.id >= middle)).one_or_none()
        if row is None or row.recorded_at >= begin:
            high = middle - 1
        else:
            low = row.id
    return low
