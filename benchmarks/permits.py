"""Permits over HTTP: how long who asks once a second waits, and how many are decided beside pgbench's same SQL."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from benchmarks.floors import figure
from benchmarks.machine import Others, Spread, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, api, place_on, server_of
from casework.clock import now
from casework.people.staff.acting import version_of
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.storage.database import writing
from casework.work.contacts.tables import contacts
from casework.work.gate.asking import Wanted, decide
from casework.work.gate.tables import contact_permits
from tests.postgres_server import APP

CASES = 8_192
CALLERS = 64
WARM_UP_S = 1.5
_BORROWER = "('B' || lpad((:case::bigint / 2)::text, 7, '0'))"
_NUMBER = "decode(lpad(to_hex(:case::bigint), 32, '0'), 'hex')"
_BOOK = ("id", "institution", "borrower_id", "role", "phone_index", "row_hash", "mac")


def run(
    seconds: float = 5.0, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, case_count: int = CASES,
    callers: int = CALLERS, repeats: int = 3, warm_up_s: float = WARM_UP_S,
) -> None:  # fmt: skip
    """Measure, and write the section `permits`."""
    others, told = Others(), list[tuple[str, ...]]()
    for kind in kinds:
        with server_of(kind) as server, place_on(server, daytime=True) as place:
            place.fill(case_count)
            _book(place, case_count)
            with api(place) as served:
                orders = {
                    "port": served.port, "token": place.tokens["T1"], "cases": case_count, "callers": callers,
                    "seconds": seconds, "warm_up": warm_up_s,
                }  # fmt: skip
                paced = [_drive(orders | {"every_s": 1.0}) for _ in range(repeats)]
                closed = [_drive(orders | {"every_s": 0.0}) for _ in range(repeats)]
            floor = _pgbench(place, case_count, callers, seconds, repeats) if place.server is not None else None
        waits = Spread(tuple(one["p99_ms"] for one in paced))
        rate = Spread(tuple(one["per_second"] for one in closed))
        best = max(closed, key=lambda one: one["per_second"])
        told.append((kind, "once a second", f"{paced[0]['per_second']:.0f}", _p50(paced), waits.waits(1), "–"))
        ratio = f"{rate.best / floor.best:.2f}" if floor else "–"
        told.append((kind, "at once again", str(rate), f"{best['p50_ms']:.1f}", f"{best['p99_ms']:.1f}", ratio))
        if floor:
            told.append(("pgbench, the same SQL", "at once again", str(floor), "–", "–", "1"))
        print(*told[-3:], sep="\n", flush=True)
    header = ("", f"{callers} callers ask", "permits/s: best (spread)", "p50 ms", "p99 ms: least (spread)", "÷ pgbench")
    write_section("permits", f"Best of {repeats} runs of {seconds:g} s each; {others}.\n\n{table(header, told)}")


def _p50(runs: list[dict[str, Any]]) -> str:
    return f"{min(one['p50_ms'] for one in runs):.1f}"


def _drive(orders: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.permit_client"], input=json.dumps(orders), stdout=subprocess.PIPE,
        text=True, check=True,
    )  # fmt: skip
    measured: dict[str, Any] = json.loads(done.stdout)
    assert not measured["failed"], measured["failed"]
    return measured


def _book(place: Place, case_count: int) -> None:
    """A number for the debtor of each case, with the case's own number; its phone is nobody's and sealed nowhere."""
    new = [
        (number, "wuhan", f"B{number // 2:07d}", "debtor", number.to_bytes(16), b"bench%d" % number, b"")
        for number in range(1, case_count + 1)
    ]
    with writing(place.started.engine) as conn:
        rows.insert_many(conn, contacts, new, _BOOK)
    place.settle()


# ── the floor: pgbench sends what the service sends for one permit ──────────────────────────────────────────────────


def _pgbench(place: Place, case_count: int, callers: int, seconds: float, repeats: int) -> Spread:
    assert place.server is not None
    path = place.folder / "permit.sql"
    path.write_text(_script(place, case_count))
    path.chmod(0o644)
    with writing(place.started.engine) as conn:
        conn.execute(contact_permits.delete())
    place.settle()
    found = []
    for _ in range(repeats):
        done = subprocess.run(
            [place.server.bin_dir / "pgbench", "-n", "-M", "prepared", "-c", str(callers), "-j", "1",
             "-T", f"{max(seconds, 1):.0f}", "-f", path, "-h", place.server.socket_dir, "-U", APP,
             place.started.engine.url.database or ""],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "number of failed transactions: 0 (0.000%)" in done.stdout, done.stdout
        found.append(figure("tps = ([0-9.]+)", done.stdout))
    return Spread(tuple(found))


def _script(place: Place, case_count: int) -> str:
    """The transaction for a case of which nobody asked yet, with whatever names it computed from a random number."""
    case = case_count
    with writing(place.started.engine) as conn:
        conn.execute(contact_permits.delete())
    with writing(place.started.engine) as conn, _recorded() as sent:
        version_of(conn)
        actor = Actor("T1", "staff", "api", frozenset({"phone_collector", "business_rep"}))
        at = now()
        wanted = Wanted(case_id=case, party="debtor", channel="call", contact_id=case)
        answer = decide(conn, place.started.branch, actor, wanted, at)
        assert answer.allowed, answer
    number = case.to_bytes(16).hex()
    computed = (
        (rf"'\{{\"?B{case // 2:07d}\"?\}}'", f"ARRAY[{_BORROWER}]"),
        (rf"'B{case // 2:07d}'", _BORROWER),
        (rf"'\{{\"?L{case:07d}\"?\}}'", "ARRAY['L' || lpad(:case::bigint::text, 7, '0')]"),
        (rf"E'\{{\"\\\\\\\\x{number}\"\}}'", f"ARRAY[{_NUMBER}]"),
        (rf"'\\x{number}'", _NUMBER),
        (rf"'\{{{case}\}}'(::int[28]\[\])?", "ARRAY[:case::bigint]"),
        (r"'\{-?[0-9]+,-?[0-9]+\}'::int8\[\]", "ARRAY[:lock::bigint, :lock::bigint + 1]"),
        (rf"'\{{{answer.permit_id}\}}'::bigint", "ARRAY[:nextval::bigint]::bigint"),
    )
    lines = [f"\\set case random(1, {case_count})", "\\set lock random(1, 1000000000000)", "BEGIN;"]
    for statement in sent:
        text = " ".join(statement.split())
        for pattern, expression in computed:
            text = re.sub(pattern, expression.replace("\\", r"\\"), text)
        lines.append(f"{text} \\gset" if "nextval(" in text else f"{text};")
    return "\n".join([*lines, "COMMIT;"]) + "\n"


@contextmanager
def _recorded() -> Iterator[list[str]]:
    """The statements that the driver sends meanwhile, with their parameters in their places."""
    sent: list[str] = []
    plain = psycopg.Cursor.execute

    def noting(cursor: Any, query: Any, params: Any = None, **more: Any) -> Any:
        text = query if isinstance(query, str) else query.decode()
        sent.append(psycopg.ClientCursor(cursor.connection).mogrify(text, params) if params else text)
        return plain(cursor, query, params, **more)

    psycopg.Cursor.execute = noting  # type: ignore[assignment,method-assign]  # restored below
    try:
        yield sent
    finally:
        psycopg.Cursor.execute = plain  # type: ignore[method-assign]
