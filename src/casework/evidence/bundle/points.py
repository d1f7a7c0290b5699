"""The checkpoints that a bundle's tree must pass: its own newest one, earlier ones, and the one its reader holds."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from casework.evidence.bundle.layout import CHECKPOINT, BundleManifest, MalformedBundle
from casework.evidence.bundle.source import Source
from casework.log.check.findings import Report, Trust
from casework.log.format import checkpoint, note
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.note import MAX_NOTE_BYTES, SignedNote
from casework.log.format.tree import Faulty

MAX_CHECKPOINTS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Point:
    """A size at which the tree must have a root, who says so, and the findings when it is not so."""

    size: int
    root: bytes
    path: str
    signed: SignedNote
    differs: str = "checkpoint_root_differs"
    beyond: str = "checkpoint_beyond_tree"
    trust: Trust | None = None


@dataclass(slots=True)
class Points:
    """The points in order of size, and which of them the tree has passed with the right root."""

    newest: Point
    points: Sequence[Point]
    _sizes: list[int] = field(init=False)
    _met: set[tuple[int, str]] = field(default_factory=set)
    _next: int = 0

    def __post_init__(self) -> None:
        self._sizes = [point.size for point in self.points]

    @property
    def size(self) -> int:
        """Of the tree that the newest checkpoint signs."""
        return self.newest.size

    def inside(self, first: int, width: int) -> tuple[int, ...]:
        """The sizes strictly between the beginning and the end of a tile."""
        sizes = self._sizes
        return tuple(dict.fromkeys(sizes[bisect_right(sizes, first) : bisect_left(sizes, first + width)]))

    def meet(self, point: Point) -> None:
        """The tree has the root that the point says."""
        self._met.add((point.size, point.path))

    def is_met(self, point: Point) -> bool:
        """Whether it has."""
        return (point.size, point.path) in self._met

    def below(self, size: int) -> Iterator[Point]:
        """Those not passed yet whose size is below this, in order; each is given once."""
        while self._next < len(self.points) and self.points[self._next].size < size:
            self._next += 1
            yield self.points[self._next - 1]

    def rest(self) -> Iterator[Point]:
        """Those that are left."""
        return self.below(2**63)


def opened_points(source: Source, manifest: BundleManifest, trusted: SignedNote | None, report: Report) -> Points:
    """Read every checkpoint; nothing is verified yet. Missing, MalformedBundle where there is no newest one."""
    newest = _point(source.checkpoint(), CHECKPOINT, manifest, report)
    if newest is None:
        raise MalformedBundle("checkpoint_unreadable")
    if newest.size != manifest.size:
        report.doubt("manifest_differs", size=manifest.size, signed=newest.size)
    points = [newest]
    for path in source.checkpoints()[:MAX_CHECKPOINTS]:
        point = _point(source.read(path, MAX_NOTE_BYTES), path, manifest, report)
        if point is not None and point.size:
            points.append(point)
    if trusted is not None:
        held = checkpoint.parse(trusted.text)
        if held.origin != manifest.origin:
            report.find("trusted_other_log", signed=held.origin, held=manifest.origin)
        elif held.size:
            points.append(_trusted(held, trusted))
    report.checkpoints = len(points) - (trusted is not None)
    return Points(newest, sorted(points, key=lambda point: point.size))


def _trusted(held: Checkpoint, signed: SignedNote) -> Point:
    return Point(held.size, held.root, "", signed, "trusted_root_differs", "trusted_beyond_tree", "trusted_checkpoint")


def _point(data: bytes, path: str, manifest: BundleManifest, report: Report) -> Point | None:
    try:
        signed = note.parse(data)
        said = checkpoint.parse(signed.text)
    except Faulty as fault:
        report.find("checkpoint_malformed", path=path, fault=fault.code)
        return None
    if said.origin != manifest.origin:
        report.find("checkpoint_other_log", path=path)
        return None
    return Point(said.size, said.root, path, signed)
