"""(f) The sealer: leaves a second from a full queue; ages and writers' waits at a steady 1,000 entries/s."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

import sqlalchemy as sa

from benchmarks.machine import Others, Spread, clocked, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.log.format.entry import SignedActor
from casework.log.format.tree import Range, prove_inclusion, verify_inclusion
from casework.log.tables import entries, leaves, tiles
from casework.log.write.grown import (
    TILE_COLUMNS,
    Growing,
    Log,
    begun_log,
    hashes_of,
    size_of,
)
from casework.log.write.logs import LEAF_COLUMNS
from casework.log.write.seal import Round, Sealer
from casework.log.write.trail import Draft
from casework.operation.sealing import sealer_of
from casework.operation.startup import start
from casework.settings import Settings
from casework.storage import rows
from casework.storage.database import open_engine, reading, writing

BACKLOG = 100_000
MANY = 5_000_000
_CHUNK = 65_536
SECONDS = 15.0
REPEATS = 3
PER_TRANSACTION = 10
EVERY_S = PER_TRANSACTION / 1_000
_WRITER = SignedActor("S1", "staff", "api")


def run(
    seconds: float = SECONDS, backlog: int = BACKLOG, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *,
    many: int = MANY, repeats: int = REPEATS,
) -> None:  # fmt: skip
    """Measure, and write the section `sealing`."""
    others, lines = Others(), []
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            for begin in range(0, backlog, 5_000):
                _write(place, range(begin, min(begin + 5_000, backlog)))
            place.settle()
            sealer = sealer_of(place.started)
            rate = backlog / clocked(lambda sealer=sealer: _seal_all(sealer))  # type: ignore[misc]  # a bound default
            alone, beside = [], []
            for _ in range(repeats):  # in turns: a disk has its moods
                alone.append(_steady(place, seconds, watched=False))
                _seal_all(sealer)
                beside.append(_steady(place, seconds, watched=True))
            proof_ms = _proof_ms(place, many)
            ages, waits, free = _spread(beside, "age_p99_s"), _spread(beside, "p99_ms"), _spread(alone, "p99_ms")
            lines.append((
                kind, f"{rate:,.0f}", f"{proof_ms:.1f}", ages.waits(2), f"{_spread(beside, 'per_s').best:,.0f}",
                free.waits(1), waits.waits(1), f"{waits.least / free.least:.2f}",
            ))  # fmt: skip
            print(lines[-1], flush=True)
    header = (
        "", "leaves/s, saturated", f"a proof among {many:,}, ms", "age at sealing p99, s", "entries/s",
        "writers' p99 alone, ms", "beside the sealer, ms", "÷ alone",
    )  # fmt: skip
    head = (
        f"{backlog:,} entries of some 450 bytes in the queue, checks, leaves, tiles and signature included; then"
        f" {repeats} times {seconds:g} s of transactions of {PER_TRANSACTION} entries, without and with the sealer, a"
        " process of its own, the ratio that of the best. The proof is the path alone: finding its entry and note are"
        f" two look-ups by key more; {others}."
    )
    write_section("sealing", f"{head}\n\n{table(header, lines)}")


def _spread(runs: Sequence[dict[str, float]], name: str) -> Spread:
    return Spread(tuple(one[name] for one in runs))


def _seal_all(sealer: Sealer) -> None:
    done = sealer.round()
    assert (done.left, done.refused) == ([], None)


def _write(place: Place, numbers: range) -> None:
    with writing(place.started.engine) as conn:
        trail = place.started.branch.trail(now())
        for number in numbers:
            data = {"number": number, "amount_fen": number * 7_919, "previous_as_of": "2026-01-09"}
            trail.append(conn, f"bench:{number % 500}", Draft("bench.done", _WRITER, data))
        trail.write(conn)


def _proof_ms(place: Place, size: int) -> float:
    """One inclusion proof among `size` leaves, read from the database with nothing kept: the median of 50.

    The log is one of its own: invented leaves, of which only what a sealed log keeps of them is written.
    """
    log, growing = Log(2, "bench.example/many"), Growing(Log(2, "bench.example/many"), Range())
    with writing(place.started.engine) as conn:
        for begin in range(0, size, _CHUNK):
            hashes = [_invented(number) for number in range(begin, min(begin + _CHUNK, size))]
            rows.insert_many(conn, tiles, growing.add(hashes), TILE_COLUMNS)
        last = enumerate(growing.partial[0], size - len(growing.partial[0]))
        rows.insert_many(conn, leaves, [(log.number, at, at, leaf) for at, leaf in last], LEAF_COLUMNS)
    place.settle()
    chance, took = random.Random(1), []
    for _ in range(50):
        index = chance.randrange(size)
        began = time.perf_counter()
        with reading(place.started.engine, snapshot=True) as conn:
            proof = prove_inclusion(index, size, hashes_of(conn, log, size_of(conn, log)))
        took.append((time.perf_counter() - began) * 1_000)
        verify_inclusion(index, size, _invented(index), proof, growing.tree.root)
    return sorted(took)[len(took) // 2]


def _invented(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


def _steady(place: Place, seconds: float, *, watched: bool) -> dict[str, float]:
    """Transactions at a steady pace; with the sealer beside them, if `watched`."""
    ages = place.folder / "ages.json"
    process = None
    if watched:
        command = [sys.executable, "-m", "benchmarks.sealing", str(ages)]
        process = subprocess.Popen(command, env=place.environment(), stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    took, chance = [], random.Random(2)
    began = time.monotonic()
    due = began
    while due < began + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        at = time.perf_counter()
        first = chance.randrange(490)
        _write(place, range(first, first + PER_TRANSACTION))
        took.append((time.perf_counter() - at) * 1_000)
        due += EVERY_S
    measured = {"p99_ms": quantiles(took, n=100)[98], "per_s": len(took) * PER_TRANSACTION / (time.monotonic() - began)}
    if process is not None:
        time.sleep(1)
        process.terminate()
        process.communicate(timeout=20)
        measured["age_p99_s"] = quantiles(json.loads(ages.read_text()), n=100)[98]
    return measured


def _watch(ages: Path) -> None:
    """The sealer's process: after each round the age of what it sealed, measured when it is committed and signed."""
    settings = Settings.from_environment()
    sealer, engine = sealer_of(start(settings)), open_engine(settings.database_url)
    sealer.round()
    stop = threading.Event()
    found: list[float] = []
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with reading(engine) as conn:
        seen = [size_of(conn, begun_log(conn))]

    def tell(done: Round | CallerError | TryAgain) -> None:
        at = now()
        assert isinstance(done, Round), done
        with reading(engine) as conn:
            wanted = sa.select(entries.c.recorded_at).join(leaves, leaves.c.entry == entries.c.id)
            times = conn.execute(wanted.where(leaves.c.leaf_index >= seen[0])).scalars().all()
        seen[0] += len(times)
        found.extend((at - time).total_seconds() for time in times)

    print("ready", flush=True)
    sealer.watch(stop, tell=tell)
    ages.write_text(json.dumps(found))


if __name__ == "__main__":
    _watch(Path(sys.argv[1]))
