"""Duties as they were known when each day was closed: rows that never change, and per day what they came to."""

from typing import Final

import sqlalchemy as sa

from casework.storage.database import BigId, Bytes, metadata

duties = sa.Table(
    "duties",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("case_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("duty", sa.String(32), primary_key=True),
    sa.Column("loan_id", sa.String(64), nullable=False),
    sa.Column("status", sa.String(8), nullable=False),  # done late open exempt
    sa.Column("exempt_by", sa.String(16)),  # a hold, promise, X1 to X6, outage, day_off
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("owed_by", sa.String(32), nullable=False),  # who answered then for its handler or owner, or a post
    sa.Column("institution", sa.String(32), nullable=False),
)
COLUMNS: Final = tuple(duties.c.keys())

# What was started last for a case on a day (5.2): the fold of `tasks.strategy`. One may ask for a paper by the evening.
case_strategies = sa.Table(
    "case_strategies",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("case_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("strategy", sa.String(32), nullable=False),  # a key of `[strategies]` in rules/tasks.toml
    sa.Column("staff_no", sa.String(32), nullable=False),
)

duty_days = sa.Table(
    "duty_days",
    metadata,
    sa.Column("institution", sa.String(32), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("duties", sa.BigInteger, nullable=False),
    sa.Column("digest", Bytes, nullable=False),  # over its rows; the entry in the stream of duties has it too
)
