"""Drawing a sample that anybody can draw again: a list, a seed, a share of it (figures of samples). Pure.

Each name is ordered by the SHA-256 of the seed, a line feed and the name; the first of them are drawn. What the list
was is held by its digest: the SHA-256 of its names in byte order, each followed by a line feed.
"""

import hashlib
from collections.abc import Collection
from typing import Final

SEED_BYTES: Final = 32


def size_of(count: int, percent: int) -> int:
    """So many of `count`: a share of it, rounded up."""
    return -(-count * percent // 100)


def drawn(seed: bytes, names: Collection[str], size: int) -> list[str]:
    """The first `size` of them, in the order of the draw."""

    def place(name: str) -> bytes:
        return hashlib.sha256(seed + b"\n" + name.encode()).digest()

    return sorted(names, key=place)[:size]


def digest_of(names: Collection[str]) -> str:
    """Of the list, in hex."""
    listed = sorted(name.encode() for name in names)
    return hashlib.sha256(b"".join(name + b"\n" for name in listed)).hexdigest()
