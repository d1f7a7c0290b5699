"""Cases: one row is the fold of the case's audit stream, kept beside it so that reading is cheap."""

import sqlalchemy as sa

from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
    partial_index,
)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("loan_id", sa.String(64), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("product", sa.String(32)),
    sa.Column("channel_code", sa.String(32)),
    sa.Column("team", sa.String(64)),
    sa.Column("region", sa.String(64)),
    sa.Column("chart", sa.String(64), nullable=False),  # overdue_loan@1
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("state_since", sa.Date, nullable=False),
    sa.Column("live", sa.Boolean, nullable=False),  # state in the chart's group `live`: open or written off
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.String(32), nullable=False),  # who answers for the case (1.1.1)
    sa.Column("handler", sa.String(32), nullable=False),  # who works on it today
    sa.Column("opened_on", sa.Date, nullable=False),
    sa.Column("opened_for", sa.String(32), nullable=False),  # a key of the chart's [openings]
    sa.Column("opened_by", sa.String(64), nullable=False),
    sa.Column("closed_as", sa.String(32)),
    sa.Column("ended_as", sa.String(32)),
    sa.Column("principal_at_opening_fen", sa.BigInteger, nullable=False),
    sa.Column("oldest_due_date", sa.Date),  # none: not in the overdue snapshot
    sa.Column("bucket", sa.String(8), nullable=False),  # as of the last change that the feed reported
    sa.Column("overdue_principal_fen", sa.BigInteger, nullable=False),
    sa.Column("overdue_interest_fen", sa.BigInteger, nullable=False),
    sa.Column("overdue_penalty_fen", sa.BigInteger, nullable=False),
    sa.Column("overdue_fen", sa.BigInteger, nullable=False),
    sa.Column("outstanding_principal_fen", sa.BigInteger, nullable=False),
    sa.Column("visit_due_on", sa.Date),  # none: no visit is owed
    sa.Column("facts", Bytes, nullable=False),  # canonical JSON of casework.work.cases.case.Facts
    sa.Column("last_entry_at", UtcDateTime, nullable=False),
    sa.Column("audit_seq", sa.BigInteger, nullable=False),
    sa.Column("audit_head", Bytes, nullable=False),
    # Until a case is finally closed, owner and handler must be people who are there: the foreign keys below point at
    # (staff_no, present). Once it is closed this is NULL and they ask nothing.
    sa.Column("kept", sa.Boolean, sa.Computed("CASE WHEN closed_as IS NULL THEN (1 = 1) END", persisted=True)),
    # Of a handler only where they are not the owner, who is looked up already (decision 0097).
    sa.Column(
        "apart",
        sa.Boolean,
        sa.Computed("CASE WHEN closed_as IS NULL AND handler <> owner THEN (1 = 1) END", persisted=True),
    ),
    sa.ForeignKeyConstraint(["owner", "kept"], ["staff.staff_no", "staff.present"]),
    sa.ForeignKeyConstraint(["handler", "apart"], ["staff.staff_no", "staff.present"]),
    # A loan has at most one live case; opening set-wise relies on it (ON CONFLICT, not NOT EXISTS).
    partial_index("uq_cases_live_loan", "loan_id", unique=True, where="live"),
    sa.Index("ix_cases_loan", "loan_id"),
    sa.Index("ix_cases_borrower", "borrower_id"),
    # Lists (cases.bounded): each filter that may single out few cases has an index that finds them, however many
    # others there are; they are then sorted. States have one for each order too. What each costs: decision 0077.
    sa.Index("ix_cases_owner", "owner", "live", "id"),
    sa.Index("ix_cases_handler", "handler", "live", "id"),
    sa.Index("ix_cases_team", "team", "id"),
    partial_index("ix_cases_over", "live", "id", where="live = 0", on_postgresql="NOT live"),
    sa.Index("ix_cases_state", "state", "id"),
    sa.Index("ix_cases_state_due", "state", "oldest_due_date", "id"),
    sa.Index("ix_cases_state_amount", "state", "overdue_fen", "id"),
    sa.Index("ix_cases_bucket_due", "bucket", "oldest_due_date", "id"),
    sa.Index("ix_cases_due", "oldest_due_date", "id"),
    sa.Index("ix_cases_amount", "overdue_fen", "id"),
    # Visits that are owed (cases.visits_due): few of all cases, so each order has an index of its own.
    *(
        partial_index(f"ix_cases_visit{of}", *of.split("_")[1:], "visit_due_on", "id", where="visit_due_on IS NOT NULL")
        for of in ("", "_owner", "_handler", "_team", "_region")
    ),
    # What a post reaches beyond its holder's own cases (permissions.toml): a region or product with hardly any cases
    # must not cost a walk over all the others.
    sa.Index("ix_cases_region", "region", "id"),
    sa.Index("ix_cases_product", "product", "id"),
)

# Who answered for a case from when on: one row per change, the last before an instant holds. Append-only.
owner_history = sa.Table(
    "owner_history",
    metadata,
    sa.Column("case_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("stream_seq", sa.BigInteger, primary_key=True, autoincrement=False),  # the entry that says so
    sa.Column("since_on", sa.Date, nullable=False),  # business date
    sa.Column("since_at", UtcDateTime, nullable=False),
    sa.Column("owner", sa.String(32), nullable=False),
    sa.Column("handler", sa.String(32), nullable=False),
    sa.Column("post", sa.String(32)),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("rule", sa.String(32)),  # of statecharts/rules/owners.toml
    sa.Index("ix_owner_history_owner", "owner", "case_id"),
)

ANSWER_ERASED = b""
"""What is left of an answer that an erasure reached: the row stays, so that the request does not run again."""

# A repeated request gets its first answer; stored in the transaction that it answers for.
idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("actor_id", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("request_hash", Bytes, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("answer", Bytes, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("mac", Bytes, nullable=False),  # over all of it: a receipt is signed for what it says was changed
    sa.Index("ix_idempotency_created", "created_at"),
)
