"""Tiles: their one path each, what a growing log writes, hashes read back, bundles in exactly one form."""

import hashlib
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format.tiles import (
    Bundle,
    FromTiles,
    MalformedTile,
    Tile,
    decode_bundle,
    encode_bundle,
    parse_path,
    subtree_root,
    tile_hashes,
    tile_with,
    tiles_grown,
    tiles_with,
)
from casework.log.format.tree import (
    MAX_SIZE,
    Node,
    Range,
    inclusion_parts,
    prove_consistency,
    prove_inclusion,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.log import naive_tree

LARGE = 70_000  # the size of the format's own example: three levels


class Store:
    """A log's tiles as a sealer would keep them: the hashes of each level, and a file for each path written."""

    def __init__(self) -> None:
        self.tree = Range()
        self.levels: list[list[bytes]] = []
        self.files: dict[str, bytes] = {}
        self.sizes: list[int] = []

    def grow(self, leaves: list[bytes]) -> None:
        """Add leaves, and write the tiles that they touch, no others."""
        old = self.tree.size
        self.sizes.append(old + len(leaves))
        for height, nodes in enumerate(self.tree.extend(leaves)):
            if height % 8 == 0:
                if height // 8 == len(self.levels):
                    self.levels.append([])
                self.levels[height // 8] += nodes
        for tile in tiles_grown(old, self.tree.size):
            begin = tile.number * 256
            self.files[tile.path] = b"".join(self.levels[tile.level][begin : begin + tile.width])

    def hashes(self, size: int) -> FromTiles:
        """The hashes of the tree as it was at `size`."""
        return FromTiles(size, lambda tile: self.files[tile.path])


@pytest.fixture(scope="module")
def large() -> Store:
    """A log of 70,000 leaves, grown in batches that end inside tiles, on their edges and past several."""
    store, batches = Store(), random.Random(7)
    while store.tree.size < LARGE:
        size = store.tree.size
        step = batches.choice((1, 255, 256, 257, 3_000, 9_999, 65_536 - size if size < 65_536 else 1))
        leaves = range(size, min(size + step, LARGE))
        store.grow([naive_tree.leaf_of(index) for index in leaves])
    return store


# --- paths

PATHS: list[tuple[str, Tile | Bundle]] = [
    ("tile/0/x001/x234/067", Tile(0, 1_234_067)),  # the example of tlog-tiles
    ("tile/0/x001/x234/067.p/8", Tile(0, 1_234_067, 8)),  # of tessera, api/layout
    ("tile/entries/x001/x234/067.p/8", Bundle(1_234_067, 8)),
    ("tile/entries/x001/x234/067", Bundle(1_234_067)),
    ("tile/entries/067.p/8", Bundle(67, 8)),
    ("tile/entries/000.p/1", Bundle(0, 1)),
    ("tile/entries/000.p/255", Bundle(0, 255)),
    ("tile/entries/000", Bundle(0)),
    ("tile/entries/010", Bundle(10)),
    ("tile/2/000.p/1", Tile(2, 0, 1)),
    ("tile/1/x003/x057/500", Tile(1, 3_057_500)),
    ("tile/5/x123/x456/078.p/2", Tile(5, 123_456_078, 2)),
    ("tile/63/999", Tile(63, 999)),
    ("tile/0/x001/000", Tile(0, 1_000)),
]


@pytest.mark.parametrize(("path", "named"), PATHS, ids=[path for path, _ in PATHS])
def test_each_tile_and_bundle_has_the_path_of_the_format(path: str, named: Tile | Bundle) -> None:
    assert named.path == path
    assert parse_path(path) == named


BAD_PATHS = [
    "", "tile", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile//000", "Tile/0/000", "tile/0/000 ",
    "tile/0/000\n", "tile/00/000", "tile/01/000", "tile/64/000", "tile/100/000", "tile/-1/000", "tile/+1/000",
    "tile/data/000", "tile/Entries/000", "tile/entries/", "tile/8/0/000",
    "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000", "tile/0/x001", "tile/0/001/000", "tile/0/x01/000",
    "tile/0/x0001/000", "tile/0/X001/000", "tile/0/x000/001", "tile/0/x000/x001/000", "tile/0/xx01/000",
    "tile/0/x001//000", "tile/0/x001/../000", "tile/0/..", "tile/0/%30", "tile/0/１２３", "tile/１/000", "tile/0/-01",
    "tile/0/1e3", "tile/0/x999/x999/x999/x999/x999/999", "tile/0/x001/x000/x000/x000/x000/x000/000",
    "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/999",
    "tile/0/000.p/1000", "tile/0/000.p/-1", "tile/0/000.p/+1", "tile/0/000.p/1/", "tile/0/000.P/1", "tile/0/000/1",
    "tile/0/000.p/1.p/1", "tile/0/x001.p/1/000", "tile/0/000?x", "tile/0/000#", "tile/0/000\x00",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_in_any_other_form_is_refused(path: str) -> None:
    with pytest.raises(MalformedTile) as caught:
        parse_path(path)
    assert caught.value.code == "malformed_path"


@given(st.integers(0, 63), st.integers(0, MAX_SIZE - 1), st.integers(1, 256))
def test_paths_read_back_as_what_they_name(level: int, number: int, width: int) -> None:
    for named in (Tile(level, number, width), Bundle(number, width)):
        assert parse_path(named.path) == named


@given(st.text("tilenrs/x.p0123456789", max_size=30))
def test_a_text_that_is_read_is_the_path_of_what_it_names(text: str) -> None:
    try:
        named = parse_path(text)
    except MalformedTile:
        return
    assert named.path == text


# --- which tiles


def test_a_tree_of_70_000_has_the_tiles_that_the_format_counts() -> None:
    """Its example: 273 full and one of 112 at level 0, one full and one of 17 at level 1, one of 1 at level 2."""
    found = list(tiles_grown(0, LARGE))
    assert [tile for tile in found if tile.width < 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [sum(tile.level == level for tile in found) for level in range(4)] == [274, 2, 1, 0]
    assert list(tiles_grown(0, 256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_grown(0, 0)) == []


GROWTHS: list[tuple[int, int, list[Tile]]] = [
    (0, 1, [Tile(0, 0, 1)]),
    (1, 1, []),
    (100, 101, [Tile(0, 0, 101)]),
    (255, 256, [Tile(0, 0), Tile(1, 0, 1)]),
    (255, 257, [Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1)]),
    (256, 257, [Tile(0, 1, 1)]),
    (257, 511, [Tile(0, 1, 255)]),
    (65_535, 65_536, [Tile(0, 255), Tile(1, 0), Tile(2, 0, 1)]),
    (MAX_SIZE - 1, MAX_SIZE, [
        *(Tile(level, (1 << 53 - 8 * (level + 1)) - 1) for level in range(6)), Tile(6, 0, 32),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "tiles"), GROWTHS, ids=[f"{old}-{new}" for old, new, _ in GROWTHS])
def test_a_growing_log_writes_the_tiles_that_it_changes(old: int, new: int, tiles: list[Tile]) -> None:
    assert list(tiles_grown(old, new)) == tiles


def all_tiles(size: int) -> set[Tile]:
    """The tiles of a tree, counted as the format defines them: floor(size / 256^level) hashes in rows of 256."""
    found = set()
    for level in range(4):
        hashes = size // 256**level
        found |= {Tile(level, number) for number in range(hashes // 256)}
        if hashes % 256:
            found.add(Tile(level, hashes // 256, hashes % 256))
    return found


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_what_growth_writes_is_exactly_what_the_smaller_tree_has_not(one: int, other: int) -> None:
    old, new = sorted((one, other))
    written = list(tiles_grown(old, new))
    assert set(written) == all_tiles(new) - all_tiles(old)
    assert len(written) == len(set(written))


@pytest.mark.parametrize(
    "call",
    [
        lambda: list(tiles_grown(2, 1)), lambda: list(tiles_grown(-1, 1)), lambda: list(tiles_grown(0, MAX_SIZE + 1)),
        lambda: tile_with(Node(0, 5), 5), lambda: tile_with(Node(2, 1), 7), lambda: tile_with(Node(0, -1), 7),
        lambda: tile_with(Node(60, 0), 7), lambda: subtree_root([]), lambda: subtree_root([b"\x01" * 32] * 3),
        lambda: encode_bundle([]), lambda: encode_bundle([b""] * 257), lambda: encode_bundle([b"x" * 65_536]),
    ],
)  # fmt: skip
def test_what_no_log_has_is_the_caller_s_bug(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"no such|not a complete|no bundle"):
        call()


# --- hashes read back


@pytest.mark.parametrize(("node", "size", "place"), [
    (Node(0, 0), 1, (Tile(0, 0, 1), 0, 1)),
    (Node(0, 300), 301, (Tile(0, 1, 45), 44, 45)),
    (Node(7, 1), 256, (Tile(0, 0), 128, 256)),
    (Node(8, 0), 256, (Tile(1, 0, 1), 0, 1)),
    (Node(9, 1), 1_030, (Tile(1, 0, 4), 2, 4)),
    (Node(16, 0), LARGE, (Tile(2, 0, 1), 0, 1)),
    (Node(53, 0), MAX_SIZE, (Tile(6, 0, 32), 0, 32)),
])  # fmt: skip
def test_a_node_s_hash_is_found_in_one_tile(node: Node, size: int, place: tuple[Tile, int, int]) -> None:
    assert tile_with(node, size) == place


def test_tiles_hold_the_hashes_that_the_format_defines(large: Store) -> None:
    """MTH(D[(n·256 + i)·256^l : (n·256 + i + 1)·256^l]), and each full tile's root is in the level above."""
    for tile in tiles_grown(0, LARGE):
        found = tile_hashes(large.files[tile.path], tile.width)
        for at in {0, tile.width // 2, tile.width - 1}:
            first = (tile.number * 256 + at) * 256**tile.level
            assert found[at] == naive_tree.root(first, first + 256**tile.level)
        if tile.width == 256:
            assert subtree_root(found) == large.levels[tile.level + 1][tile.number]


@given(st.data(), st.integers(0, 1_000))
def test_proofs_made_from_the_tiles_of_any_size_hold(large: Store, data: st.DataObject, pick: int) -> None:
    """Also of earlier sizes that a checkpoint was made at, from the tiles that were written then."""
    new = large.sizes[pick % len(large.sizes)]
    old, index = data.draw(st.integers(0, new)), data.draw(st.integers(0, new - 1))
    root = naive_tree.root(0, new)
    path = prove_inclusion(index, new, large.hashes(new))
    verify_inclusion(index, new, naive_tree.leaf_of(index), path, root)
    verify_consistency(old, new, prove_consistency(old, new, large.hashes(new)), naive_tree.root(0, old), root)


def test_a_proof_asks_for_each_tile_once_and_names_them_beforehand(large: Store) -> None:
    asked: list[Tile] = []

    def read(tile: Tile) -> bytes:
        asked.append(tile)
        return large.files[tile.path]

    prove_inclusion(1_234, LARGE, FromTiles(LARGE, read))
    nodes = [node for part in inclusion_parts(1_234, LARGE) for node in part]
    assert asked == tiles_with(nodes, LARGE)
    assert len(set(asked)) == len(asked) <= 5


@pytest.mark.parametrize("cut", [-32, -1, 1, 32])
def test_a_tile_of_another_width_is_refused(large: Store, cut: int) -> None:
    def read(tile: Tile) -> bytes:
        data = large.files[tile.path]
        return data[:cut] if cut < 0 else data + b"\x00" * cut

    with pytest.raises(MalformedTile) as caught:
        prove_inclusion(5, LARGE, FromTiles(LARGE, read))
    assert caught.value.code == "tile_length"


@pytest.mark.parametrize("width", [0, -1, 257])
def test_no_tile_has_such_a_width(width: int) -> None:
    with pytest.raises(MalformedTile):
        tile_hashes(b"\x00" * 32 * max(width, 0), width)


# --- entry bundles


def test_a_bundle_is_entries_after_their_lengths_the_higher_byte_first() -> None:
    assert encode_bundle([b"hello", b"", b"\x00" * 258]) == b"\x00\x05hello\x00\x00\x01\x02" + b"\x00" * 258


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_read_back_as_their_entries(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), len(entries)) == entries


def test_the_longest_entry_fits_and_bundles_follow_the_tiles_of_level_0() -> None:
    longest = b"x" * 65_535
    assert decode_bundle(encode_bundle([longest]), 1) == [longest]
    entries = [str(index).encode() for index in range(256)]
    leaves = [hashlib.sha256(b"\x00" + entry).digest() for entry in decode_bundle(encode_bundle(entries), 256)]
    assert root_of(leaves) == naive_tree.root(0, 256)


GOOD_BUNDLE = encode_bundle([b"one", b"", b"three"])
BUNDLE_TWINS: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 3),
    ("nothing, and none wanted", b"", 0),
    ("an entry fewer than wanted", GOOD_BUNDLE, 4),
    ("an entry more than wanted", GOOD_BUNDLE, 2),
    ("none wanted", GOOD_BUNDLE, 0),
    ("a byte behind", GOOD_BUNDLE + b"\x00", 3),
    ("an empty entry behind", GOOD_BUNDLE + b"\x00\x00", 3),
    ("the last byte missing", GOOD_BUNDLE[:-1], 3),
    ("the last entry missing", GOOD_BUNDLE[:-7], 3),
    ("half a length", GOOD_BUNDLE[:-6], 3),
    ("a length without its entry", GOOD_BUNDLE[:-5], 3),
    ("a length too long", b"\x00\x04" + GOOD_BUNDLE[2:], 3),
    ("the longest length", b"\xff\xff" + GOOD_BUNDLE[2:], 3),
    ("the lower byte first", b"\x03\x00" + GOOD_BUNDLE[2:], 3),
    ("257 entries", b"\x00\x00" * 257, 257),
]


@pytest.mark.parametrize(("data", "width"), [twin[1:] for twin in BUNDLE_TWINS], ids=[twin[0] for twin in BUNDLE_TWINS])
def test_a_bundle_that_is_not_exactly_its_entries_is_refused(data: bytes, width: int) -> None:
    assert decode_bundle(GOOD_BUNDLE, 3) == [b"one", b"", b"three"]
    with pytest.raises(MalformedTile) as caught:
        decode_bundle(data, width)
    assert caught.value.code == "malformed_bundle"


@given(st.binary(max_size=60), st.integers(0, 5))
def test_bytes_that_are_read_as_a_bundle_are_that_bundle(data: bytes, width: int) -> None:
    try:
        entries = decode_bundle(data, width)
    except MalformedTile:
        return
    assert encode_bundle(entries) == data
