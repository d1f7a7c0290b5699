"""Sets of rows, in and out, one statement per set on both databases.

Values are Python values of the columns' types (int, str, bytes, bool, date, aware datetime, None); a naive
datetime is a ValueError. Every function runs in the caller's transaction and leaves committing to the caller.
PostgreSQL: arrays through `unnest`, or COPY for large inserts; SQLite: executemany, or `json_each`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.storage import row_statements
from casework.storage.array_literals import Literals, pg_kind
from casework.storage.binary_copy import copy_rows, quoted
from casework.storage.database import is_reading
from casework.storage.postgresql import naming_cursor, send_together
from casework.storage.row_statements import (
    Asked,
    columns_of,
    every,
    pg_asked,
    pg_every,
    pg_insert,
    pg_select,
    pg_update,
    select_of,
    sqlite_update,
)
from casework.storage.sqlite_values import Convert, convert_of, converted, sqlite_insert

COPY_FROM_ROWS = 64
"""From this many rows on, COPY is quicker than one INSERT … SELECT FROM unnest (measured)."""
_CHUNK = 10_000
_LITERAL_KEYS = 500

Lock = row_statements.Lock
Key = row_statements.Key


def insert_many(
    conn: Connection,
    table: sa.Table,
    rows: Sequence[tuple[Any, ...]],
    columns: Sequence[str],
    *,
    skip_existing: bool = False,
) -> int:
    """Insert `rows` (values in the order of `columns`), `skip_existing` passing over conflicts; how many."""
    if not rows:
        return 0
    names = tuple(columns)
    if conn.dialect.name == "sqlite":
        sql, converts = sqlite_insert(table, names, skip_existing)
        return _sqlite_many(conn, sql, converts, rows)
    if len(rows) >= COPY_FROM_ROWS and not skip_existing and not _is_together(conn):
        return copy_rows(_cursor(conn), table, names, rows)
    sql, converts = pg_insert(table, names, skip_existing)
    return sum(_pg_arrays(conn, sql, converts, chunk) for chunk in _chunks(rows))


def insert_queued(
    conn: Connection,
    table: sa.Table,
    rows: Sequence[tuple[Any, ...]],
    columns: Sequence[str],
    *,
    queue: sa.Table,
    sequence_name: str,
) -> None:
    """Insert `rows` with fresh ids (column `id`, ascending in their order); the ids go into `queue`'s only column."""
    if not rows:
        return
    names, waiting = tuple(columns), next(iter(queue.c)).name
    if conn.dialect.name == "sqlite" or (len(rows) >= COPY_FROM_ROWS and not _is_together(conn)):
        ids = next_ids(conn, sequence_name, table, len(rows))
        insert_many(conn, table, [(row_id, *row) for row_id, row in zip(ids, rows, strict=True)], ("id", *names))
        if conn.dialect.name == "sqlite":
            insert_many(conn, queue, [(row_id,) for row_id in ids], (waiting,))
        else:  # one literal of numbers is quicker than COPY's rows of one
            _pg_arrays(conn, *pg_insert(queue, (waiting,), False), [(row_id,) for row_id in ids])
        return
    insert, literals = pg_insert(table, names, False)
    target = f"INSERT INTO {quoted(queue.name)} ({quoted(waiting)})"
    sql = f"WITH fresh AS ({insert} RETURNING id) {target} SELECT id FROM fresh"
    _pg_arrays(conn, sql, literals, rows)


@contextmanager
def together(conn: Connection) -> Iterator[None]:
    """Send the statements of this module inside without waiting for each one's answer: one round trip for all of them.

    PostgreSQL only, elsewhere nothing changes. An error of any of them is raised at the end at the latest, and what
    came after it has not happened; the numbers of rows that functions return mean nothing inside, and there is no
    COPY.
    """
    if conn.dialect.name == "sqlite" or _is_together(conn):
        yield
        return
    send_together(conn)
    with _raw(conn).pipeline():
        yield


