"""The Merkle tree over leaf hashes (RFC 6962 §2.1, verification as in RFC 9162 §2.1), docs/log.md §§2 to 4. Pure.

A tree of n leaves is known by its peaks: the roots of the complete subtrees that its size splits into, at most
one of each height. Complete subtrees never change as the log grows, so they are all that is ever stored, and
every root and every proof is folded from some of them (`Node`); the functions that name the nodes are apart from
those that use their hashes, so that a reader can fetch all of them at once.

Sizes go from 0 to 2^53: every index then stays inside the integers of the entry format.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from casework.log.format.chain import HASH_BYTES

NODE_PREFIX: Final = b"\x01"  # a leaf starts with 0x00 (`chain`), so no node can pass for a leaf
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
MAX_SIZE: Final = 2**53
_BATCH: Final = 4_096  # leaves hashed together by `root_of`: enough for speed, little memory

_begin_node = hashlib.sha256(NODE_PREFIX).copy  # a node's hash with the prefix fed in: an eighth quicker than joining


class Faulty(ValueError):
    """Something that is not what it must be. `code` names the fault; the text never quotes what was read."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProofRefused(Faulty):
    """A proof that does not hold.

    `code`: hash_length: a hash has not 32 bytes. size_range, index_outside: no such tree, no such leaf in it.
    tree_shrank: the later tree is the smaller. proof_length: not exactly the hashes that these sizes need.
    root_differs: the proof leads to another root. fork: two roots for one size. not_consistent: the later tree
    does not begin with the earlier. other_origin: the two are of different logs.
    """


class Node(NamedTuple):
    """A complete subtree: the leaves [number·2^height, (number + 1)·2^height)."""

    height: int
    number: int


