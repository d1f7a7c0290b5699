"""The tree over the heads of cases as it changes from leaf to leaf of the log; for whoever walks all leaves. Pure.

Between two daily statements some cases get another head and some are new. Only what lies above those is hashed again:
a year of statements over many cases costs little more than the last of them.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from casework.log.check.findings import Report
from casework.log.format.case_heads import Statement, case_of, head_hash
from casework.log.format.chain import HASH_BYTES
from casework.log.format.tree import (
    EMPTY_ROOT,
    NODE_PREFIX,
    Node,
    cover,
    fold,
)

_PAIR: Final = 2 * HASH_BYTES
_WAITING: Final = 65_536  # heads that are noted before they are put in place: bounds the memory of a busy day


class HeadsTree:
    """The heads of all cases after the leaves noted so far: some 75 bytes a case."""

    def __init__(self) -> None:
        self._cases = array("q")
        self._rows: list[bytearray] = [bytearray()]  # hashes by height; complete subtrees only
        self._waiting: dict[Any, tuple[Any, Any]] = {}

    def note(self, entries: Iterable[tuple[Any, Any, Any]]) -> None:
        """The next leaves' entries: stream, number in it, leaf hash. Streams that are no case's are passed over.

        What a damaged database gives in their place makes another root, never an error.
        """
        for stream, seq, leaf in entries:
            self._waiting[stream] = (seq, leaf)
        if len(self._waiting) >= _WAITING:
            self._settle()

    @property
    def cases(self) -> int:
        """How many cases have an entry."""
        self._settle()
        return len(self._cases)

    @property
    def root(self) -> bytes:
        """The root over their heads."""
        self._settle()
        if not self._cases:
            return EMPTY_ROOT
        return fold([self._hash(node) for node in cover(0, len(self._cases))])

    def _hash(self, node: Node) -> bytes:
        at = node.number * HASH_BYTES
        return bytes(self._rows[node.height][at : at + HASH_BYTES])

    def _settle(self) -> None:
        """Put in place what waits."""
        heads: dict[int, bytes] = {}
        for stream, (seq, leaf) in self._waiting.items():
            case = case_of(stream)
            if case is not None:
                heads[case] = head_hash(case, seq, leaf if type(leaf) is bytes else b"")
        self._waiting.clear()
        if not heads:
            return
        known: list[tuple[int, int]] = []
        new: list[tuple[int, int]] = []
        for case in sorted(heads):
            at = bisect_left(self._cases, case)
            (known if at < len(self._cases) and self._cases[at] == case else new).append((at, case))
        row = self._rows[0]
        for at, case in known:
            row[at * HASH_BYTES : (at + 1) * HASH_BYTES] = heads[case]
        moved = self._insert(new, heads) if new else len(self._cases)
        self._hash_again([at for at, _ in known if at < moved], moved)

    def _insert(self, new: Sequence[tuple[int, int]], heads: dict[int, bytes]) -> int:
        """Make room for cases at their places; the first place from which all hashes have moved."""
        cases, row, done = array("q"), bytearray(), 0
        for at, case in new:
            cases += self._cases[done:at]
            row += self._rows[0][done * HASH_BYTES : at * HASH_BYTES]
            cases.append(case)
            row += heads[case]
            done = at
        cases += self._cases[done:]
        row += self._rows[0][done * HASH_BYTES :]
        self._cases, self._rows[0] = cases, row
        return new[0][0]

    def _hash_again(self, places: Sequence[int], moved: int) -> None:
        """Every hash above these places of the lowest row, and above all from `moved` on."""
        height = 0
        while (count := len(self._cases) >> (height + 1)) > 0:
            below = self._rows[height]
            height, moved = height + 1, moved >> 1
            if height == len(self._rows):
                self._rows.append(bytearray())
            row = self._rows[height]
            row.extend(bytes(count * HASH_BYTES - len(row)))
            places = list(dict.fromkeys(place >> 1 for place in places if place >> 1 < min(moved, count)))
            for place in (*places, *range(moved, count)):
                # `node_hash` written out: two children lie side by side, and this loop is what a statement costs.
                pair = below[place * _PAIR : (place + 1) * _PAIR]
                row[place * HASH_BYTES : (place + 1) * HASH_BYTES] = sha256(NODE_PREFIX + pair).digest()


class StatedHeads(NamedTuple):
    """A statement, and where it stands: number in its log's stream, and leaf index, none while it is not sealed."""

    statement: Statement
    stream: str
    seq: int
    leaf_index: Any


class StatementCheck:
    """All statements of one log against its leaves, told in order: finding `case_heads_differ` in `report`.

    The statements must be known before the first leaf is told, as each is about leaves in front of its own.
    """

    def __init__(self, report: Report, stated: Iterable[StatedHeads]) -> None:
        self._report = report
        self._tree = HeadsTree()
        self._coming: list[StatedHeads] = []
        for one in sorted(stated, key=lambda one: one.statement.size, reverse=True):
            if type(one.leaf_index) is int and one.statement.size > one.leaf_index:
                self._differs(one, stands_at=one.leaf_index)
            else:
                self._coming.append(one)

    def take(self, first_index: int, entries: Sequence[tuple[Any, Any, Any]]) -> None:
        """The next leaves, from `first_index` on without a hole: stream, number and leaf hash of each."""
        done = 0
        while self._coming and (size := self._coming[-1].statement.size) <= first_index + len(entries):
            self._tree.note(entries[done : max(done, size - first_index)])
            done = max(done, size - first_index)
            self._compare(self._coming.pop())
        if self._coming:  # else nobody asks
            self._tree.note(entries[done:])

    def finish(self) -> None:
        """There are no more leaves: a statement about more of them is wrong."""
        for one in reversed(self._coming):
            self._differs(one, beyond_tree=True)
        self._coming.clear()

    def _compare(self, one: StatedHeads) -> None:
        if (one.statement.cases, one.statement.root) != (self._tree.cases, self._tree.root):
            self._differs(one, cases=self._tree.cases)

    def _differs(self, one: StatedHeads, **detail: Any) -> None:
        at = {"day": one.statement.day, "size": one.statement.size, "stated": one.statement.cases}
        self._report.find("case_heads_differ", one.stream, one.seq, **at, **detail)