def update_many(
    conn: Connection, table: sa.Table, key: Key, rows: Sequence[tuple[Any, ...]], columns: Sequence[str]
) -> int:
    """Set `columns` where `key` is each row's first value or values (keys must differ); the number updated."""
    if not rows:
        return 0
    names, keys = tuple(columns), columns_of(key)
    if conn.dialect.name == "sqlite":
        sql, converts = sqlite_update(table, keys, names)
        return _sqlite_many(conn, sql, converts, rows)
    sql, converts = pg_update(table, keys, names)
    return sum(_pg_arrays(conn, sql, converts, chunk) for chunk in _chunks(rows))


def delete_many(conn: Connection, table: sa.Table, key: str, keys: Iterable[Any]) -> int:
    """Delete the rows whose `key` is among `keys`; the number deleted."""
    rows = [(value,) for value in keys]
    if not rows:
        return 0
    target = f"DELETE FROM {quoted(table.name)} WHERE {quoted(key)}"
    if conn.dialect.name == "sqlite":
        return _sqlite_many(conn, f"{target} = ?1", (convert_of(table.c[key].type),), rows)
    cast_to, literal = pg_kind(table.c[key].type)
    return sum(_pg_arrays(conn, f"{target} = ANY(%s::{cast_to}[])", (literal,), chunk) for chunk in _chunks(rows))


def select_by_keys(
    conn: Connection,
    source: sa.Table | sa.Select[Any],
    key_column: Key,
    keys: Iterable[Any],
    *,
    lock: Lock = False,
) -> Sequence[Any]:
    """The rows of a table or a select whose `key_column` (or columns) is among `keys`, in key order; others are not.

    Rows are named tuples. `lock` (True or "wait": wait for other holders; "skip": leave their rows out) locks in key
    order on PostgreSQL, so that two batches cannot deadlock; on SQLite the writer already holds the database. A select
    should be built once and kept: its compiled form is cached with it.
    """
    return ask_by_keys(conn, source, key_column, keys, lock=lock)()


def ask_by_keys(
    conn: Connection,
    source: sa.Table | sa.Select[Any],
    key_column: Key,
    keys: Iterable[Any],
    *,
    lock: Lock = False,
) -> Callable[[], Sequence[Any]]:
    """`select_by_keys` in two steps: the question is sent, the call of what is returned waits for its answer."""
    wanted, names = list(keys), columns_of(key_column)
    if not wanted:
        return list
    if conn.dialect.name == "sqlite":
        return _sqlite_select(conn, source, names, wanted)
    plan = pg_select(source, names, lock)
    cursor = naming_cursor(conn)
    columns = (wanted,) if len(names) == 1 else zip(*wanted, strict=True)
    arrays = [literal(values) for literal, values in zip(plan.literals, columns, strict=True)]
    cursor.execute(plan.sql, arrays, prepare=True)
    return lambda: _answer(cursor, plan.instants)


def ask_all(conn: Connection, source: sa.Table | Asked) -> Callable[[], Sequence[Any]]:
    """Every row of a small table, or of a select that is built once and kept, in two steps as `ask_by_keys`."""
    if conn.dialect.name == "sqlite":
        found = conn.execute(every(source)).all()
        return lambda: found
    plan = pg_every(source)
    cursor = naming_cursor(conn)
    cursor.execute(plan.sql, prepare=True)
    return lambda: _answer(cursor, plan.instants)


def ask(conn: Connection, statement: sa.Select[Any], parameters: Mapping[str, Any]) -> Callable[[], Sequence[Any]]:
    """The rows of a select with parameters, in two steps as `ask_by_keys`. The select is built once and kept.

    Its lists are `among`'s, for the dialect of `conn`.
    """
    if conn.dialect.name == "sqlite":
        found = conn.execute(statement, parameters).all()
        return lambda: found
    plan, lists = pg_asked(statement)
    cursor = naming_cursor(conn)
    given = {**parameters, **{name: literal(parameters[name]) for name, literal in lists.items()}}
    cursor.execute(plan.sql, given, prepare=True)
    return lambda: _answer(cursor, plan.instants)


