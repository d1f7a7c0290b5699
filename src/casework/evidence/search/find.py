"""Pages of entries that match a filter, oldest or newest first; a page costs what it holds, however long the log is.

Three ways lead to them. Streams that are named are read by their own numbers. A filter that only the ends of the log
decide is walked by id. Everything else asks the index which entries may match, segment by segment, and looks directly
at those that it does not cover yet; while those are too many, entries are looked at one by one in bounded stretches.
Whichever way, each entry is matched anew before it is shown, and a page that had to stop early says where.

Every function takes a connection that sees one moment (`reading(engine, snapshot=True)`): an entry must not move into
the index between two looks.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.evidence.search import bits, cursor, narrow
from casework.evidence.search.cursor import Place
from casework.evidence.search.index import Behind, read_behind
from casework.evidence.search.narrow import (
    groups_of,
    narrowed,
    segments_beyond,
    term_ids,
)
from casework.evidence.search.said import said_by
from casework.evidence.search.wanted import (
    TermsWanted,
    check,
    malformed,
    matches,
    reads_bodies,
)
from casework.log.format.entry_line import EntryLine
from casework.log.queries import line_of
from casework.log.tables import entries, leaves, unsealed
from casework.storage import rows

MAX_PAGE: Final = 200
TAIL: Final = 2_000
"""Entries outside the index that one page looks at; where there are more, it goes one by one through the log."""
WINDOW: Final = 50_000
"""Ids, or numbers of a stream, that one page passes where the database alone decides."""
LOOKED_AT: Final = 4_000
"""Bodies that one page reads where a body decides: some 30 ms."""
POSTINGS_ASKED: Final = 60_000
"""Postings that one page asks for, or a window more: filters of many terms pass fewer segments."""
_PAGES: Final = 200
_AT_A_TIME: Final = 1_000
_FIRST, _LAST = 0, 2**63 - 1
_COLUMNS = tuple(
    entries.c["id", "stream", "stream_seq", "event", "actor_id", "recorded_at", "body", "leaf_hash", "mac"]
)
_ENTRIES = sa.select(*_COLUMNS)


class EntryPage(msgspec.Struct):
    """One page; it may hold fewer entries than asked for, even none, while `next` is given.

    `unindexed` is how many sealed entries the index lacks just now. None is missing for that: they were looked at
    one by one, but pages may be short.
    """

    items: list[EntryLine]
    next: str | None
    unindexed: int = 0


class EntriesFound(NamedTuple):
    """Rows that match, in order, and the place from which to go on; none at the end."""

    rows: list[Any]
    place: Place | None
    unindexed: int = 0


def page_of_entries(
    conn: Connection, mac_key: bytes, wanted: TermsWanted, *, after: str | None = None, limit: int = 50
) -> EntryPage:
    """Entries after the cursor `after`; CallerErrors `filter_malformed`, `cursor_malformed`."""
    if not 1 <= limit <= MAX_PAGE:
        raise malformed("limit", f"1–{MAX_PAGE}")
    check(wanted)
    found = find(conn, wanted, cursor.read(after, wanted) if after else None, limit)
    return EntryPage(
        [line_of(row, mac_key) for row in found.rows],
        None if found.place is None else cursor.write(found.place, wanted),
        found.unindexed,
    )


def find(conn: Connection, wanted: TermsWanted, after: Place | None, limit: int) -> EntriesFound:
    """At most `limit` rows after a place; `wanted` has been checked."""
    if wanted.streams is not None:
        return _of_streams(conn, wanted, after, limit)
    edge = after.id if after is not None else (_LAST if wanted.newest_first else _FIRST)
    behind = read_behind(conn)
    tail = _tail(conn, wanted, edge, behind) if groups_of(wanted) else None
    if tail is None:
        return _one_by_one(conn, wanted, edge, limit, behind)
    return _by_index(conn, wanted, edge, limit, tail, behind.leaves)


def _is_wanted(wanted: TermsWanted, row: Any) -> bool:
    said = said_by(bytes(row.body), event=row.event, actor=row.actor_id)
    return matches(wanted, said, row.stream, row.recorded_at)


def _conditions(wanted: TermsWanted) -> list[sa.ColumnElement[bool]]:
    """What an entry's columns can tell."""
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.event is not None and wanted.event.endswith("*"):
        conditions.append(entries.c.event.startswith(wanted.event[:-1], autoescape=True))
    elif wanted.event is not None:
        conditions.append(entries.c.event == wanted.event)
    if wanted.actor is not None:
        conditions.append(entries.c.actor_id == wanted.actor)
    if wanted.recorded_from is not None:
        conditions.append(entries.c.recorded_at >= wanted.recorded_from)
    if wanted.recorded_until is not None:
        conditions.append(entries.c.recorded_at < wanted.recorded_until)
    return conditions


