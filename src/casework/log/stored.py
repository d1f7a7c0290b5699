"""Rows as they lie in the database, for checking: no conversion that a tampered value could break.

Instants come as `clock.utc_text` writes them and dates in ISO form on both databases: they compare as texts.
"""

from functools import cache
from typing import Any

import sqlalchemy as sa

from casework.storage.database import UtcDateTime

# As literals: a select by keys takes no parameters but the keys.
_INSTANT: sa.ColumnElement[str] = sa.literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""")
_DAY: sa.ColumnElement[str] = sa.literal_column("'YYYY-MM-DD'")
_UTC: sa.ColumnElement[str] = sa.literal_column("'UTC'")


@cache  # tables and names are the code's own: some fifty in each verification
def as_stored(table: sa.Table, names: tuple[str, ...], dialect: str) -> sa.Select[Any]:
    """A select of `names` of `table`; the same object each time, so that its compiled form is kept."""
    return sa.select(*(_raw(table.c[name], dialect) for name in names))


def _raw(column: sa.Column[Any], dialect: str) -> sa.ColumnElement[Any]:
    kind = column.type
    if not isinstance(kind, (UtcDateTime, sa.Date, sa.LargeBinary, sa.Boolean)):
        return column
    if dialect == "sqlite" or isinstance(kind, (sa.LargeBinary, sa.Boolean)):
        return sa.type_coerce(column, sa.types.NullType()).label(column.name)
    if isinstance(kind, UtcDateTime):
        return sa.func.to_char(sa.func.timezone(_UTC, column), _INSTANT).label(column.name)
    return sa.func.to_char(column, _DAY).label(column.name)
