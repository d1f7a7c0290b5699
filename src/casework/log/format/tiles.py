"""Tiles and entry bundles: how a log is stored and served (C2SP tlog-tiles), docs/log.md §4. Pure.

A tile holds up to 256 neighbouring hashes of one level: level 0 the leaves, each level above the roots of full
tiles below. A full tile never changes; the last of a level is partial and named with its width. A narrower
tile is the beginning of a wider one, so a store need keep only the widest. Bundle n holds the entries whose
hashes are in tile n of level 0.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from casework.log.format.chain import HASH_BYTES
from casework.log.format.tree import (
    MAX_SIZE,
    Faulty,
    Node,
    parents,
)

TILE_HEIGHT: Final = 8  # heights of the tree in one tile
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_LEVEL: Final = 63  # as the format has it; with 2^53 leaves no tile is above level 6
MAX_ENTRY_BYTES: Final = 65_535  # what the length before an entry can say

_PATH: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<number>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class MalformedTile(Faulty):
    """A path, tile or bundle outside the format. `code` is one of malformed_path, tile_length, malformed_bundle."""


class Tile(NamedTuple):
    """Hashes [number·256, number·256 + width) of a level; hash i of level l spans 256^l leaves."""

    level: int
    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """`tile/0/x001/x234/067.p/8`, below the log's prefix."""
        return f"tile/{self.level}/{_place(self.number, self.width)}"


class Bundle(NamedTuple):
    """Entries [number·256, number·256 + width)."""

    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """`tile/entries/x001/x234/067.p/8`, below the log's prefix."""
        return f"tile/entries/{_place(self.number, self.width)}"


def _place(number: int, width: int) -> str:
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03}")
    return "/".join(reversed(groups)) + ("" if width == TILE_WIDTH else f".p/{width}")


def parse_path(text: str) -> Tile | Bundle:
    """The tile or bundle that `text` is the one path of; MalformedTile for every other text."""
    found = _PATH.fullmatch(text)
    if found is None:
        raise MalformedTile("malformed_path")
    number, width = int(re.sub(r"[x/]", "", found["number"])), int(found["width"] or TILE_WIDTH)
    level = 0 if found["level"] == "entries" else int(found["level"])
    named = Bundle(number, width) if found["level"] == "entries" else Tile(level, number, width)
    # Written again: finds a group of noughts in front, and a full width said after all.
    if named.path != text or width > TILE_WIDTH or number >= MAX_SIZE or level > MAX_LEVEL:
        raise MalformedTile("malformed_path")
    return named


# --- which tiles


def tiles_grown(old: int, new: int) -> Iterator[Tile]:
    """The tiles to write when a log grows from `old` to `new` leaves, level by level from below.

    With `old` 0: all tiles of the tree. ValueError unless 0 <= old <= new <= 2^53.
    """
    _check_growth(old, new)
    level = 0
    while new:
        yield from (Tile(level, number, width) for number, width in _grown(old, new))
        old, new, level = old >> TILE_HEIGHT, new >> TILE_HEIGHT, level + 1


def _grown(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Number and width of each tile of a row that `old` hashes leave as it was not with `new`."""
    if old < new:
        for number in range(old // TILE_WIDTH, -(-new // TILE_WIDTH)):
            yield number, min(TILE_WIDTH, new - number * TILE_WIDTH)


def _check_growth(old: int, new: int) -> None:
    if not 0 <= old <= new <= MAX_SIZE:
        raise ValueError("no such pair of sizes")


def tile_with(node: Node, size: int) -> tuple[Tile, int, int]:
    """The tile from which a node's hash is made in a tree of `size` leaves: of its hashes [begin, end).

    ValueError when the node is not in the tree.
    """
    if node.number < 0 or not 0 < (node.number + 1) << node.height <= size <= MAX_SIZE:
        raise ValueError("no such node in the tree")
    level, height = divmod(node.height, TILE_HEIGHT)
    number, begin = divmod(node.number << height, TILE_WIDTH)
    width = min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH)
    return Tile(level, number, width), begin, begin + (1 << height)


def tiles_with(nodes: Iterable[Node], size: int) -> list[Tile]:
    """The tiles from which these nodes are made, each once: what a reader fetches in one go before a proof."""
    return list(dict.fromkeys(tile_with(node, size)[0] for node in nodes))


# --- reading hashes


def tile_hashes(data: bytes, width: int) -> list[bytes]:
    """The hashes of a tile; MalformedTile unless it holds exactly `width`."""
    if len(data) != width * HASH_BYTES or not 1 <= width <= TILE_WIDTH:
        raise MalformedTile("tile_length")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of neighbouring hashes of one height; of a full tile, its hash one level up.

    ValueError for another number of hashes.
    """
    if len(hashes).bit_count() != 1:
        raise ValueError("not a complete subtree")
    nodes: Sequence[bytes] = hashes
    while len(nodes) > 1:
        nodes = parents(nodes)
    return nodes[0]


class FromTiles:
    """The hash of any node of a tree of `size` leaves, made from its tiles: for `prove_inclusion` and its kin.

    `read` gives a tile's bytes and raises what it likes when it has none. Each tile is read once and kept, so
    one of these serves some proofs, not a whole log. Nothing read is authenticated here: a proof is verified
    against a root, and whoever shows hashes without one compares full tiles with the level above.
    """

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        self.size = size
        self._read = read
        self._kept: dict[Tile, list[bytes]] = {}

    def __call__(self, node: Node) -> bytes:
        """The node's hash. ValueError for a node outside the tree, MalformedTile for a tile of another width."""
        tile, begin, end = tile_with(node, self.size)
        hashes = self._kept.get(tile)
        if hashes is None:
            hashes = self._kept[tile] = tile_hashes(self._read(tile), tile.width)
        return subtree_root(hashes[begin:end])


# --- entry bundles


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The entries one after the other, each after its length in two bytes, the higher first.

    ValueError unless they are 1 to 256 of at most 65,535 bytes.
    """
    if not 1 <= len(entries) <= TILE_WIDTH or max(map(len, entries)) > MAX_ENTRY_BYTES:
        raise ValueError("entries that no bundle can hold")
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle; MalformedTile unless `data` is exactly `width` entries and nothing more."""
    if not 1 <= width <= TILE_WIDTH:
        raise MalformedTile("malformed_bundle")
    entries: list[bytes] = []
    add = entries.append
    at = 0
    try:
        for _ in range(width):
            begin = at + 2
            at = begin + (data[at] << 8 | data[at + 1])
            add(data[begin:at])
    except IndexError:  # the data end before or within a length
        raise MalformedTile("malformed_bundle") from None
    if at != len(data):
        raise MalformedTile("malformed_bundle")
    return entries