def _beyond(column: Any, wanted: TermsWanted, edge: int) -> Any:
    return column < edge if wanted.newest_first else column > edge


def _ordered(column: Any, wanted: TermsWanted) -> Any:
    return column.desc() if wanted.newest_first else column.asc()


# ── by streams ──────────────────────────────────────────────────────────────────────────────────────────────────


def _of_streams(conn: Connection, wanted: TermsWanted, after: Place | None, limit: int) -> EntriesFound:
    """A window of each stream, merged by id; within a stream ids and numbers are in the same order."""
    streams = wanted.streams or ()
    if not streams:
        return EntriesFound([], None)
    number = entries.c.stream_seq
    ends = sa.union_all(*(
        sa.select(sa.literal(place).label("place"), sa.func.coalesce(sa.func.max(number), 0).label("last"))
        .where(entries.c.stream == stream)
        for place, stream in enumerate(streams)
    ))  # fmt: skip
    last = [row.last for row in sorted(conn.execute(ends), key=lambda row: row.place)]
    begin = [end + 1 for end in last] if wanted.newest_first else [0] * len(streams)
    at = list(after.numbers) if after is not None else begin
    step, most = -WINDOW if wanted.newest_first else WINDOW, _most(wanted, limit)
    parts = []
    for stream, edge in zip(streams, at, strict=True):
        window = number >= edge + step if wanted.newest_first else number <= edge + step
        one = _ENTRIES.where(entries.c.stream == stream, _beyond(number, wanted, edge), window, *_conditions(wanted))
        parts.append(sa.select(one.order_by(_ordered(number, wanted)).limit(most).subquery()))
    merged = sa.union_all(*parts).subquery()
    found = conn.execute(sa.select(merged).order_by(_ordered(merged.c.id, wanted)).limit(most)).all()
    shown: list[Any] = []
    places = {stream: place for place, stream in enumerate(streams)}
    for row in found:
        if len(shown) == limit:
            return EntriesFound(shown, Place(numbers=tuple(at)))
        at[places[row.stream]] = row.stream_seq
        if _is_wanted(wanted, row):
            shown.append(row)
    if len(found) < most:  # every window was read to its end
        at = [max(edge + step, 0) if wanted.newest_first else min(edge + step, end) for edge, end in zip(
            list(after.numbers) if after is not None else begin, last, strict=True
        )]  # fmt: skip
        if all(edge <= 1 if wanted.newest_first else edge >= end for edge, end in zip(at, last, strict=True)):
            return EntriesFound(shown, None)
    return EntriesFound(shown, Place(numbers=tuple(at)))


def _most(wanted: TermsWanted, limit: int) -> int:
    """How many rows to ask the database for: one more than is shown where its columns decide."""
    return LOOKED_AT if reads_bodies(wanted) else limit + 1


# ── one by one ──────────────────────────────────────────────────────────────────────────────────────────────────


def _one_by_one(conn: Connection, wanted: TermsWanted, edge: int, limit: int, behind: Behind) -> EntriesFound:
    """A stretch of the log as it lies there."""
    key, most, last, unindexed = entries.c.id, _most(wanted, limit), behind.last, behind.leaves
    if wanted.newest_first:
        edge = min(edge, last + 1)
        end = max(edge - WINDOW, _FIRST)
        window = key >= end
    else:
        end = min(edge + WINDOW, last)
        window = key <= end
    statement = _ENTRIES.where(_beyond(key, wanted, edge), window, *_conditions(wanted))
    found = conn.execute(statement.order_by(_ordered(key, wanted)).limit(most)).all()
    shown: list[Any] = []
    for row in found:
        if len(shown) == limit:
            return EntriesFound(shown, Place(edge), unindexed)
        edge = row.id
        if _is_wanted(wanted, row):
            shown.append(row)
    if len(found) == most:
        return EntriesFound(shown, Place(edge), unindexed)
    is_end = end == (_FIRST if wanted.newest_first else last)
    return EntriesFound(shown, None if is_end else Place(end), unindexed)


# ── by the index ────────────────────────────────────────────────────────────────────────────────────────────────


