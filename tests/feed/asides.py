"""What a run set aside, as its rows lie in the database."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.aside import Aside
from casework.intake.feed.tables import set_aside


def aside_of(conn: Connection, run_id: int, kind: str | None = None) -> list[Aside]:
    """In order of entry; of all files, or those of one `kind`."""
    statement = sa.select(*(set_aside.c[name] for name in Aside._fields)).where(set_aside.c.run_id == run_id)
    if kind is not None:
        statement = statement.where(set_aside.c.kind == kind)
    return [Aside(*row) for row in conn.execute(statement.order_by(set_aside.c.id))]
