"""The Merkle tree beside the hashing that it cannot do without: `python -m benchmarks.tree [--leaves N]`."""

import argparse
import hashlib
import os
import random
import time
from collections.abc import Callable
from itertools import islice, pairwise

from benchmarks.machine import Others, table
from casework.log.format.tiles import (
    FromTiles,
    Tile,
    decode_bundle,
    encode_bundle,
    tiles_grown,
)
from casework.log.format.tree import (
    Range,
    prove_consistency,
    prove_inclusion,
    root_of,
    verify_inclusion,
)

LEAVES = 1_000_000
PROVEN = 5_000_000
REPEATS = 5
BATCH = 1_000  # leaves that a sealer takes at a time
BODY = 667  # bytes of an entry, as in docs/log.md §7


def run(leaves: int = LEAVES, proven: int = PROVEN) -> str:
    """Measure; processor time of this one thread, best of `REPEATS`, so that other work counts little."""
    others = Others()
    hashes = _hashes(leaves)
    joined = [b"\x01" + left + right for left, right in pairwise(hashes)]
    bare = _seconds(lambda: [hashlib.sha256(each).digest() for each in joined])
    rows = [("bare SHA-256 of every node once", f"{bare:.3f} s", "1.00")]
    for name, work in (
        ("root of all leaves", lambda: root_of(hashes)),
        (f"tree grown by {BATCH:,} leaves, as sealed", lambda: _grow(hashes, BATCH)),
        ("tree grown leaf by leaf", lambda: _grow(hashes, 1)),
    ):
        seconds = _seconds(work)
        rows.append((name, f"{seconds:.3f} s", f"{seconds / bare:.2f}"))
    bundle = encode_bundle([os.urandom(BODY)] * 256)
    count = max(leaves // 256, 1)
    seconds = _seconds(lambda: [decode_bundle(bundle, 256) for _ in range(count)])
    rows.append((f"entry bundles of {BODY} bytes an entry, read", f"{seconds:.3f} s", f"{seconds / bare:.2f}"))
    rows += _proofs(proven)
    header = (f"{leaves:,} leaves", "processor time", "÷ bare")
    return f"Best of {REPEATS}, one thread; {others}.\n\n{table(header, rows)}"


def _hashes(number: int) -> list[bytes]:
    return [hashlib.sha256(index.to_bytes(8, "big")).digest() for index in range(number)]


def _grow(hashes: list[bytes], batch: int) -> bytes:
    tree, rest = Range(), iter(hashes)
    while leaves := tuple(islice(rest, batch)):
        tree.extend(leaves)
    return tree.root


def _seconds(work: Callable[[], object]) -> float:
    """The least processor time that `work` took."""
    found = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def _proofs(size: int) -> list[tuple[str, str, str]]:
    """Milliseconds of one proof read from tiles in memory; the worst of a hundred entries."""
    tree, levels = Range(), [bytearray() for _ in range(4)]
    for begin in range(0, size, 2**16):
        hashes = [hashlib.sha256(index.to_bytes(8, "big")).digest() for index in range(begin, min(begin + 2**16, size))]
        for height, nodes in enumerate(tree.extend(hashes)):
            if height % 8 == 0:
                levels[height // 8] += b"".join(nodes)
    stored = {
        tile: bytes(levels[tile.level][tile.number * 8_192 :][: tile.width * 32])
        for tile in tiles_grown(0, size)
        if tile.level
    }

    def read(tile: Tile) -> bytes:
        if tile.level:
            return stored[tile]
        return bytes(memoryview(levels[0])[tile.number * 8_192 : tile.number * 8_192 + tile.width * 32])

    places = random.Random(1)
    proving, verifying, growing = [], [], []
    for index in (places.randrange(size) for _ in range(100)):
        began = time.process_time()
        proof = prove_inclusion(index, size, FromTiles(size, read))
        proven = time.process_time()
        verify_inclusion(index, size, hashlib.sha256(index.to_bytes(8, "big")).digest(), proof, tree.root)
        verified = time.process_time()
        prove_consistency(index + 1, size, FromTiles(size, read))
        growing.append(time.process_time() - verified)
        proving.append(proven - began)
        verifying.append(verified - proven)
    return [
        (f"{name}, {size:,} leaves, worst of 100", f"{max(found) * 1_000:.2f} ms", "")
        for name, found in (
            ("inclusion proof from tiles", proving), ("inclusion proof verified", verifying),
            ("consistency proof from tiles", growing),
        )
    ]  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tree", description=__doc__)
    parser.add_argument("--leaves", type=int, default=LEAVES)
    parser.add_argument("--proven", type=int, default=PROVEN, help="leaves of the log that proofs are made in")
    chosen = parser.parse_args()
    print(run(chosen.leaves, chosen.proven))
