"""Rows as SQLite's driver takes them: days and instants as text, all else as it is."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from casework import clock
from casework.storage.binary_copy import quoted
from casework.storage.database import UtcDateTime

Convert = Callable[[Any], Any] | None


@lru_cache(maxsize=512)
def sqlite_insert(table: sa.Table, names: tuple[str, ...], skip: bool) -> tuple[str, tuple[Convert, ...]]:
    """The statement, and what makes each value what the driver takes; `skip` passes over conflicts."""
    marks = ", ".join("?" * len(names))
    tail = " ON CONFLICT DO NOTHING" if skip else ""
    sql = f"INSERT INTO {quoted(table.name)} ({', '.join(map(quoted, names))}) VALUES ({marks}){tail}"
    return sql, tuple(convert_of(table.c[name].type) for name in names)


def _day_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _instant_text(value: datetime | None) -> str | None:
    return None if value is None else clock.utc_text(value)


def convert_of(kind: Any) -> Convert:
    """What makes values of a column's type what the driver takes; none where they are that already."""
    if isinstance(kind, UtcDateTime):
        return _instant_text
    return _day_text if isinstance(kind, sa.Date) else None


def converted(converts: tuple[Convert, ...], rows: Sequence[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    """The rows so; each different value once: the rows of a transaction share most of theirs."""
    if not rows or not any(converts):
        return rows
    columns = list(zip(*rows, strict=True))
    for place, convert in enumerate(converts):
        if convert is not None:
            texts = {value: convert(value) for value in set(columns[place])}
            columns[place] = tuple(map(texts.__getitem__, columns[place]))
    return zip(*columns, strict=True)
