"""Compares what was handed in, as it is kept, with the entries: a row changed by SQL shows, and so does a content."""

import hashlib
import zlib
from contextlib import suppress
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.evidence.evening.handing_in import HANDED_IN, KEPT, STREAM, every
from casework.evidence.evening.tables import FIGURES, hand_ins
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry

PREFIX: Final = STREAM.partition(":")[0]


class HandInsReplay:
    """The keeper of the stream of what was handed in."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._said: dict[int, tuple[Any, ...]] = {}
        self._sound = True

    def follow(self, entry: Entry) -> None:
        """Fold one entry."""
        if entry.event in {HANDED_IN, KEPT}:
            data = entry.data
            self._said[entry.stream_seq] = (
                data.get("on"), data.get("owed_by"), data.get("part"), entry.actor.id, entry.recorded_at,
                data.get("is_late"), data.get("digest"), *(data.get(name) for name in FIGURES),
            )  # fmt: skip

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        self._sound = self._sound and sound

    def finish(self) -> None:
        """Compare, unless the stream itself is unsound."""
        if not self._sound:
            return
        for row in every(self._conn):
            if self._said.pop(row.stream_seq, None) != _of(row) or _digest(row.content) != bytes(row.digest):
                self._report.find("row_differs", STREAM, table=hand_ins.name, day=str(row.day), owed_by=row.owed_by)
        for on, owed_by, *_ in self._said.values():
            self._report.find("row_differs", STREAM, table=hand_ins.name, day=str(on), owed_by=str(owed_by))


def _of(row: Any) -> tuple[Any, ...]:
    return (
        row.day.isoformat(), row.owed_by, row.part, row.handed_in_by, utc_text(row.handed_in_at), bool(row.is_late),
        bytes(row.digest).hex(), *(getattr(row, name) for name in FIGURES),
    )  # fmt: skip


def _digest(content: Any) -> bytes:
    with suppress(zlib.error):
        return hashlib.sha256(zlib.decompress(bytes(content))).digest()
    return b""
