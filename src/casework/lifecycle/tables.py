"""The tables of subjects, made from their structs; and the day up to which the feeds of an institution have come."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from casework.lifecycle.subject import Rows
from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
    partial_index,
)

institutions = sa.Table(
    "institutions",
    metadata,
    sa.Column("institution", sa.String(32), primary_key=True),
    sa.Column("business_date", sa.Date, nullable=False),  # as_of of the last applied feed
)

days_swept = sa.Table(
    "days_swept",
    metadata,
    sa.Column("institution", sa.String(32), primary_key=True),
    sa.Column("swept_on", sa.Date, nullable=False),  # the last day that the sweep has closed
)

_TYPES: Final[dict[Any, Callable[[], sa.types.TypeEngine[Any]]]] = {
    int: sa.BigInteger, bool: sa.Boolean, str: lambda: sa.String(128), date: sa.Date, datetime: UtcDateTime,
    bytes: Bytes,
}  # fmt: skip


def table_of(name: str, rows: Rows[Any], *, unique: tuple[str, ...] = ()) -> sa.Table:
    """The table of such rows, with an index for the children of a parent, what is a customer's, and what is due."""
    columns: list[sa.schema.SchemaItem] = [sa.Column("id", BigId, sa.Identity(), primary_key=True)]
    for column in rows.columns[1:]:
        kind, optional = rows.kinds[column]
        columns.append(sa.Column(column, _TYPES[kind or bytes](), nullable=optional and kind is not None))
    table = sa.Table(name, metadata, *columns)
    if unique:
        sa.Index(f"uq_{name}_{unique[0]}", *(table.c[column] for column in unique), unique=True)
    for column in ("parent_id", "loan_id", "borrower_id"):
        if column in table.c:
            sa.Index(f"ix_{name}_{column.removesuffix('_id')}", table.c[column], table.c.id)
    if "due_on" in table.c:  # of those that are over, most in time, nothing is due
        partial_index(f"ix_{name}_due", table.c.due_on, table.c.id, where="due_on IS NOT NULL")
    return table
