"""(h) A bundle verified without its database: its structure, and everything read and replayed; one core and two.

The log is the demo branch's, its cases copied under other numbers until there are enough entries: openings, calls,
steps, refusals, figures as the door wrote them. The floor is what no verifier can leave out: SHA-256 of every body once
and of every node of the tree once, in a process of its own, before and after.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.machine import Others, children, proportional_mib, table, write_section
from casework.evidence.bundle.deep import replay
from casework.evidence.bundle.layout import (
    CHECKPOINT,
    MANIFEST,
    SCHEMA,
    TEXTS,
    BundleManifest,
    Scope,
)
from casework.evidence.bundle.source import Source
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.log.format.chain import leaf_hash
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.entry import Entry, decode_strict, encode
from casework.log.format.key_history import BEGUN
from casework.log.format.note import LogSigner
from casework.log.format.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    Tile,
    decode_bundle,
    encode_bundle,
)
from casework.log.format.tree import Range
from casework.log.write.grown import Growing, Log

ORIGIN: Final = "bench.example/log"
USUAL: Final = 1_000_000
CALLS: Final = 20  # more of them for three cases in four, as a branch works them: some 17 entries a case
_SIGNER: Final = LogSigner(ORIGIN, bytes(32))
_CALLS: Final = "case.fact.contact_day"
_REPEATS: Final = 3
_WAYS: Final = ((False, 1), (False, 2), (True, 1), (True, 2))  # deep or not, in so many processes


def run(
    large: int = USUAL, *, usual: int = USUAL, repeats: int = _REPEATS, ways: Sequence[tuple[bool, int]] = _WAYS,
    copied: Path | None = None,
) -> None:  # fmt: skip
    """Measure `usual` entries, and `large` once if that is more; write the section `bundles`.

    What is copied is the demo's log, or another bundle.
    """
    others, rows = Others(), []
    with tempfile.TemporaryDirectory(prefix="casework-bench-") as name:
        demo = copied or _demo(Path(name) / "demo")
        for size in sorted({usual, max(usual, large)}):
            folder = Path(name) / str(size)
            write_bundle(folder, demo, size)
            for deep, jobs in ways:
                runs = [_measured(folder, jobs, deep=deep) for _ in range(repeats if size == usual else 1)]
                best = min(runs, key=lambda one: one["ratio"])
                what = f"{'deep' if deep else 'structure'}, {jobs} {'core' if jobs == 1 else 'cores'}"
                rows.append((
                    f"{size:,} entries, {what}", f"{best['s']:.1f}", f"{size / best['s']:,.0f}",
                    f"{best['floor']:.2f}", f"{best['ratio']:.2f}", f"{best['mib']:.0f}",
                ))  # fmt: skip
                print(rows[-1], flush=True)
    header = ("", "seconds", "entries/s", "bare hashing, s", "÷ bare hashing", "memory of all processes, MiB")
    head = (
        f"Entries of {_mean_bytes:,.0f} bytes, some {CALLS} a case; the ratio is the best of {repeats} runs of"
        f" {usual:,} (one of more), its floor timed before and after; memory is the most that all processes had"
        f" together, what they share counted once; {others}."
    )
    write_section("bundles", f"{head}\n\n{table(header, rows)}")


_mean_bytes = 0.0


def _demo(folder: Path) -> Path:
    """The demo branch's log as a bundle."""
    folder.mkdir()
    casework = str(Path(sys.executable).with_name("casework"))
    environment = {**os.environ, "CASEWORK_DATABASE_URL": f"sqlite:///{folder}/demo/casework.db"}
    for words in (["demo"], ["audit", "seal"], ["audit", "export", "bundle"]):
        subprocess.run([casework, *words], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return folder / "bundle"


# --- a log of any length


def _demo_entries(bundle: Path) -> list[Entry]:
    source = Source(bundle)
    size = source.manifest().size
    found: list[Entry] = []
    for number in range(-(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        found += map(decode_strict, decode_bundle(source.entries(Bundle(number, width)), width))
    return found


def bodies(demo: Path, wanted: int) -> Iterator[bytes]:
    """The demo's texts, then copies of its cases until there are enough entries."""
    entries = _demo_entries(demo)
    begun = {"origin": ORIGIN, "key": _SIGNER.key.text, "succeeds": None}
    yield encode(msgspec.structs.replace(entries[0], event=BEGUN, data=begun))
    texts = [encode(entry) for entry in entries if entry.stream.startswith("rulebook:")]
    yield from texts
    lives = _lives(entries)
    heads: dict[str, tuple[int, bytes]] = {}
    left, number = wanted - 1 - len(texts), count(1)
    while True:
        names = {stream: f"case:{next(number)}" for stream in lives}
        for entry in _in_turns(list(lives.values())):
            if left == 0:
                return
            left -= 1
            body = encode(_copied(entry, names[entry.stream], heads))
            yield body


def _lives(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Cases that cite no request and that no promise or hold told anything, whose entries name others."""
    lives: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.stream.startswith("case:"):
            lives.setdefault(entry.stream, []).append(entry)
    lives = {
        stream: life
        for stream, life in lives.items()
        if not any(_cites(entry) or not entry.event.startswith("case.") for entry in life)
    }
    call = next(entry for entry in entries if entry.event == _CALLS and not entry.data["given"]["connected"])
    for place, life in enumerate(lives.values()):
        if place % 4 and life[0].to == "phone_collection":
            life[1:1] = [_called(call, life[0])] * CALLS
    return lives


def _called(call: Entry, opening: Entry) -> Entry:
    """A call on the day the case was opened."""
    day = opening.data["business_date"]
    return msgspec.structs.replace(
        call, stream=opening.stream, data={**call.data, "business_date": day, "on": day},
        from_=opening.to, to=opening.to,
        recorded_at=opening.recorded_at, occurred_at=opening.occurred_at, chart=opening.chart, policy=opening.policy,
    )  # fmt: skip


def _cites(entry: Entry) -> bool:
    told_by = str(entry.data.get("evidence", ""))
    return "request" in entry.data or "four_eyes" in entry.data or told_by.startswith("hold:")


def _in_turns(lives: Sequence[Sequence[Entry]]) -> Iterator[Entry]:
    """One entry of each life, then the next of each: as a day's work mixes them."""
    for place in range(max(map(len, lives))):
        for life in lives:
            if place < len(life):
                yield life[place]


def _copied(entry: Entry, stream: str, heads: dict[str, tuple[int, bytes]]) -> Entry:
    seq, before = heads.get(stream, (0, b""))
    data = entry.data | ({"evidence": "rec:copied"} if entry.event == _CALLS else {})  # no debtor's stream is copied
    copy = msgspec.structs.replace(
        entry, data=data, stream=stream, stream_seq=seq + 1, entry_id=f"{stream}:{seq + 1}", prev=before.hex() or None
    )
    heads[stream] = (seq + 1, leaf_hash(encode(copy)))
    return copy


def write_bundle(folder: Path, demo: Path, wanted: int) -> None:
    """A whole bundle of so many entries."""
    global _mean_bytes  # noqa: PLW0603  (told in the head of the section)
    growing, width, total = Growing(Log(1, ORIGIN), Range()), 32 * TILE_WIDTH, 0

    def put(path: str, data: bytes) -> None:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def flush(piece: list[bytes]) -> None:
        first, hashes = growing.size, [leaf_hash(body) for body in piece]
        for at in range(0, len(piece), TILE_WIDTH):
            part, number = piece[at : at + TILE_WIDTH], (first + at) // TILE_WIDTH
            put(Bundle(number, len(part)).path, encode_bundle(part))
            put(Tile(0, number, len(part)).path, b"".join(hashes[at : at + TILE_WIDTH]))
        for _, level, number, _, data in growing.add(hashes):
            put(Tile(level, number).path, data)

    waiting: list[bytes] = []
    for body in bodies(demo, wanted):
        total += len(body)
        waiting.append(body)
        if len(waiting) == width:
            flush(waiting)
            waiting = []
    if waiting:
        flush(waiting)
    for level, hashes in enumerate(growing.partial):
        if level and hashes:
            number = (wanted >> (TILE_HEIGHT * level)) // TILE_WIDTH
            put(Tile(level, number, len(hashes)).path, b"".join(hashes))
    for text in (demo / TEXTS).iterdir():
        put(f"{TEXTS}/{text.name}", text.read_bytes())
    put(CHECKPOINT, Checkpoint(ORIGIN, wanted, growing.tree.root).signed(_SIGNER))
    put(
        MANIFEST,
        BundleManifest(SCHEMA, ORIGIN, "2026-01-01T00:00:00.000000Z", wanted, Scope("whole", 0, wanted), ()).encode(),
    )
    _mean_bytes = total / wanted


# --- measuring


def floor_s(folder: Path) -> float:
    """SHA-256 of every body once and of every node once; reading and cutting up are not counted."""
    sha256, spent, source = hashlib.sha256, 0.0, Source(folder)
    size, leaves = source.manifest().size, []
    for number in range(-(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        found = decode_bundle(source.entries(Bundle(number, width)), width)
        began = time.perf_counter()
        leaves += [sha256(body).digest() for body in found]
        spent += time.perf_counter() - began
    nodes = leaves
    began = time.perf_counter()
    while len(nodes) > 1:
        nodes = [sha256(nodes[at] + nodes[at + 1]).digest() for at in range(0, len(nodes) - 1, 2)]
    return spent + time.perf_counter() - began


def _measured(folder: Path, jobs: int, *, deep: bool) -> dict[str, float]:
    """In processes of their own, so that memory is what the verification took."""
    command = [sys.executable, "-m", "benchmarks.bundles", "{}", str(folder), str(jobs), "deep" if deep else ""]

    def told(what: str) -> Any:
        words = [what if word == "{}" else word for word in command]
        mib = 0.0
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            while process.poll() is None:
                mib = max(mib, proportional_mib(children(process.pid)))
                time.sleep(0.1)
            assert process.stdout is not None
            measured = process.stdout.read()
        assert process.returncode == 0, words
        return {**json.loads(measured), "mib": mib}

    before, verified, after = told("floor"), told("verify"), told("floor")
    floor = (before["s"] + after["s"]) / 2
    return {"s": verified["s"], "mib": verified["mib"], "floor": floor, "ratio": verified["s"] / floor}


def main() -> None:
    """One measurement, as JSON on stdout."""
    what, folder, jobs, deep = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "deep"
    if what == "floor":
        print(json.dumps({"s": floor_s(folder)}))
        return
    began = time.perf_counter()
    report = verify_bundle(folder, KeysHeld(), deep=replay if deep else None, jobs=jobs)
    took = time.perf_counter() - began
    assert report.verdict == "sound", (report.findings[:1], report.doubts[:1])
    print(json.dumps({"s": took}))


if __name__ == "__main__":
    main()