HashOf = Callable[[Node], bytes]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), 32 bytes."""
    state = _begin_node()
    state.update(left)
    state.update(right)
    return state.digest()


def parents(nodes: Iterable[bytes]) -> list[bytes]:
    """The hashes one height up; an odd last node has no parent yet and is left out, never doubled."""
    begin = _begin_node
    found: list[bytes] = []
    add = found.append
    rest = iter(nodes)
    for left, right in zip(rest, rest, strict=False):  # `node_hash` written out: this loop is what sealing costs
        state = begin()
        state.update(left)
        state.update(right)
        add(state.digest())
    return found


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over neighbouring complete subtrees given from left to right; the empty root over none."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in hashes[-2::-1]:
        root = node_hash(left, root)
    return root


class Range:
    """A tree that grows on the right, held as its peaks: at most 54 hashes, whatever its size."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """The tree of `size` leaves with these peaks (the hashes of `cover(0, size)`), or the empty tree.

        ValueError when their number or length is not that of the size.
        """
        heights = [node.height for node in cover(0, size)]
        if len(heights) != len(peaks):
            raise ValueError("the peaks are not those of the size")
        _check_leaves(peaks)
        self.size = size
        self._peaks: list[bytes | None] = [None] * size.bit_length()
        for height, peak in zip(heights, peaks, strict=True):
            self._peaks[height] = peak

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The hashes of `cover(0, size)`, the tallest subtree first."""
        return tuple(peak for peak in reversed(self._peaks) if peak is not None)

    @property
    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return fold(self.peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash; ValueError unless it has 32 bytes."""
        self.extend((leaf,))

    def extend(self, leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
        """Add leaf hashes; gives the hashes of the subtrees that became complete, by height, `leaves` first.

        Entry 8·l of the result is what tile level l gains (`tiles`). ValueError, and nothing added, for a hash of
        another length or a tree beyond 2^53 leaves.
        """
        _check_leaves(leaves)
        if self.size + len(leaves) > MAX_SIZE:
            raise ValueError("a tree has at most 2^53 leaves")
        self.size += len(leaves)
        self._peaks += [None] * (self.size.bit_length() - len(self._peaks))
        completed: list[Sequence[bytes]] = []
        nodes = leaves
        while nodes:
            height = len(completed)
            completed.append(nodes)
            waiting = self._peaks[height]
            if waiting is not None:
                nodes = [waiting, *nodes]
            self._peaks[height] = nodes[-1] if len(nodes) % 2 else None
            nodes = parents(nodes)
        return completed


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in memory that does not grow with their number."""
    tree, rest = Range(), iter(leaves)
    while batch := tuple(islice(rest, _BATCH)):
        tree.extend(batch)
    return tree.root


# --- which nodes


def cover(begin: int, end: int) -> list[Node]:
    """The complete subtrees that make up the leaves [begin, end), left to right.

    `begin` is 0 or a multiple of every power of two up to `end - begin`, as it is wherever a tree is split.
    ValueError outside 0 <= begin <= end <= 2^53.
    """
    if not 0 <= begin <= end <= MAX_SIZE:
        raise ValueError("no such range of leaves")
    found = []
    while begin < end:
        height = (end - begin).bit_length() - 1
        found.append(Node(height, begin >> height))
        begin += 1 << height
    return found


def inclusion_parts(index: int, size: int) -> list[list[Node]]:
    """For each hash of the inclusion proof, leaf's sibling first, the nodes it is folded from.

    ValueError unless 0 <= index < size <= 2^53.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise ValueError("no such leaf")
    path, begin, end = [], 0, size
    while end - begin > 1:
        middle = _split(begin, end)
        if index < middle:
            path.append(cover(middle, end))
            end = middle
        else:
            path.append(cover(begin, middle))
            begin = middle
    return path[::-1]


def consistency_parts(old: int, new: int) -> list[list[Node]]:
    """For each hash of the proof that the tree of `new` leaves begins with that of `old`, its nodes.

    Empty where there is nothing to prove: from the empty tree, or from a tree to itself.
    ValueError unless 0 <= old <= new <= 2^53.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise ValueError("no such pair of sizes")
    path: list[list[Node]] = []
    begin, end = 0, new
    while old and end != old:
        middle = _split(begin, end)
        if old <= middle:
            path.append(cover(middle, end))
            end = middle
        else:
            path.append(cover(begin, middle))
            begin = middle
    if begin:  # else the old tree is a subtree of its own, and the verifier has its root
        path.append(cover(begin, end))
    return path[::-1]


def prove_inclusion(index: int, size: int, hash_of: HashOf) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of `size` leaves (RFC 6962 §2.1.1).

    ValueError for a leaf outside the tree.
    """
    return [fold([hash_of(node) for node in part]) for part in inclusion_parts(index, size)]


def prove_consistency(old: int, new: int, hash_of: HashOf) -> list[bytes]:
    """The hashes that show the tree of `new` leaves to begin with that of `old` (RFC 6962 §2.1.2).

    ValueError for sizes that no log can have passed through.
    """
    return [fold([hash_of(node) for node in part]) for part in consistency_parts(old, new)]


# --- verification


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return only if `leaf` is leaf number `index` of the tree of `size` leaves with this root; else ProofRefused."""
    if not 0 < size <= MAX_SIZE:
        raise ProofRefused("size_range")
    if not 0 <= index < size:
        raise ProofRefused("index_outside")
    _check_hashes(leaf, root, *proof)
    # Positions of the node reached and of the last node, height by height (RFC 9162 §2.1.3.2).
    place, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofRefused("proof_length")
        if place % 2 or place == last:
            reached = node_hash(sibling, reached)
            place, last = _past_lonely(place, last)
        else:
            reached = node_hash(reached, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofRefused("proof_length")
    if reached != root:
        raise ProofRefused("root_differs")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Return only if the tree of `new` leaves begins with the tree of `old` leaves; else ProofRefused.

    Every tree begins with the empty one, and with itself: then the proof is empty, and the roots are looked at.
    """
    if not (0 <= old <= MAX_SIZE and 0 <= new <= MAX_SIZE):
        raise ProofRefused("size_range")
    if new < old:
        raise ProofRefused("tree_shrank")
    _check_hashes(old_root, new_root, *proof)
    for size, root in ((old, old_root), (new, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofRefused("root_differs")
    if old in {0, new}:
        if proof:
            raise ProofRefused("proof_length")
        if old == new and old_root != new_root:
            raise ProofRefused("fork")
        return
    if _run_consistency(old, new, proof, old_root) != (old_root, new_root):
        raise ProofRefused("not_consistent")


def _run_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes) -> tuple[bytes, bytes]:
    """The two roots that a proof leads to (RFC 9162 §2.1.4.2), for 0 < old < new."""
    place, last = old - 1, new - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    rest = iter(proof if place else [old_root, *proof])  # a complete old tree is itself the first node
    start = next(rest, None)
    if start is None:
        raise ProofRefused("proof_length")
    reached_old = reached_new = start
    for sibling in rest:
        if last == 0:
            raise ProofRefused("proof_length")
        if place % 2 or place == last:
            reached_old = node_hash(sibling, reached_old)
            reached_new = node_hash(sibling, reached_new)
            place, last = _past_lonely(place, last)
        else:
            reached_new = node_hash(reached_new, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofRefused("proof_length")
    return reached_old, reached_new


def _past_lonely(place: int, last: int) -> tuple[int, int]:
    """Both positions where the last node of a row, having no sibling, at last becomes a right child."""
    while place and not place % 2:
        place, last = place >> 1, last >> 1
    return place, last


def _split(begin: int, end: int) -> int:
    """Where the tree over [begin, end) parts: after the largest power of two smaller than its size."""
    return begin + (1 << ((end - begin - 1).bit_length() - 1))


def _check_hashes(*hashes: bytes) -> None:
    if any(len(found) != HASH_BYTES for found in hashes):
        raise ProofRefused("hash_length")


def _check_leaves(hashes: Sequence[bytes]) -> None:
    if not {HASH_BYTES}.issuperset(map(len, hashes)):
        raise ValueError("a hash has 32 bytes")
