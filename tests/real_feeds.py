"""The branch's real feeds, imported in full through the shell and compared key by key with what is expected.

`python -m tests.real_feeds DIR`: `DIR/daily` and `DIR/monthly`, each into a fresh SQLite and a fresh PostgreSQL
database; exit 0 if every figure agrees, states, owners and reasons are those that were approved
(`tests/net/approved`; `CASEWORK_APPROVE=1` approves them anew), the guard against truncated snapshots spoke and the
log is sound, else 1.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from casework.cli import main as casework
from tests.net import portfolio
from tests.net.approved import differences
from tests.postgres_server import Server, postgres_server
from tests.variables import variables_of_new

SETS = ("daily", "monthly")
DATABASES = ("sqlite", "pg17")
GUARDED = {"2005-05-31"}  # May's monthly step loses more than the policy's share of the loans before


@dataclass
class Outcome:
    """What became of one set of feeds in one database; no faults: all is as expected."""

    feeds: str
    database: str
    days: int = 0
    figures: int = 0
    guarded: list[str] = field(default_factory=list)
    verdict: str = "–"
    seconds_import: float = 0.0
    seconds_verify: float = 0.0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """One set of feeds for one fresh database."""

    folder: Path
    feeds: str
    database: str
    environment: dict[str, str]


def shell(*arguments: str) -> tuple[int, str, str]:
    """The exit code and both outputs of `casework ARGUMENTS`."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            casework(args=list(arguments), prog_name="casework")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return code, out.getvalue(), err.getvalue()


def carry_out(job: Job) -> Outcome:
    """Import one set of feeds and compare; a process of its own, since the environment names the database."""
    os.environ.update(job.environment)
    outcome = Outcome(job.feeds, job.database)
    code, _, err = shell("db", "upgrade")
    if code:
        outcome.faults.append(f"db upgrade ended with {code}: {err.strip()}")
        return outcome
    started = time.perf_counter()
    for day in sorted((job.folder / job.feeds).iterdir()):
        _import(day, outcome)
    outcome.seconds_import = time.perf_counter() - started
    _compare(json.loads((job.folder / f"expected-{job.feeds}.json").read_bytes()), outcome)
    table = "".join(f"{line}\n" for line in portfolio.told(_must))
    outcome.faults += differences(f"real-{job.feeds}.txt", table).splitlines()
    if sorted(outcome.guarded) != (sorted(GUARDED) if job.feeds == "monthly" else []):
        outcome.faults.append(f"the guard against a truncated snapshot spoke on {outcome.guarded}")
    started = time.perf_counter()
    code, out, err = shell("audit", "verify", "--json")
    outcome.seconds_verify = time.perf_counter() - started
    outcome.verdict = json.loads(out)["verdict"] if out else f"exit {code}"
    if code != 0:
        outcome.faults.append(f"audit verify ended with {code}: {(err or out).strip()[:500]}")
    return outcome


def _must(*arguments: str) -> str:
    code, out, err = shell(*arguments)
    assert code == 0, (arguments, err)
    return out


def _import(day: Path, outcome: Outcome) -> None:
    outcome.days += 1
    code, _, err = shell("feed", "import", str(day), "--json")
    if code == 1 and err.startswith("loans_vanished:"):
        outcome.guarded.append(day.name)
        code, _, err = shell("feed", "import", str(day), "--confirm-vanished", "--json")
    if code:
        outcome.faults.append(f"{day.name}: exit {code}: {err.strip()}")


def _compare(expected: list[dict[str, Any]], outcome: Outcome) -> None:
    code, out, err = shell("feed", "runs", "--json")
    if code:
        outcome.faults.append(f"feed runs ended with {code}: {err.strip()}")
        return
    found = json.loads(out)
    days = [run["as_of"] for run in expected]
    if [run["as_of"] for run in found] != days:
        outcome.faults.append(f"runs of {len(found)} days, expected {len(days)}")
    by_day = {run["as_of"]: run for run in found}
    for run in expected:
        here = by_day.get(run["as_of"], {})
        for key, value in run.items():
            outcome.figures += 1
            if here.get(key) != value:
                outcome.faults.append(f"{run['as_of']} {key}: {here.get(key)!r}, expected {value!r}")


def _jobs(folder: Path, home: Path, server: Server) -> list[Job]:
    jobs = []
    for feeds in SETS:
        for database in DATABASES:
            own = home / f"{feeds}_{database}"
            own.mkdir()
            environment = variables_of_new(database, own, server, own.name)
            jobs.append(Job(folder, feeds, database, environment))
    return jobs


def run(folder: Path) -> list[Outcome]:
    """Every set of feeds in every database, two at a time."""
    with tempfile.TemporaryDirectory(prefix="casework-real-") as home, postgres_server("17") as server:
        jobs = _jobs(folder, Path(home), server)
        # Spawned, so that no process inherits another's engines or loaded environment; none a daemon, for an import
        # has a process of its own.
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
            return list(pool.map(carry_out, jobs))


def _tell(outcomes: list[Outcome]) -> None:
    table = Table("feeds", "database", "days", "figures", "guard spoke", "log", "import s", "verify s", "faults")
    for done in outcomes:
        table.add_row(
            done.feeds, done.database, str(done.days), str(done.figures), ", ".join(done.guarded) or "–", done.verdict,
            f"{done.seconds_import:.1f}", f"{done.seconds_verify:.1f}", str(len(done.faults)),
        )  # fmt: skip
    console = Console(width=110)
    console.print(table)
    for done in outcomes:
        for fault in done.faults[:20]:
            console.print(f"{done.feeds} {done.database}: {fault}", markup=False)


def main() -> None:
    """Exit 0 if all is as expected, 1 if anything differs, 2 for a folder without the feeds."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.real_feeds")
    parser.add_argument("folder", type=Path, help="with daily/, monthly/ and expected-*.json")
    folder = parser.parse_args().folder.resolve()
    if not all((folder / f"expected-{feeds}.json").is_file() for feeds in SETS):
        parser.error("the folder has no expected-daily.json and expected-monthly.json")
    outcomes = run(folder)
    _tell(outcomes)
    sys.exit(1 if any(done.faults for done in outcomes) else 0)


if __name__ == "__main__":
    main()
