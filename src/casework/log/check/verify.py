"""Walks every chain of the log and says what is wrong with it: bytes, MACs, links, heads, openings, texts.

Generic over what the streams are about: a `Keeper` knows where the heads of one kind of stream are kept and
may follow their entries (casework.work.cases.replay folds cases). Reads in one snapshot, one pass, with memory
that does not grow with the log. Attacks and promises: docs/evidence.md.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.heads import StreamHeads, Tail
from casework.log.check.openings import Openings
from casework.log.check.parts import Part
from casework.log.format.chain import (
    HASH_BYTES,
    follows,
    leaf_hash,
    mac_matches,
)
from casework.log.format.entry import Entry, MalformedEntry, decode_strict
from casework.log.format.erasure import Erased
from casework.log.format.texts import PUBLISHED, RULEBOOK, reference
from casework.log.stored import as_stored
from casework.log.tables import (
    entries,
    leaves,
    texts,
    unsealed,
)
from casework.log.write.grown import present_log
from casework.log.write.sealable import copied
from casework.personal import Vault
from casework.storage.append_only import foreign_parts, missing_guards

BATCH: Final = 2_000
_ENTRY = (
    "stream", "stream_seq", "event", "actor_id", "reason_code", "recorded_at", "body", "leaf_hash", "mac",
)  # fmt: skip
COMPARED: Final = frozenset(entries.c[name] for name in _ENTRY if name != "stream_seq")
"""Columns whose kind every walk without a finding has seen to: each value is of the kind of what it equals there, or
asked for it. A number alone may equal one of another kind."""
_TEXT = ("kind", "name", "digest", "body")
_SHOWN: Final = 100  # rows of one set-wise finding that are named


class Keeper(Protocol):
    """Keeps the heads of one kind of stream; told of every stream, entry by entry, in order."""

    def follow(self, entry: Entry) -> None:
        """The next entry of the present stream; only as long as nothing is wrong with its chain."""

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The present stream has ended; `sound` if nothing was wrong with its chain."""

    def finish(self) -> None:
        """All streams have been walked."""


def stored_entries(conn: Connection, part: Part) -> Iterator[Sequence[Any]]:
    """The rows of these streams as they lie there, in order of stream and number."""
    select = as_stored(entries, _ENTRY, conn.dialect.name).where(*part.holds(entries.c.stream))
    ordered = select.order_by(entries.c.stream, entries.c.stream_seq)
    return conn.execute(ordered, execution_options={"yield_per": BATCH}).partitions()


class PartKeeper(Keeper, Protocol):
    """A keeper whose streams may be walked part by part, by several processes, each with its own."""

    def cut(self) -> Any:
        """A part has been walked: compare what waits, and hand over what all parts together have to tell."""

    def absorb(self, left: Any) -> None:
        """What a part handed over; before `finish`."""


class WalkLeft(NamedTuple):
    """What the walk over a part hands over, beside its report."""

    keepers: list[Any]
    heads_met: int
    cited: set[tuple[str | None, str | None]]
    announced: set[tuple[str, str, str]]


