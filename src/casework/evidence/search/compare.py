"""The index against the entries themselves: whether anybody, or a mistake, has hidden an entry from searches."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.evidence.search import bits
from casework.evidence.search.index import (
    POSTINGS,
    ROW,
    SEGMENT_BITS,
    Filing,
    place_of,
    read_behind,
)
from casework.evidence.search.tables import search_terms
from casework.log.tables import entries, leaves
from casework.storage import rows


class IndexDifference(NamedTuple):
    """A posting that is not what the entries say: how many entries it lacks, and how many it has too many."""

    kind: str
    value: str
    segment: int
    lacks: int
    too_many: int


def differences(conn: Connection, told: Callable[[int], None] = lambda _: None) -> Iterator[IndexDifference]:
    """Compare every posting with the entries themselves; `conn` is one snapshot. `told`: entries looked at so far.

    Entries that the index does not cover yet count for neither side.
    """
    behind = read_behind(conn)
    covered = 0 if behind.state.emptying or behind.state.log != behind.log else behind.state.indexed
    terms = {row.id: (row.kind, row.value) for row in conn.execute(sa.select(search_terms).order_by(search_terms.c.id))}
    last = conn.execute(sa.select(sa.func.max(entries.c.id))).scalar() or 0
    seen = 0
    for segment in range((last >> bits.SHIFT) + 1):
        filing, own = Filing(), 0
        for row in _of_segment(conn, behind.log, segment, covered):
            seen += 1
            if row.covered:
                own |= 1 << (row.id % bits.WIDTH)
                filing.file(row.id, row.event, row.actor_id, row.recorded_at, bytes(row.body))
        told(seen)
        places = [place_of(term, segment) for term in terms]
        held = {
            terms[row[0] >> SEGMENT_BITS]: bits.unpack(bytes(row[1]))
            for row in rows.select_by_keys(conn, POSTINGS, "place", places)
        }
        expected = {term: bits.from_offsets(offsets) for term, offsets in filing.offsets[segment].items()}
        for term in sorted(held.keys() | expected.keys()):
            has, ought = held.get(term, 0) & own, expected.get(term, 0)
            if has != ought:
                yield IndexDifference(term[0], term[1], segment, (ought & ~has).bit_count(), (has & ~ought).bit_count())


def _of_segment(conn: Connection, log: int, segment: int, covered: int) -> Sequence[Any]:
    """The entries of a segment, and whether the index covers each."""
    sealed = sa.and_(leaves.c.log == log, leaves.c.entry == entries.c.id)
    is_covered = sa.func.coalesce(leaves.c.leaf_index < covered, sa.false()).label("covered")
    begin = segment << bits.SHIFT
    return conn.execute(
        sa.select(*ROW, is_covered).select_from(entries.outerjoin(leaves, sealed))
        .where(entries.c.id >= begin, entries.c.id < begin + bits.WIDTH)
    ).all()  # fmt: skip
