"""The rows of cases as the struct reads them, and the business dates of institutions."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.gather import select_of
from casework.lifecycle.tables import institutions
from casework.work.cases.lifecycles import CASES

CASE_ROWS = select_of(CASES)


def business_dates(conn: Connection) -> dict[str, Any]:
    """The business date of every institution: `as_of` of its last applied feed."""
    return {row.institution: row.business_date for row in conn.execute(sa.select(institutions))}
