"""The heads of all cases as the log states them once a day: which bytes, which tree, which entry (decision 0019). Pure.

A `log.heads` entry says: in the tree of the log's first `size` leaves there are `cases` cases, and the RFC 6962 root
over their heads is `root`. The head of a case is its last entry by leaf index below `size`; the heads stand in the
ascending numeric order of their cases. Nothing but those leaves decides it, so whoever has them can make it again.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import islice
from typing import Any, Final, NamedTuple

from casework.log.format.chain import HASH_BYTES, leaf_hash
from casework.log.format.entry import MAX_INT, Entry
from casework.log.format.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    tiles_grown,
)
from casework.log.format.tree import (
    EMPTY_ROOT,
    MAX_SIZE,
    Faulty,
    Range,
)

EVENT: Final = "log.heads"
_LABEL: Final = "casework/audit/v1/case-head"
_RECORD: Final = struct.Struct(f">QQ{HASH_BYTES}s")
_is_log = re.compile(r"log:[1-9][0-9]{0,9}", re.ASCII).fullmatch
_is_case = re.compile(r"case:[1-9][0-9]{0,15}", re.ASCII).fullmatch


class MalformedStatement(Faulty):
    """An entry that states no heads: not_heads, malformed_day, malformed_size, malformed_cases, malformed_root."""


class CaseHead(NamedTuple):
    """The last entry of a case: the case's number, the entry's number in its stream, its leaf hash (32 bytes)."""

    case: int
    seq: int
    leaf_hash: bytes


class Statement(NamedTuple):
    """What a `log.heads` entry says; `day` is the branch's calendar day in ISO form."""

    day: str
    size: int
    cases: int
    root: bytes

    @property
    def data(self) -> dict[str, Any]:
        """The entry's `data`."""
        return {"day": self.day, "size": self.size, "cases": self.cases, "root": self.root.hex()}


def statement_of(entry: Entry) -> Statement:
    """What the entry states; MalformedStatement when it is not exactly a statement of heads."""
    data = entry.data
    if entry.event != EVENT or not _is_log(entry.stream) or data.keys() != {"day", "size", "cases", "root"}:
        raise MalformedStatement("not_heads")
    day, size, cases, root = data["day"], data["size"], data["cases"], data["root"]
    if not _is_day(day):
        raise MalformedStatement("malformed_day")
    if type(size) is not int or not 0 <= size <= MAX_SIZE:
        raise MalformedStatement("malformed_size")
    if type(cases) is not int or not 0 <= cases <= size:
        raise MalformedStatement("malformed_cases")
    if type(root) is not str or not re.fullmatch(r"[0-9a-f]{64}", root, re.ASCII):
        raise MalformedStatement("malformed_root")
    if cases == 0 and root != EMPTY_ROOT.hex():
        raise MalformedStatement("malformed_root")
    return Statement(day, size, cases, bytes.fromhex(root))


def _is_day(value: Any) -> bool:
    try:
        return type(value) is str and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def case_of(stream: Any) -> int | None:
    """The number of the case whose stream this is; none for every other stream, also for `case:007`."""
    if type(stream) is not str or not _is_case(stream):
        return None
    number = int(stream[5:])
    return number if number <= MAX_INT else None


def head_hash(case: int, seq: int, leaf: bytes) -> bytes:
    """The leaf of the heads' tree that says so, 32 bytes.

    SHA-256(0x00 ‖ label LF `case:<n>` LF `<seq>` LF `<leaf hash in hex>` LF): an entry begins with a brace, so none
    can pass for a head, nor a head for an entry.
    """
    return leaf_hash(f"{_LABEL}\ncase:{case}\n{seq}\n{leaf.hex()}\n".encode())


# --- built once, from all heads in order


class Built(NamedTuple):
    """The tree over all heads, as it is kept: records of 256 neighbouring heads each, and the tiles above them.

    `first_cases[i]` is the first case of `records[i]`. Tiles of level 0 are left out: the records make them.
    """

    cases: int
    root: bytes
    first_cases: list[int]
    records: list[bytes]
    tiles: list[tuple[Tile, bytes]]


def build(heads: Iterable[CaseHead]) -> Built:
    """The tree over heads in ascending order of their cases; 48 bytes of memory a case.

    ValueError where a case does not follow the one before it.
    """
    tree, rest, last = Range(), iter(heads), 0
    first_cases: list[int] = []
    records: list[bytes] = []
    rows: list[list[bytes]] = []  # of hashes: level 1 and above
    while chunk := list(islice(rest, TILE_WIDTH)):
        for head in chunk:
            if head.case <= last:
                raise ValueError("the cases are not in ascending order")
            last = head.case
        first_cases.append(chunk[0].case)
        records.append(b"".join([_RECORD.pack(*head) for head in chunk]))
        completed = tree.extend([head_hash(*head) for head in chunk])
        for level, complete in enumerate(completed[TILE_HEIGHT::TILE_HEIGHT]):
            if level == len(rows):
                rows.append([])
            rows[level].extend(complete)
    tiles = [(tile, _hashes(rows, tile)) for tile in tiles_grown(0, tree.size) if tile.level]
    return Built(tree.size, tree.root, first_cases, records, tiles)


def _hashes(rows: Sequence[Sequence[bytes]], tile: Tile) -> bytes:
    begin = tile.number * TILE_WIDTH
    return b"".join(rows[tile.level - 1][begin : begin + tile.width])


def read_records(data: bytes) -> list[CaseHead]:
    """The heads of one of `Built.records`; ValueError when it is none."""
    if len(data) % _RECORD.size or not 0 < len(data) <= _RECORD.size * TILE_WIDTH:
        raise ValueError("not records of heads")
    return [CaseHead(*found) for found in _RECORD.iter_unpack(data)]


def tile_of_records(data: bytes) -> bytes:
    """The bytes of the level-0 tile over one of `Built.records`; ValueError when it is none."""
    return b"".join([head_hash(*head) for head in read_records(data)])
