"""Compares the calendar's table and the outages with the entries that they come from: one changed by SQL shows."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.people.days import loading
from casework.people.days.tables import calendar_days, outages


class DaysReplay:
    """The keeper of `register:calendar` and `register:outages`; it passes over the other streams of `register`."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._worked: dict[str, bool] = {}
        self._outages: dict[str, str] = {}
        self._unsound: set[str] = set()

    def follow(self, entry: Entry) -> None:
        """Fold one entry."""
        data = entry.data
        if (entry.stream, entry.event) == (loading.CALENDAR, loading.LOADED):
            others = {day: worked for day, worked in self._worked.items() if day[:4] != str(data.get("year"))}
            self._worked = others | dict(_days(data.get("off"), False)) | dict(_days(data.get("worked"), True))
        elif (entry.stream, entry.event) == (loading.OUTAGES, loading.DECLARED):
            self._outages[str(data.get("on"))] = str(data.get("reason"))
        elif (entry.stream, entry.event) == (loading.OUTAGES, loading.WITHDRAWN):
            self._outages.pop(str(data.get("on")), None)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        if not sound:
            self._unsound.add(stream)

    def finish(self) -> None:
        """Compare them with the rows, unless the stream itself is unsound."""
        self._compare(loading.CALENDAR, calendar_days.name, self._worked, loading.calendar_table(self._conn))
        self._compare(loading.OUTAGES, outages.name, self._outages, loading.every_outage(self._conn))

    def _compare(self, stream: str, table: str, said: Mapping[str, Any], held: Mapping[date, Any]) -> None:
        rows = {day.isoformat(): value for day, value in held.items()}
        differing = sorted(day for day in said.keys() | rows.keys() if said.get(day) != rows.get(day))
        if differing and stream not in self._unsound:
            self._report.find("row_differs", stream, table=table, days=differing)


def _days(days: Any, worked: bool) -> Iterator[tuple[str, bool]]:
    found: Iterable[Any] = days if isinstance(days, list) else ()
    return ((str(day), worked) for day in found)
