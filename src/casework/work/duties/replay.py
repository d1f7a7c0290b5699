"""Compares the duties of every day with what the entry of its close says of them: a row changed by SQL shows."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.work.duties.tables import duties, duty_days
from casework.work.duties.taking import PREFIX as _PREFIX
from casework.work.duties.taking import TAKEN, digest_of

PREFIX: Final = _PREFIX
_Day = tuple[str, str]
"""An institution and a day."""


class DutiesReplay:
    """The keeper of the streams `duties:<institution>`."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._said: dict[_Day, str] = {}
        self._unsound: set[str] = set()

    def follow(self, entry: Entry) -> None:
        """Fold one entry."""
        if entry.event == TAKEN:
            institution = entry.stream.partition(":")[2]
            self._said[institution, str(entry.data.get("on"))] = str(entry.data.get("digest"))

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        if not sound:
            self._unsound.add(stream)

    def finish(self) -> None:
        """Compare days and their rows, unless the stream itself is unsound."""
        days = {
            (row.institution, row.day.isoformat()): bytes(row.digest).hex()
            for row in self._conn.execute(sa.select(duty_days))
        }
        held = dict.fromkeys(days, "") | dict(self._held())
        nothing = digest_of(()).hex()
        for day in sorted(self._said.keys() | held.keys()):
            said = self._said.get(day)
            stream = f"{PREFIX}:{day[0]}"
            if stream not in self._unsound and not said == days.get(day) == (held.get(day) or nothing):
                self._report.find("row_differs", stream, table=duties.name, day=day[1])

    def _held(self) -> Iterator[tuple[_Day, str]]:
        ordered = sa.select(duties).order_by(duties.c.day, duties.c.case_id, duties.c.duty)
        with self._conn.execution_options(yield_per=10_000).execute(ordered) as found:
            for day, of_day in groupby(found, key=lambda row: row.day):
                by_institution: dict[str, list[Any]] = {}
                for row in of_day:
                    by_institution.setdefault(row.institution, []).append(row)
                for institution, rows in by_institution.items():
                    yield (institution, day.isoformat()), digest_of(rows).hex()
