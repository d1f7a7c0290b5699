"""Hand-overs: the plan, and where each case of it goes; what was done is in the entries of the cases."""

import sqlalchemy as sa

from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
)

handovers = sa.Table(
    "handovers",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # departure | transfer
    sa.Column("effective_on", sa.Date, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),  # planned | approved | applied | replaced | withdrawn
    sa.Column("plan_digest", sa.String(64), nullable=False),  # of options, preview and moves: what was approved
    sa.Column("options", Bytes, nullable=False),  # JSON: receivers named by hand, the team moved to
    sa.Column("preview", Bytes, nullable=False),  # JSON of casework.work.handover.preview: what the approver was shown
    sa.Column("planned_by", sa.String(64), nullable=False),
    sa.Column("planned_at", UtcDateTime, nullable=False),
    sa.Column("request_id", BigId),
    sa.Column("applied_at", UtcDateTime),
    sa.Column("replaced_by", BigId),
    sa.Index("ix_handovers_staff_no", "staff_no", "id"),
    # One person has one plan at a time.
    sa.Index(
        "uq_handovers_open",
        "staff_no",
        unique=True,
        sqlite_where=sa.text("status IN ('planned', 'approved')"),
        postgresql_where=sa.text("status IN ('planned', 'approved')"),
    ),
)

handover_moves = sa.Table(
    "handover_moves",
    metadata,
    sa.Column("handover_id", BigId, sa.ForeignKey("handovers.id"), primary_key=True),
    sa.Column("case_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("material_version", sa.BigInteger, nullable=False),
    sa.Column("was_owner", sa.Boolean, nullable=False),
    sa.Column("was_handler", sa.Boolean, nullable=False),
    sa.Column("receiver", sa.String(32)),  # who will own it; none: cannot be placed
    sa.Column("handler", sa.String(32)),  # who will handle it
    sa.Column("post", sa.String(32)),
    sa.Column("rule", sa.String(32)),
    sa.Column("reason", sa.String(32), nullable=False),  # by_rule | named | owner_stays | why it cannot be placed
    sa.Column("overdue_fen", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("entry_id", sa.String(96)),  # the receipt
)