class Walk:
    """One pass over the entries in order of stream and number. `conn` must be one snapshot.

    `keepers` by prefix of stream; the others have their heads in `streams`. `followers`, by prefix too, get the same of
    streams whose heads are there. `erased`: the erasures of the log (`check.erased`), known before openings are judged.
    `progress` hears how many entries are done.
    """

    def __init__(
        self, conn: Connection, mac_key: bytes, vault: Vault, report: Report, keepers: Mapping[str, Keeper],
        followers: Mapping[str, Keeper], erased: Erased, progress: Callable[[int], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._conn = conn
        self._progress = progress
        self.mac_key = mac_key
        self.report = report
        self.keepers = keepers
        self.followers = followers
        self.others = StreamHeads(conn, report)
        self.openings = Openings(conn, vault, report, erased)
        self.texts = _Texts(conn, report)
        self.stream: str | None = None
        self.keeper: Keeper = self.others
        self.follower: Keeper | None = None
        self.tail = Tail(0, None, "")
        self.sound = True

    def run(self, part: Part) -> None:
        """Walk these streams."""
        self.openings.begin(part)
        self.stream = None
        for batch in stored_entries(self._conn, part):
            self._take(batch)
            self._progress(len(batch))
        self._turn(None)
        self.openings.check(None, {})

    def cut(self) -> WalkLeft:
        """What a part leaves; its keepers are all `PartKeeper`s."""
        keepers = [keeper.cut() for keeper in self._all_keepers]
        cited, announced = self.texts.cited, self.texts.announced
        self.texts.cited, self.texts.announced = set(), set()
        return WalkLeft(keepers, self.others.cut(), cited, announced)

    def absorb(self, left: WalkLeft) -> None:
        """What another walk over a part left."""
        for keeper, one in zip(self._all_keepers, left.keepers, strict=True):
            keeper.absorb(one)
        self.absorb_rest(left)

    def absorb_rest(self, left: WalkLeft) -> None:
        """The same without what is for keepers."""
        self.others.absorb(left.heads_met)
        self.texts.cited |= left.cited
        self.texts.announced |= left.announced

    @property
    def _all_keepers(self) -> list[Any]:
        return [*self.keepers.values(), *self.followers.values()]

    def finish_keepers(self) -> None:
        """All streams of theirs have been walked."""
        for keeper in self._all_keepers:
            keeper.finish()

    def finish(self) -> None:
        """All streams have been walked: what only the whole log can tell."""
        self.finish_keepers()
        self.others.finish()
        self.texts.finish()

    def _take(self, batch: Sequence[Any]) -> None:
        """Check the next rows; the openings up to the last of them too."""
        committed: dict[tuple[str, int], Mapping[str, str] | None] = {}
        for row in batch:
            stream = row[0]
            if type(stream) is not str:  # SQLite holds no column to its type
                self.report.find("column_differs", None, None, columns=["stream"])
                continue
            if stream != self.stream:
                self._turn(stream)
            entry = self._check(row)
            if entry is None:
                committed[stream, row[1]] = None
            elif entry.personal:
                committed[stream, row[1]] = entry.personal
        self.report.entries += len(batch)
        self.openings.check((batch[-1][0], batch[-1][1]), committed)

    def _turn(self, stream: str | None) -> None:
        if self.stream is not None:
            self.keeper.close(self.stream, self.tail, sound=self.sound)
            if self.follower is not None:
                self.follower.close(self.stream, self.tail, sound=self.sound)
        if stream is not None:
            self.report.streams += 1
            prefix = stream.partition(":")[0]
            self.keeper, self.follower = self.keepers.get(prefix, self.others), self.followers.get(prefix)
        self.stream, self.tail, self.sound = stream, Tail(0, None, ""), True

    def _check(self, row: Any) -> Entry | None:
        """One row: bytes, hash, MAC, form, columns, link. The entry, or none if its body cannot be read."""
        stream, seq, event, actor_id, reason_code, recorded_at, body, stored_leaf, tag = row
        if type(body) is not bytes:
            self._unreadable(row, "not_bytes")
            return None
        self.report.body_bytes += len(body)
        leaf = leaf_hash(body)
        if leaf != stored_leaf or type(tag) is not bytes or not mac_matches(self.mac_key, leaf, tag):
            leaf = self._blame(stream, seq, leaf, stored_leaf, tag)
        try:
            entry = decode_strict(body)
        except MalformedEntry as fault:
            self._unreadable(row, fault.code, leaf)
            return None
        columns = (stream, seq, event, actor_id, reason_code, recorded_at)
        if copied(entry) != columns:
            self._columns(entry, columns)
            if entry.stream != stream:
                return None  # it is missing where it belongs, and here nothing links to it
        tail = self.tail
        fault_code = follows(tail.leaf_hash, tail.seq, entry, prev_recorded_at=tail.recorded_at)
        if fault_code is not None:
            self._find(fault_code, stream, seq)
        self.tail = Tail(entry.stream_seq, leaf, entry.recorded_at)
        self._note(entry)
        if self.sound:
            self.keeper.follow(entry)
            if self.follower is not None:
                self.follower.follow(entry)
        return entry

    def _note(self, entry: Entry) -> None:
        report, at = self.report, entry.recorded_at
        if report.last_recorded_at is None or at > report.last_recorded_at:
            report.last_recorded_at = at
        if report.first_recorded_at is None or at < report.first_recorded_at:
            report.first_recorded_at = at
        self.texts.cited.add((entry.chart, entry.policy))
        if entry.stream.startswith(RULEBOOK) and entry.event.endswith(PUBLISHED):
            kind, data = entry.event.removesuffix(PUBLISHED), entry.data
            self.texts.announced.add((kind, str(data.get("name")), str(data.get("digest"))))

    def _find(self, code: str, stream: str, seq: int, **detail: Any) -> None:
        self.sound = False
        self.report.find(code, stream, seq, **detail)

    def _blame(self, stream: str, seq: int, leaf: bytes, stored_leaf: bytes, tag: bytes) -> bytes:
        """Says which of body, leaf hash and MAC was changed; the hash that the next entry should link to."""
        readable = type(tag) is bytes  # SQLite holds no column to its type
        if leaf != stored_leaf and readable:
            if mac_matches(self.mac_key, leaf, tag):
                self._find("leaf_hash_changed", stream, seq)
                return leaf
            whole = type(stored_leaf) is bytes and len(stored_leaf) == HASH_BYTES
            if whole and mac_matches(self.mac_key, stored_leaf, tag):
                self._find("body_changed", stream, seq)
                return stored_leaf
        if leaf != stored_leaf:
            self._find("leaf_hash_changed", stream, seq)
        self._find("mac_wrong", stream, seq)
        return leaf

    def _unreadable(self, row: Any, fault: str, leaf: bytes | None = None) -> None:
        stream, seq, *_ = row
        self._find("body_malformed", stream, seq, fault=fault)
        if type(seq) is int:
            self.tail = Tail(seq, leaf, self.tail.recorded_at)

    def _columns(self, entry: Entry, columns: tuple[Any, ...]) -> None:
        truth = copied(entry)
        differing = [name for name, said, meant in zip(_ENTRY, columns, truth, strict=False) if said != meant]
        self.report.find("column_differs", columns[0], columns[1], columns=differing)
        if columns[:2] != truth[:2]:
            self.sound = False  # the entry does not stand where it belongs


class _Texts:
    """Published texts: each the one of its digest, each announced, each announced or cited one there."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self.announced: set[tuple[str, str, str]] = set()
        self.cited: set[tuple[str | None, str | None]] = set()
        """Chart and policy."""

    def finish(self) -> None:
        """Compare what the log announced and cited with what is held."""
        held = set()
        for kind, name, digest, body in self._conn.execute(as_stored(texts, _TEXT, self._conn.dialect.name)):
            self._report.texts += 1
            held.add((kind, name, digest))
            if type(body) is not bytes or hashlib.sha256(body).hexdigest() != digest:
                self._report.find("text_changed", kind=kind, name=name)
            if (kind, name, digest) not in self.announced:
                self._report.find("text_unannounced", kind=kind, name=name)
        references = {(kind, reference(kind, name, digest)) for kind, name, digest in held}
        announced = {(kind, reference(kind, name, digest)) for kind, name, digest in self.announced}
        both = [one for chart, policy in self.cited for one in (("chart", chart), ("policy", policy))]
        cited = {(kind, cite) for kind, cite in both if cite is not None}
        for kind, cite in sorted((announced | cited) - references):
            self._report.find("text_missing", kind=kind, reference=cite)


def check_beside(conn: Connection, report: Report) -> None:
    """What protects the rows, and the queue of what is to be sealed."""
    for name in missing_guards(conn):
        report.find("guard_missing", guard=name)
    for part in foreign_parts(conn):
        report.find("foreign_part", table=part.table, kind=part.kind, name=part.name)
    _check_queue(conn, report)


def _check_queue(conn: Connection, report: Report) -> None:
    """Every entry is sealed in the present log or queued for sealing, not both; the queue names nothing else."""
    gone = sa.select(unsealed.c.entry).where(~sa.exists().where(entries.c.id == unsealed.c.entry))
    for number in conn.execute(gone.order_by(unsealed.c.entry).limit(_SHOWN)).scalars():
        report.find("queue_dangling", entry_row=number)
    log = present_log(conn)
    place = sa.select(entries.c.stream, entries.c.stream_seq)
    queued = sa.exists().where(unsealed.c.entry == entries.c.id)
    sealed = sa.exists().where(leaves.c.log == (log.number if log else 0), leaves.c.entry == entries.c.id)
    for stream, seq in conn.execute(place.where(~queued, ~sealed).limit(_SHOWN)):
        report.find("queue_incomplete", stream, seq)
    for stream, seq in conn.execute(place.join(unsealed, unsealed.c.entry == entries.c.id).where(sealed).limit(_SHOWN)):
        report.find("queue_repeat", stream, seq)
