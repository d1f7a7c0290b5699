"""People who act and own: staff, the posts and memberships they hold by date, certificates, leave, tokens.

A row of `staff`, and of the dated tables, is what the entries of the stream `staff:<no>` say (people.staff.person).
"""

import sqlalchemy as sa

from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
)

staff = sa.Table(
    "staff",
    metadata,
    sa.Column("staff_no", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),  # active | unverified (named by a feed) | left | merged
    sa.Column("capacity", sa.Integer),  # open cases; none: the policy's figure
    sa.Column("joined_on", sa.Date),
    sa.Column("leaves_on", sa.Date),  # their last day, once it is known
    sa.Column("left_on", sa.Date),
    sa.Column("returned_on", sa.Date),
    sa.Column("merged_into", sa.String(32), sa.ForeignKey("staff.staff_no")),
    sa.Column("added_at", UtcDateTime, nullable=False),
    # False as soon as the status says that they have gone. Cases point at (staff_no, true): while one of theirs is not
    # finally closed, the database refuses the status (rule 1.1.1).
    sa.Column("present", sa.Boolean, sa.Computed("status NOT IN ('left', 'merged')", persisted=True), nullable=False),
    sa.UniqueConstraint("staff_no", "present"),
)

regions = sa.Table(
    "regions",
    metadata,
    sa.Column("code", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
)

teams = sa.Table(
    "teams",
    metadata,
    sa.Column("code", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("region", sa.String(64), sa.ForeignKey("regions.code")),
)

# Dated rows: in force from `from_on` through `until_on` (none: without end), both days included.
posts_held = sa.Table(
    "posts_held",
    metadata,
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), primary_key=True),
    sa.Column("post", sa.String(32), primary_key=True),
    sa.Column("from_on", sa.Date, primary_key=True),
    sa.Column("until_on", sa.Date),
    sa.Column("granted_by", sa.String(64), nullable=False),  # who carried it out; `system` at the shell
    sa.Column("request_id", BigId),  # the four-eyes request that granted it; none at the shell
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), primary_key=True),
    sa.Column("from_on", sa.Date, primary_key=True),
    sa.Column("until_on", sa.Date),
    sa.Column("team", sa.String(64)),
    sa.Column("region", sa.String(64)),
)

certificates = sa.Table(
    "certificates",
    metadata,
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),  # a code, such as collector_training (X13)
    sa.Column("issued_on", sa.Date, primary_key=True),
    sa.Column("expires_on", sa.Date),
)

absences = sa.Table(
    "absences",
    metadata,
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), primary_key=True),
    sa.Column("from_on", sa.Date, primary_key=True),
    sa.Column("until_on", sa.Date, nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),  # a code: leave, sick, training, other
    sa.Column("deputy", sa.String(32), sa.ForeignKey("staff.staff_no")),
    sa.Index("ix_absences_deputy", "deputy"),
)

# One row: another number after every change of who may do what, so that a process knows when what it remembers is
# old.
register_version = sa.Table(
    "register_version",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    sa.Column("version", sa.BigInteger, nullable=False),
)

# Bearer tokens and personal API keys: SHA-256 of what is shown once.
tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("token_hash", Bytes, nullable=False, unique=True),
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, server_default="key"),  # key | access (of a session)
    sa.Column("label", sa.String(64)),
    sa.Column("program", sa.String(31)),  # whose key it is; `staff_no` owns the program. None: a person's own
    sa.Column("commands", sa.String(2000)),  # what a key may do, codes separated by one space; none: all they may
    sa.Column("session_id", BigId),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("last_used_at", UtcDateTime),  # to the hour, for keys
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("mac", Bytes, nullable=False),  # casework.people.staff.access_mac
    sa.Index("ix_tokens_staff_no", "staff_no"),
    sa.Index("ix_tokens_session_id", "session_id"),
)
