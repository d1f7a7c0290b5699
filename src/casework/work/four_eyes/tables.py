"""Requests: one row is the fold of the stream `request:<id>` (chart `request`)."""

import sqlalchemy as sa

from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # event (of a case) | post | handover
    sa.Column("subject", sa.String(80), nullable=False),  # case:17 | staff:10021 | handover:3
    sa.Column("what", sa.String(64), nullable=False),  # the event, the post, `departure` or `transfer`
    sa.Column("topic", sa.String(32), nullable=False),  # a key of the chart's [approvals]: who may review and approve
    sa.Column("state", sa.String(16), nullable=False),  # of the chart `request`
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("asked_by", sa.String(64), nullable=False),
    sa.Column("asked_for", sa.String(32)),  # the principal, if a deputy asked
    sa.Column("asked_on", sa.Date, nullable=False),
    sa.Column("reviewed_by", sa.String(64)),
    sa.Column("reviewed_for", sa.String(32)),
    sa.Column("decided_by", sa.String(64)),
    sa.Column("decided_for", sa.String(32)),
    sa.Column("expires_on", sa.Date, nullable=False),
    sa.Column("pinned_version", sa.BigInteger, nullable=False),  # of the subject, as its kind counts it
    sa.Column("carried_out", sa.String(96)),  # the entry that the approval led to: case:17:9
    sa.Column("data_sealed", Bytes, nullable=False),  # what was asked for, whole; free text may be personal
    sa.Column("data_digest", sa.String(64), nullable=False),  # keyed, as the entries name it
    sa.Column("sealed_for", sa.String(80)),  # whose key that is (`audit.data_keys`); none: the branch's own
    sa.Column("last_entry_at", UtcDateTime, nullable=False),
    sa.Column("audit_seq", sa.BigInteger, nullable=False),
    sa.Column("audit_head", Bytes, nullable=False),
    sa.Index("ix_requests_subject", "subject", "id"),
    sa.Index("ix_requests_open", "open", "expires_on", "id"),
    sa.Index("ix_requests_asked_by", "asked_by", "id"),
    # Of one subject the same thing is asked once at a time.
    sa.Index(
        "uq_requests_open",
        "subject",
        "what",
        unique=True,
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    ),
)
