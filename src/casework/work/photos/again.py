"""Visits with photos that were drawn to be checked again and have no verdict yet, by the tasks that the draw made."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.gather import select_of
from casework.storage import rows
from casework.work.cases.lifecycles import VISITS
from casework.work.photos.drawing import CHECK
from casework.work.tasks.tables import tasks
from casework.work.visits import Visit

MOST: Final = 200
_TASKS: Final = (
    sa.select(tasks.c.loan_id)
    .where(sa.text("edition = 0"), tasks.c.ref == CHECK)
    .order_by(tasks.c.id.desc())
    .limit(MOST)
)  # fmt: skip


def visits_drawn(conn: Connection) -> list[Visit]:
    """Of the last 200 checks that were drawn those that wait, the oldest visit first."""
    loans = sorted(set(conn.execute(_TASKS).scalars()))
    found = [VISITS.rows.read(row) for row in rows.select_by_keys(conn, select_of(VISITS), "loan_id", loans)]
    return sorted((one for one in found if one.drawn), key=lambda one: one.id)
