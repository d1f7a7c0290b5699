"""Compares lists as they were handed out, and who took theirs, with the entries: a row changed by SQL shows."""

from itertools import groupby
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.work.tasks.making import MADE, STREAM, digest_of
from casework.work.tasks.own import TAKEN, days_taken
from casework.work.tasks.tables import task_days, tasks, tasks_taken

PREFIX: Final = STREAM.partition(":")[0]


class TasksReplay:
    """The keeper of the stream of task lists."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._made: dict[str, str] = {}
        self._taken: set[tuple[str, str, bool]] = set()
        self._sound = True

    def follow(self, entry: Entry) -> None:
        """Fold one entry."""
        data = entry.data
        if entry.event == MADE:
            self._made[str(data.get("on"))] = str(data.get("digest"))
        elif entry.event == TAKEN:
            self._taken.add((str(data.get("on")), str(data.get("staff_no")), data.get("late") is True))

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        self._sound = self._sound and sound

    def finish(self) -> None:
        """Compare, unless the stream itself is unsound."""
        if not self._sound:
            return
        days = {row.day.isoformat(): bytes(row.digest).hex() for row in self._conn.execute(sa.select(task_days))}
        ordered = sa.select(tasks).order_by(tasks.c.day, tasks.c.owed_by, tasks.c.rank)
        with self._conn.execution_options(yield_per=10_000).execute(ordered) as found:
            held = {day.isoformat(): digest_of(rows).hex() for day, rows in groupby(found, key=lambda row: row.day)}
        nothing = digest_of(()).hex()
        for day in sorted(self._made.keys() | days.keys() | held.keys()):
            if not self._made.get(day) == days.get(day) == held.get(day, nothing):
                self._report.find("row_differs", STREAM, table=tasks.name, day=day)
        taken = {(row.day.isoformat(), row.staff_no, bool(row.late)) for row in days_taken(self._conn)}
        for day, staff_no, _ in sorted(taken ^ self._taken):
            self._report.find("row_differs", STREAM, table=tasks_taken.name, day=day, staff_no=staff_no)
