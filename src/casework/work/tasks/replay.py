"""Compares lists as they were handed out, who took theirs, and what was done with tasks, with the entries.

A row changed by SQL shows.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.work.duties.tables import case_strategies
from casework.work.tasks.holding import KIND, stream_of
from casework.work.tasks.making import MADE, STREAM, digest_of
from casework.work.tasks.own import TAKEN, days_taken
from casework.work.tasks.standing import ACTS, ADDED, STARTED, Stand, after
from casework.work.tasks.tables import task_days, task_lists, task_standing, tasks, tasks_taken

PREFIX: Final = KIND
_SAID_OF_ADDED: Final = ("on", "task", "case", "what", "to", "due_on", "dpd", "overdue_fen")
_Edition = tuple[str, int]
"""A day and an edition."""


class TasksReplay:
    """The keeper of the streams of lists and of tasks."""

    def __init__(self, conn: sa.Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._made: dict[_Edition, str] = {}
        self._taken: set[tuple[str, str, int, bool]] = set()
        self._stands: dict[int, Stand] = {}
        self._strategies: dict[tuple[str, str], tuple[str, str]] = {}
        self._added: set[tuple[str, ...]] = set()
        self._sound = True

    def follow(self, entry: Entry) -> None:
        """Fold one entry."""
        data: Any = entry.data
        if entry.event == MADE:
            self._made[str(data.get("on")), data.get("edition")] = str(data.get("digest"))
        elif entry.event == TAKEN:
            self._taken.add((str(data.get("on")), str(data.get("staff_no")), data.get("edition"),
                             data.get("late") is True))  # fmt: skip

        elif entry.event == STARTED:
            said = (str(data.get("strategy")), entry.actor.id)
            self._strategies[str(data.get("on")), str(data.get("case"))] = said
        elif entry.event == ADDED:
            self._added.add(tuple(str(data.get(name)) for name in _SAID_OF_ADDED))
        elif entry.event in ACTS:
            try:
                stand = after(self._stands.get(data.get("task")), entry.event, data)
            except (KeyError, TypeError, ValueError):
                self._sound = False
            else:
                self._stands[stand.task_id] = stand

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        self._sound = self._sound and sound

    def finish(self) -> None:
        """Compare, unless the stream itself is unsound."""
        if not self._sound:
            return
        days = {
            (row.day.isoformat(), row.edition): bytes(row.digest).hex()
            for row in self._conn.execute(sa.select(task_days))
        }
        held = dict(self._held())
        nothing = digest_of((), ()).hex()
        for edition in sorted(self._made.keys() | days.keys() | held.keys(), key=str):
            if not self._made.get(edition) == days.get(edition) == held.get(edition, nothing):
                self._report.find("row_differs", STREAM, table=tasks.name, day=edition[0], edition=edition[1])
        taken = {(row.day.isoformat(), row.staff_no, row.edition, bool(row.late)) for row in days_taken(self._conn)}
        for day, staff_no, *_ in sorted(taken ^ self._taken, key=str):
            self._report.find("row_differs", STREAM, table=tasks_taken.name, day=day, staff_no=staff_no)

        self._compare_acts()

    def _compare_acts(self) -> None:
        """What was added, and where tasks stand."""
        hand = sa.select(tasks).where(tasks.c.edition == sa.literal_column("0"))
        added = {
            tuple(map(str, (row.day, row.id, row.case_id, row.ref, row.list_of, row.due_on, row.dpd, row.overdue_fen)))
            for row in self._conn.execute(hand)
        }
        for row in sorted(added ^ self._added):
            self._report.find("row_differs", STREAM, table=tasks.name, day=row[0], task=row[1])
        started = {
            (row.day.isoformat(), str(row.case_id)): (row.strategy, row.staff_no)
            for row in self._conn.execute(sa.select(case_strategies))
        }
        for place in sorted(started.keys() | self._strategies.keys()):
            if started.get(place) != self._strategies.get(place):
                self._report.find("row_differs", STREAM, table=case_strategies.name, day=place[0], case=place[1])
        stands = {row.task_id: Stand(*row) for row in self._conn.execute(sa.select(task_standing))}
        for number in sorted(stands.keys() | self._stands.keys()):
            if stands.get(number) != self._stands.get(number):
                self._report.find("row_differs", stream_of(number), table=task_standing.name, task=number)

    def _held(self) -> Iterator[tuple[_Edition, str]]:
        """The digest of every edition as its rows are now."""
        lists = defaultdict(list)
        whole = sa.select(task_lists).order_by(task_lists.c.day, task_lists.c.edition, task_lists.c.list_of)
        for row in self._conn.execute(whole):
            lists[row.day.isoformat(), row.edition].append(tuple(row))
        ordered = sa.select(tasks).where(tasks.c.edition > 0).order_by(tasks.c.day, tasks.c.edition)
        with self._conn.execution_options(yield_per=10_000).execute(ordered) as found:
            for (day, edition), rows in groupby(found, key=lambda row: (row.day.isoformat(), row.edition)):
                yield (day, edition), digest_of(rows, lists.pop((day, edition), ())).hex()
        for without_tasks, of_it in lists.items():
            yield without_tasks, digest_of((), of_it).hex()
