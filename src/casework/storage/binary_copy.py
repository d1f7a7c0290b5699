"""COPY in binary: the quickest way for many rows into PostgreSQL."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from casework.storage.array_literals import pg_kind
from casework.storage.database import UtcDateTime

_COPY_TYPES: Final = {
    "timestamptz": "timestamptz",
    "boolean": "bool",
    "bytea": "bytea",
    "date": "date",
    "bigint": "int8",
    "integer": "int4",
    "smallint": "int2",
    "text": "text",
}


def quoted(name: str) -> str:
    """The name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


@lru_cache(maxsize=512)
def _copy_plan(table: sa.Table, names: tuple[str, ...]) -> tuple[str, list[str], tuple[int, ...]]:
    kinds = [_COPY_TYPES[pg_kind(table.c[name].type)[0]] for name in names]
    instants = tuple(place for place, name in enumerate(names) if isinstance(table.c[name].type, UtcDateTime))
    return (
        f"COPY {quoted(table.name)} ({', '.join(map(quoted, names))}) FROM STDIN WITH (FORMAT binary)",
        kinds,
        instants,
    )


def copy_rows(new: Any, table: sa.Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> int:
    """The number of rows put in through `new`, a fresh cursor of the driver; ValueError for a naive instant."""
    sql, kinds, instants = _copy_plan(table, names)
    _check_instants(rows, instants)
    with new as cursor:
        _with_bytes(cursor)
        with cursor.copy(sql) as copy:
            _write(copy, kinds, rows)
        return int(cursor.rowcount)


def copied(new: Any, table: sa.Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> bytes:
    """What `copy_rows` would send, made without the server; ValueError for a naive instant."""
    from psycopg import Copy  # noqa: PLC0415 (on SQLite nobody imports the driver)

    _, kinds, instants = _copy_plan(table, names)
    _check_instants(rows, instants)
    with new as cursor:
        _with_bytes(cursor)
        made = _Made()
        copy = Copy(cursor, binary=True, writer=made)  # type: ignore[arg-type]  # a writer by what it does
        _write(copy, kinds, rows)
        copy.finish(None)
    return b"".join(made.parts)


def copy_in(new: Any, table: sa.Table, names: tuple[str, ...], content: bytes) -> int:
    """The number of rows put in that `copied` has made."""
    with new as cursor:
        with cursor.copy(_copy_plan(table, names)[0]) as copy:
            copy.write(content)
        return int(cursor.rowcount)


class _Made:
    """Where a copy's bytes go that is for nobody yet (`psycopg.copy.Writer`)."""

    def __init__(self) -> None:
        self.parts = list[bytes]()

    def write(self, data: bytes | bytearray) -> None:
        self.parts.append(bytes(data))

    def finish(self, error: BaseException | None = None) -> None:
        del error


def _check_instants(rows: Sequence[tuple[Any, ...]], instants: tuple[int, ...]) -> None:
    for place in instants:
        if any(row[place] is not None and row[place].tzinfo is None for row in rows):
            raise ValueError("an instant needs its offset")


def _with_bytes(cursor: Any) -> None:
    from psycopg.types.string import BytesBinaryDumper  # noqa: PLC0415 (on SQLite nobody imports the driver)

    cursor.adapters.register_dumper(bytes, BytesBinaryDumper)  # the last registered one is Python's


def _write(copy: Any, kinds: list[str], rows: Sequence[tuple[Any, ...]]) -> None:
    copy.set_types(kinds)
    for row in rows:
        copy.write_row(row)
