"""(n) The next task under 64 collectors at once, each its own connection: how many a second, how long one waits.

All share the list of one post. Bare: the same threads take as many numbers, handed to them, and
update a row each in a transaction of its own; nothing is looked for, nothing is logged. Never the same twice: counted.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from itertools import cycle, islice
from threading import Lock
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from benchmarks.machine import Others, clocked, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.errors import CallerError, TryAgain
from casework.operation.morning import make_lists
from casework.people.staff.actor import Actor, system
from casework.storage import rows
from casework.storage.database import open_engine, writing
from casework.work.cases.tables import cases
from casework.work.tasks.making import next_id
from casework.work.tasks.pulling import take_next
from casework.work.tasks.tables import COLUMNS, task_standing, tasks

COLLECTORS, POOL, OPEN_CASES = 64, 512, 20_000
_MORNING = BUSINESS_DATE + timedelta(days=1)
_AT = datetime.combine(_MORNING, time(9), ZoneInfo("Asia/Shanghai"))
_POST = "asset_preservation"  # which reaches every case, and here has no tasks of its own


@dataclass
class Pulled:
    """One database: tasks begun, how many of them twice, seconds in all, the slowest hundredth's milliseconds."""

    begun: int
    twice: int
    seconds: float
    p99_ms: float
    bare_s: float


def run(
    kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, collectors: int = COLLECTORS, pool: int = POOL,
    case_count: int = OPEN_CASES,
) -> None:  # fmt: skip
    """Measure, and write the section `next`."""
    others, lines = Others(), []
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            place.fill(case_count)
            one = _measured(place, collectors, pool)
            print(kind, one, flush=True)
            if one.twice or one.begun != pool:
                raise RuntimeError(f"{kind}: {one.begun} of {pool} begun, {one.twice} of them twice")
            lines.append((
                kind, f"{collectors}", f"{one.begun:,}", f"{one.twice}", f"{one.begun / one.seconds:,.0f}",
                f"{one.p99_ms:.0f}", f"{one.bare_s / one.seconds:.2f}",
            ))  # fmt: skip
    header = ("", "collectors", "begun", "twice", "a second", "p99 ms", "bare ÷ ours")
    write_section("next", f"One list of {pool:,} tasks for all; {others}.\n\n{table(header, lines)}")


def _measured(place: Place, collectors: int, pool: int) -> Pulled:
    engine, branch = place.started.engine, place.started.branch
    with writing(engine) as conn:
        make_lists(conn, branch, _MORNING, system("cli"), clock=lambda: _AT)
        found = conn.execute(sa.select(cases.c.id, cases.c.loan_id).where(cases.c.live).order_by(cases.c.id)).all()
        first = next_id(conn)
        made = [
            (
                _MORNING, 1, first + rank, _POST, 10_000 + rank, "place", "due_today", _POST, row.loan_id, row.id,
                f"{rank}", _MORNING, 40, 100_000,
            )
            for rank, row in enumerate(islice(cycle(found), pool))
        ]  # fmt: skip
        rows.insert_many(conn, tasks, made, COLUMNS)
    place.settle()
    begun, waited, lock = list[int](), list[float](), Lock()
    own = open_engine(place.settings.database_url, pool_size=collectors // 2)  # and as many above

    def collect(number: int) -> None:
        agent = Actor(f"G{number}", "staff", "api", frozenset({_POST}))
        while True:
            began = perf_counter()
            task = _until_taken(lambda: _take(own, place, agent))
            with lock:
                waited.append(perf_counter() - began)  # who finds nothing has waited too
            if task is None:
                return
            with lock:
                begun.append(task)

    def all_of_them() -> None:
        with ThreadPoolExecutor(collectors) as threads:
            list(threads.map(collect, range(collectors)))

    with ExitStack() as opened:  # the service has its connections open, too
        for _ in range(collectors):
            opened.enter_context(own.connect())
    seconds = clocked(all_of_them)
    own.dispose()
    bare_s = clocked(lambda: _bare(place, collectors, pool))
    p99 = sorted(waited)[int(len(waited) * 0.99)] * 1e3
    ours = {row[2] for row in made}
    mine = [one for one in begun if one in ours]
    return Pulled(len(mine), len(begun) - len(set(begun)), seconds, p99, bare_s)


def _take(own: sa.Engine, place: Place, agent: Actor) -> int | None:
    try:
        with writing(own) as conn:
            return take_next(conn, place.started.branch, agent, _AT).id
    except CallerError:  # nothing is left
        return None


def _until_taken(work: Callable[[], Any]) -> Any:
    """Again where the database is busy, as whoever presses the button does."""
    while True:
        try:
            return work()
        except TryAgain:
            continue


def _bare(place: Place, collectors: int, pool: int) -> None:
    """As many rows, each taken by one update in a transaction of its own."""
    engine = place.started.engine
    ids = iter(range(1, pool + 1))
    lock = Lock()

    def touch(number: int) -> None:
        with writing(engine) as conn:
            conn.execute(task_standing.update().where(task_standing.c.task_id == number).values(held_by="bare"))

    def collect(_: int) -> None:
        while True:
            with lock:
                number = next(ids, None)
            if number is None:
                return
            _until_taken(partial(touch, number))

    with ThreadPoolExecutor(collectors) as threads:
        list(threads.map(collect, range(collectors)))


if __name__ == "__main__":
    run()
