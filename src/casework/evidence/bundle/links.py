"""Chains across the whole bundle: each entry after the one before it in its stream, in memory that does not grow.

Only what links is parsed here (`deep` looks at everything). The ends of the streams seen so far are kept in memory;
when they are many, in a temporary file.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from casework.log.check.findings import Report

HELD: Final = 300_000
"""Ends of streams kept in memory, some 400 bytes each; beyond that they go to a temporary file, and come back."""

UNREADABLE: Final = "unreadable "
"""What the stream of an entry that cannot be read is said to be; no entry can name one so."""


class Link(msgspec.Struct, gc=False):
    """What ties an entry to its stream. Once it is checked, `prev` holds the entry's own leaf hash in hex."""

    stream: str
    stream_seq: int
    recorded_at: str
    prev: str | None = None


_decode = msgspec.json.Decoder(Link).decode
_DECODE_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Ends:
    """The last entry of every stream, by stream: a dictionary that spills."""

    def __init__(self, held: int = HELD) -> None:
        self._held = held
        self.hot: dict[str, Link] = {}
        self._cold: sqlite3.Connection | None = None

    def ready(self, links: Iterable[Link]) -> None:
        """Bring back what these need; only where something was put away."""
        if self._cold is None:
            return
        absent = {link.stream for link in links} - self.hot.keys()
        if not absent:
            return
        wanted = msgspec.json.encode(list(absent)).decode()
        for stream, seq, at, leaf in self._cold.execute(_SELECT, (wanted,)):
            self.hot[stream] = Link(stream, seq, at, leaf)

    def make_room(self) -> None:
        """Put everything away if there is too much of it."""
        if len(self.hot) <= self._held:
            return
        if self._cold is None:
            self._cold = sqlite3.connect("")  # a file without a name, which goes with the process
            for statement in _SCHEMA:
                self._cold.execute(statement)
        rows = ((end.stream, end.stream_seq, end.recorded_at, end.prev) for end in self.hot.values())
        self._cold.executemany(_PUT, rows)
        self.hot = {}

    def count(self) -> int:
        """How many streams there were."""
        if self._cold is None:
            return len(self.hot)
        known = self._cold.execute("SELECT count(*) FROM ends").fetchone()[0]
        wanted = msgspec.json.encode(list(self.hot)).decode()
        also = self._cold.execute(
            "SELECT count(*) FROM json_each(?) WHERE value IN (SELECT stream FROM ends)", (wanted,)
        )
        return int(known) + len(self.hot) - int(also.fetchone()[0])

    def close(self) -> None:
        """Let all of it go: what comes after may need the memory."""
        self.hot = {}
        if self._cold is not None:
            self._cold.close()


_SCHEMA = (
    "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-16384",
    "CREATE TABLE ends (stream TEXT PRIMARY KEY, seq INTEGER, at TEXT, leaf TEXT) WITHOUT ROWID",
)  # fmt: skip
_SELECT = "SELECT stream, seq, at, leaf FROM ends WHERE stream IN (SELECT value FROM json_each(?))"
_PUT = "INSERT OR REPLACE INTO ends VALUES (?, ?, ?, ?)"


class Links:
    """Follows the entries in the order of the tree.

    `whole`: the log is seen from its first leaf, so every stream begins with number 1.
    """

    def __init__(self, report: Report, *, whole: bool, held: int = HELD) -> None:
        self._report = report
        self.whole = whole
        self._gapped = False
        self.ends = Ends(held)
        self.continued = 0
        self.first_at: str | None = None
        self.last_at = ""

    def take(self, first: int, bodies: Sequence[bytes], leaves: Sequence[str]) -> list[Link]:
        """The entries of one tile, `first` the index of its first leaf; `leaves` are their hashes in hex."""
        links = self._read(first, bodies)
        self.ends.ready(links)
        ends = self.ends.hot
        get = ends.get
        for link, leaf in zip(links, leaves, strict=True):
            stream = link.stream
            before = get(stream)
            if before is None:
                if link.stream_seq != 1 or link.prev is not None:
                    self._begins(link, leaf)
            elif (
                before.stream_seq + 1 != link.stream_seq
                or before.prev != link.prev
                or before.recorded_at > link.recorded_at
            ):
                self._blame(link, before)
            link.prev = leaf
            ends[stream] = link
        times = [link.recorded_at for link in links]
        earliest, latest = min(times), max(times)
        self.first_at = earliest if self.first_at is None else min(self.first_at, earliest)
        self.last_at = max(self.last_at, latest)
        self._report.entries += len(links)
        self.ends.make_room()
        return links

    def gap(self) -> None:
        """Entries are missing from the bundle: what their absence breaks is reported once, and convicts nobody."""
        self.whole, self._gapped = False, True

    def finish(self) -> None:
        """Say what was seen."""
        self._report.streams = self.ends.count()
        self._report.first_recorded_at, self._report.last_recorded_at = self.first_at, self.last_at or None

    def _read(self, first: int, bodies: Sequence[bytes]) -> list[Link]:
        try:
            return [_decode(body) for body in bodies]
        except _DECODE_FAULTS:
            pass
        links = []
        for index, body in enumerate(bodies, first):
            try:
                links.append(_decode(body))
            except _DECODE_FAULTS:
                self._report.find("body_malformed", leaf_index=index)
                # A stream that no entry can have: nothing links to it, and the next of its stream shows a hole.
                links.append(Link(f"{UNREADABLE}{index}", 1, self.last_at))
        return links

    def _begins(self, link: Link, leaf: str) -> None:
        """The first entry of a stream that is seen; in a period it may go on from before."""
        if link.stream_seq == 1 or link.prev is None or self.whole:
            code = "link_broken" if link.stream_seq == 1 else "stream_hole"
            self._report.find(code, link.stream, link.stream_seq, leaf_hash=leaf)
        else:
            self.continued += 1

    def _blame(self, link: Link, before: Link) -> None:
        """As `chain.follows` names it."""
        if link.stream_seq > before.stream_seq + 1:
            if self._gapped:
                self.continued += 1
                return
            code = "stream_hole"
        elif link.stream_seq <= before.stream_seq:
            code = "stream_repeat"
        elif link.prev != before.prev:
            code = "link_broken"
        else:
            code = "back_dated"
        self._report.find(code, link.stream, link.stream_seq)
