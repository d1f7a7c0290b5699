"""The statements of `rows`, compiled once per table and columns; no database is asked here."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, cast

import sqlalchemy as sa

from casework.storage import postgresql
from casework.storage.array_literals import Literals, pg_kind
from casework.storage.binary_copy import quoted
from casework.storage.database import UtcDateTime
from casework.storage.sqlite_values import Convert, convert_of

_KEYS: Final = "keys"  # parameters: keys0, and keys1 … where the key is of several columns
_KEYS_IN_ORDER: Final = re.compile(rf"%\({_KEYS}\d\)s")

Lock = Literal[False, True, "wait", "skip"]
Key = str | tuple[str, ...]
"""The column that rows are known by; or several, whose keys are then tuples in the same order (never of bytes)."""
Asked = sa.Select[Any] | sa.CompoundSelect[Any]


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))


def columns_of(key: Key) -> tuple[str, ...]:
    """The columns of a key, one or several."""
    return (key,) if isinstance(key, str) else key


@lru_cache(maxsize=512)
def sqlite_update(
    table: sa.Table, keys: tuple[str, ...], names: tuple[str, ...]
) -> tuple[str, tuple[Convert, ...]]:  # fmt: skip
    """One row's UPDATE, its keys before what is set, and what makes SQLite's values of these."""
    sets = ", ".join(f"{quoted(name)} = ?{place}" for place, name in enumerate(names, len(keys) + 1))
    found = " AND ".join(f"{quoted(key)} = ?{place}" for place, key in enumerate(keys, 1))
    sql = f"UPDATE {quoted(table.name)} SET {sets} WHERE {found}"
    return sql, tuple(convert_of(table.c[name].type) for name in (*keys, *names))


@lru_cache(maxsize=512)
def pg_insert(table: sa.Table, names: tuple[str, ...], skip: bool) -> tuple[str, tuple[Literals, ...]]:
    """An INSERT of arrays, one a column, and what makes them; `skip`: conflicts are passed over."""
    kinds = [pg_kind(table.c[name].type) for name in names]
    arrays = ", ".join(f"%s::{cast_to}[]" for cast_to, _ in kinds)
    tail = " ON CONFLICT DO NOTHING" if skip else ""
    sql = f"INSERT INTO {quoted(table.name)} ({_list(names)}) SELECT * FROM unnest({arrays}){tail}"
    return sql, tuple(literal for _, literal in kinds)


@lru_cache(maxsize=512)
def pg_update(
    table: sa.Table, keys: tuple[str, ...], names: tuple[str, ...]
) -> tuple[str, tuple[Literals, ...]]:  # fmt: skip
    """An UPDATE of arrays, those of the keys before those of what is set, and what makes them."""
    kinds = [pg_kind(table.c[name].type) for name in (*keys, *names)]
    arrays = ", ".join(f"%s::{cast_to}[]" for cast_to, _ in kinds)
    sets = ", ".join(f"{quoted(name)} = u.v{place}" for place, name in enumerate(names))
    fields = ", ".join([*(f"k{place}" for place in range(len(keys))), *(f"v{place}" for place in range(len(names)))])
    found = " AND ".join(f"t.{quoted(key)} = u.k{place}" for place, key in enumerate(keys))
    sql = f"UPDATE {quoted(table.name)} AS t SET {sets} FROM unnest({arrays}) AS u({fields}) WHERE {found}"
    return sql, tuple(literal for _, literal in kinds)


@lru_cache(maxsize=512)
def select_of(
    source: sa.Table | sa.Select[*tuple[Any, ...]], keys: tuple[str, ...], dialect: str, lock: Lock, by_literals: bool
) -> sa.Select[*tuple[Any, ...]]:
    """The rows whose keys are given: as JSON or (`by_literals`) a list on SQLite, else as arrays."""
    if isinstance(source, sa.Table):
        statement: sa.Select[*tuple[Any, ...]] = sa.select(source)
        columns: list[sa.ColumnElement[Any]] = [source.c[name] for name in keys]
    else:
        statement = source
        columns = [source.selected_columns[name] for name in keys]
    found: sa.ColumnElement[bool]
    if by_literals:
        found = columns[0].in_(sa.bindparam("keys", expanding=True))
    elif dialect == "sqlite":
        parts = ["value"] if len(keys) == 1 else [f"json_extract(value, '$[{at}]')" for at in range(len(keys))]
        given = sa.text(f"SELECT {', '.join(parts)} FROM json_each(:keys)")
        found = _one_of(columns).in_(given.bindparams(sa.bindparam("keys", type_=sa.Text)))
    else:
        arrays = [sa.bindparam(f"{_KEYS}{at}", type_=sa.ARRAY(column.type)) for at, column in enumerate(columns)]
        found = columns[0] == sa.any_(arrays[0])
        if len(columns) > 1:
            kinds = [f"CAST(:{_KEYS}{at} AS {pg_kind(column.type)[0]}[])" for at, column in enumerate(columns)]
            given = sa.text(f"SELECT * FROM unnest({', '.join(kinds)})")
            found = _one_of(columns).in_(given.bindparams(*arrays))
    statement = statement.where(found).order_by(*columns)
    if lock and dialect != "sqlite":
        # A select may join; only the rows of the key's own table are to be held.
        owner = cast("sa.Column[Any]", columns[0]).table
        statement = statement.with_for_update(of=owner, skip_locked=lock == "skip")
    return statement


def _one_of(columns: list[sa.ColumnElement[Any]]) -> sa.ColumnElement[Any]:
    return columns[0] if len(columns) == 1 else sa.tuple_(*columns)


class Plan(NamedTuple):
    """A select as the driver takes it, and where its instants stand (the driver gives them in the session's zone).

    `literals` make the arrays of its keys.
    """

    sql: str
    instants: tuple[int, ...]
    literals: tuple[Literals, ...] = ()


@lru_cache(maxsize=512)
def pg_select(source: sa.Table | sa.Select[Any], keys: tuple[str, ...], lock: Lock) -> Plan:
    """`select_of` as PostgreSQL's driver takes it."""
    columns = source.c if isinstance(source, sa.Table) else source.selected_columns
    literals = tuple(pg_kind(columns[name].type)[1] for name in keys)
    return _plan(select_of(source, keys, "postgresql", lock, False))._replace(literals=literals)


@lru_cache(maxsize=64)
def pg_asked(statement: sa.Select[Any]) -> tuple[Plan, Mapping[str, Literals]]:
    """A select with parameters as PostgreSQL's driver takes it, and what makes its lists, by name."""
    compiled: Any = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"render_postcompile": True})
    kinds = {name: one.type for name, one in compiled.binds.items()}
    lists = {name: pg_kind(kind.item_type)[1] for name, kind in kinds.items() if isinstance(kind, sa.ARRAY)}
    return Plan(str(compiled), _instants_of(statement)), lists


@lru_cache(maxsize=64)
def every(source: sa.Table | Asked) -> Asked:
    """All rows of a table, or a select as it is."""
    return sa.select(source) if isinstance(source, sa.Table) else source


@lru_cache(maxsize=64)
def pg_every(source: sa.Table | Asked) -> Plan:
    """`every` as PostgreSQL's driver takes it."""
    return _plan(every(source))


def _plan(statement: Asked) -> Plan:
    """The statement with the keys, its only parameters, as the driver takes it; TypeError for types given otherwise."""
    columns = list(statement.selected_columns)
    for column in columns:
        if not isinstance(column.type, sa.types.NullType):  # asked for as the driver gives it (audit.stored)
            pg_kind(column.type)
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"render_postcompile": True})
    if any(not name.startswith(_KEYS) for name in compiled.params):
        raise TypeError("a select by keys takes the keys and nothing else")
    sql = _KEYS_IN_ORDER.sub("%s", str(compiled))
    return Plan(sql, _instants_of(statement))


def _instants_of(statement: Asked) -> tuple[int, ...]:
    columns = enumerate(statement.selected_columns)
    return tuple(place for place, column in columns if isinstance(column.type, UtcDateTime))
