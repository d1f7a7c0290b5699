"""The tree as the database holds it: the present log, hashes read back from its tiles, and what new leaves add.

Only full tiles are stored. A partial tile is made of leaves, or of the roots of the full tiles one level below, so
that a tree of any size is read back with a few short range selects.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.format.chain import HASH_BYTES
from casework.log.format.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    FromTiles,
    MalformedTile,
    Tile,
    encode_bundle,
)
from casework.log.format.tree import (
    MAX_SIZE,
    Range,
    cover,
    fold,
)
from casework.log.tables import (
    checkpoints,
    entries,
    leaves,
    logs,
    tiles,
)

TILE_COLUMNS = ("log", "level", "number", "root", "hashes")
TileRow = tuple[int, int, int, bytes, bytes]
"""Log, level, number, root and hashes, as in the table."""


class Log(NamedTuple):
    """One of the logs of this database."""

    number: int
    origin: str


class PublishedTree(NamedTuple):
    """A checkpoint as it lies in the database: nothing of it is verified."""

    size: int
    root: bytes
    note: bytes


def present_log(conn: Connection) -> Log | None:
    """The log that is being written, or none where nothing was ever sealed."""
    row = conn.execute(sa.select(logs.c.number, logs.c.origin).order_by(logs.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else Log(row.number, row.origin)


def begun_log(conn: Connection) -> Log:
    """The present log; CallerError `log_not_begun`."""
    log = present_log(conn)
    if log is None:
        raise CallerError(
            "log_not_begun", "尚未封存任何分录，请运行 casework audit seal",
            "nothing was ever sealed in this database; run: casework audit seal",
        )  # fmt: skip
    return log


def size_of(conn: Connection, log: Log) -> int:
    """How many leaves the log has; CallerError `tree_damaged` for a leaf where no tree can have one."""
    last = conn.execute(sa.select(sa.func.max(leaves.c.leaf_index)).where(leaves.c.log == log.number)).scalar()
    size = 0 if last is None else int(last) + 1
    if size > MAX_SIZE:
        raise damaged()
    return size


def damaged() -> CallerError:
    """Leaves or tiles are missing, or one stands where none can be: nothing is built on such a tree."""
    return CallerError(
        "tree_damaged", "树的数据缺失或被改动，请运行 casework audit verify",
        "leaves or tiles of the tree are missing, or one was put where none can be: run casework audit verify",
    )  # fmt: skip


def last_published(conn: Connection, log: Log, *, covering: int = 0) -> PublishedTree | None:
    """The log's newest checkpoint, if its size is above leaf `covering` (0: any)."""
    at = checkpoints.c
    wanted = sa.select(at.size, at.root, at.note).where(at.log == log.number, at.size > covering)
    row = conn.execute(wanted.order_by(at.size.desc()).limit(1)).one_or_none()
    return None if row is None else PublishedTree(row.size, bytes(row.root), bytes(row.note))


# --- reading hashes


def read_tile(conn: Connection, log: Log, tile: Tile) -> bytes:
    """The bytes of a tile, full or partial; MalformedTile where the database does not hold all of it."""
    begin, end = tile.number * TILE_WIDTH, tile.number * TILE_WIDTH + tile.width
    if tile.width == TILE_WIDTH:
        at = tiles.c
        wanted = sa.select(at.hashes).where(at.log == log.number, at.level == tile.level, at.number == tile.number)
        data = bytes(conn.execute(wanted).scalar() or b"")
    else:
        if tile.level == 0:
            own = leaves.c
            rows = sa.select(own.leaf_hash).where(
                own.log == log.number, own.leaf_index >= begin, own.leaf_index < end
            ).order_by(own.leaf_index)  # fmt: skip
        else:
            below = tiles.c
            rows = sa.select(below.root).where(
                below.log == log.number, below.level == tile.level - 1, below.number >= begin, below.number < end
            ).order_by(below.number)  # fmt: skip
        data = b"".join(map(bytes, conn.execute(rows).scalars()))
    if len(data) != tile.width * HASH_BYTES:
        raise MalformedTile("tile_length")
    return data


def read_bundle(conn: Connection, log: Log, bundle: Bundle) -> bytes:
    """The bodies of a bundle's entries, encoded; MalformedTile where the database does not hold all of them."""
    begin = bundle.number * TILE_WIDTH
    bodies = conn.execute(
        sa.select(entries.c.body)
        .join(leaves, leaves.c.entry == entries.c.id)
        .where(
            leaves.c.log == log.number, leaves.c.leaf_index >= begin, leaves.c.leaf_index < begin + bundle.width
        )
        .order_by(leaves.c.leaf_index)
    ).scalars()  # fmt: skip
    found = list(map(bytes, bodies))
    if len(found) != bundle.width:
        raise MalformedTile("malformed_bundle")
    return encode_bundle(found)


def hashes_of(conn: Connection, log: Log, size: int) -> FromTiles:
    """The hash of any node of the log's tree of `size` leaves, read from its tiles."""
    return FromTiles(size, lambda tile: read_tile(conn, log, tile))


def root_at(conn: Connection, log: Log, size: int) -> bytes:
    """The root of the log's first `size` leaves, from its tiles; MalformedTile where some are missing."""
    hash_of = hashes_of(conn, log, size)
    return fold([hash_of(node) for node in cover(0, size)])


# --- growing


class Growing:
    """A log's tree in memory, to which leaves are added: its peaks and its partial tiles, less than 256 hashes each."""

    def __init__(self, log: Log, tree: Range, partial: Sequence[Sequence[bytes]] = ()) -> None:
        self.log = log
        self.tree = tree
        self._partial = [list(hashes) for hashes in partial]

    @classmethod
    def read(cls, conn: Connection, log: Log) -> "Growing":
        """As the database holds it; MalformedTile where tiles are missing."""
        size = size_of(conn, log)
        hash_of = hashes_of(conn, log, size)
        tree = Range(size, [hash_of(node) for node in cover(0, size)])
        partial, level = [], 0
        while size >> (TILE_HEIGHT * level):
            number, width = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
            data = read_tile(conn, log, Tile(level, number, width)) if width else b""
            partial.append([data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)])
            level += 1
        return cls(log, tree, partial)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self.tree.size

    @property
    def partial(self) -> Sequence[Sequence[bytes]]:
        """The hashes of the last tile of each level that is not full, from level 0 on."""
        return self._partial

    def add(self, leaf_hashes: Sequence[bytes]) -> list[TileRow]:
        """Add leaves; the tiles that became full with them."""
        before = self.tree.size
        completed = self.tree.extend(leaf_hashes)
        full: list[TileRow] = []
        for height in range(0, len(completed), TILE_HEIGHT):
            level = height // TILE_HEIGHT
            if level == len(self._partial):
                self._partial.append([])
            hashes = [*self._partial[level], *completed[height]]
            first = (before >> height) // TILE_WIDTH
            roots: Sequence[Any] = completed[height + TILE_HEIGHT] if height + TILE_HEIGHT < len(completed) else ()
            for place, root in enumerate(roots):
                data = b"".join(hashes[place * TILE_WIDTH : (place + 1) * TILE_WIDTH])
                full.append((self.log.number, level, first + place, root, data))
            self._partial[level] = hashes[len(roots) * TILE_WIDTH :]
        return full
