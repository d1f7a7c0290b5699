"""Promises and holds over real arrears, day by day through the shell, compared with what others made of them.

`python -m tests.real_promises DIR`: the invented branch of `DIR/calls-mini` whole, and with CASEWORK_LONG=1 the month
of `DIR/september-calls` over the feeds of `DIR/daily`; each into a fresh SQLite and a fresh PostgreSQL database. A day
is its feed, the promises made and the holds begun on it, the sweep. Exit 0 if every outcome, day and yuan agrees and
the log is sound, else 1.
"""

import argparse
import csv
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.postgres_server import Server, postgres_server
from tests.real_feeds import DATABASES, shell
from tests.variables import variables_of_new

SETS = {"calls-mini": "calls-mini/feeds"} | ({"september-calls": "daily"} if "CASEWORK_LONG" in os.environ else {})
"""Where the promises and holds are, and the feeds that they are about."""


@dataclass
class Outcome:
    """What became of one set in one database; no faults: all is as expected."""

    name: str
    database: str
    promises: int = 0
    holds: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """One set for one fresh database."""

    folder: Path
    name: str
    database: str
    environment: dict[str, str]
    home: Path


def carry_out(job: Job) -> Outcome:
    """Live through the days and compare; a process of its own, since the environment names the database."""
    os.environ.update(job.environment)
    outcome = Outcome(job.name, job.database)
    _must(outcome, "db", "upgrade")
    agreed = job.folder / job.name
    for feed in sorted((job.folder / SETS[job.name]).iterdir()):
        _must(outcome, "feed", "import", str(feed), "--confirm-vanished", "--json")
        for noun, day_column in (("promise", "made_on"), ("hold", "from")):
            rows = [row for row in rows_of(agreed / f"{noun}s.csv") if row[day_column][:10] == feed.name]
            if rows:
                taken = json.loads(_must(outcome, noun, "import", str(file_of(job.home, rows)), "--json"))
                outcome.faults += [f"{feed.name} {noun}: set aside {taken['set_aside']}"] * bool(taken["set_aside"])
        _must(outcome, "sweep", "--json")
    _compare(json.loads((agreed / "expected.json").read_bytes())["promises"], outcome)
    outcome.holds = len(json.loads(_must(outcome, "hold", "list", "--all", "--json")))
    if outcome.holds != len(rows_of(agreed / "holds.csv")):
        outcome.faults.append(f"{outcome.holds} holds")
    verdict = json.loads(_must(outcome, "audit", "verify", "--json"))["verdict"]
    outcome.faults += [f"the log is {verdict}"] * (verdict != "sound")
    return outcome


def _must(outcome: Outcome, *arguments: str) -> str:
    code, out, err = shell(*arguments)
    if code:
        outcome.faults.append(f"{' '.join(arguments)}: exit {code}: {err.strip()[:300]}")
    return out or "{}"


def rows_of(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV by their header."""
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def file_of(home: Path, rows: list[dict[str, str]]) -> Path:
    """A CSV of these rows."""
    path = home / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def _compare(expected: dict[str, dict[str, object]], outcome: Outcome) -> None:
    found = {one["ref"]: one for one in json.loads(_must(outcome, "promise", "list", "--all", "--json"))}
    outcome.promises = len(found)
    if found.keys() != expected.keys():
        outcome.faults.append(f"promises {sorted(found.keys() ^ expected.keys())} are not on both sides")
    for ref in sorted(found.keys() & expected.keys()):
        here, there = found[ref], expected[ref]
        for key in ("outcome", "judged_on", "counted_fen"):
            if here[key] != there.get(key):
                outcome.faults.append(f"{ref} {key}: {here[key]!r}, expected {there.get(key)!r}")
        if here["outcome"] != "open" and here["because"] != there["because"]:
            outcome.faults.append(f"{ref} because: {here['because']!r}, expected {there['because']!r}")


def _jobs(folder: Path, home: Path, server: Server) -> Iterable[Job]:
    for number, name in enumerate(SETS):
        for database in DATABASES:
            own = home / f"{number}{database}"
            own.mkdir()
            environment = variables_of_new(database, own, server, f"promises{number}")
            yield Job(folder, name, database, environment, own)


def main() -> None:
    """Exit 0 if all is as expected, 1 if anything differs, 2 for a folder without the files."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.real_promises")
    parser.add_argument("folder", type=Path, help="with calls-mini/ and september-calls/")
    folder = parser.parse_args().folder.resolve()
    if not all((folder / name / "expected.json").is_file() for name in SETS):
        parser.error("the folder has no calls-mini/expected.json")
    spawned = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="casework-real-") as home,
        postgres_server("17") as server,
        ProcessPoolExecutor(2, spawned, max_tasks_per_child=1) as pool,
    ):
        outcomes = list(pool.map(carry_out, _jobs(folder, Path(home), server)))
    for done in outcomes:
        print(f"{done.name} {done.database}: {done.promises} promises, {done.holds} holds, {len(done.faults)} faults")
        for fault in done.faults[:20]:
            print(f"  {fault}")
    sys.exit(1 if any(done.faults for done in outcomes) else 0)


if __name__ == "__main__":
    main()
