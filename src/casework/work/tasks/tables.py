"""Tasks as they were handed out in a morning: rows that never change; and who took their list, and when."""

from typing import Final

import sqlalchemy as sa

from casework.storage.database import BigId, Bytes, UtcDateTime, metadata

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("owed_by", sa.String(32), primary_key=True),  # a member of staff, or a post
    sa.Column("rank", sa.Integer, primary_key=True),
    sa.Column("task", sa.String(32), nullable=False),  # a duty, broken_promise, hold_review
    sa.Column("why", sa.String(16), nullable=False),  # late, broken_promise, hold_review, due_today, expected
    sa.Column("loan_id", sa.String(64), nullable=False),
    sa.Column("case_id", BigId),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("dpd", sa.Integer, nullable=False),
    sa.Column("overdue_fen", sa.BigInteger, nullable=False),
    info={"append_only": (("day", "owed_by", "rank"),)},
)
COLUMNS: Final = tuple(tasks.c.keys())

task_days = sa.Table(
    "task_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("tasks", sa.BigInteger, nullable=False),
    sa.Column("digest", Bytes, nullable=False),  # over its rows; the entry has it too
    info={"append_only": (("day",),)},
)

tasks_taken = sa.Table(
    "tasks_taken",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("staff_no", sa.String(32), primary_key=True),
    sa.Column("taken_at", UtcDateTime, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
    info={"append_only": (("day", "staff_no"),)},
)
