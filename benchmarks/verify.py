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
from casework.audit.tables import entries
from casework.cases.advance import advance
from casework.cases.commands import Command, Done, Fire, Record
from casework.database import reading, writing
from casework.staff.actor import Actor

CASES = 20_000
REPEATS = 3


def run(case_count: int = CASES, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE)) -> None:
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
            verified = Spread(tuple(len(bodies) / clocked(partial(_verify, place)) for _ in range(REPEATS)))
            hashed = Spread(tuple(len(bodies) / clocked(partial(_hash, bodies)) for _ in range(REPEATS)))
            rows.append((kind, f"{len(bodies):,} of {size:.0f} bytes", str(verified), str(hashed),
                         f"{verified.best / hashed.best:.4f}"))  # fmt: skip
            print(rows[-1], flush=True)
    header = ("", "entries", "audit verify, entries/s: best (spread)", "bare SHA-256, entries/s", "÷ SHA-256")
    head = f"Best of {REPEATS}, the start of the command included; {others}."
    write_section("verify", f"{head}\n\n{table(header, rows)}")


def _live(place: Place, case_count: int) -> None:
    """Four more entries for every case: two facts, and a write-off proposed and rejected."""
    actors = {number: Actor(number, "staff", "api", frozenset({post})) for number, post in STAFF.items()}
    rejected = {"reason": "evidence_missing"}
    proposed = {"criterion": "long_overdue", "evidence": "doc:1", "principal_fen": 90_000, "interest_fen": 1_000}
    for begin in range(1, case_count + 1, 5_000):
        ids = range(begin, min(begin + 5_000, case_count + 1))
        commands: list[Command] = []
        for number, outcome in enumerate(("unanswered", "debtor")):
            commands += [
                Record(actor=actors["T1"], case_id=case_id, kind="contact_attempt", on=BUSINESS_DATE,
                       evidence=f"rec:{number}", data={"channel": "phone", "outcome": outcome}) for case_id in ids
            ]  # fmt: skip
        for who, event, data in (("A1", "propose_write_off", proposed), ("V1", "reject_write_off", rejected)):
            commands += [Fire(actor=actors[who], case_id=case_id, event=event, data=data) for case_id in ids]
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
