"""Entries → leaf hashes → tiles → roots, tile by tile: in this process or beside it.

What a tile's entries give is compared with the tile as it lies in the bundle; the tree is built from the entries.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import Final, NamedTuple

from casework.evidence.bundle.source import Missing, Source
from casework.log.format.chain import HASH_BYTES, LEAF_PREFIX
from casework.log.format.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    MalformedTile,
    Tile,
    decode_bundle,
    subtree_root,
    tile_hashes,
)
from casework.log.format.tree import Range, fold

_TILES_PER_TASK: Final = 32
_begin_leaf = hashlib.sha256(LEAF_PREFIX).copy  # as quick as joining, and the entry is not copied


class BundleFault(NamedTuple):
    """What is wrong with a tile or its entries: a code of `audit.findings`, which leaves, which file."""

    code: str
    path: str
    leaves: tuple[int, ...] = ()


class Hashed(NamedTuple):
    """What a tile's entries give: the peaks of its leaves, and of its beginnings at the sizes that were asked for.

    None where the entries cannot be read: the tree cannot be built past it.
    """

    number: int
    width: int
    peaks: tuple[bytes, ...] | None
    at: dict[int, tuple[bytes, ...]]
    faults: tuple[BundleFault, ...]


class TilesWanted(NamedTuple):
    """A tile to hash, and the sizes of the log inside it at which the tree is to be known."""

    number: int
    width: int
    sizes: tuple[int, ...] = ()


class StoredTile(NamedTuple):
    """A tile as it lies in the bundle: its entries and its hashes, each none where it cannot be read."""

    number: int
    width: int
    bodies: list[bytes] | None
    hashes: bytes | None
    faults: tuple[BundleFault, ...]


def read_tile(source: Source, number: int, width: int) -> StoredTile:
    """Read both files of a tile; what is wrong with their form is among the faults."""
    tile, bundle = Tile(0, number, width), Bundle(number, width)
    faults: list[BundleFault] = []
    bodies = hashes = None
    try:
        bodies = decode_bundle(source.entries(bundle), width)
    except Missing as missing:
        faults.append(BundleFault("file_missing", missing.path))
    except MalformedTile:
        faults.append(BundleFault("bundle_malformed", bundle.path))
    try:
        hashes = source.tile(tile)
        if len(hashes) != width * HASH_BYTES:
            faults.append(BundleFault("tile_differs", tile.path))
            hashes = None
    except Missing as missing:
        faults.append(BundleFault("file_missing", missing.path))
    return StoredTile(number, width, bodies, hashes, tuple(faults))


def leaf_hashes(bodies: Sequence[bytes]) -> list[bytes]:
    """`chain.leaf_hash` of each: written out, because this is most of what verification costs."""
    begin = _begin_leaf
    found: list[bytes] = []
    add = found.append
    for body in bodies:
        state = begin()
        state.update(body)
        add(state.digest())
    return found


def hash_tile(stored: StoredTile, sizes: Sequence[int]) -> Hashed:
    """A tile's entries against its hashes; where there are no entries, the hashes stand for them."""
    number, width, bodies, held, faults = stored
    if bodies is not None:
        leaves = leaf_hashes(bodies)
        if held is not None and held != b"".join(leaves):
            faults = (*faults, _blamed(Tile(0, number, width), tile_hashes(held, width), leaves))
    elif held is not None:
        leaves = tile_hashes(held, width)
    else:
        return Hashed(number, width, None, {}, faults)
    at = {size: peaks_of(leaves[: size - number * TILE_WIDTH]) for size in sizes}
    return Hashed(number, width, peaks_of(leaves), at, faults)


def _blamed(tile: Tile, held: Sequence[bytes], leaves: Sequence[bytes]) -> BundleFault:
    first = tile.number * TILE_WIDTH
    wrong = [first + place for place, (said, is_) in enumerate(zip(held, leaves, strict=True)) if said != is_]
    return BundleFault("leaf_differs", tile.path, tuple(wrong))


def peaks_of(leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """The hashes of the complete subtrees that these leaves of one tile make up, the tallest first."""
    if len(leaves) == TILE_WIDTH:
        return (subtree_root(leaves),)
    tree = Range()
    tree.extend(leaves)
    return tree.peaks


def hash_beside(source: Source, wanted: Iterator[TilesWanted], processes: int) -> Iterator[Hashed]:
    """Every tile in order, hashed by processes beside this one, a bounded number ahead."""
    tasks = iter(lambda: list(islice(wanted, _TILES_PER_TASK)), [])
    with ProcessPoolExecutor(processes) as pool:
        ahead = deque(pool.submit(_run, source, task) for task in islice(tasks, 2 * processes + 1))
        while ahead:
            done = ahead.popleft().result()
            ahead.extend(pool.submit(_run, source, task) for task in islice(tasks, 1))
            yield from done


def _run(source: Source, task: Sequence[TilesWanted]) -> list[Hashed]:
    return [hash_tile(read_tile(source, one.number, one.width), one.sizes) for one in task]


# --- the tree over them


class Growth:
    """The tree as its tiles come, from left to right, and the tiles above them compared with those of the bundle."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._whole = Range()  # its leaves are the roots of full tiles, eight heights up
        self._last: tuple[bytes, ...] = ()
        self._above: list[list[bytes]] = []
        self._begun: list[int] = []
        self.faults: list[BundleFault] = []

    def root_with(self, beginning: Sequence[bytes]) -> bytes:
        """The root at a size inside the tile that comes next; `beginning` are the peaks of its leaves below it."""
        return fold([*self._whole.peaks, *beginning])

    @property
    def root(self) -> bytes:
        """The root over all that came."""
        return fold([*self._whole.peaks, *self._last])

    def add(self, peaks: Sequence[bytes], width: int) -> None:
        """The next tile of leaves; after one that is not full there is none."""
        if width < TILE_WIDTH:
            self._last = tuple(peaks)
            return
        self._whole.append(peaks[0])
        self._climb(0, peaks[0])

    def _climb(self, place: int, root: bytes) -> None:
        """`root` is the hash of a full tile: one more of the tile above, which may be full with it."""
        if place == len(self._above):
            self._above.append([])
            self._begun.append(0)
        row = self._above[place]
        row.append(root)
        if len(row) == TILE_WIDTH:
            self._compare(place)
            self._above[place] = []
            self._begun[place] += 1
            self._climb(place + 1, subtree_root(row))

    def finish(self) -> None:
        """Compare the tiles above that are not full."""
        for place, row in enumerate(self._above):
            if row:
                self._compare(place)

    def _compare(self, place: int) -> None:
        row = self._above[place]
        tile = Tile(place + 1, self._begun[place], len(row))
        try:
            if self._source.tile(tile) != b"".join(row):
                self.faults.append(BundleFault("tile_differs", tile.path))
        except Missing as missing:
            self.faults.append(BundleFault("file_missing", missing.path))


def roots_of_tiles(source: Source, begin: int, end: int, size: int) -> Iterator[bytes]:
    """The hashes of the full tiles of leaves [begin, end), by number, as the tiles of level 1 have them.

    Missing, MalformedTile.
    """
    row: Sequence[bytes] = []
    number = -1
    for place in range(begin, end):
        if place // TILE_WIDTH != number:
            number = place // TILE_WIDTH
            tile = Tile(1, number, min(TILE_WIDTH, (size >> TILE_HEIGHT) - number * TILE_WIDTH))
            row = tile_hashes(source.tile(tile), tile.width)
        yield row[place % TILE_WIDTH]
