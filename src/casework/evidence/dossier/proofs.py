"""Inclusion proofs of many leaves at once: their tiles are fetched by sets, so that no query is made for one proof."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.format.note import to_base64
from casework.log.format.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    FromTiles,
    Tile,
    tiles_with,
)
from casework.log.format.tree import (
    HashOf,
    Node,
    inclusion_parts,
    prove_inclusion,
)
from casework.log.tables import tiles
from casework.log.write.grown import Log, read_tile

_BATCH: Final = 1_000
"""Proofs made together: a tile of 256 hashes for each, some 25 MB."""
_NUMBERS: Final = 500


def proofs_of(conn: Connection, log: Log, size: int, indexes: Sequence[int]) -> Iterator[list[str]]:
    """For each leaf its proof in the tree of `size` leaves, in base64, in the order of `indexes`.

    MalformedTile where the database does not hold the tree. Nothing is verified.
    """
    shared: dict[Tile, bytes] = {}  # upper and partial tiles: every batch needs them
    above: dict[Node, bytes] = {}
    for begin in range(0, len(indexes), _BATCH):
        batch = indexes[begin : begin + _BATCH]
        nodes = (node for index in batch for part in inclusion_parts(index, size) for node in part)
        wanted = [tile for tile in tiles_with(nodes, size) if tile not in shared]
        fetched = _fetch(conn, log, wanted)
        shared.update({tile: data for tile, data in fetched.items() if tile.level or tile.width < TILE_WIDTH})
        known = _remembering(FromTiles(size, {**shared, **fetched}.__getitem__), above, {})
        for index in batch:
            yield [to_base64(found) for found in prove_inclusion(index, size, known)]


def _remembering(hash_of: HashOf, above: dict[Node, bytes], below: dict[Node, bytes]) -> HashOf:
    """Each hash is made once: those high up are in most proofs, those below are shared by neighbours of one batch."""

    def known(node: Node) -> bytes:
        memory = below if node.height < TILE_HEIGHT else above
        found = memory.get(node)
        if found is None:
            found = memory[node] = hash_of(node)
        return found

    return known


def _fetch(conn: Connection, log: Log, wanted: Iterable[Tile]) -> dict[Tile, bytes]:
    """The bytes of these tiles: the full ones of a level in few statements, the partial ones, few, one by one."""
    found: dict[Tile, bytes] = {}
    full: dict[int, list[int]] = {}
    for tile in wanted:
        if tile.width == TILE_WIDTH:
            full.setdefault(tile.level, []).append(tile.number)
        else:
            found[tile] = read_tile(conn, log, tile)
    for level, numbers in full.items():
        found.update({Tile(level, number): b"" for number in numbers})  # what is missing is malformed when it is read
        for begin in range(0, len(numbers), _NUMBERS):
            rows = sa.select(tiles.c.number, tiles.c.hashes).where(
                tiles.c.log == log.number, tiles.c.level == level,
                tiles.c.number.in_(numbers[begin : begin + _NUMBERS]),
            )  # fmt: skip
            found.update({Tile(level, number): bytes(hashes) for number, hashes in conn.execute(rows)})
    return found
