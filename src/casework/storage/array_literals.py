"""A column of values as one array literal of PostgreSQL: several times quicker than the driver's list adaptation."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from casework import clock
from casework.storage.database import UtcDateTime

Literals = Callable[[Sequence[Any]], str]
"""Makes one array literal of a column: several times quicker than the driver's list adaptation (measured)."""


def _plain(values: Sequence[Any]) -> str:
    return "{" + ",".join(["NULL" if v is None else str(v) for v in values]) + "}"


def _flags(values: Sequence[Any]) -> str:
    return "{" + ",".join(["NULL" if v is None else "t" if v else "f" for v in values]) + "}"


def _texts(values: Sequence[Any]) -> str:
    # Quoted always: an unquoted NULL, brace or blank would mean something else.
    if values and None not in values:  # as nearly always nothing is to be escaped: looked at once, not in each
        joined = '","'.join(values)
        if "\\" not in joined and joined.count('"') == 2 * (len(values) - 1):
            return '{"' + joined + '"}'
    return (
        "{"
        + ",".join(["NULL" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values])
        + "}"
    )


def _blobs(values: Sequence[Any]) -> str:
    return "{" + ",".join(["NULL" if v is None else f'"\\\\x{v.hex()}"' for v in values]) + "}"


def _instants(values: Sequence[Any]) -> str:
    known = {v: "NULL" if v is None else clock.utc_text(v) for v in {*values}}  # mostly the moment of one transaction
    return "{" + ",".join([known[v] for v in values]) + "}"


def pg_kind(kind: Any) -> tuple[str, Literals]:
    """The PostgreSQL type to cast to, and the maker of its array literals."""
    if isinstance(kind, UtcDateTime):
        return "timestamptz", _instants
    if isinstance(kind, sa.Boolean):
        return "boolean", _flags
    if isinstance(kind, sa.LargeBinary):
        return "bytea", _blobs
    if isinstance(kind, sa.Date):
        return "date", _plain
    if isinstance(kind, sa.Integer):
        name = "bigint" if isinstance(kind, sa.BigInteger) else "integer"
        return ("smallint" if isinstance(kind, sa.SmallInteger) else name), _plain
    if isinstance(kind, sa.String):
        return "text", _texts
    raise TypeError(f"no set-wise form for {kind!r}")
