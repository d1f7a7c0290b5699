"""Shifts by day and person. Each row is what an entry of `register:roster` says."""

import sqlalchemy as sa

from casework.storage.database import metadata

shifts = sa.Table(
    "shifts",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("staff_no", sa.String(32), sa.ForeignKey("staff.staff_no"), primary_key=True),
    sa.Column("shift", sa.String(32), nullable=False),  # a key of `[shifts]` in shifts.toml
    sa.Column("stand_in", sa.String(32), sa.ForeignKey("staff.staff_no")),  # who answers in the place of who is off
)
