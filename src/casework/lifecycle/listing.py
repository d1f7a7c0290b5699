"""Reading the subjects of a noun: whole lists, for the shell and for files. Nothing here locks or writes."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.gather import select_of
from casework.lifecycle.kept import Kept


def every(conn: Connection, noun: Kept, *by: str, live_only: bool) -> list[Any]:
    """Every subject in the order of the columns `by`, then of its number; `live_only`: those that are worked on."""
    table = noun.table
    wanted = select_of(noun).order_by(*(table.c[name] for name in by), table.c.id)
    if live_only:
        wanted = wanted.where(table.c.live == sa.true())
    return [noun.rows.read(row) for row in conn.execute(wanted)]
