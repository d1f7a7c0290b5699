"""The rows of cases as the struct reads them; of institutions the business date and the last day that was closed."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.tables import days_swept, institutions
from casework.work.cases.noun import CASE
from casework.work.cases.tables import cases

CASE_ROWS = sa.select(*(cases.c[name] for name in CASE.rows.columns))


def business_dates(conn: Connection) -> dict[str, Any]:
    """The business date of every institution: `as_of` of its last applied feed."""
    return {row.institution: row.business_date for row in conn.execute(sa.select(institutions))}


def days_closed(conn: Connection) -> dict[str, Any]:
    """The last day of every institution that a sweep has closed; none where none has."""
    return {row.institution: row.swept_on for row in conn.execute(sa.select(days_swept))}


def closed_through(conn: Connection) -> Any:
    """The last day that is closed for every institution; none where there is none."""
    closed, known = days_closed(conn), business_dates(conn)
    return min((closed[one] for one in known), default=None) if closed.keys() >= known.keys() else None
