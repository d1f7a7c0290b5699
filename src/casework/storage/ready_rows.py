"""Rows for a table made ready by one process and put in by another: what the driver takes, as bytes.

PostgreSQL: COPY's own. SQLite: the values of `executemany`, days and instants as text.
"""

import marshal
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.storage import rows
from casework.storage.binary_copy import copied, copy_in
from casework.storage.sqlite_values import converted, sqlite_insert


class ReadyRows(NamedTuple):
    """Rows of a table and of certain columns, which whoever puts them in names again."""

    content: bytes


def ready(
    conn: Connection, table: sa.Table, many: Sequence[tuple[Any, ...]], columns: Sequence[str]
) -> ReadyRows:  # fmt: skip
    """These rows; `conn` says for which driver, it is asked nothing. ValueError for a naive instant."""
    names = tuple(columns)
    if conn.dialect.name == "sqlite":
        converts = sqlite_insert(table, names, False)[1]
        return ReadyRows(marshal.dumps([*converted(converts, many)], 2))
    raw: Any = conn.connection.dbapi_connection
    return ReadyRows(copied(raw.cursor(), table, names, many))


def insert(
    conn: Connection, table: sa.Table, many: Sequence[tuple[Any, ...]] | ReadyRows, columns: Sequence[str]
) -> int:
    """Insert rows, ready or not, in the caller's transaction; how many."""
    if not isinstance(many, ReadyRows):
        return rows.insert_many(conn, table, many, columns)
    names, raw = tuple(columns), conn.connection.dbapi_connection
    driver: Any = raw
    if conn.dialect.name == "sqlite":
        sql = sqlite_insert(table, names, False)[0]
        return int(driver.cursor().executemany(sql, marshal.loads(many.content)).rowcount)  # noqa: S302  # our own
    return copy_in(driver.cursor(), table, names, many.content)
