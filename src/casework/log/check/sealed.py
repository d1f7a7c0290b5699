"""Checks what sealer and signer have left: leaves against entries, tiles and checkpoints against leaves.

All of it is then compared with what is known outside the database: the signer's keys and memory, and a checkpoint that
somebody holds. One pass over the leaves of each log, in order, with memory that does not grow with it. That the bodies
give the leaf hashes of their rows is seen to by `casework.log.check.verify` (docs/log.md §4).
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.cosigned import WitnessesSeen, check_times
from casework.log.check.findings import Report, Trust
from casework.log.check.handed import Handed
from casework.log.check.stated import statements_check
from casework.log.format import checkpoint, note
from casework.log.format.chain import HASH_BYTES
from casework.log.format.checkpoint import Checkpoint, WitnessKey
from casework.log.format.note import LogKey, UnverifiedNote
from casework.log.format.tree import Faulty, Range
from casework.log.stored import as_stored
from casework.log.tables import (
    checkpoints,
    cosignatures,
    entries,
    leaves,
    logs,
    tiles,
)
from casework.log.write import signer
from casework.log.write.grown import (
    TILE_COLUMNS,
    Growing,
    Log,
    TileRow,
)
from casework.log.write.witnesses import known_witnesses

_BATCH: Final = 8_192
_MISSING: Final = b""


@dataclass(frozen=True, slots=True)
class BroughtAlong:
    """What is known outside the database: the log's keys, what the signer signed last, checkpoints that are held.

    `handed`: such checkpoints with their cosignatures, whose times count; `asked`: witnesses who must have signed
    something, beside those that the branch knows.
    """

    keys: Sequence[LogKey]
    remembered: Checkpoint | None = None
    trusted: Checkpoint | None = None
    witnesses: Sequence[WitnessKey] = ()
    handed: Sequence[Handed] = ()
    asked: Sequence[WitnessKey] = ()

    @classmethod
    def of(cls, folder: Path, handed: Sequence[Handed] = (), asked: Sequence[WitnessKey] = ()) -> "BroughtAlong":
        """As the keys folder has it.

        CallerErrors `log_keys_malformed`, `signer_memory_malformed`, `witnesses_malformed`.
        """
        known = {(key.name, key.key_id): key for key in (*known_witnesses(folder), *asked)}
        memory = signer.read_memory(folder)
        return cls(signer.known_keys(folder), memory, None, list(known.values()), handed, asked)

    def held(self) -> list[Checkpoint]:
        """Every checkpoint that somebody holds."""
        own = [] if self.trusted is None else [self.trusted]
        return [*own, *(one.checkpoint for one in self.handed)]


class _Point(NamedTuple):
    """A size at which the tree must have a root: whose word that is, and the findings when it is not so."""

    size: int
    root: bytes
    differs: str
    beyond: str
    trust: Trust | None = None


def verify_sealed(conn: Connection, report: Report, outside: BroughtAlong | None = None) -> None:
    """Check every log of the database into `report`; without `outside` no signature is checked.

    `conn` must be one snapshot.
    """
    held = [Log(number, origin) for number, origin in conn.execute(
        sa.select(logs.c.number, logs.c.origin).order_by(logs.c.number)
    )]  # fmt: skip
    numbers = [log.number for log in held]
    for table in (leaves, tiles, checkpoints, cosignatures):
        strange = sa.select(table.c.log).where(table.c.log.not_in(numbers)).distinct()
        for number in conn.execute(strange).scalars():
            report.find("log_missing", log=number, table=table.name)
    _check_beginnings(conn, report)
    seen: set[WitnessKey] = set()
    for log in held:
        walk = _Walk(conn, report, log, outside)
        seen |= walk.seen.by
        walk.run(_held_elsewhere(report, log, outside) if outside and log == held[-1] else [])
        if outside and log == held[-1] and outside.remembered is None and walk.checkpoints:
            report.doubt("memory_missing")
    if outside is not None and not held:
        for point in [outside.remembered] if outside.remembered is not None else []:
            report.find("memory_beyond_tree", signed=point.size, leaves=0)
        for point in outside.held():
            report.find("trusted_beyond_tree", signed=point.size, leaves=0)
    for key in outside.asked if outside is not None else ():
        if key not in seen:
            report.doubt("witness_not_seen", witness=key.text)


def _check_beginnings(conn: Connection, report: Report) -> None:
    """That a log began when its first entry says so."""
    first = sa.and_(entries.c.stream == sa.literal("log:").concat(sa.cast(logs.c.number, sa.String)),
                    entries.c.stream_seq == 1)  # fmt: skip
    own = as_stored(logs, ("number", "begun_at"), conn.dialect.name)
    said = as_stored(entries, ("recorded_at",), conn.dialect.name).selected_columns
    for number, begun_at, recorded_at in conn.execute(own.add_columns(*said).select_from(logs.join(entries, first))):
        if begun_at != recorded_at:
            report.find("row_differs", f"log:{number}", 1, table=logs.name, columns=["begun_at"])


def _held_elsewhere(report: Report, log: Log, outside: BroughtAlong) -> list[_Point]:
    """The points that the database has no hand in; all are of the present log."""
    points = []
    known: list[tuple[Checkpoint, str, Trust]] = [(held, "trusted", "trusted_checkpoint") for held in outside.held()]
    if outside.remembered is not None:
        known.append((outside.remembered, "memory", "signer_memory"))
    for held, name, trust in known:
        if held.origin != log.origin:
            report.find(f"{name}_other_log", signed=held.origin, held=log.origin)
        else:
            points.append(_Point(held.size, held.root, f"{name}_root_differs", f"{name}_beyond_tree", trust))
    return points


class _Walk:
    """One pass over the leaves of a log."""

    def __init__(self, conn: Connection, report: Report, log: Log, outside: BroughtAlong | None) -> None:
        self.conn = conn
        self.report = report
        self.log = log
        self.outside = outside
        self.tiles_made = self.checkpoints = self.next_index = 0
        self.growing = Growing(log, Range())
        self.heads = statements_check(conn, report, log)
        self.seen = WitnessesSeen(report, log, outside.witnesses if outside else ())
        if outside is not None:
            self.seen.take_handed(outside.handed)
        self.times = self.seen.times(conn)

    def run(self, points: Sequence[_Point]) -> None:
        """Leaves, tiles, then the points that the tree passes: stored checkpoints and `points`."""
        coming: Iterator[_Point] = heapq.merge(self._checkpoints(), sorted(points), key=lambda point: point.size)
        point = next(coming, None)
        for batch in self._leaves():
            self._check_leaves(batch)
            hashes = [leaf for _, _, leaf, *_ in batch]
            while hashes:
                reach = len(hashes) if point is None else min(len(hashes), point.size - self.growing.size)
                self._grow(hashes[:reach])
                hashes = hashes[reach:]
                while point is not None and point.size <= self.growing.size:
                    self._pass(point)
                    point = next(coming, None)
        while point is not None:
            if point.size:
                self.report.find(point.beyond, log=self.log.number, signed=point.size, leaves=self.growing.size)
            point = next(coming, None)
        self.heads.finish()
        self._count_tiles()

    def _leaves(self) -> Iterator[Sequence[Any]]:
        """Index, entry row, leaf hash, and the hash, stream and number of the entry; its time where that is bounded."""
        raw = as_stored(leaves, ("leaf_index", "entry", "leaf_hash"), self.conn.dialect.name).selected_columns
        its = as_stored(entries, ("leaf_hash", "stream", "stream_seq"), self.conn.dialect.name).selected_columns
        when = as_stored(entries, ("recorded_at",), self.conn.dialect.name).selected_columns if self.times else ()
        wanted = (
            sa.select(*raw, its[0].label("entry_hash"), *list(its)[1:], *when)
            .select_from(leaves.outerjoin(entries, entries.c.id == leaves.c.entry))
            .where(leaves.c.log == self.log.number)
            .order_by(leaves.c.leaf_index)
        )
        yield from self.conn.execute(wanted, execution_options={"yield_per": _BATCH}).partitions()

    def _check_leaves(self, batch: Sequence[Any]) -> None:
        expected = self.next_index
        for index, row, leaf, entry_hash, stream, seq, *_ in batch:
            if index != expected:
                self.report.find("leaf_hole", log=self.log.number, expected=expected, found=index)
                expected = index if type(index) is int else expected  # SQLite holds no column to its type
            if entry_hash is None:
                self.report.find("sealed_entry_missing", leaf_index=index, entry_row=row)
            elif leaf != entry_hash:
                self.report.find("leaf_differs", stream, seq, leaf_index=index)
            expected += 1
        self.heads.take(self.next_index, [(stream, seq, leaf) for _, _, leaf, _, stream, seq, *_ in batch])
        if self.growing.size == 0 and tuple(batch[0][4:6]) != (f"log:{self.log.number}", 1):
            self.report.find("log_statement_missing", log=self.log.number)
        if self.times:
            check_times(self.times, self.report, [(row[0], row[4], row[5], row[6]) for row in batch])
        self.next_index = expected
        self.report.leaves += len(batch)

    def _grow(self, hashes: list[bytes]) -> None:
        """Add leaves and compare the tiles that they fill."""
        whole = [leaf if type(leaf) is bytes and len(leaf) == HASH_BYTES else bytes(HASH_BYTES) for leaf in hashes]
        made = self.growing.add(whole)
        self.tiles_made += len(made)
        for level in {tile[1] for tile in made}:
            self._compare([tile for tile in made if tile[1] == level])

    def _compare(self, made: list[TileRow]) -> None:
        """Tiles of one level that follow one another."""
        (log, level, first, *_), last = made[0], made[-1][2]
        at = tiles.c
        stored = as_stored(tiles, TILE_COLUMNS[2:], self.conn.dialect.name)
        found = self.conn.execute(stored.where(at.log == log, at.level == level, at.number.between(first, last)))
        held = {number: (root, hashes) for number, root, hashes in found}
        for _, _, number, root, hashes in made:
            if number not in held:
                self.report.find("tile_missing", log=log, level=level, number=number)
            elif held[number] != (root, hashes):
                self.report.find("tile_differs", log=log, level=level, number=number)

    def _count_tiles(self) -> None:
        count = sa.select(sa.func.count()).select_from(tiles).where(tiles.c.log == self.log.number)
        held = self.conn.execute(count).scalar_one()
        if held > self.tiles_made:
            self.report.find("tile_unexpected", log=self.log.number, expected=self.tiles_made, held=held)

    def _pass(self, point: _Point) -> None:
        if self.growing.tree.root != point.root:
            self.report.find(point.differs, log=self.log.number, size=point.size)
        elif point.trust is not None and self.report.trust != "trusted_checkpoint":
            self.report.trust = point.trust

    def _checkpoints(self) -> Iterator[_Point]:
        """The published ones, each checked by itself first."""
        stored = as_stored(checkpoints, ("size", "root", "note"), self.conn.dialect.name)
        wanted = stored.where(checkpoints.c.log == self.log.number).order_by(checkpoints.c.size)
        for size, root, data in self.conn.execute(wanted, execution_options={"yield_per": 500}):
            self.checkpoints += 1
            self.report.checkpoints += 1
            signed = self._opened(size, data)
            if signed is None:
                continue
            if (signed.size, signed.root) != (size, root):
                self.report.find("checkpoint_columns_differ", log=self.log.number, size=size)
                continue
            yield _Point(size, signed.root, "checkpoint_root_differs", "checkpoint_beyond_tree")

    def _opened(self, size: int, data: Any) -> Checkpoint | None:
        """What a stored note signs; none, and a finding, for one that is not ours."""
        at: dict[str, Any] = {"log": self.log.number, "size": size}
        try:
            read = note.parse(data if type(data) is bytes else _MISSING)
            signed = checkpoint.parse(read.text)
        except Faulty as fault:
            self.report.find("checkpoint_malformed", fault=fault.code, **at)
            return None
        if signed.origin != self.log.origin:
            self.report.find("checkpoint_other_log", **at)
            return None
        if self.outside is None:
            return signed
        keys = [key for key in self.outside.keys if key.name == self.log.origin]
        if not keys:
            self.report.doubt("log_keys_missing", log=self.log.number)
            return signed
        try:
            note.verified(read, keys)
        except UnverifiedNote as fault:
            unknown = fault.code == "no_known_signature"
            self.report.find("checkpoint_key_unknown" if unknown else "checkpoint_signature_wrong", **at)
            return None
        return signed
