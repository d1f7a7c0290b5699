"""The heads of streams against the entries that the walk found (casework.log.check.verify)."""

from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.counted import Counted
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.log.stored import as_stored
from casework.log.tables import entries, streams
from casework.storage import rows

_BATCH: Final = 2_000
_SHOWN: Final = 100  # heads without a stream that are named
_HEAD = ("stream", "audit_seq", "audit_head", "last_entry_at")


class Tail(NamedTuple):
    """The last entry of a stream as the walk found it: number, leaf hash, time."""

    seq: int
    leaf_hash: bytes | None
    recorded_at: str


def compare_head(report: Report, stream: str, tail: Tail, head: tuple[Any, Any, Any] | None) -> None:
    """`head`: the subject's audit_seq, audit_head, last_entry_at (as text); none if there is no subject."""
    if head is None:
        report.find("head_missing", stream)
        return
    if head == tail:
        return
    seq, leaf, at = head
    if seq == tail.seq:
        wrong = {"audit_head": leaf != tail.leaf_hash, "last_entry_at": at != tail.recorded_at}
        columns = [name for name, differs in wrong.items() if differs]
        report.find("head_differs", stream, tail.seq, columns=columns)
    elif type(seq) is int and seq > tail.seq:
        report.find("tail_cut", stream, tail.seq, head_says=seq)
    else:
        report.find("head_rewound", stream, tail.seq, head_says=seq)


class StreamHeads(Counted):
    """The keeper of streams whose head lies in `streams`; follows no entry."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._select = as_stored(streams, _HEAD, conn.dialect.name)
        self._pending: dict[str, Tail] = {}

    def follow(self, entry: Entry) -> None:
        """Nothing is folded."""

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (a head is compared anyway)
        """Keep the tail until enough are there to be compared in one statement."""
        self._pending[stream] = tail
        if len(self._pending) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Compare the rest; then look for heads without a stream, if there must be any."""
        self._flush()
        if self._conn.execute(sa.select(sa.func.count()).select_from(streams)).scalar_one() == self._met:
            return
        orphans = sa.select(streams.c.stream).where(~sa.exists().where(entries.c.stream == streams.c.stream))
        for stream in self._conn.execute(orphans.limit(_SHOWN)).scalars():
            self._report.find("stream_missing", stream)

    def _flush(self) -> None:
        found = rows.select_by_keys(self._conn, self._select, "stream", self._pending)
        heads: dict[Any, tuple[Any, Any, Any]] = {row[0]: (row[1], row[2], row[3]) for row in found}
        self._met += len(heads)
        for stream, tail in self._pending.items():
            compare_head(self._report, stream, tail, heads.get(stream))
        self._pending.clear()
