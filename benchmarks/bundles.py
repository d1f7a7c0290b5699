"""(g) A bundle verified without its database: structure, and with everything read and replayed, on one core and on two.

The log is made for the purpose and written straight into files: cases with contact attempts, notes, figures. The floor is
what no verifier can leave out: SHA-256 of every body once and of every node of the tree once, in the same process.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import Others, table, write_section
from casework.audit.chain import leaf_hash
from casework.audit.checkpoint import Checkpoint
from casework.audit.entry import Actor, Entry, encode
from casework.audit.grown import Growing, Log
from casework.audit.key_history import BEGUN
from casework.audit.note import LogSigner
from casework.audit.tiles import TILE_WIDTH, Bundle, Tile, encode_bundle
from casework.audit.tree import Range
from casework.bundle.layout import CHECKPOINT, KEYS, MANIFEST, SCHEMA, Manifest, Scope

ORIGIN: Final = "bench.example/log"
ENTRIES_PER_STREAM: Final = 20
_ACTOR: Final = Actor("S001", "staff", "api")
_CHART, _POLICY = "overdue_loan@2#" + "a" * 64, "2024-01-01#" + "b" * 64


def entries(count: int) -> Iterator[bytes]:
    """Bodies of some 667 bytes, of streams in turns, as a day's work brings them."""
    signer = LogSigner(ORIGIN, bytes(32))
    yield encode(_entry("log:1", 1, None, BEGUN, {"origin": ORIGIN, "key": signer.key.text, "succeeds": None}))
    heads: dict[str, tuple[int, bytes | None]] = {}
    chance, streams = random.Random(1), max(1, count // ENTRIES_PER_STREAM)
    for number in range(1, count):
        stream = f"case:{chance.randrange(streams)}"
        seq, before = heads.get(stream, (0, None))
        data = {
            "business_date": "2026-01-10", "evidence": f"rec:{number:08d}", "given": {"channel": "phone",
            "outcome": "unanswered"}, "on": "2026-01-10", "post": "phone_collector",
        }  # fmt: skip
        body = encode(_entry(stream, seq + 1, before, "case.fact.contact_attempt", data))
        heads[stream] = (seq + 1, leaf_hash(body))
        yield body


def _entry(stream: str, seq: int, before: bytes | None, event: str, data: dict[str, Any]) -> Entry:
    at, state = "2026-01-11T01:30:00.000000Z", "phone_collection"
    return Entry(
        actor=_ACTOR, chart=_CHART, data=data, entry_id=f"{stream}:{seq}", event=event, from_=state, occurred_at=at,
        personal={}, policy=_POLICY, prev=before.hex() if before else None, reason_code=None, recorded_at=at,
        rules=("1.3.1a",), stream=stream, stream_seq=seq, to=state,
    )  # fmt: skip


def write_bundle(folder: Path, count: int) -> None:
    """A whole bundle of so many entries."""
    growing, width = Growing(Log(1, ORIGIN), Range()), 32 * TILE_WIDTH

    def put(path: str, data: bytes) -> None:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def flush(bodies: list[bytes]) -> None:
        first, hashes = growing.size, [leaf_hash(body) for body in bodies]
        for at in range(0, len(bodies), TILE_WIDTH):
            piece, number = bodies[at : at + TILE_WIDTH], (first + at) // TILE_WIDTH
            put(Bundle(number, len(piece)).path, encode_bundle(piece))
            put(Tile(0, number, len(piece)).path, b"".join(hashes[at : at + TILE_WIDTH]))
        for _, level, number, _, data in growing.add(hashes):
            put(Tile(level, number).path, data)

    waiting: list[bytes] = []
    for body in entries(count):
        waiting.append(body)
        if len(waiting) == width:
            flush(waiting)
            waiting = []
    if waiting:
        flush(waiting)
    for level, hashes in enumerate(growing.partial):
        if level and hashes:
            number = (count >> (8 * level)) // TILE_WIDTH
            put(Tile(level, number, len(hashes)).path, b"".join(hashes))
    signer = LogSigner(ORIGIN, bytes(32))
    put(CHECKPOINT, Checkpoint(ORIGIN, count, growing.tree.root).signed(signer))
    put(KEYS, f"{signer.key.text}\n".encode())
    put(MANIFEST, Manifest(SCHEMA, ORIGIN, "2026-01-11T02:00:00.000000Z", count, Scope("whole", 0, count), ()).encode())


def floor_s(folder: Path, count: int) -> float:
    """SHA-256 of every body once and of every node once; reading and cutting up are not counted."""
    from casework.audit.tiles import decode_bundle

    sha256, spent, leaves = hashlib.sha256, 0.0, []
    for number in range(-(-count // TILE_WIDTH)):
        width = min(TILE_WIDTH, count - number * TILE_WIDTH)
        bodies = decode_bundle((folder / Bundle(number, width).path).read_bytes(), width)
        began = time.perf_counter()
        leaves += [sha256(body).digest() for body in bodies]
        spent += time.perf_counter() - began
    nodes = leaves
    began = time.perf_counter()
    while len(nodes) > 1:
        nodes = [sha256(nodes[at] + nodes[at + 1]).digest() for at in range(0, len(nodes) - 1, 2)]
    return spent + time.perf_counter() - began


def _measure(folder: Path, jobs: int, *, deep: bool) -> None:
    """In a process of its own: seconds, and the most memory of it and of its children."""
    from casework.bundle.trust import Held
    from casework.bundle.verify import verify_bundle

    began = time.perf_counter()
    report = verify_bundle(folder, Held(), jobs=jobs)
    took = time.perf_counter() - began
    assert report.verdict == "sound", report.as_json()
    most = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"s": took, "mib": most, "entries": report.entries}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what")
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("--deep", action="store_true")
    chosen = parser.parse_args()
    match chosen.what:
        case "write":
            write_bundle(chosen.folder, chosen.number)
        case "floor":
            print(json.dumps({"s": floor_s(chosen.folder, chosen.number)}))
        case _:
            _measure(chosen.folder, chosen.number, deep=chosen.deep)


if __name__ == "__main__":
    main()