def _tail(conn: Connection, wanted: TermsWanted, edge: int, behind: Behind) -> list[Any] | None:
    """The entries beyond `edge` that match and that the index does not cover; None where too many are not covered."""
    if behind.state.emptying or behind.leaves > TAIL or behind.queued > TAIL:
        return None
    looked_at: dict[int, Any] = {}
    where = (_beyond(entries.c.id, wanted, edge), *_conditions(wanted))
    sources: list[sa.Select[Any]] = []
    if behind.queued:
        sources.append(_ENTRIES.join(unsealed, unsealed.c.entry == entries.c.id))
    if behind.leaves:
        unfiled = sa.and_(leaves.c.log == behind.log, leaves.c.leaf_index >= behind.begin)
        sources.append(_ENTRIES.join(leaves, leaves.c.entry == entries.c.id).where(unfiled))
    for source in sources:
        for row in conn.execute(source.where(*where)):
            if _is_wanted(wanted, row):
                looked_at[row.id] = row
    return list(looked_at.values())


def _by_index(
    conn: Connection, wanted: TermsWanted, edge: int, limit: int, tail: list[Any], unindexed: int
) -> EntriesFound:
    """What the index leads to, and the tail, merged by id."""
    found, reached = _walk(conn, wanted, edge, limit + 1)
    merged = {row.id: row for row in (*found, *tail)}
    order = sorted(merged, reverse=wanted.newest_first)
    if reached is not None and len(found) <= limit:  # what lies beyond was not looked at
        order = [row for row in order if (row >= reached if wanted.newest_first else row <= reached)]
    shown = [merged[row] for row in order[:limit]]
    if len(order) > limit:
        return EntriesFound(shown, Place(order[limit - 1]), unindexed)
    return EntriesFound(shown, None if reached is None else Place(reached), unindexed)


def _walk(conn: Connection, wanted: TermsWanted, edge: int, enough: int) -> tuple[list[Any], int | None]:
    """Rows that match, by the index, and the last id looked at; no id where the index ended before there were enough.

    Windows grow, so that what is frequent costs little and what is rare few statements; in each the most selective
    group is asked first, and the others only about the segments that it left.
    """
    found: list[Any] = []
    groups = term_ids(conn, wanted)
    if not all(groups):
        return found, None
    segments = segments_beyond(conn, wanted, edge)
    looked_at = asked = at = 0
    size = 4
    most = min(len(segments), narrow.SEGMENTS)  # where there is one more, it is for a later page
    while at < most and asked < POSTINGS_ASKED:
        window = dict(segments[at : min(at + size, most)])
        alive, cost = narrowed(conn, groups, window)
        ids = chain.from_iterable(_ids(segment, alive[segment], wanted, edge) for segment in window if segment in alive)
        while some := list(islice(ids, enough + 16)):
            found += [row for row in _rows(conn, some, wanted) if _is_wanted(wanted, row)]
            looked_at += len(some)
            if len(found) >= enough or looked_at >= LOOKED_AT:
                return found, some[-1]
        at, asked, size = at + len(window), asked + cost, min(size * 4, 256)
    if at < len(segments):
        last = segments[at - 1][0]
        return found, last * bits.WIDTH if wanted.newest_first else (last + 1) * bits.WIDTH - 1
    return found, None


def _rows(conn: Connection, ids: Sequence[int], wanted: TermsWanted) -> Sequence[Any]:
    found = rows.select_by_keys(conn, _ENTRIES, "id", ids)
    return list(reversed(found)) if wanted.newest_first else found


def _ids(segment: int, alive: int, wanted: TermsWanted, edge: int) -> Iterator[int]:
    """The ids of a set, beyond the edge, in order."""
    begin = segment * bits.WIDTH
    for offset in bits.offsets_of(alive, descending=wanted.newest_first):
        if _beyond(begin + offset, wanted, edge):
            yield begin + offset


def walk(conn: Connection, wanted: TermsWanted) -> Iterator[EntriesFound]:
    """All pages, one after the other; CallerError `filter_malformed`."""
    check(wanted)
    place: Place | None = None
    while True:
        found = find(conn, wanted, place, _AT_A_TIME)
        yield found
        place = found.place
        if place is None:
            return


def collect(conn: Connection, mac_key: bytes, wanted: TermsWanted, *, at_most: int) -> tuple[list[EntryLine], bool]:
    """The first `at_most` entries, and whether there may be more: of `_PAGES` pages, however little they hold."""
    lines: list[EntryLine] = []
    for number, found in enumerate(walk(conn, wanted), 1):
        lines += [line_of(row, mac_key) for row in found.rows]
        if len(lines) > at_most or (number == _PAGES and found.place is not None):
            return lines[:at_most], True
    return lines, False
