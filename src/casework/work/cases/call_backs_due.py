"""Call-backs that wait for somebody, by their minute: who works the case has them, whoever took them down."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.work.cases.lifecycles import CALL_BACKS
from casework.work.cases.tables import cases

_table: Final = CALL_BACKS.table
_DUE: Final = (
    sa.select(
        _table.c.id, cases.c.id.label("case_id"), _table.c.loan_id, _table.c.institution, _table.c.borrower_id,
        _table.c.due_at, _table.c.party, _table.c.contact_id, cases.c.handler,
    )
    .join(cases, cases.c.id == _table.c.parent_id)
    .where(_table.c.due_on <= sa.bindparam("day", type_=sa.Date), _table.c.due_at <= sa.bindparam("until"))
    .order_by(_table.c.due_at, _table.c.id)
)  # fmt: skip


class DueCallBack(NamedTuple):
    """One that is open; `handler` is whose it is now."""

    id: int
    case_id: int
    loan_id: str
    institution: str
    borrower_id: str
    due_at: datetime
    party: str
    contact_id: int | None
    handler: str


def call_backs_due(conn: Connection, until: datetime) -> list[DueCallBack]:
    """The open ones due until an instant, in their order, each with who handles its case now."""
    asked: dict[str, Any] = {"until": until, "day": until.date() + timedelta(days=1)}  # in any time zone
    return [DueCallBack(*row) for row in conn.execute(_DUE, asked)]
