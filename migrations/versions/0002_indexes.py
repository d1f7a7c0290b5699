"""Indexes that follow what is due, and fewer of cases; who accepted a visit's report, what for one was returned."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


class Index(NamedTuple):
    """An index; `where` the condition of those rows that it has, none: all; as SQLite has it, where that differs."""

    name: str
    table: str
    columns: tuple[str, ...]
    where: str | None = None
    on_sqlite: str | None = None


_DUE: Final = ("promises", "callbacks", "remittances", "visits", "holds", "consents", "requests", "handovers")
OLD: Final = (
    Index("ix_contact_log_number", "contact_log", ("number", "day")),
    *(Index(f"ix_{name}_due", name, ("due_on", "id")) for name in _DUE),
    *(
        Index(f"ix_cases_{of}_{by}", "cases", (of, column, "id"))
        for of in ("region", "product") for by, column in (("due", "oldest_due_date"), ("amount", "overdue_fen"))
    ),
)  # fmt: skip
_OF_VISITS: Final = ("accepted_by", "returned_for")
NEW: Final = (
    Index("ix_contact_log_number", "contact_log", ("number", "day", "result")),
    Index("ix_contact_log_visits", "contact_log", ("borrower_id", "day"), "channel = 'visit'"),
    *(Index(f"ix_{name}_due", name, ("due_on", "id"), "due_on IS NOT NULL") for name in _DUE),
    Index("ix_promises_judged", "promises", ("judged_on",), "judged_on IS NOT NULL"),
    Index("ix_remittances_ended", "remittances", ("ended_on", "begins_at")),
    Index("ix_visits_checked", "visits", ("rechecked_on", "id"), "rechecked_on IS NOT NULL"),
    Index("ix_visits_state", "visits", ("state", "id")),
    Index("ix_visits_reported", "visits", ("reported_at", "checked_out_at")),
    Index("ix_holds_live", "holds", ("id",), "live", "live = 1"),
    Index("ix_holds_opened", "holds", ("opened_on",)),
)


def upgrade() -> None:
    """Rows stay as they are: of what happened before, nothing of it is known."""
    op.add_column("visits", sa.Column("rechecked_on", sa.Date))
    for name in _OF_VISITS:
        op.add_column("visits", sa.Column(name, sa.String(128)))
    _change(OLD, NEW)


def downgrade() -> None:
    """Undo it."""
    _change(NEW, OLD)
    for name in (*_OF_VISITS, "rechecked_on"):
        op.drop_column("visits", name)


def _change(gone: Iterable[Index], made: Iterable[Index]) -> None:
    for one in gone:
        op.drop_index(one.name, one.table)
    for one in made:
        where = None if one.where is None else sa.text(one.where)
        on_sqlite = where if one.on_sqlite is None else sa.text(one.on_sqlite)
        op.create_index(one.name, one.table, list(one.columns), sqlite_where=on_sqlite, postgresql_where=where)
