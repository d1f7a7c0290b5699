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
    from psycopg.types.string import BytesBinaryDumper  # noqa: PLC0415 (on SQLite nobody imports the driver)

    sql, kinds, instants = _copy_plan(table, names)
    for place in instants:
        if any(at is not None and at.tzinfo is None for at in {row[place] for row in rows}):  # mostly one and the same
            raise ValueError("an instant needs its offset")
    with new as cursor:
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)  # the last registered one is Python's
        with cursor.copy(sql) as copy:
            copy.set_types(kinds)
            for row in rows:
                copy.write_row(row)
        return int(cursor.rowcount)
