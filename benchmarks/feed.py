"""(b) A feed of 100,000 loans, first and unchanged, beside a bare COPY of as many case and entry rows."""

import io
import os
import resource
import sqlite3
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks.machine import Others, Spread, children, clocked, table, with_ended_seconds, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.demo.branch import generate_large
from casework.intake.feed.load import ImportRequest
from casework.log.tables import entries
from casework.operation.importing import import_apart
from casework.people.staff.actor import system
from casework.work.cases.tables import cases
from tests.postgres_server import OWNER

LOANS = 100_000
DAYS = (date(2024, 6, 1), date(2024, 6, 2))
REPEATS = 3
_COPIED = (cases, entries)


@dataclass(frozen=True)
class Taken:
    """What one import took: seconds, and of the processor those of its process and those of the database's."""

    seconds: float
    own_s: float
    database_s: float


def run(loans: int = LOANS, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), repeats: int = REPEATS) -> None:
    """Measure, and write the section `feed`."""
    others = Others()
    rows = []
    few = max(loans // 10, 1)
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            _imported(place, generate_large(place.folder / "few", loans=few, overdue=few, as_of=DAYS[0]))
    peak_of_few_mib = _peak_mib()
    for kind in kinds:
        first, again, floor = list[Taken](), list[Taken](), list[float]()
        with server_of(kind) as server:
            for _ in range(repeats):
                with place_on(server) as place:
                    for day, taken in zip(DAYS, (first, again), strict=True):
                        folder = generate_large(place.folder / f"{day}", loans=loans, overdue=loans, as_of=day)
                        taken.append(_imported(place, folder))
                    floor.append(loans / _bare(place))
                    print(kind, first[-1], again[-1], floor[-1], flush=True)
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
        f"{repeats}; each in a process of its own, of at most {_peak_mib():,.0f} MiB ({few:,} loans: "
        f"{peak_of_few_mib:,.0f} MiB). The last columns are processor time (the least), of the import's processes and "
        f"of the database's beside them; {others}."
    )
    write_section("feed", f"{text}\n\n{table(header, rows)}")


def _imported(place: Place, folder: Path) -> Taken:
    """Import as the service and the command do. What it starts anew, a connection say, is in it."""
    database_s, own_s = _database_s(), _ended_s()
    seconds = clocked(partial(import_apart, place.started, folder, ImportRequest(system("cli"))))
    return Taken(seconds, _ended_s() - own_s, _database_s() - database_s)


def _peak_mib() -> float:
    """The most memory that one of them had."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _ended_s() -> float:
    """Processor time of our own processes that have ended: the imports."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
