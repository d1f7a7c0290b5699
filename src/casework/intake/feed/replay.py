"""Compares the institutions that are known with the entries that made them known: one let in by SQL shows."""

from sqlalchemy.engine import Connection

from casework.intake.feed.institutions import ADDED, STREAM, known_institutions
from casework.intake.feed.tables import institutions_added
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry


class InstitutionsReplay:
    """The keeper of `register:institutions`; it hears the other streams of `register` and passes them over."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._added: set[str] = set()
        self._sound = True

    def follow(self, entry: Entry) -> None:
        """Fold one entry."""
        if entry.stream == STREAM and entry.event == ADDED:
            self._added.add(str(entry.data.get("institution")))

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        self._sound = self._sound and (sound or stream != STREAM)

    def finish(self) -> None:
        """Compare them with the rows, unless the stream itself is unsound."""
        differing = sorted(self._added.symmetric_difference(known_institutions(self._conn)))
        if self._sound and differing:
            self._report.find("row_differs", STREAM, table=institutions_added.name, codes=differing)
