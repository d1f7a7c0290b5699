"""Filling the index: behind the sealer, a stretch of leaves at a time, by any number of processes.

It follows the leaves of the present log, which are without a hole, and never ids: a lower id can be committed later. A
stretch is read and worked out with no lock held; then one short transaction says how far the index has come, unless
another process was quicker, and stores the postings. To file an entry again changes nothing, so a new log simply begins
at its first leaf.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.evidence.search import bits, times
from casework.evidence.search.said import Term, said_by, terms_of
from casework.evidence.search.tables import (
    search_postings,
    search_segments,
    search_state,
    search_terms,
)
from casework.log.tables import (
    entries,
    leaves,
    logs,
    unsealed,
)
from casework.storage import rows
from casework.storage.database import reading, writing

STRETCH: Final = 2_048
"""Leaves indexed in one transaction: some milliseconds, which is what a writer on SQLite may have to wait."""
LEAST: Final = 256
PATIENCE_S: Final = 10.0
"""Fewer than `LEAST` leaves wait so long: until then a search looks at them one by one, which costs it little."""
BUDGET_S: Final = 0.2
"""How long one round of the sealer may be kept from the next by an index that has to catch up."""
_EMPTIED: Final = 5_000
SEGMENT_BITS: Final = 24
POSTINGS: Final = sa.select(search_postings.c.place, search_postings.c.bits)
SEGMENTS: Final = sa.select(search_segments.c.segment, search_segments.c.times)
ROW: Final = (entries.c.id, entries.c.event, entries.c.actor_id, entries.c.recorded_at, entries.c.body)


class IndexState(NamedTuple):
    """How far the index has come: leaves of a log; nothing of it counts while it is `emptying`."""

    log: int
    indexed: int
    emptying: bool


class Behind(NamedTuple):
    """What the index has, and how many leaves of the present log it lacks.

    `queued`: entries that wait to be sealed, counted to 10,000; `last`: the last entry's id.
    """

    state: IndexState
    log: int
    begin: int
    size: int
    queued: int
    last: int

    @property
    def leaves(self) -> int:
        """Leaves that are not indexed."""
        return max(self.size - self.begin, 0)


def place_of(term: int, segment: int) -> int:
    """The key of a posting."""
    return term << SEGMENT_BITS | segment


_LOG: Final = sa.select(sa.func.coalesce(sa.func.max(logs.c.number), 0)).scalar_subquery()
_SIZE: Final = sa.select(sa.func.coalesce(sa.func.max(leaves.c.leaf_index), -1) + 1).where(leaves.c.log == _LOG)
_QUEUED: Final = sa.select(sa.func.count()).select_from(sa.select(unsealed.c.entry).limit(10_000).subquery())
_BEHIND: Final = sa.select(
    *search_state.c["log", "indexed", "emptying"], _LOG.label("present"), _SIZE.scalar_subquery().label("size"),
    _QUEUED.scalar_subquery().label("queued"),
    sa.select(sa.func.coalesce(sa.func.max(entries.c.id), 0)).scalar_subquery().label("last"),
)  # fmt: skip


def read_behind(conn: Connection) -> Behind:
    """The index against the log, in one statement."""
    row = conn.execute(_BEHIND).one()
    state = IndexState(row.log, row.indexed, row.emptying)
    begin = 0 if state.emptying or state.log != row.present else state.indexed
    return Behind(state, row.present, begin, row.size, row.queued, row.last)


class Filing:
    """Entries of one stretch by the postings they go into; `file` them, then `changes`."""

    def __init__(self) -> None:
        self.offsets: defaultdict[int, defaultdict[Term, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.times: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)

    def file(self, row: int, event: str, actor: str, recorded_at: datetime, body: bytes) -> None:
        """One entry; an offset may be listed twice."""
        segment, offset = divmod(row, bits.WIDTH)
        lists = self.offsets[segment]
        for term in terms_of(said_by(body, event=event, actor=actor)):
            lists[term].append(offset)
        self.times[segment].append((offset, times.seconds(recorded_at)))


class _Changes(NamedTuple):
    """What is to be stored: terms that are new, sets by term and segment (old: there is a posting), segments."""

    terms: list[Term]
    fresh: list[tuple[Term, int, bytes]]
    old: list[tuple[int, bytes]]
    segments: list[tuple[int, int, int, bytes]]
    old_segments: frozenset[int]


class Indexer:
    """Fills the index; keeps the ids of terms in memory, which never change."""

    def __init__(
        self, engine: Engine, *, stretch: int = STRETCH, least: int = LEAST, patience_s: float = PATIENCE_S
    ) -> None:
        self._engine = engine
        self._stretch = stretch
        self._least = least
        self._patience_s = patience_s
        self._waiting_since: float | None = None
        self._terms: dict[Term, int] = {}

    def chore(self) -> None:
        """What is due in one round of the sealer: nothing, a stretch or two; TryAgain from the database."""
        with reading(self._engine) as conn:
            behind = read_behind(conn)
        if not behind.leaves and not behind.state.emptying:
            self._waiting_since = None
            return
        began = monotonic()
        if self._waiting_since is None:
            self._waiting_since = began
        patient = behind.leaves < self._least and began - self._waiting_since < self._patience_s
        if patient and not behind.state.emptying:
            return
        while self.step() and monotonic() - began < BUDGET_S:
            pass
        self._waiting_since = None

    def catch_up(self, told: Callable[[int, int], None] = lambda *_: None, stop: threading.Event | None = None) -> int:
        """Everything that is sealed by now; how many leaves the index covers. `told`: leaves covered, and of how many.

        `stop` ends it after a stretch.
        """
        while True:
            moved = self.step()
            with reading(self._engine) as conn:
                behind = read_behind(conn)
            told(behind.begin, behind.size)
            done = not behind.leaves and not behind.state.emptying
            if done or (stop is not None and stop.is_set()):
                return behind.begin
            if not moved:
                threading.Event().wait(0.02)  # another process is at it

    def step(self) -> bool:
        """Index one stretch, or empty a part of what is to be made anew; whether that was done here."""
        with reading(self._engine, snapshot=True) as conn:
            behind = read_behind(conn)
            found = [] if behind.state.emptying else _stretch_of(conn, behind, self._stretch)
            changes = self._changes(conn, found) if found else None
        if behind.state.emptying:
            return empty_some(self._engine)
        if changes is None:
            return False
        with writing(self._engine) as conn:
            if not _moved_on(conn, behind, found[-1].leaf_index + 1):
                return False
            learned = self._store(conn, changes)
        self._terms |= learned
        return True

    def _changes(self, conn: Connection, found: Sequence[Any]) -> _Changes:
        filing = Filing()
        for row in found:
            if row.id is not None and type(row.body) is bytes:  # else gone or no bytes: `audit verify` tells of it
                filing.file(row.id, row.event, row.actor_id, row.recorded_at, row.body)
        terms = {term for lists in filing.offsets.values() for term in lists}
        if not terms <= self._terms.keys():
            self._terms |= {(kind, value): number for number, kind, value in conn.execute(sa.select(search_terms))}
        ids = self._terms
        places = [
            place_of(ids[term], segment) for segment, lists in filing.offsets.items() for term in lists if term in ids
        ]
        held = {row[0]: bytes(row[1]) for row in rows.select_by_keys(conn, POSTINGS, "place", sorted(places))}
        fresh, old = [], []
        for segment, lists in filing.offsets.items():
            for term, offsets in lists.items():
                place = place_of(ids[term], segment) if term in ids else None
                data = held.get(place) if place is not None else None
                merged = bits.with_more(data or b"", offsets)
                if place is None or data is None:
                    fresh.append((term, segment, merged))
                elif merged != data:
                    old.append((place, merged))
        dated = {row[0]: bytes(row[1]) for row in rows.select_by_keys(conn, SEGMENTS, "segment", sorted(filing.times))}
        segments = [
            (segment, *times.with_more(dated.get(segment, times.NONE), more)) for segment, more in filing.times.items()
        ]
        return _Changes(sorted(terms - ids.keys()), fresh, old, segments, frozenset(dated))

    def _store(self, conn: Connection, changes: _Changes) -> dict[Term, int]:
        """In the transaction that has moved on; the ids of the terms that are new."""
        learned: dict[Term, int] = {}
        if changes.terms:
            rows.insert_many(conn, search_terms, changes.terms, ("kind", "value"), skip_existing=True)
            held = conn.execute(sa.select(search_terms)).all()
            learned = {(kind, value): number for number, kind, value in held}
        ids = self._terms | learned
        fresh = [(place_of(ids[term], segment), data) for term, segment, data in changes.fresh]
        rows.insert_many(conn, search_postings, sorted(fresh), ("place", "bits"))
        rows.update_many(conn, search_postings, "place", sorted(changes.old), ("bits",))
        columns = ("first_s", "last_s", "times")
        new = [row for row in changes.segments if row[0] not in changes.old_segments]
        rows.insert_many(conn, search_segments, new, ("segment", *columns))
        rows.update_many(
            conn, search_segments, "segment",
            [row for row in changes.segments if row[0] in changes.old_segments], columns,
        )  # fmt: skip
        return learned


def _stretch_of(conn: Connection, behind: Behind, limit: int) -> Sequence[Any]:
    """The next leaves with their entries; an entry that is gone is nulls."""
    return conn.execute(
        sa.select(leaves.c.leaf_index, *ROW)
        .select_from(leaves.outerjoin(entries, entries.c.id == leaves.c.entry))
        .where(leaves.c.log == behind.log, leaves.c.leaf_index >= behind.begin)
        .order_by(leaves.c.leaf_index).limit(limit)
    ).all()  # fmt: skip


def _moved_on(conn: Connection, behind: Behind, indexed: int) -> bool:
    """Say how far the index has come, unless it is not where it was when the stretch was read."""
    state, at = behind.state, search_state.c
    moved = conn.execute(
        search_state.update()
        .where(at.log == state.log, at.indexed == state.indexed, at.emptying == sa.false())
        .values(log=behind.log, indexed=indexed)
    )
    return moved.rowcount == 1


# ── making it anew ──────────────────────────────────────────────────────────────────────────────────────────────


def begin_anew(conn: Connection) -> None:
    """Have the whole index emptied and filled again; until then a search looks at entries one by one."""
    conn.execute(search_state.update().values(emptying=True))


def empty_some(engine: Engine) -> bool:
    """Delete some postings of an index that is to be made anew; with the last of them, filling begins. False: it had.

    The state's row is held meanwhile, so that nobody deletes what another process has filed anew.
    """
    with writing(engine) as conn:
        if not conn.execute(sa.select(search_state.c.emptying).with_for_update()).scalar_one():
            return False
        for table, key in ((search_postings, search_postings.c.place), (search_segments, search_segments.c.segment)):
            some = sa.select(key).order_by(key).limit(_EMPTIED)
            gone = conn.execute(sa.select(sa.func.max(some.subquery().c[key.name]))).scalar()
            if gone is not None:
                conn.execute(table.delete().where(key <= gone))
                return True
        conn.execute(search_state.update().values(log=0, indexed=0, emptying=False))
        return True
