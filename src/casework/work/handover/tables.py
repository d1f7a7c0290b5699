"""Hand-overs: the plan, and where each case of it goes; what was done is in the entries of the cases."""

from typing import Final

import sqlalchemy as sa

from casework.lifecycle.kept import Kept
from casework.lifecycle.tables import table_of
from casework.storage.database import BigId, Bytes, metadata, partial_index
from casework.work.handovers import HANDOVER

HANDOVERS: Final = Kept.of(HANDOVER, table=table_of("handovers", HANDOVER.rows))

handovers = HANDOVERS.table
# JSON of casework.work.handover.preview, what the approver was shown; beside the fold, which has its digest.
handovers.append_column(sa.Column("preview", Bytes, nullable=False))
handovers.append_constraint(sa.ForeignKeyConstraint(["staff_no"], ["staff.staff_no"]))
sa.Index("ix_handovers_staff_no", handovers.c.staff_no, handovers.c.id)
# One person has one plan at a time.
partial_index("uq_handovers_live", handovers.c.staff_no, unique=True, where="live")

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
