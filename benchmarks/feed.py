"""(b) A feed of 100,000 loans, first and unchanged, beside a bare COPY of as many case and entry rows."""

import io
import sqlite3
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks.machine import Others, Spread, clocked, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.demo.branch import generate_large
from casework.intake.feed.load import ImportRequest, import_feed
from casework.log.tables import entries
from casework.people.staff.actor import system
from casework.work.cases.tables import cases
from tests.postgres_server import OWNER

LOANS = 100_000
DAYS = (date(2024, 6, 1), date(2024, 6, 2))
REPEATS = 3
_COPIED = (cases, entries)


def run(loans: int = LOANS, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), repeats: int = REPEATS) -> None:
    """Measure, and write the section `feed`."""
    others = Others()
    rows = []
    for kind in kinds:
        first, again, floor = list[float](), list[float](), list[float]()
        with server_of(kind) as server:
            for _ in range(repeats):
                with place_on(server) as place:
                    for day, taken in zip(DAYS, (first, again), strict=True):
                        folder = generate_large(place.folder / f"{day}", loans=loans, overdue=loans, as_of=day)
                        taken.append(loans / clocked(partial(_import, place, folder)))
                    floor.append(loans / _bare(place))
                    print(kind, first[-1], again[-1], floor[-1], flush=True)
        per_second = Spread(tuple(first)), Spread(tuple(again)), Spread(tuple(floor))
        ratios = [f"{one.best / per_second[2].best:.3f}" for one in per_second[:2]]
        rows.append((kind, *map(str, per_second), *ratios))
    header = ("loans/s: best (spread)", "first", "unchanged", "bare COPY / executemany", "first ÷ bare",
              "unchanged ÷ bare")  # fmt: skip
    text = f"{loans:,} loans, all of them in arrears: as many cases opened, with loans, borrowers, entries. Best of"
    write_section("feed", f"{text} {repeats}; {others}.\n\n{table(header, rows)}")


def _import(place: Place, folder: Path) -> None:
    import_feed(place.started.engine, place.started.branch, folder, ImportRequest(system("cli")))


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