def among(column: sa.Column[Any], name: str, dialect: str) -> sa.ColumnElement[bool]:
    """Whether the column is one of the list that is given as parameter `name`."""
    if dialect == "sqlite":
        return column.in_(sa.bindparam(name, expanding=True))
    return column == sa.any_(sa.bindparam(name, type_=sa.ARRAY(column.type)))


def ask_postgresql(conn: Connection, sql: str, parameters: Sequence[Any]) -> Callable[[], Sequence[Any]]:
    """The named tuples that a statement in PostgreSQL's own words answers (`%s` for parameters), in two steps too."""
    cursor = naming_cursor(conn)
    cursor.execute(sql, parameters, prepare=True)
    return lambda: _answer(cursor, ())


def tell_postgresql(conn: Connection, sql: str, parameters: Sequence[Any]) -> None:
    """The same where nobody wants the answer."""
    _raw(conn).cursor().execute(sql, parameters, prepare=True)


def _answer(cursor: Any, instants: tuple[int, ...]) -> Sequence[Any]:
    found: list[Any] = cursor.fetchall()
    if not instants or not found:
        return found
    make = type(found[0])._make
    for number, row in enumerate(found):
        values = list(row)
        for place in instants:
            if values[place] is not None:
                values[place] = values[place].astimezone(UTC)
        found[number] = make(values)
    return found


def _sqlite_select(
    conn: Connection, source: sa.Table | sa.Select[Any], keys: tuple[str, ...], wanted: list[Any]
) -> Callable[[], Sequence[Any]]:
    by_literals = isinstance(wanted[0], bytes)  # json has no bytes
    statement = select_of(source, keys, "sqlite", False, by_literals)
    if not by_literals:
        found = conn.execute(statement, {"keys": json.dumps(wanted, default=date.isoformat)}).all()
        return lambda: found
    wanted = sorted(set(wanted))
    pieces = (wanted[i : i + _LITERAL_KEYS] for i in range(0, len(wanted), _LITERAL_KEYS))
    rows = [row for piece in pieces for row in conn.execute(statement, {"keys": piece})]
    return lambda: rows


def next_ids(conn: Connection, sequence_name: str, table: sa.Table, n: int) -> Sequence[int]:
    """`n` fresh ids, ascending: of the sequence, or after the largest `id` on SQLite (inside `writing`)."""
    if n <= 0:
        return []
    if conn.dialect.name == "sqlite":
        if is_reading(conn):
            raise RuntimeError("fresh ids need the write lock: another writer would get the same")
        last = int(_cursor(conn).execute(f"SELECT coalesce(max(id), 0) FROM {quoted(table.name)}").fetchone()[0])
        return range(last + 1, last + 1 + n)
    found = _cursor(conn).execute("SELECT nextval(%s::regclass) FROM generate_series(1, %s)", (sequence_name, n))
    return sorted(row[0] for row in found.fetchall())


# --- the driver's cursors -----------------------------------------------------------------------------------


def _raw(conn: Connection) -> Any:
    return conn.connection.dbapi_connection  # open inside a transaction


def _cursor(conn: Connection) -> Any:
    return _raw(conn).cursor()


def _is_together(conn: Connection) -> bool:
    return bool(_raw(conn).pgconn.pipeline_status)


# --- SQLite -------------------------------------------------------------------------------------------------


def _sqlite_many(conn: Connection, sql: str, converts: tuple[Convert, ...], rows: Sequence[tuple[Any, ...]]) -> int:
    return int(_cursor(conn).executemany(sql, converted(converts, rows)).rowcount)


# --- PostgreSQL ---------------------------------------------------------------------------------------------


def _chunks(rows: Sequence[tuple[Any, ...]]) -> Iterable[Sequence[tuple[Any, ...]]]:
    return (rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK))


def _pg_arrays(conn: Connection, sql: str, literals: tuple[Literals, ...], rows: Sequence[tuple[Any, ...]]) -> int:
    arrays = [literal(values) for literal, values in zip(literals, zip(*rows, strict=True), strict=True)]
    return int(_cursor(conn).execute(sql, arrays, prepare=True).rowcount)
