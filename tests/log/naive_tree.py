"""The definitions of RFC 6962 §2.1, written down as they stand there and slow: what the fast tree must agree with."""

import hashlib
from functools import cache

from casework.log.format.tree import Node


def leaf_of(index: int) -> bytes:
    """The hash of leaf `index` of the log that these tests build: its bytes are its number."""
    return hashlib.sha256(b"\x00" + str(index).encode()).digest()


@cache
def root(begin: int, end: int) -> bytes:
    """MTH(D[begin:end])."""
    if begin == end:
        return hashlib.sha256(b"").digest()
    if end - begin == 1:
        return leaf_of(begin)
    middle = begin + below(end - begin)
    return hashlib.sha256(b"\x01" + root(begin, middle) + root(middle, end)).digest()


def path(index: int, begin: int, end: int) -> list[bytes]:
    """PATH(m, D[begin:end]), m counted from 0."""
    if end - begin == 1:
        return []
    middle = begin + below(end - begin)
    if index < middle:
        return [*path(index, begin, middle), root(middle, end)]
    return [*path(index, middle, end), root(begin, middle)]


def proof(old: int, begin: int, end: int, *, whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[begin:end], b), m counted from 0; PROOF(m, D[n]) with `begin` 0."""
    if old == end:
        return [] if whole else [root(begin, end)]
    middle = begin + below(end - begin)
    if old <= middle:
        return [*proof(old, begin, middle, whole=whole), root(middle, end)]
    return [*proof(old, middle, end, whole=False), root(begin, middle)]


def below(size: int) -> int:
    """The largest power of two smaller than `size`."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def hash_of(node: Node) -> bytes:
    """The hash of any complete subtree of that log."""
    return root(node.number << node.height, (node.number + 1) << node.height)
