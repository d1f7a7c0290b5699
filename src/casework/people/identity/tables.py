"""What identity keeps: password hashes, sessions, reset codes, second factors, counted failures. No secret in clear."""

import sqlalchemy as sa

from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
)

passwords = sa.Table(
    "passwords",
    metadata,
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), primary_key=True),
    sa.Column("password_hash", sa.String(255), nullable=False),  # argon2id
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Column("by_code", sa.Boolean, nullable=False),  # set with a code, and nobody has logged in with it since
    sa.Column("mac", Bytes, nullable=False),  # this and those below: casework.people.staff.access_mac
)

# One-time codes with which somebody sets a (new) password; made by an administrator, shown once.
reset_codes = sa.Table(
    "reset_codes",
    metadata,
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), primary_key=True),  # a new one replaces it
    sa.Column("code_hash", Bytes, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("mac", Bytes, nullable=False),
)

second_factors = sa.Table(
    "second_factors",
    metadata,
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), primary_key=True),
    sa.Column("secret_sealed", Bytes, nullable=False),
    sa.Column("confirmed_at", UtcDateTime),
    sa.Column("last_step", sa.BigInteger, nullable=False),  # the newest time step used (RFC 6238): none twice
    sa.Column("removal_asked_by", sa.String(32)),  # the administrator who waits for another one
    sa.Column("removal_asked_at", UtcDateTime),
    sa.Column("mac", Bytes, nullable=False),
)

# A log-in. The refresh token names its session by a part that stays (`family_hash`) and a part that is replaced at
# every use (`refresh_hash`): one whose second part is an old one is a copy, and ends the session.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), nullable=False),
    sa.Column("family_hash", Bytes, nullable=False, unique=True),
    sa.Column("refresh_hash", Bytes, nullable=False),
    sa.Column("second_factor", sa.Boolean, nullable=False),  # whether it was shown
    sa.Column("after_code", sa.Boolean, nullable=False),  # the first since a code set the password
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("refreshed_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("mac", Bytes, nullable=False),
    sa.Index("ix_sessions_staff_no", "staff_no"),
)

# Failures counted per staff number and per client address, by all processes together.
log_in_failures = sa.Table(
    "log_in_failures",
    metadata,
    sa.Column("subject", sa.String(100), primary_key=True),  # staff:<no> | address:<keyed hash>
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("first_at", UtcDateTime, nullable=False),
    sa.Column("locked_until", UtcDateTime),
    sa.Index("ix_log_in_failures_first_at", "first_at"),
    sa.Index("ix_log_in_failures_locked_until", "locked_until"),
)
