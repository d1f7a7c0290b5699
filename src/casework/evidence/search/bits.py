"""Sets of entries of one segment, as numbers with a bit for each entry and as the bytes of a posting. Pure.

A segment is 4,096 rows of `entries` that follow one another by id. A posting with few entries lists their offsets (two
bytes each), one with many is the bits themselves (512 bytes): never longer than that, whatever was asked to be filed.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final

SHIFT: Final = 12
WIDTH: Final = 1 << SHIFT
_WHOLE: Final = WIDTH // 8
ALL: Final = (1 << WIDTH) - 1


def from_offsets(offsets: Iterable[int]) -> int:
    """The set of these offsets, each below `WIDTH`."""
    filled = bytearray(_WHOLE)
    for offset in offsets:
        filled[offset >> 3] |= 1 << (offset & 7)
    return int.from_bytes(filled, "little")


def offsets_of(held: int, *, descending: bool = False) -> Iterator[int]:
    """The members of a set, in order."""
    if descending:
        while held:
            last = held.bit_length() - 1
            yield last
            held ^= 1 << last
        return
    data = held.to_bytes(_WHOLE, "little")
    for place, byte in enumerate(data):
        while byte:  # as many turns as it has bits
            lowest = byte & -byte
            yield (place << 3) + lowest.bit_length() - 1
            byte ^= lowest  # noqa: PLW2901 - the byte is used up


def unpack(data: bytes) -> int:
    """The set that bytes say. Bytes that were never packed make some set: an entry found by it is matched anew."""
    if len(data) >= _WHOLE:
        return int.from_bytes(data[:_WHOLE], "little")
    return from_offsets(_listed(data))


def with_more(data: bytes, more: Iterable[int]) -> bytes:
    """The bytes of a set after these offsets were added; the same bytes where it had them all."""
    if len(data) < _WHOLE:
        offsets = {*_listed(data), *more}
        if 2 * len(offsets) < _WHOLE:
            return struct.pack(f"<{len(offsets)}H", *sorted(offsets))
        filled, more = bytearray(_WHOLE), offsets
    else:
        filled = bytearray(data[:_WHOLE])
    for offset in more:
        filled[offset >> 3] |= 1 << (offset & 7)
    return bytes(filled)


def _listed(data: bytes) -> list[int]:
    count = len(data) // 2
    return [offset % WIDTH for offset in struct.unpack(f"<{count}H", data[: 2 * count])]
