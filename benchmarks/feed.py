"""(b) A feed of 100,000 loans, first and unchanged, beside a bare COPY of as many case and entry rows."""

import io
import os
import resource
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa

from benchmarks.machine import Others, Spread, children, clocked, table, with_ended_seconds, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.demo.branch import generate_large
from casework.intake.feed.load import ImportRequest
from casework.log.tables import entries
from casework.operation.importing import import_apart
from casework.people.staff.actor import system
from casework.storage.forked import made_ahead
from casework.work.cases.tables import cases
from tests.postgres_server import OWNER

LOANS = 100_000
DAYS = (date(2024, 6, 1), date(2024, 6, 2))
REPEATS = 3
Result = TypeVar("Result")
_COPIED = (cases, entries)


@dataclass(frozen=True)
class Taken:
    """What one import took: seconds, and of the processor those of its processes and those of the database's.

    `peak_mib`: the most memory that one of its processes had.
    """

    seconds: float
    own_s: float
    peak_mib: float
    database_s: float = 0


def run(loans: int = LOANS, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), repeats: int = REPEATS) -> None:
    """Measure, and write the section `feed`."""
    others = Others()
    rows = []
    few = max(loans // 10, 1)
    of_few = list[Taken]()
    every = list[Taken]()
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            of_few.append(_imported(place, _generated(place, "few", few, DAYS[0])))
    for kind in kinds:
        first, again, floor = list[Taken](), list[Taken](), list[float]()
        with server_of(kind) as server:
            for _ in range(repeats):
                with place_on(server) as place:
                    for day, taken in zip(DAYS, (first, again), strict=True):
                        taken.append(_imported(place, _generated(place, f"{day}", loans, day)))
                    floor.append(loans / _apart(place, _bare))
                    print(kind, first[-1], again[-1], floor[-1], flush=True)
        every += (*first, *again)
        per_second = (
            *(Spread(tuple(loans / one.seconds for one in taken)) for taken in (first, again)),
            Spread(tuple(floor)),
        )
        ratios = [f"{one.best / per_second[2].best:.3f}" for one in per_second[:2]]
        rows.append((kind, *map(str, per_second), *ratios, _each(loans, first), _each(loans, again)))
    header = ("loans/s: best (spread)", "first", "unchanged", "bare COPY / executemany", "first ÷ bare",
              "unchanged ÷ bare", "µs a first loan", "µs an unchanged one")  # fmt: skip
    text = (
        f"{loans:,} loans, all of them in arrears: as many cases opened, with loans, borrowers, entries. Best of "
        f"{repeats}; each in a process of its own, of at most {_peak_mib(every):,.0f} MiB ({few:,} loans: "
        f"{_peak_mib(of_few):,.0f} MiB). The last columns are processor time (the least), of the import's processes "
        f"and of the database's beside them; {others}."
    )
    write_section("feed", f"{text}\n\n{table(header, rows)}")


def _generated(place: Place, name: str, loans: int, day: date) -> Path:
    return _apart(place, lambda there: generate_large(there.folder / name, loans=loans, overdue=loans, as_of=day))


def _apart(place: Place, work: Callable[[Place], Result]) -> Result:
    """What comes of it in a process of its own: what that held is no part of the import forked from this one next."""
    place.started.engine.dispose()  # a connection is of one process
    with made_ahead(work(place) for _ in range(1)) as made:
        (result,) = made
    return result


def _imported(place: Place, folder: Path) -> Taken:
    """Import as the service and the command do. What it starts anew, a connection say, is in it."""
    database_s = _database_s()
    taken = _apart(place, partial(_import, folder))
    return replace(taken, database_s=_database_s() - database_s)


def _import(folder: Path, place: Place) -> Taken:
    """In a process that has no other children: what ended of them is the import's."""
    seconds = clocked(partial(import_apart, place.started, folder, ImportRequest(system("cli"))))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _peak_mib(taken: Iterable[Taken]) -> float:
    """The most memory that a process of one of these imports had."""
    return max(one.peak_mib for one in taken)


def _database_s() -> float:
    """That of the server's, those included that served a connection."""
    return with_ended_seconds(set(children(os.getpid())) - {os.getpid()})


def _used(taken: Taken) -> tuple[float, float]:
    return taken.own_s, taken.database_s


def _each(loans: int, taken: list[Taken]) -> str:
    own_us, database_us = (min(used) / loans * 1e6 for used in zip(*map(_used, taken), strict=True))
    return f"{own_us:.0f} + {database_us:.0f}"


def _bare(place: Place) -> float:
    """Seconds to load the rows of `cases` and `entries` that the import wrote into tables without keys or triggers."""
    return _copied(place) if place.server is not None else _executed(place)


def _columns(of: sa.Table) -> str:
    """The columns that are written; what the database computes is its own work, and COPY leaves it out."""
    return ", ".join(column.name for column in of.columns if column.computed is None)


def _copied(place: Place) -> float:
    assert place.server is not None
    seconds = 0.0
    with psycopg.connect(place.server.url(place.started.engine.url.database or "", OWNER)) as conn:
        for table_ in _COPIED:
            name, columns = table_.name, _columns(table_)
            conn.execute(f"CREATE TABLE bare_{name} AS SELECT {columns} FROM {name} LIMIT 0".encode())
            conn.commit()
            content = io.BytesIO()
            with conn.cursor().copy(f"COPY {name} ({columns}) TO STDOUT (FORMAT binary)".encode()) as copy:
                for part in copy:
                    content.write(part)

            def load_it(name: str = name, content: io.BytesIO = content) -> None:
                with conn.cursor().copy(f"COPY bare_{name} FROM STDIN (FORMAT binary)".encode()) as copy:
                    copy.write(content.getvalue())
                conn.commit()

            seconds += clocked(load_it)
    return seconds


def _executed(place: Place) -> float:
    seconds = 0.0
    with place.started.engine.connect() as conn:
        raw: Any = conn.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        conn.execute(sa.text("SELECT 1"))
        for table_ in _COPIED:
            name, columns = table_.name, _columns(table_)
            raw.execute(f"CREATE TABLE bare_{name} AS SELECT {columns} FROM {name} LIMIT 0")
            content = raw.execute(f"SELECT {columns} FROM {name}").fetchall()
            raw.execute("COMMIT")
            marks = ", ".join("?" * len(content[0]))

            def load_it(name: str = name, content: list[Any] = content, marks: str = marks) -> None:
                raw.execute("BEGIN IMMEDIATE")
                raw.executemany(f"INSERT INTO bare_{name} VALUES ({marks})", content)
                raw.execute("COMMIT")

            seconds += clocked(load_it)
            raw.execute("BEGIN IMMEDIATE")
    return seconds
