"""What the core-banking feed brings: loans, borrowers, ways to reach them, payments, and every run."""

import sqlalchemy as sa

from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
)
from casework.work.cases.loans import loans as loans  # noqa: PLC0414  # the books are read here, and by holds below
from casework.work.contacts.tables import contacts as contacts  # noqa: PLC0414  # the feed brings it, work reads it

borrowers = sa.Table(
    "borrowers",
    metadata,
    sa.Column("borrower_id", sa.String(64), primary_key=True),  # first: one index finds a number in every institution
    sa.Column("institution", sa.String(32), primary_key=True),
    sa.Column("name_sealed", Bytes),
    sa.Column("name_index", Bytes),
    sa.Column("id_number_sealed", Bytes),
    sa.Column("id_number_index", Bytes),
    sa.Column("mac", Bytes, nullable=False),
    sa.Index("ix_borrowers_name", "name_index"),
    sa.Index("ix_borrowers_id_number", "id_number_index"),
)

repayments = sa.Table(
    "repayments",
    metadata,
    sa.Column("institution", sa.String(32), primary_key=True),
    sa.Column("payment_id", sa.String(64), primary_key=True),
    sa.Column("loan_id", sa.String(64), nullable=False),
    sa.Column("paid_on", sa.Date, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("reverses", sa.String(64)),
    sa.Column("run_id", BigId, nullable=False),
    sa.Column("mac", Bytes, nullable=False),
    sa.Index("ix_repayments_loan", "loan_id"),
)

feed_runs = sa.Table(
    "feed_runs",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("institution", sa.String(32)),
    sa.Column("as_of", sa.Date),
    sa.Column("status", sa.String(16), nullable=False),  # `run.RUNNING` and what follows there
    sa.Column("correction", sa.Boolean, nullable=False),
    sa.Column("digest", sa.String(64)),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("via", sa.String(16), nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("refusal", Bytes),  # JSON problem when refused
    sa.Column("files", Bytes),  # JSON: name, kind, rows, sha256
    sa.Column("figures", Bytes),  # JSON: the figures of the run and its counts
    sa.Index("ix_feed_runs_as_of", "institution", "as_of"),
)

# Institutions made known: by the branch's first feed, or added before their own first feed.
institutions_added = sa.Table(
    "institutions_added",
    metadata,
    sa.Column("institution", sa.String(32), primary_key=True),
)

# The applied snapshot of a run, compressed: what the next run and a correction are compared with.
snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("run_id", BigId, sa.ForeignKey("feed_runs.id"), primary_key=True, autoincrement=False),
    sa.Column("rows", Bytes, nullable=False),
)

set_aside = sa.Table(
    "set_aside",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("run_id", BigId, sa.ForeignKey("feed_runs.id"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("line", sa.BigInteger, nullable=False),
    sa.Column("column", sa.String(64)),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("row_sealed", Bytes, nullable=False),  # the raw cells: personal data
    sa.Index("ix_set_aside_run", "run_id", "id"),
)
