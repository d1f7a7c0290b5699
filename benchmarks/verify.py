"""(c) `casework audit verify`, every check of it, beside one bare SHA-256 of the same bytes; by phase, by processes."""

import hashlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from benchmarks.machine import Others, Spread, clocked, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, STAFF, Place, place_on, server_of
from casework.evidence.verifying import verify
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Record
from casework.log.check.erased import read_erased
from casework.log.check.findings import Report
from casework.log.check.kinds import check_kinds, texts_of_any_bytes
from casework.log.check.parts import Part
from casework.log.check.sealed import BroughtAlong, verify_sealed
from casework.log.check.verify import COMPARED, Walk, stored_entries
from casework.log.format.chain import leaf_hash, mac_matches
from casework.log.format.entry import MalformedEntry, decode_strict
from casework.log.tables import entries
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.storage.garbage import seldom_collected
from casework.work.cases.commands import Command

CASES = 80_000  # some 400,000 entries: the start of a command is then little of the whole
REPEATS = 2
JOBS = (1, 2)
Phase = Callable[[Place, Connection, Report], object]


def run(case_count: int = CASES, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, repeats: int = REPEATS) -> None:
    """Measure, and write the section `verify`."""
    others, rows = Others(), []
    spent: dict[str, dict[str, float]] = {}
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            place.fill(case_count)
            _live(place, case_count)
            _casework(place, "audit", "seal")
            place.settle()
            with reading(place.started.engine) as conn:
                bodies = [bytes(body) for body in conn.execute(sa.select(entries.c.body)).scalars()]
            size, count = sum(map(len, bodies)) / len(bodies), len(bodies)
            hashed = Spread(tuple(count / clocked(partial(_hash, bodies)) for _ in range(repeats)))
            del bodies
            for jobs in JOBS:
                runs = [_verify(place, jobs) for _ in range(repeats)]
                verified = Spread(tuple(count / wall for wall, _ in runs))
                rows.append((
                    f"{kind}, {jobs} {'process' if jobs == 1 else 'processes'}", f"{count:,} of {size:.0f} bytes",
                    str(verified), f"{min(cpu for _, cpu in runs) / count * 1e6:.1f}", str(hashed),
                    f"{verified.best / hashed.best:.4f}",
                ))  # fmt: skip
                print(rows[-1], flush=True)
            spent[kind] = {name: _processor_s(place, phase, repeats) / count * 1e6 for name, phase in PHASES.items()}
            print(kind, {name: round(one, 2) for name, one in spent[kind].items()}, flush=True)
    header = (
        "", "entries", "audit verify, entries/s: best (spread)", "processor µs an entry, all processes",
        "bare SHA-256, entries/s", "÷ SHA-256",
    )  # fmt: skip
    phases = [(name, *(f"{spent[kind][name]:.1f}" for kind in kinds)) for name in PHASES]
    head = f"Best of {repeats}, the start of the command included; {others}."
    told = "Processor time of one process, in µs an entry; each phase holds those that are indented below it."
    by_phase = table(("", *kinds), phases)
    write_section("verify", f"{head}\n\n{table(header, rows)}\n\n{told}\n\n{by_phase}")


def _live(place: Place, case_count: int) -> None:
    """Four more entries for every case: two facts, a visit ordered, and the debtor reached instead."""
    actor = Actor("T1", "staff", "api", frozenset(STAFF["T1"].split()))
    visit = {"address_kind": "home", "address": "江岸区示例路1号", "visit_on": "2026-01-12"}
    for begin in range(1, case_count + 1, 5_000):
        commands: list[Command] = []
        for case_id in range(begin, min(begin + 5_000, case_count + 1)):
            days = [
                Record(actor=system("sweep"), id=case_id, kind="contact_day", on=BUSINESS_DATE, evidence="rec:told",
                       data={"attempts": 2, "connected": connected}) for connected in (False, True)
            ]  # fmt: skip
            commands += [
                days[0], Fire(actor=actor, id=case_id, event="start_visit", data=visit), days[1],
                Fire(actor=actor, id=case_id, event="reached"),
            ]  # fmt: skip
        with writing(place.started.engine) as conn:
            outcomes = advance(conn, commands, place.started.branch)
        assert all(isinstance(outcome, Done) for outcome in outcomes)


def _casework(place: Place, *words: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [Path(sys.executable).with_name("casework"), *words], env=place.environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout[-2_000:]
    return done


def _verify(place: Place, jobs: int) -> tuple[float, float]:
    """Seconds, and processor seconds of all processes but the database's."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = _casework(place, "audit", "verify", "--json", "--jobs", str(jobs))
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert json.loads(done.stdout)["verdict"] == "sound"
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _hash(bodies: list[bytes]) -> None:
    for body in bodies:
        hashlib.sha256(body).digest()


# --- by phase


def _processor_s(place: Place, phase: Phase, repeats: int) -> float:
    """The least of some."""
    spent = []
    for _ in range(repeats):
        report = Report()
        with reading(place.started.engine, snapshot=True) as conn, seldom_collected(), texts_of_any_bytes(conn, report):
            began = time.process_time()
            phase(place, conn, report)
            spent.append(time.process_time() - began)
    return min(spent)


def _every(place: Place, conn: Connection, look: Callable[[Any], object]) -> None:
    """All rows as the walk reads them."""
    del place
    for batch in stored_entries(conn, Part(None)):
        for row in batch:
            look(row)


def _read(place: Place, conn: Connection, _report: Report) -> None:
    _every(place, conn, len)


def _authentic(place: Place, conn: Connection, _report: Report) -> None:
    key = place.started.branch.mac_key
    _every(place, conn, lambda row: mac_matches(key, leaf_hash(row.body), row.mac))


def _strict(place: Place, conn: Connection, _report: Report) -> None:
    def look(row: Any) -> None:
        with suppress(MalformedEntry):
            decode_strict(row.body)

    _every(place, conn, look)


def _structure(place: Place, conn: Connection, report: Report) -> None:
    branch = place.started.branch
    Walk(conn, branch.mac_key, branch.vault, report, {}, {}, read_erased(conn, branch.mac_key)).run(Part(None))


def _tree(place: Place, conn: Connection, report: Report) -> None:
    verify_sealed(conn, report, BroughtAlong.of(place.settings.keys_dir))


def _all(place: Place, conn: Connection, _report: Report) -> None:
    branch, outside = place.started.branch, BroughtAlong.of(place.settings.keys_dir)
    verify(conn, branch.mac_key, branch.vault, outside=outside, loans_dir=place.settings.loans_dir)


PHASES: dict[str, Phase] = {
    "all of it": _all,
    "– kinds of values, in SQL": lambda _place, conn, report: check_kinds(conn, report, apart=COMPARED),
    "– chains: bytes, hashes, MACs, links, openings": _structure,
    "– – reading the rows": _read,
    "– – the same with leaf hash and MAC": _authentic,
    "– – the same with strict decoding": _strict,
    "– tree, tiles, checkpoints": _tree,
}
"""What is left of all of it: every entry decided and folded again, and the rows compared."""
