"""(c) `casework audit verify`, every check of it, beside one bare SHA-256 of the same bytes."""

import hashlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks.machine import Others, Spread, clocked, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, STAFF, Place, place_on, server_of
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Record
from casework.log.tables import entries
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.commands import Command

CASES = 20_000
REPEATS = 3


def run(case_count: int = CASES, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, repeats: int = REPEATS) -> None:
    """Measure, and write the section `verify`."""
    others = Others()
    rows = []
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            place.fill(case_count)
            _live(place, case_count)
            place.settle()
            with reading(place.started.engine) as conn:
                bodies = [bytes(body) for body in conn.execute(sa.select(entries.c.body)).scalars()]
            size = sum(map(len, bodies)) / len(bodies)
            verified = Spread(tuple(len(bodies) / clocked(partial(_verify, place)) for _ in range(repeats)))
            hashed = Spread(tuple(len(bodies) / clocked(partial(_hash, bodies)) for _ in range(repeats)))
            rows.append((kind, f"{len(bodies):,} of {size:.0f} bytes", str(verified), str(hashed),
                         f"{verified.best / hashed.best:.4f}"))  # fmt: skip
            print(rows[-1], flush=True)
    header = ("", "entries", "audit verify, entries/s: best (spread)", "bare SHA-256, entries/s", "÷ SHA-256")
    head = f"Best of {repeats}, the start of the command included; {others}."
    write_section("verify", f"{head}\n\n{table(header, rows)}")


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


def _verify(place: Place) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("casework"), "audit", "verify", "--json"], env=place.environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout[-2_000:]
    assert json.loads(done.stdout)["verdict"] == "sound"


def _hash(bodies: list[bytes]) -> None:
    for body in bodies:
        hashlib.sha256(body).digest()
