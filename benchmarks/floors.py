"""The floor under `events`: pgbench sends the service's own statements, one transaction per event, prepared."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from api.idempotency import _LOCK_AND_LOOK
from benchmarks.machine import Spread
from benchmarks.place import Place
from casework.clock import now
from casework.lifecycle.gather import PRESENT
from casework.log.tables import entries, unsealed
from casework.log.write.trail import ENTRY_COLUMNS
from casework.storage import row_statements, rows
from casework.storage.array_literals import Literals
from casework.storage.database import writing
from casework.work.cases.case import CHANGING, from_row, to_change
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases, idempotency
from tests.postgres_server import APP

_ANY_NUMBER = 10**15
_IDEMPOTENCY = ("actor_id", "key", "request_hash", "status", "answer", "created_at", "mac")


@dataclass
class Floor:
    """What pgbench made of it."""

    clients: int
    per_second: Spread
    mean_ms: float


def pgbench(place: Place, *, case_count: int, seconds: float, clients: Sequence[int], repeats: int) -> list[Floor]:
    """Transactions per second of the service's statements for one event, on the server that the service used.

    pgbench knows whole seconds only, and at least one.
    """
    assert place.server is not None
    script, variables = _script(place, case_count)
    path = place.folder / "event.sql"
    path.write_text(script)
    path.chmod(0o644)
    found = []
    for number in clients:
        runs = []
        for _ in range(repeats):
            done = subprocess.run(
                [place.server.bin_dir / "pgbench", "-n", "-M", "prepared", "-c", str(number), "-j", "1",
                 "-T", f"{max(seconds, 1):.0f}", "-f", path, *variables, "-h", place.server.socket_dir, "-U", APP,
                 place.started.engine.url.database or ""],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert "number of failed transactions: 0 (0.000%)" in done.stdout, done.stdout
            tps, mean_ms = (figure(f"{name} = ([0-9.]+)", done.stdout) for name in ("tps", "latency average"))
            runs.append((tps, mean_ms))
        best = max(runs)
        found.append(Floor(number, Spread(tuple(tps for tps, _ in runs)), best[1]))
        print(found[-1], flush=True)
    return found


def figure(pattern: str, text: str) -> float:
    """The number that the pattern finds in what pgbench says."""
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1])


def _script(place: Place, case_count: int) -> tuple[str, list[str]]:
    """The transaction, and its constant parameters as pgbench's -D: those of the last event the service wrote."""
    with writing(place.started.engine) as conn:
        entry = conn.execute(
            sa.select(entries).where(entries.c.event.startswith("case.fact.")).order_by(entries.c.id.desc()).limit(1)
        ).one()
        stored = conn.execute(sa.select(idempotency).limit(1)).one()
        case_id = int(entry.stream.partition(":")[2])
        case = from_row(tuple(rows.select_by_keys(conn, CASE_ROWS, "id", [case_id])[0]))
    variables: dict[str, str] = {}

    def bound(sql: str, values: Sequence[str | None], constants: Sequence[Any], makers: Sequence[Literals]) -> str:
        """`values` are pgbench expressions, None where the constant of that place is to be bound."""
        parts = sql.split("%s")
        for place_no, (value, constant, maker) in enumerate(zip(values, constants, makers, strict=True)):
            if value is None:
                name = f"v{len(variables)}"
                variables[name] = maker([constant])
                parts[place_no] += f":{name}"
            else:
                parts[place_no] += value
        return "".join(parts)

    stream, number, key = "ARRAY['case:' || :case]", "ARRAY[:number]", "ARRAY['k' || :number]"
    update, update_makers = row_statements.pg_update(cases, ("id",), CHANGING)
    insert, insert_makers = row_statements.pg_insert(entries, ENTRY_COLUMNS[1:], False)
    keep, keep_makers = row_statements.pg_insert(idempotency, _IDEMPOTENCY, False)
    insert = f"WITH fresh AS ({insert} RETURNING id) INSERT INTO {unsealed.name} (entry) SELECT id FROM fresh"
    change = to_change(case)
    entry_values = [getattr(entry, name) for name in ENTRY_COLUMNS[1:]]
    kept = [getattr(stored, name) for name in _IDEMPOTENCY]
    kept[-2] = now()
    statements = [
        "BEGIN",
        _LOCK_AND_LOOK.replace("%s", number, 1).replace("%s", "ARRAY['T1']", 1).replace("%s", key, 1),
        row_statements.pg_select(CASE_ROWS, ("id",), "skip").sql.replace("%s", "ARRAY[:case]"),
        row_statements.pg_every(PRESENT).sql,
        bound(update, ["ARRAY[:case]", *[None] * len(CHANGING)], change, update_makers),
        bound(insert, [stream, number, *[None] * (len(entry_values) - 2)], entry_values, insert_makers),
        bound(keep, [None, key, *[None] * (len(kept) - 2)], kept, keep_makers),
        "COMMIT",
    ]  # fmt: skip
    head = f"\\set case random(1, {case_count})\n\\set number random(1, {_ANY_NUMBER})\n"
    lines = (" ".join(statement.split()) + ";" for statement in statements)
    return head + "\n".join(lines) + "\n", [f"-D{name}={value}" for name, value in variables.items()]
