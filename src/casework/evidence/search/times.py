"""When the entries of a segment were recorded, for each 64 of them, so that a period finds its entries. Pure.

Seconds since 1970 in 32 bits (until 2106), the first rounded down and the last up: an entry within a period is never
ruled out, one outside may stay in and is matched anew.
"""

import struct
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from casework.evidence.search.bits import ALL, WIDTH

_BLOCK: Final = 64
_BLOCKS: Final = WIDTH // _BLOCK
_FORM: Final = struct.Struct(f"<{2 * _BLOCKS}I")
LATEST: Final = 2**32 - 1
"""The last second that 32 bits hold."""
_MASK: Final = (1 << _BLOCK) - 1
NONE: Final = _FORM.pack(*([LATEST, 0] * _BLOCKS))
"""Of a segment without entries."""


def seconds(instant: datetime) -> int:
    """Whole seconds since 1970, rounded down, as far as 32 bits go."""
    return min(max(int(instant.timestamp()), 0), LATEST - 1)


def with_more(times: bytes, more: Iterable[tuple[int, int]]) -> tuple[int, int, bytes]:
    """First, last and the bytes of a segment after more entries of it: (offset, seconds)."""
    held = list(_FORM.unpack(times))
    for offset, second in more:
        at = offset // _BLOCK * 2
        held[at] = min(held[at], second)
        held[at + 1] = max(held[at + 1], second + 1)
    return min(held[::2]), max(held[1::2]), _FORM.pack(*held)


def within(times: bytes, begin: int, end: int) -> int:
    """The set of offsets in a segment that may have been recorded from second `begin` to `end`."""
    if len(times) != _FORM.size:
        return ALL
    held = _FORM.unpack(times)
    found = 0
    for block in range(_BLOCKS):
        if held[2 * block] <= end and held[2 * block + 1] >= begin:
            found |= _MASK << (block * _BLOCK)
    return found
