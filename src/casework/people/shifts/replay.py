"""Compares the roster with the entries that it comes from: a shift changed by SQL shows."""

from typing import Any

from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.people.shifts.entering import ENTERED, ROSTER, every_shift
from casework.people.shifts.tables import shifts


class ShiftsReplay:
    """The keeper of `register:roster`; it passes over the other streams of `register`."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._said: dict[tuple[str, str], Any] = {}
        self._sound = True

    def follow(self, entry: Entry) -> None:
        """Fold one entry."""
        if (entry.stream, entry.event) != (ROSTER, ENTERED):
            return
        on, told = str(entry.data.get("on")), entry.data.get("shifts")
        for one in told if isinstance(told, list) else ():
            key = (on, str(one.get("staff_no")))
            if one.get("shift") is None:
                self._said.pop(key, None)
            else:
                self._said[key] = (one["shift"], one.get("stand_in"))

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        if stream == ROSTER:
            self._sound = self._sound and sound

    def finish(self) -> None:
        """Compare them with the rows, unless the stream itself is unsound."""
        if not self._sound:
            return
        held = every_shift(self._conn)
        differing = {key[0] for key in self._said.keys() | held.keys() if self._said.get(key) != held.get(key)}
        if differing:
            self._report.find("row_differs", ROSTER, table=shifts.name, days=sorted(differing))
