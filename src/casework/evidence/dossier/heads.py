"""States the heads of all cases in the log: once a branch day, beside sealing, and on demand.

Gathered in one snapshot from the cases' rows, stepping back where a case has entries that are not sealed yet; only the
root goes into the log. Gathering blocks nobody; what is then written is one entry and the tree it speaks of.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.evidence.dossier.kept import is_kept
from casework.evidence.dossier.tables import case_head_tiles, case_heads
from casework.log.check.stated import newest_statement
from casework.log.format.case_heads import (
    EVENT,
    Built,
    CaseHead,
    Statement,
    build,
)
from casework.log.format.entry import SignedActor
from casework.log.tables import entries, streams, unsealed
from casework.log.write.grown import (
    Log,
    last_published,
    present_log,
    size_of,
)
from casework.log.write.trail import Draft
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases

KEPT: Final = 3
"""Statements whose trees are kept, the newest; and always that of the newest which a checkpoint covers."""
HEADS_BY: Final = SignedActor("system", "system", "heads")
_BATCH: Final = 5_000
_RECORD_COLUMNS = ("log", "statement", "number", "first_case", "records")
_TILE_COLUMNS = ("log", "statement", "level", "number", "hashes")


class DailyHeads:
    """A chore of the sealer: states the heads when the branch's day has none yet; any number of processes may."""

    def __init__(self, engine: Engine, branch: Branch, *, clock: Clock = now) -> None:
        self._engine = engine
        self._branch = branch
        self._clock = clock
        self._stated_on: date | None = None

    def __call__(self) -> None:
        """At once done with on a day that has its statement, and where no case is sealed."""
        today = self._branch.today(self._clock())
        if self._stated_on is not None and self._stated_on >= today:
            return
        state_heads(self._engine, self._branch, daily=True, clock=self._clock)
        with reading(self._engine) as conn:
            log = present_log(conn)
            newest = newest_statement(conn, log) if log else None
        if newest is not None:
            self._stated_on = date.fromisoformat(newest.statement.day)


def state_heads(engine: Engine, branch: Branch, *, daily: bool, clock: Clock = now) -> Statement | None:
    """Write a statement of the heads as they are sealed now; none, and nothing written, where none is due.

    None is due where no case is sealed; `daily`: where the branch's day has one; else: where no head has changed since
    the newest one, and its tree is kept as it was.
    """
    moment = clock()
    day = branch.today(moment).isoformat()
    with reading(engine, snapshot=True) as conn:
        log = present_log(conn)
        if log is None or (daily and _stated_on(conn, log, day)):
            return None
        size = size_of(conn, log)
        built = build(sealed_heads(conn))
    stated = Statement(day, size, built.cases, built.root)
    if not built.cases:
        return None
    with writing(engine) as conn:
        # Whoever comes second waits here, then finds the first one's statement.
        conn.execute(sa.select(streams.c.stream).where(streams.c.stream == f"log:{log.number}").with_for_update())
        newest = newest_statement(conn, log)
        if present_log(conn) != log or (daily and _stated_on(conn, log, day)):
            return None
        same = newest is not None and newest.statement.root == stated.root
        if not daily and newest is not None and same and is_kept(conn, log, newest.seq, built):
            return None
        trail = branch.trail(moment)
        head = trail.append(conn, f"log:{log.number}", Draft(EVENT, HEADS_BY, stated.data))
        trail.write(conn)
        _keep(conn, log, head.seq, built)
    with writing(engine) as conn:
        _let_go(conn, log)
    return stated


def _stated_on(conn: Connection, log: Log, day: str) -> bool:
    """Whether that day, or a later one by a clock that was ahead, has its statement."""
    newest = newest_statement(conn, log)
    return newest is not None and newest.statement.day >= day


# --- gathering


def sealed_heads(conn: Connection) -> Iterator[CaseHead]:
    """The last sealed entry of each case that has one, in the order of the cases; `conn` is one snapshot.

    By the queue: an entry is sealed only after the one before it in its stream, so what precedes a case's first queued
    entry is its sealed head.
    """
    first = (
        sa.select(entries.c.stream, sa.func.min(entries.c.stream_seq).label("seq"))
        .join(unsealed, unsealed.c.entry == entries.c.id)
        .where(entries.c.stream.like("case:%"))
        .group_by(entries.c.stream)
        .subquery()
    )
    before = entries.alias()
    stream = sa.literal("case:") + sa.cast(cases.c.id, sa.String(20))
    wanted = (
        sa.select(cases.c.id, cases.c.audit_seq, cases.c.audit_head, first.c.seq, before.c.leaf_hash)
        .select_from(
            cases.outerjoin(first, first.c.stream == stream).outerjoin(
                before, sa.and_(before.c.stream == first.c.stream, before.c.stream_seq == first.c.seq - 1)
            )
        )
        .order_by(cases.c.id)
    )
    for case, seq, leaf, waiting, leaf_before in conn.execute(wanted, execution_options={"yield_per": _BATCH}):
        if waiting is None:
            yield CaseHead(case, seq, bytes(leaf))
        elif leaf_before is not None:
            yield CaseHead(case, waiting - 1, bytes(leaf_before))


# --- keeping


def _keep(conn: Connection, log: Log, statement: int, built: Built) -> None:
    """Store the tree of a statement."""
    numbered = enumerate(zip(built.first_cases, built.records, strict=True))
    records = [(log.number, statement, number, first, data) for number, (first, data) in numbered]
    rows.insert_many(conn, case_heads, records, _RECORD_COLUMNS)
    tiles = [(log.number, statement, tile.level, tile.number, data) for tile, data in built.tiles]
    rows.insert_many(conn, case_head_tiles, tiles, _TILE_COLUMNS)


def _let_go(conn: Connection, log: Log) -> None:
    """Delete the trees that no dossier will ask for."""
    held = conn.execute(
        sa.select(case_heads.c.statement)
        .where(case_heads.c.log == log.number, case_heads.c.number == 0)
        .order_by(case_heads.c.statement.desc())
    ).scalars()
    keep = set(list(held)[:KEPT])
    signed = last_published(conn, log)
    covered = newest_statement(conn, log, before_leaf=signed.size) if signed else None
    if covered is not None:
        keep.add(covered.seq)
    for table in (case_heads, case_head_tiles):
        gone: Any = sa.or_(table.c.log != log.number, table.c.statement.not_in(sorted(keep)))
        conn.execute(table.delete().where(gone))


__all__ = ["DailyHeads", "sealed_heads", "state_heads"]
