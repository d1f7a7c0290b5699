"""A bundle against itself and against what its reader holds: bodies, leaves, chains, tree, tiles, signatures.

Two passes side by side: tiles are hashed (`hashing`, in processes of their own where there are cores), and the entries
are followed along their chains (`links`). Every checkpoint is a point that the growing tree must pass.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from casework.evidence.bundle.case import verify_case
from casework.evidence.bundle.hashing import (
    BundleFault,
    Growth,
    Hashed,
    StoredTile,
    TilesWanted,
    hash_beside,
    hash_tile,
    leaf_hashes,
    peaks_of,
    read_tile,
    roots_of_tiles,
)
from casework.evidence.bundle.layout import ENTRIES, BundleManifest, MalformedBundle
from casework.evidence.bundle.links import Link, Links
from casework.evidence.bundle.points import Point, Points, opened_points
from casework.evidence.bundle.promised import Promised
from casework.evidence.bundle.source import MAX_TEXT_BYTES, Missing, Source
from casework.evidence.bundle.spool import BundleSpool
from casework.evidence.bundle.stated import statements
from casework.evidence.bundle.trust import (
    KeysHeld,
    check_signatures,
    is_signed_at_all,
    seen_by_witnesses,
)
from casework.log.check.findings import Report
from casework.log.check.heads_tree import StatementCheck
from casework.log.format.entry import MalformedEntry, decode_strict
from casework.log.format.key_history import KeyHistory
from casework.log.format.texts import RULEBOOK
from casework.log.format.tiles import (
    TILE_WIDTH,
    MalformedTile,
    Tile,
    tile_hashes,
)
from casework.log.format.times import Times, instant_text

_ABOUT_THE_LOG: Final = b'"event":"log.'
_MISSING_AT_MOST: Final = 20_000  # files of entries that are looked for one by one and named
_WORTH_IT: Final = 64  # tiles: below it, starting processes costs more than it saves
Phase = Literal["structure", "replay"]
Progress = Callable[[Phase, int, int], None]


class Spooled(NamedTuple):
    """The entries by stream, for who wants more of them: parts of a spool, and the bodies that announce texts."""

    source: Source
    manifest: BundleManifest
    paths: Sequence[Path]
    announced: Sequence[bytes]
    whole: bool


Deep = Callable[[Spooled, Report, int, Callable[[int, int], None]], None]
"""Told of the spooled entries; says what it found, by so many processes, telling how far it is."""


def _silent(_phase: Phase, _done: int, _all: int) -> None:
    pass


def jobs_here() -> int:
    """How many processes this machine has a core for; more than eight have nothing to do."""
    return min(len(os.sched_getaffinity(0)), 8)


@dataclass(slots=True)
class BundleFound:
    """What the passes leave for the checks at the end."""

    history: KeyHistory | None = None
    leaf_faults: list[BundleFault] = field(default_factory=list)
    tree_known: bool = True


def verify_bundle(
    folder: Path, held: KeysHeld, *, deep: Deep | None = None, jobs: int | None = None, progress: Progress = _silent
) -> Report:
    """Verify what `folder` holds; what stops it is a doubt, so that an empty or partial bundle is never sound.

    `deep`: what else is done with every entry (`evidence.bundle.deep.replay`); it is given, so that nothing here knows
    of cases.
    """
    report, started, source = Report(), time.perf_counter(), Source(folder)
    try:
        manifest = source.manifest()
        points = opened_points(source, manifest, held.trusted, report)
    except Missing as missing:
        report.doubt("file_missing", path=missing.path)
    except MalformedBundle as fault:
        report.doubt("bundle_unreadable", fault=fault.code)
    else:
        report.scope = _scope_of(manifest)
        _check_files(source, manifest, report)
        if not is_signed_at_all(source, points, held, report):
            pass  # what a stranger claims of sizes is not worth a look
        elif manifest.scope.kind == "case":
            verify_case(source, points, held, report)
        elif _is_there(source, manifest, report):
            _Run(source, manifest, points, held, report, deep=deep).run(jobs or jobs_here(), progress)
    report.seconds = time.perf_counter() - started
    return report


def _scope_of(manifest: BundleManifest) -> dict[str, Any]:
    scope = manifest.scope
    return {
        "kind": scope.kind, "origin": manifest.origin, "size": manifest.size, "begin": scope.begin, "end": scope.end,
        "from_at": scope.from_at, "to_at": scope.to_at, "case": scope.case, "made_at": manifest.made_at,
    }  # fmt: skip


def _is_there(source: Source, manifest: BundleManifest, report: Report) -> bool:
    """Whether about as many files lie there as the claimed leaves need: a claim costs nothing, looking for all does."""
    wanted = -(-manifest.scope.end // TILE_WIDTH) - manifest.scope.begin // TILE_WIDTH
    held = source.files_below(ENTRIES, wanted)
    if wanted - held > _MISSING_AT_MOST:
        report.doubt("bundle_incomplete", leaves=manifest.scope.end - manifest.scope.begin, files=wanted, held=held)
        return False
    return True


def _check_files(source: Source, manifest: BundleManifest, report: Report) -> None:
    """What lies beside the tree is what was put there. Each of these files is judged by itself too where it counts."""
    for file in manifest.files:
        try:
            data = source.read(file.path, MAX_TEXT_BYTES)
        except Missing:
            report.doubt("file_missing", path=file.path)
            continue
        if len(data) != file.bytes or hashlib.sha256(data).hexdigest() != file.sha256:
            report.doubt("file_changed", path=file.path)


class _Run:
    """One verification of a whole log or a period of it."""

    def __init__(
        self,
        source: Source,
        manifest: BundleManifest,
        points: Points,
        held: KeysHeld,
        report: Report,
        *,
        deep: Deep | None,
    ) -> None:
        self.source = source
        self.manifest = manifest
        self.points = points
        self.held = held
        self.report = report
        self.found = BundleFound()
        self.growth = Growth(source)
        scope = manifest.scope
        self.begin, self.end, self.size = scope.begin, scope.end, points.size
        self.links = Links(report, whole=self.begin == 0)
        self.deep = deep
        self.spool: BundleSpool | None = None
        self.announced: list[bytes] = []
        self.log_stream: str | None = None
        self.heads: StatementCheck | None = None
        self.times = Times(seen_by_witnesses(points.points, held.witnesses))
        self.promised = Promised(held.receipts)

    def run(self, jobs: int, progress: Progress) -> None:
        """Everything."""
        if self.end > self.size:
            self.report.find("checkpoint_beyond_tree", signed=self.size, leaves=self.end)
            self.end = self.size
        with closing(BundleSpool(self._bytes_expected())) if self.deep is not None else nullcontext() as self.spool:
            if self.deep is not None and self.begin == 0:
                self.heads = StatementCheck(self.report, statements(self.source, self.end, self.report))
            self._outside(0, self.begin)
            self._inside(jobs, progress)
            self._outside(self.end, self.size)
            self.growth.finish()
            self._finish()
            if self.spool is not None and self.deep is not None:
                spooled = Spooled(self.source, self.manifest, self.spool.written(), self.announced, self.links.whole)
                self.deep(spooled, self.report, jobs, partial(progress, "replay"))

    def _bytes_expected(self) -> int:
        """About how much there is to spool, by the first bundle of entries."""
        tiles = -(-(self.end - self.begin) // TILE_WIDTH)
        first = (
            read_tile(self.source, self.begin // TILE_WIDTH, min(TILE_WIDTH, self.end - self.begin)) if tiles else None
        )
        return tiles * sum(map(len, first.bodies)) if first is not None and first.bodies else 0

    # ── tiles ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _outside(self, begin: int, end: int) -> None:
        """Leaves that a period leaves out: their tiles' hashes lie in level 1; only a last partial tile is read."""
        first, last = begin // TILE_WIDTH, end // TILE_WIDTH
        if begin >= end or not self.found.tree_known:
            return
        try:
            for place, root in enumerate(roots_of_tiles(self.source, first, last, self.size), first):
                sizes = self.points.inside(place * TILE_WIDTH, TILE_WIDTH)
                self._grow(Hashed(place, TILE_WIDTH, (root,), self._beginnings(place, TILE_WIDTH, sizes), ()))
            width = end - last * TILE_WIDTH
            if width:
                leaves = tile_hashes(self.source.tile(Tile(0, last, width)), width)
                sizes = self.points.inside(last * TILE_WIDTH, width)
                at = {size: peaks_of(leaves[: size % TILE_WIDTH]) for size in sizes}
                self._grow(Hashed(last, width, peaks_of(leaves), at, ()))
        except Missing as missing:
            self._lost(missing.path)
        except MalformedTile:
            self.report.find("tile_differs", level=1)
            self.found.tree_known = False

    def _beginnings(self, number: int, width: int, sizes: Sequence[int]) -> dict[int, tuple[bytes, ...]]:
        """Peaks at sizes inside a tile outside the period, where its hashes are in the bundle."""
        if not sizes:
            return {}
        try:
            leaves = tile_hashes(self.source.tile(Tile(0, number, width)), width)
        except (Missing, MalformedTile):
            return {}
        return {size: peaks_of(leaves[: size - number * TILE_WIDTH]) for size in sizes}

    def _inside(self, jobs: int, progress: Progress) -> None:
        count = -(-self.end // TILE_WIDTH) - self.begin // TILE_WIDTH
        beside = hash_beside(self.source, self._wanted(), jobs - 1) if jobs > 1 and count > _WORTH_IT else None
        for one in self._wanted():
            stored = read_tile(self.source, one.number, one.width)
            self._grow(hash_tile(stored, one.sizes) if beside is None else next(beside))
            self._follow(stored)
            progress("structure", self.report.entries, self.end - self.begin)

    def _wanted(self) -> Iterator[TilesWanted]:
        """The tiles of the scope, one after the other: how many there are is only a claim."""
        for number in range(self.begin // TILE_WIDTH, -(-self.end // TILE_WIDTH)):
            width = min(TILE_WIDTH, self.end - number * TILE_WIDTH)
            yield TilesWanted(number, width, self.points.inside(number * TILE_WIDTH, width))

    def _grow(self, hashed: Hashed) -> None:
        """The next tile of the tree, and the points that it passes."""
        for fault in hashed.faults:
            self._fault(fault)
        if hashed.peaks is None or not self.found.tree_known:
            self.found.tree_known = False
            return
        first = hashed.number * TILE_WIDTH
        for point in self.points.below(first + hashed.width):
            beginning = hashed.at.get(point.size)
            if beginning is None:
                self.report.doubt("point_not_shown", size=point.size)
            else:
                self._pass(point, self.growth.root_with(beginning))
        self.growth.add(hashed.peaks, hashed.width)
        for point in self.points.below(first + hashed.width + 1):
            self._pass(point, self.growth.root)

    def _pass(self, point: Point, root: bytes) -> None:
        if root != point.root:
            self.report.find(point.differs, size=point.size)
            return
        self.points.meet(point)

    def _fault(self, fault: BundleFault) -> None:
        if fault.code == "file_missing":
            self.report.doubt("file_missing", path=fault.path)
        elif fault.code == "leaf_differs":
            self.found.leaf_faults.append(fault)
        else:
            self.report.find(fault.code, path=fault.path)

    def _lost(self, path: str) -> None:
        self.report.doubt("file_missing", path=path)
        self.found.tree_known = False

    # ── entries ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _follow(self, stored: StoredTile) -> None:
        """The tile's entries along their chains; one that cannot be read was reported by the hashing."""
        bodies, first = stored.bodies, stored.number * TILE_WIDTH
        if bodies is None:
            self.links.gap()
            self.heads = None  # what the missing entries were, nobody can tell
            return
        text = (stored.hashes or b"".join(leaf_hashes(bodies))).hex()
        leaves = [text[at : at + 64] for at in range(0, 64 * stored.width, 64)]
        links = self.links.take(first, bodies, leaves)
        if self.promised:
            self.promised.take(leaves)
        if self.times:
            self._check_times(first, links)
        if self.spool is not None:
            self.spool.put(links, bodies)
        if self.heads is not None:
            self.heads.take(first, [(one.stream, one.stream_seq, bytes.fromhex(one.prev or "")) for one in links])
        self.report.leaves += stored.width
        self.report.body_bytes += sum(map(len, bodies))
        self._look_at_rules_and_log(first, links, bodies)

    def _look_at_rules_and_log(self, first: int, links: Sequence[Link], bodies: Sequence[bytes]) -> None:
        """Entries about the log itself are in the stream of its first; what publishes texts is kept for the replay."""
        if first == 0:
            self.log_stream = links[0].stream
        log = self.log_stream
        for place, link in enumerate(links):
            stream = link.stream
            if stream == log:
                if _ABOUT_THE_LOG in bodies[place]:
                    self._keep(first + place, bodies[place])
            elif stream.startswith(RULEBOOK):
                self.announced.append(bodies[place])

    def _check_times(self, first: int, links: Sequence[Link]) -> None:
        """What witnesses' clocks say of the times that the entries bear (attacks 6 and 7)."""
        for fault in self.times.check(first, [link.recorded_at for link in links]):
            link = links[fault.leaf_index - first]
            self.report.find(
                fault.code, link.stream, link.stream_seq, leaf_index=fault.leaf_index, recorded_at=fault.recorded_at,
                cosigned_size=fault.seen.size, cosigned_at=instant_text(fault.seen.at),
            )  # fmt: skip

    def _keep(self, index: int, body: bytes) -> None:
        """An entry about the log itself."""
        try:
            entry = decode_strict(body)
        except MalformedEntry as fault:
            self.report.find("body_malformed", leaf_index=index, fault=fault.code)
            return
        if index == 0:
            self.found.history = KeyHistory(self.manifest.origin, entry.stream)
        if self.found.history is not None:
            self.found.history.follow(entry)
            self.promised.announced(entry)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _finish(self) -> None:
        self.links.finish()
        if self.promised and self.links.whole:
            self.promised.finish(self.manifest.origin, self.links.ends, self.report)
        elif self.promised:
            self.report.doubt("receipts_not_checked")
        self.links.ends.close()
        if self.heads is not None and self.links.whole:
            self.heads.finish()
        self.report.streams_continued = self.links.continued
        if not self.found.tree_known:
            self.report.doubt("tree_not_built")
        for point in self.points.rest():
            if point.size > self.size:
                self.report.find(point.beyond, signed=point.size, leaves=self.size)
        self._tell_leaves(root_holds=self.points.is_met(self.points.newest))
        check_signatures(self.source, self.points, self.found.history, self.held, self.report, whole=self.links.whole)

    def _tell_leaves(self, *, root_holds: bool) -> None:
        """Where the entries give the signed root, the tile is what was changed, else the entries."""
        changed = self.found.leaf_faults
        for fault in changed if not root_holds else ():
            for index in fault.leaves:
                self.report.find("body_changed", leaf_index=index)
        for fault in [*(changed if root_holds else ()), *self.growth.faults]:
            if fault.code == "file_missing":
                self.report.doubt("file_missing", path=fault.path)
            elif root_holds or not changed:  # else what lies above is another only because the entries are
                self.report.find("tile_differs", path=fault.path)
