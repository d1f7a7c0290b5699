"""Contacts over real arrears, day by day through the shell, compared with what others made of them.

`python -m tests.real_calls DIR`: the invented branch of `DIR/calls-mini` whole, and of `DIR/september-calls` over the
feeds of `DIR/daily` the first days (CASEWORK_CALL_DAYS, 10; all with CASEWORK_LONG=1); each into a fresh SQLite and a
fresh PostgreSQL database. A day is its feed, its contact file, the promises made and the holds begun on it, the sweep.
Exit 0 if rows, lost and reached days, duties, breaches and promises agree and the log is sound, deep too; else 1.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.postgres_server import Server, postgres_server
from tests.real_duties import differing
from tests.real_feeds import DATABASES, shell
from tests.real_promises import file_of, rows_of
from tests.variables import variables_of_new

SETS = {"calls-mini": "calls-mini/feeds", "september-calls": "daily"}
"""Where the contacts are, and the feeds that they are about."""


@dataclass
class Outcome:
    """What became of one set in one database; no faults: all is as expected."""

    name: str
    database: str
    days: int = 0
    stored: int = 0
    lost: int = 0
    reached: int = 0
    breaches: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def compare(self, what: str, here: Any, there: Any) -> None:
        """A fault where they differ."""
        if here != there:
            self.faults.append(f"{what}: {here!r}, expected {there!r}")

    def must(self, *arguments: str) -> str:
        """What a command says; a fault where it fails."""
        code, out, err = shell(*arguments)
        if code:
            self.faults.append(f"{' '.join(arguments)}: exit {code}: {err.strip()[:300]}")
        return out or "{}"


@dataclass(frozen=True)
class Job:
    """One set for one fresh database, the first `days` of it."""

    folder: Path
    name: str
    days: int
    database: str
    environment: dict[str, str]
    home: Path


def carry_out(job: Job) -> Outcome:
    """Live through the days and compare; a process of its own, since the environment names the database."""
    os.environ.update(job.environment)
    outcome, started = Outcome(job.name, job.database), time.perf_counter()
    outcome.must("db", "upgrade")
    agreed = job.folder / job.name
    aside: list[dict[str, Any]] = []
    counts = dict.fromkeys(("rows", "stored", "repeated", "late"), 0)
    feeds = sorted((job.folder / SETS[job.name]).iterdir())[: job.days]
    for feed in feeds:
        outcome.must("feed", "import", str(feed), "--confirm-vanished", "--json")
        file = agreed / f"calls-{feed.name}.csv"
        taken = json.loads(outcome.must("contact", "import", str(file), "--json"))
        for name in counts:
            counts[name] += taken[name]
        aside += [
            {"file": file.name, **{key: one[key] for key in ("line", "column", "kind", "contact_ref")}}
            for one in taken["set_aside"]
        ]
        for noun, day_column in (("promise", "made_on"), ("hold", "from")):
            rows = [row for row in rows_of(agreed / f"{noun}s.csv") if row[day_column][:10] == feed.name]
            if rows:
                outcome.must(noun, "import", str(file_of(job.home, rows)), "--json")
        outcome.must("sweep", "--date", feed.name, "--json")
    outcome.days, last = len(feeds), feeds[-1].name
    expected = json.loads((agreed / "expected.json").read_bytes())
    _compare_rows(outcome, expected, counts, aside, agreed, last)
    _compare_steps(outcome, expected, last)
    outcome.faults += differing(outcome.must, expected, [feed.name for feed in feeds])
    _compare_breaches(outcome, expected, last)
    if last == expected["to"]:
        _compare_promises(outcome, expected["promises"])
    _sweep_again(outcome, last)
    _verify(outcome, job.home)
    outcome.seconds = time.perf_counter() - started
    return outcome


def _compare_rows(
    outcome: Outcome, expected: dict[str, Any], counts: dict[str, int], aside: list[dict[str, Any]], folder: Path,
    last: str,
) -> None:  # fmt: skip
    files = {f"calls-{day}.csv" for day in _days(folder) if day <= last}
    outcome.stored = counts["stored"]
    known = ("file", "line", "column", "kind", "contact_ref")
    wanted = [{key: one[key] for key in known} for one in expected["set_aside"] if one["file"] in files]
    order = sorted(aside, key=lambda one: (one["file"], one["line"]))
    outcome.compare("set aside", order, sorted(wanted, key=lambda one: (one["file"], one["line"])))
    outcome.compare(
        "rows",
        counts["rows"],
        counts["stored"] + counts["repeated"] + len({(one["file"], one["line"]) for one in aside}),
    )
    if last == expected["to"]:
        for name, number in counts.items():
            outcome.compare(name, number, expected["contacts"][name])


def _days(folder: Path) -> list[str]:
    return sorted(file.stem.removeprefix("calls-") for file in folder.glob("calls-*.csv"))


def _compare_steps(outcome: Outcome, expected: dict[str, Any], last: str) -> None:
    found = json.loads(outcome.must("case", "steps", "--event", "mark_lost", "--event", "reached", "--json"))
    here: dict[tuple[str, str], list[str]] = {}
    for step in found:
        here.setdefault((step["loan_id"], step["event"]), []).append(step["on"])
    there = {
        (loan, event): days
        for loan, one in expected["loans"].items()
        for event, key in (("mark_lost", "lost"), ("reached", "reached"))
        if (days := [day for day in one.get(key, ()) if day <= last])
    }
    # A row that comes after the last day may have its debtor reached before it.
    late = {} if last == expected["to"] else {key: days for key, days in there.items() if key[1] == "reached"}
    for key in sorted(here.keys() | there.keys()):
        if here.get(key, []) != there.get(key, []) and not (key in late and set(here.get(key, [])) <= set(late[key])):
            outcome.compare(" ".join(key), here.get(key, []), there.get(key, []))
    outcome.lost = sum(step["event"] == "mark_lost" for step in found)
    outcome.reached = sum(step["event"] == "reached" for step in found)


def _compare_breaches(outcome: Outcome, expected: dict[str, Any], last: str) -> None:
    """Of part of a month those of its first days alone: a row that comes late can still turn others into breaches."""
    found = {one["contact_ref"]: one["rules"] for one in json.loads(outcome.must("contact", "breaches", "--json"))}
    outcome.breaches = len(found)
    there = {one["contact_ref"]: one["rules"] for one in expected["breaches"]}
    until = f"{date.fromisoformat(last) - timedelta(days=0 if last == expected['to'] else 4):%m%d}"
    for ref in sorted(found.keys() | there.keys()):
        if ref[1:5] <= until:
            outcome.compare(ref, found.get(ref), there.get(ref))


def _compare_promises(outcome: Outcome, expected: dict[str, dict[str, object]]) -> None:
    found = json.loads(outcome.must("promise", "list", "--all", "--json"))
    here = {one["ref"]: (one["outcome"], one["judged_on"]) for one in found}
    there = {ref: (one["outcome"], one.get("judged_on")) for ref, one in expected.items()}
    for ref in sorted(here.keys() | there.keys()):
        outcome.compare(ref, here.get(ref), there.get(ref))


def _sweep_again(outcome: Outcome, last: str) -> None:
    """The same day again changes nothing; a day before it is refused."""
    again = json.loads(outcome.must("sweep", "--date", last, "--json"))
    outcome.compare("swept again", sum(again["fired"].values()), 0)
    code, _, err = shell("sweep", "--date", "2000-01-01")
    outcome.compare("a day before the last", (code, err[:10]), (1, "day_swept:"))


def _verify(outcome: Outcome, home: Path) -> None:
    verdict = json.loads(outcome.must("audit", "verify", "--json"))["verdict"]
    outcome.compare("the log", verdict, "sound")
    bundle, key = str(home / "bundle"), home / "branch.key"
    outcome.must("audit", "seal")
    outcome.must("audit", "export", bundle)
    key.write_text(outcome.must("keys", "show"), encoding="utf-8")
    deep = json.loads(outcome.must("audit", "verify", bundle, "--key", str(key), "--deep", "--jobs", "1", "--json"))
    outcome.compare("the bundle, deep", deep.get("verdict"), "sound")


def _jobs(folder: Path, home: Path, server: Server) -> Iterable[Job]:
    days = 400 if "CASEWORK_LONG" in os.environ else int(os.environ.get("CASEWORK_CALL_DAYS", "10"))
    for number, name in enumerate(SETS):
        for database in DATABASES:
            own = home / f"{number}{database}"
            own.mkdir()
            environment = variables_of_new(database, own, server, f"calls{number}")
            yield Job(folder, name, 400 if name == "calls-mini" else days, database, environment, own)


def main() -> None:
    """Exit 0 if all is as expected, 1 if anything differs, 2 for a folder without the files."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.real_calls")
    parser.add_argument("folder", type=Path, help="with calls-mini/, september-calls/ and daily/")
    parser.add_argument("--only", help="the set or the database with this in its name")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    if not all((folder / name / "expected.json").is_file() for name in SETS):
        parser.error("the folder has no calls-mini/expected.json")
    spawned = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="casework-real-") as home,
        postgres_server("17") as server,
        ProcessPoolExecutor(2, spawned, max_tasks_per_child=1) as pool,
    ):
        jobs = _jobs(folder, Path(home), server)
        wanted = [job for job in jobs if (arguments.only or "") in f"{job.name} {job.database}"]
        outcomes = list(pool.map(carry_out, wanted))
    for done in outcomes:
        print(
            f"{done.name} {done.database}: {done.days} days, {done.stored} contacts, lost {done.lost}, reached "
            f"{done.reached}, {done.breaches} breaches, {done.seconds:.0f} s, {len(done.faults)} faults"
        )
        for fault in done.faults[:20]:
            print(f"  {fault}")
    sys.exit(1 if any(done.faults for done in outcomes) else 0)


if __name__ == "__main__":
    main()
