"""(a) Changes per second over HTTP with everything on, beside pgbench sending the same SQL to the same server."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks import floors
from benchmarks.machine import Others, Spread, children, cpu_seconds, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, api, place_on, server_of

CASES = 2_048
CLIENTS = (16, 64)
WORKERS = (1, 2)
WARM_UP_S = 1.5
REPEATS = 3


@dataclass
class Run:
    """One combination, measured several times."""

    kind: str
    workers: int
    clients: int
    per_second: Spread
    p50_ms: float
    p99_ms: float
    us_server: float
    us_database: float
    us_client: float


def drive(
    port: int, place: Place, cases: list[list[int]], *, clients: int, seconds: float, warm_up_s: float = WARM_UP_S
) -> dict[str, Any]:
    """One run of the load generator; it fails loudly if any answer was not 200."""
    orders = {
        "port": port, "clients": clients, "cases": cases, "seconds": seconds, "warm_up": warm_up_s,
        "tokens": place.tokens,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client"], input=json.dumps(orders), stdout=subprocess.PIPE,
        text=True, check=True,
    )  # fmt: skip
    measured: dict[str, Any] = json.loads(done.stdout)
    assert not measured["failed"], measured["failed"]
    cases[:] = sorted(measured["cases"])
    return measured


def measure(
    place: Place, cases: list[list[int]], workers: int, *, seconds: float, clients: tuple[int, ...], repeats: int,
    warm_up_s: float,
) -> list[Run]:  # fmt: skip
    """The service with so many workers at each number of clients; the best of `repeats`, with the spread."""
    found = []
    with api(place, workers=workers) as served:
        for number in clients:
            results = []
            for _ in range(repeats):
                before = cpu_seconds(children(served.process_id)), cpu_seconds(_database(place))
                result = drive(served.port, place, cases, clients=number, seconds=seconds, warm_up_s=warm_up_s)
                # The warm-up ran too: the costs are per event of the whole run, in proportion.
                events = result["events"] * (seconds + warm_up_s) / seconds
                result["us_server"] = (cpu_seconds(children(served.process_id)) - before[0]) / events * 1e6
                result["us_database"] = (cpu_seconds(_database(place)) - before[1]) / events * 1e6
                results.append(result)
            best = max(results, key=lambda one: one["per_second"])
            found.append(
                Run(
                    place.kind, workers, number, Spread(tuple(one["per_second"] for one in results)), best["p50_ms"],
                    best["p99_ms"], best["us_server"], best["us_database"],
                    best["client_cpu_s"] / best["events"] * 1e6,
                )
            )  # fmt: skip
            print(found[-1], flush=True)
    return found


def _database(place: Place) -> list[int]:
    return children(place.server.process_id) if place.server else []


def run(
    seconds: float = 5.0, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, case_count: int = CASES,
    clients: tuple[int, ...] = CLIENTS, workers: tuple[int, ...] = WORKERS, repeats: int = REPEATS,
    warm_up_s: float = WARM_UP_S,
) -> None:  # fmt: skip
    """Measure, and write the section `events`."""
    others, runs, floor = Others(), list[Run](), list[floors.Floor]()
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            place.fill(case_count)
            cases = [[number, 1, 0] for number in range(1, case_count + 1)]
            for number in workers if place.server else (1,):  # two processes would only wait for SQLite's one lock
                runs += measure(
                    place, cases, number, seconds=seconds, clients=clients, repeats=repeats, warm_up_s=warm_up_s
                )
            if place.server is not None:
                floor = floors.pgbench(place, case_count=case_count, seconds=seconds, clients=clients, repeats=repeats)
    head = f"Best of {repeats} runs of {seconds:g} s each; {others}. The last"
    write_section("events", f"{head} three columns are processor time per event.\n\n{_told(runs, floor)}")


def _told(runs: list[Run], floor: list[floors.Floor]) -> str:
    floor_of = {one.clients: one.per_second.best for one in floor}
    rows = []
    for one in runs:
        ratio = f"{one.per_second.best / floor_of[one.clients]:.2f}" if one.kind == POSTGRESQL else "–"
        rows.append(
            (f"{one.kind}, {one.workers} worker{'s' if one.workers > 1 else ''}", str(one.clients), str(one.per_second),
             f"{one.p50_ms:.1f}", f"{one.p99_ms:.1f}", ratio, f"{one.us_server:.0f}",
             f"{one.us_database:.0f}" if one.us_database else "in it", f"{one.us_client:.0f}")
        )  # fmt: skip
    rows += [
        ("pgbench, the same SQL", str(it.clients), str(it.per_second), f"{it.mean_ms:.1f} (mean)", "–", "1", *"–––")
        for it in floor
    ]
    header = ("", "clients", "events/s: best (spread)", "p50 ms", "p99 ms", "÷ pgbench", "server µs", "database µs",
              "client µs")  # fmt: skip
    return table(header, rows)
