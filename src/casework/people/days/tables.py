"""Days: worked or not, by the branch's own table; and outages. Each row is what an entry of the register says."""

import sqlalchemy as sa

from casework.storage.database import metadata

calendar_days = sa.Table(
    "calendar_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("is_worked", sa.Boolean, nullable=False),
)

outages = sa.Table(
    "outages",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("reason", sa.String(32), nullable=False),  # a key of `[outages]` in duties.toml
)
