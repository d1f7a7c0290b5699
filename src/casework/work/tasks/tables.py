"""Task lists as they were handed out: rows that never change; who took theirs; and where a task stands by acts since.

A list that is made again is a further edition; a task keeps its id in all of them. Edition 0 is what people added.
"""

from typing import Final

import sqlalchemy as sa

from casework.storage.database import BigId, Bytes, UtcDateTime, metadata, partial_index

_BY_HAND: Final = "edition = 0"

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", BigId, primary_key=True, autoincrement=False),
    sa.Column("list_of", sa.String(32), nullable=False),  # whose list it is on: a member of staff, or a post
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("task", sa.String(32), nullable=False),  # a duty, or a key of `[tasks]` in rules/tasks.toml
    sa.Column("why", sa.String(16), nullable=False),  # one of tasks.ranking.WHYS
    sa.Column("owed_by", sa.String(32), nullable=False),  # by rule, whoever answers for them that day
    sa.Column("loan_id", sa.String(64), nullable=False),
    sa.Column("case_id", BigId),
    sa.Column("ref", sa.String(128), nullable=False),  # which promise, hold, request, contact; of a duty empty
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("dpd", sa.Integer, nullable=False),
    sa.Column("overdue_fen", sa.BigInteger, nullable=False),
    sa.Index("ix_tasks_list", "day", "list_of", "rank"),
    sa.Index("ix_tasks_id", "id"),
    partial_index("ix_tasks_added_case", "case_id", where=_BY_HAND),
    partial_index("ix_tasks_added_loan", "loan_id", where=_BY_HAND),
)
COLUMNS: Final = tuple(tasks.c.keys())

task_lists = sa.Table(
    "task_lists",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("list_of", sa.String(32), primary_key=True),
    sa.Column("tasks", sa.BigInteger, nullable=False),
    sa.Column("held_back", sa.BigInteger, nullable=False),  # for want of room; they come again the next morning
)

task_days = sa.Table(
    "task_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("tasks", sa.BigInteger, nullable=False),
    sa.Column("digest", Bytes, nullable=False),  # over its rows and lists; the entry has it too
)

# Mornings for which cases were given out and lists made by the service's clock, or by `casework morning`.
mornings = sa.Table(
    "mornings",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("moves", sa.BigInteger, nullable=False),  # cases that went to another handler
)

# The fold of what people did with a task; a task that nobody touched has no row.
task_standing = sa.Table(
    "task_standing",
    metadata,
    sa.Column("task_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date, nullable=False),  # of the list on which it was touched last
    sa.Column("list_of", sa.String(32)),  # moved to
    sa.Column("until", sa.Date),  # postponed: it is back on the list of that day
    sa.Column("held_by", sa.String(32)),  # who has begun it, on `held_on`
    sa.Column("held_on", sa.Date),
    sa.Column("done_on", sa.Date),  # only of what was added by hand: everything else ends by what happens
    sa.Index("ix_task_standing_list", "list_of", "day"),
)
STANDING: Final = tuple(task_standing.c.keys())

tasks_taken = sa.Table(
    "tasks_taken",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("staff_no", sa.String(32), primary_key=True),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("taken_at", UtcDateTime, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
)
