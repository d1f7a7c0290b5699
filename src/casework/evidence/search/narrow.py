"""What the index says of a filter: which segments it may have entries in, and which entries of those. Reads only."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.evidence.search import bits, times
from casework.evidence.search.index import POSTINGS, SEGMENT_BITS, place_of
from casework.evidence.search.said import (
    ANY,
    Term,
    families_of,
    range_terms,
)
from casework.evidence.search.tables import search_segments, search_terms
from casework.evidence.search.wanted import TermsWanted, amount_range
from casework.storage import rows

SEGMENTS: Final = 2_048
"""Segments of the index that one page passes: 8 million entries."""


def segments_beyond(conn: Connection, wanted: TermsWanted, edge: int) -> list[tuple[int, int]]:
    """The segments at and beyond the edge, in order, at most one more than a page passes; with what a period leaves."""
    at, where = search_segments.c, list[sa.ColumnElement[bool]]()
    within = at.segment <= edge >> bits.SHIFT if wanted.newest_first else at.segment >= edge >> bits.SHIFT
    begin = 0 if wanted.recorded_from is None else times.seconds(wanted.recorded_from)
    end = times.LATEST if wanted.recorded_until is None else times.seconds(wanted.recorded_until) + 1
    dated = wanted.recorded_from is not None or wanted.recorded_until is not None
    if dated:
        where = [at.first_s <= end, at.last_s >= begin]
    columns = (at.segment, at.first_s, at.last_s, at.times) if dated else (at.segment,)
    statement = (
        sa.select(*columns)
        .where(within, *where)
        .order_by(at.segment.desc() if wanted.newest_first else at.segment.asc())
        .limit(SEGMENTS + 1)
    )
    found = conn.execute(statement).all()
    if not dated:
        return [(row.segment, bits.ALL) for row in found]
    return [
        (row.segment, bits.ALL if begin <= row.first_s and row.last_s <= end
         else times.within(bytes(row.times), begin, end))
        for row in found
    ]  # fmt: skip


def narrowed(conn: Connection, groups: list[list[int]], window: dict[int, int]) -> tuple[dict[int, int], int]:
    """Of each segment the entries that are filed under one term of every group, and how many postings were asked for.

    The groups are put in better order.
    """
    alive, cost = window, 0
    left: dict[int, int] = {}
    for number, terms in enumerate(groups):
        places = sorted(place_of(term, segment) for term in terms for segment in alive)
        cost += len(places)
        held: dict[int, int] = {}
        for place, data in rows.select_by_keys(conn, POSTINGS, "place", places):
            segment = place & ((1 << SEGMENT_BITS) - 1)
            held[segment] = held.get(segment, 0) | bits.unpack(bytes(data))
        alive = {segment: both for segment, one in held.items() if (both := one & alive[segment])}
        left[number] = sum(one.bit_count() for one in held.values())
        if not alive:
            break
    asked = sorted(left, key=lambda number: (left[number] * len(groups[number]), number))
    groups[:] = [groups[number] for number in (*asked, *range(len(left), len(groups)))]
    return alive, cost


def term_ids(conn: Connection, wanted: TermsWanted) -> list[list[int]]:
    """The groups of terms as ids, those of fewest terms first; what was never filed is left out."""
    groups, at = groups_of(wanted), search_terms.c
    exact: dict[str, list[str]] = {}
    conditions: list[sa.ColumnElement[bool]] = []
    for kind, value in (term for group in groups for term in group):
        if value.endswith("*"):
            conditions.append((at.kind == kind) & at.value.startswith(value[:-1], autoescape=True))
        else:
            exact.setdefault(kind, []).append(value)
    conditions += [(at.kind == kind) & at.value.in_(sorted(values)) for kind, values in exact.items()]
    known = {
        (row.kind, row.value): int(row.id) for row in conn.execute(sa.select(search_terms).where(sa.or_(*conditions)))
    }
    return sorted(([number for term, number in known.items() if _is_of(term, group)] for group in groups), key=len)


def _is_of(term: Term, group: Sequence[Term]) -> bool:
    kind, value = term
    return term in group or any(
        kind == one and like.endswith("*") and value.startswith(like[:-1]) for one, like in group
    )


def groups_of(wanted: TermsWanted) -> list[list[Term]]:
    """What an entry must be filed under: one term of every group. A value may end in `*`."""
    groups: list[list[Term]] = []
    if wanted.event is not None and wanted.event != "*":
        family = wanted.event.removesuffix("*")
        whole = wanted.event.endswith("*") and family in families_of(f"{family}x")
        groups.append([("family", family) if whole else ("event", wanted.event)])
    exact = ((kind, getattr(wanted, kind)) for kind in ("actor", "rule", "code", "post", "about"))
    groups += [[(kind, value)] for kind, value in exact if value is not None]
    amounts = amount_range(wanted)
    if amounts is not None:
        groups += range_terms(*amounts)
    dated = wanted.recorded_from is not None or wanted.recorded_until is not None
    return groups or ([[ANY]] if dated else [])
