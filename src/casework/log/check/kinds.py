"""Values that a column cannot hold by its kind: SQLite holds no column to its type, PostgreSQL has days without end.

The service writes none, and reading one can end what reads it: so they are reported first, column by column, for all
tables.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import compress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.storage.database import UtcDateTime, metadata

_EARLIEST: Final = "0001-01-01"
_BEYOND: Final = "10000-01-01"


def check_kinds(conn: Connection, report: Report, *, apart: Collection[sa.Column[Any]] = frozenset()) -> None:
    """Finding `value_mistyped` by table and column, with how many rows; one pass over each table that has any.

    `apart`: columns that are not looked at.
    """
    held = set(sa.inspect(conn).get_table_names())
    counted = {}
    for table in metadata.sorted_tables:
        left_out = frozenset(column.name for column in apart if column.table is table)
        counts = _counting(table, conn.dialect.name, left_out)
        if counts[0] and table.name in held:
            counted[table] = counts
    for table in _with_rows(conn, list(counted)):
        looked_at, counting = counted[table]
        for name, rows in zip(looked_at, conn.exec_driver_sql(counting).one(), strict=True):
            if rows:
                report.find("value_mistyped", table=table.name, column=name, rows=int(rows))


def _with_rows(conn: Connection, tables: Sequence[sa.Table]) -> Iterator[sa.Table]:
    """Those that are not empty, asked at once: most tables of a young branch are."""
    if tables:
        each = ", ".join(f'EXISTS (SELECT 1 FROM "{table.name}")' for table in tables)  # noqa: S608 - as below
        yield from compress(tables, conn.exec_driver_sql(f"SELECT {each}").one())


@cache
def _counting(table: sa.Table, dialect: str, apart: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """Columns that can hold what they should not, and what counts its rows in each of them."""
    fault_of = _sqlite_fault if dialect == "sqlite" else _postgresql_fault
    looked_at = [column for column in table.columns if column.name not in apart]
    faults = {column.name: fault for column in looked_at if (fault := fault_of(column)) is not None}
    sums = ", ".join(f"sum(CASE WHEN {fault} THEN 1 ELSE 0 END)" for fault in faults.values())
    return tuple(faults), f'SELECT {sums} FROM "{table.name}"'  # noqa: S608 - names are the code's own


class SpoiltTexts:
    """How many texts were read that are no UTF-8."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, data: bytes) -> str:
        """The text all the same."""
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.reads += 1
            return data.decode(errors="surrogateescape").encode(errors="backslashreplace").decode()

    def tell(self, report: Report) -> None:
        """Find them, if there were any."""
        if self.reads:
            report.find("value_mistyped", fault="not_utf8", reads=self.reads)


@contextmanager
def spoilt_texts(conn: Connection) -> Iterator[SpoiltTexts]:
    """Read texts that are no UTF-8 all the same, and count them: to SQLite's driver each is an error."""
    spoilt = SpoiltTexts()
    if conn.dialect.name != "sqlite":
        yield spoilt
        return
    raw: Any = conn.connection.dbapi_connection
    before, raw.text_factory = raw.text_factory, spoilt.read
    try:
        yield spoilt
    finally:
        raw.text_factory = before


@contextmanager
def texts_of_any_bytes(conn: Connection, report: Report) -> Iterator[None]:
    """The same, told at the end."""
    with spoilt_texts(conn) as spoilt:
        try:
            yield
        finally:
            spoilt.tell(report)


def _sqlite_fault(column: sa.Column[Any]) -> str:
    """When a stored value is none that the service writes there."""
    name, kind = f'"{column.name}"', column.type
    if isinstance(kind, UtcDateTime):
        right = f"typeof({name}) = 'text' AND length({name}) = 27 AND {name} IS {_INSTANT.format(name)}"
    elif isinstance(kind, sa.Date):
        right = f"typeof({name}) = 'text' AND date({name}, '+0 days') IS {name}"
    elif isinstance(kind, sa.Boolean):
        right = f"typeof({name}) = 'integer' AND {name} IN (0, 1)"
    elif isinstance(kind, sa.LargeBinary):
        right = f"typeof({name}) = 'blob'"
    elif isinstance(kind, sa.Integer):
        right = f"typeof({name}) = 'integer'"
    elif isinstance(kind, sa.String):
        right = f"typeof({name}) = 'text'"
    else:
        right = f"typeof({name}) IN ('integer', 'real', 'text')"
    return f"NOT ({right})" if not column.nullable else f"{name} IS NOT NULL AND NOT ({right})"


# The fraction is left out of the reading: SQLite rounds to milliseconds, and 06.999763 would become 07.
_INSTANT: Final = (
    "(strftime('%Y-%m-%dT%H:%M:%S', substr({0}, 1, 19), '+0 days') || '.' || substr({0}, 21, 6) || 'Z')"
    " AND {0} GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z'"
)


def _postgresql_fault(column: sa.Column[Any]) -> str | None:
    """Instants and days without end, or outside the years that a date can have."""
    name, kind = f'"{column.name}"', column.type
    if not isinstance(kind, (UtcDateTime, sa.Date)):
        return None
    return f"NOT isfinite({name}) OR {name} < '{_EARLIEST}' OR {name} >= '{_BEYOND}'"
