"""Permits, which reserve a contact for some minutes (working rows, no part of the log); reviews of contacts."""

from typing import Final

import sqlalchemy as sa

from casework.storage.database import BigId, Bytes, UtcDateTime, metadata

contact_permits = sa.Table(
    "contact_permits",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("loan_id", sa.String(64), nullable=False),
    sa.Column("case_id", BigId, nullable=False),
    sa.Column("contact_id", BigId),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("party", sa.String(16), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("purpose", sa.String(32), nullable=False),
    sa.Column("number", Bytes),  # keyed fingerprint, as in contact_log; erased with the debtor
    sa.Column("issued_at", UtcDateTime, nullable=False),
    sa.Column("dialling_at", UtcDateTime),
    sa.Column("holds_until", UtcDateTime, nullable=False),  # then it reserves nothing any longer
    sa.Column("used_at", UtcDateTime),
    sa.Index("ix_contact_permits_borrower", "borrower_id", "holds_until"),
    sa.Index("ix_contact_permits_number", "number", "holds_until"),
)

ANNOUNCED: Final = "found"
"""What stands in the place of a verdict where the sweep has said that it found a breach (`announcing`)."""

# One row a review or finding, with the entry that says so; the latest of a contact counts.
breach_reviews = sa.Table(
    "breach_reviews",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("contact_ref", sa.String(64), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("rules", sa.String(128), nullable=False),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("reviewed_at", UtcDateTime, nullable=False),
    sa.Column("stream_seq", sa.BigInteger, nullable=False),
    sa.Index("ix_breach_reviews_borrower", "borrower_id"),
    sa.Index("ix_breach_reviews_contact", "contact_ref", "source"),
)
