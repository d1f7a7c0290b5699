"""What SQLite is told where its statistics say nothing: that few rows meet a condition."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class rare(FunctionElement[Any]):  # noqa: N801 - it reads as SQL
    """A condition of which SQLite is to believe that few rows meet it: it would walk along all numbers instead."""

    type = sa.types.NULLTYPE  # of a boolean SQLAlchemy would ask whether it is 1, which no index answers
    inherit_cache = True


@compiles(rare)
def _as_it_is(element: rare, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)})"


@compiles(rare, "sqlite")
def _with_its_share(element: rare, compiler: SQLCompiler, **kw: Any) -> str:
    return f"likelihood({compiler.process(element.clauses, **kw)}, 0.0001)"
