"""People who act and own: staff and their bearer tokens (the full model of posts comes with its own issue)."""

import sqlalchemy as sa

from casework.database import BigId, Bytes, UtcDateTime, metadata

staff = sa.Table(
    "staff",
    metadata,
    sa.Column("staff_no", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("posts", sa.String(400), nullable=False),  # codes, sorted, separated by one space
    sa.Column("team", sa.String(32)),
    sa.Column("region", sa.String(32)),
    sa.Column("status", sa.String(16), nullable=False),  # active | unverified (named by a feed, cannot log in)
    sa.Column("added_at", UtcDateTime, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("token_hash", Bytes, nullable=False, unique=True),  # SHA-256 of the token; the token is shown once
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("revoked_at", UtcDateTime),
)
