"""Walks every chain of the log and says what is wrong with it: bytes, MACs, links, heads, openings, texts.

Generic over what the streams are about: a `Keeper` knows where the heads of one kind of stream are kept and may
follow their entries (casework.cases.replay folds cases). Reads in one snapshot, one pass, with memory that does
not grow with the log. Attacks and promises: design paper audit.md §7.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import rows
from casework.append_only import missing_guards
from casework.audit.chain import HASH_BYTES, commit, follows, leaf_hash, mac_matches
from casework.audit.entry import Entry, MalformedEntry, decode_strict
from casework.audit.findings import Report
from casework.audit.stored import as_stored
from casework.audit.tables import entries, openings, streams, texts, unsealed
from casework.personal import Vault

BATCH: Final = 2_000
_ENTRY = (
    "stream", "stream_seq", "event", "actor_id", "reason_code", "recorded_at", "body", "leaf_hash", "mac",
)  # fmt: skip
_OPENING = ("stream", "stream_seq", "field", "sealed")
_HEAD = ("stream", "audit_seq", "audit_head", "last_entry_at")
_TEXT = ("kind", "name", "digest", "body")
_SHOWN: Final = 100  # rows of one set-wise finding that are named
RULEBOOK: Final = "rulebook:"  # streams that announce texts


class Tail(NamedTuple):
    """The last entry of a stream as the walk found it: number, leaf hash, time."""

    seq: int
    leaf_hash: bytes | None
    recorded_at: str


class Keeper(Protocol):
    """Keeps the heads of one kind of stream; told of every stream, entry by entry, in order."""

    def follow(self, entry: Entry) -> None:
        """The next entry of the present stream; only as long as nothing is wrong with its chain."""

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The present stream has ended; `sound` if nothing was wrong with its chain."""

    def finish(self) -> None:
        """All streams have been walked."""


def verify_log(
    conn: Connection,
    mac_key: bytes,
    vault: Vault,
    report: Report,
    keepers: Mapping[str, Keeper],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Check the whole log into `report`. `keepers` by prefix of stream; the others have theirs in `streams`.

    `conn` must be one snapshot (`reading(engine, snapshot=True)`). `progress` hears the entries done.
    """
    walk = _Walk(conn, mac_key, vault, report, keepers)
    select = as_stored(entries, _ENTRY, conn.dialect.name).order_by(entries.c.stream, entries.c.stream_seq)
    result = conn.execute(select, execution_options={"yield_per": BATCH})
    for batch in result.partitions():
        walk.take(batch)
        progress(report.entries)
    walk.finish()
    for name in missing_guards(conn):
        report.find("guard_missing", guard=name)
    _check_queue(conn, report)


class _Walk:
    """The state of one pass over the entries in order of stream and number."""

    def __init__(
        self, conn: Connection, mac_key: bytes, vault: Vault, report: Report, keepers: Mapping[str, Keeper]
    ) -> None:
        self.mac_key = mac_key
        self.report = report
        self.keepers = keepers
        self.others = StreamHeads(conn, report)
        self.openings = _Openings(conn, vault, report)
        self.texts = _Texts(conn, report)
        self.stream: str | None = None
        self.keeper: Keeper = self.others
        self.tail = Tail(0, None, "")
        self.sound = True

    def take(self, batch: Sequence[Any]) -> None:
        """Check the next rows; the openings up to the last of them too."""
        committed: dict[tuple[str, int], Mapping[str, str] | None] = {}
        for row in batch:
            stream = row[0]
            if stream != self.stream:
                self._turn(stream)
            entry = self._check(row)
            if entry is None:
                committed[stream, row[1]] = None
            elif entry.personal:
                committed[stream, row[1]] = entry.personal
        self.report.entries += len(batch)
        self.openings.check((batch[-1][0], batch[-1][1]), committed)

    def finish(self) -> None:
        """End the last stream and check what only the whole log can tell."""
        self._turn(None)
        self.openings.check(None, {})
        for keeper in (*self.keepers.values(), self.others):
            keeper.finish()
        self.texts.finish()

    def _turn(self, stream: str | None) -> None:
        if self.stream is not None:
            self.keeper.close(self.stream, self.tail, sound=self.sound)
        if stream is not None:
            self.report.streams += 1
            self.keeper = self.keepers.get(stream.partition(":")[0], self.others)
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
        if _copied(entry) != columns:
            self._columns(entry, columns)
        tail = self.tail
        fault_code = follows(tail.leaf_hash, tail.seq, entry, prev_recorded_at=tail.recorded_at)
        if fault_code is not None:
            self._find(fault_code, stream, seq)
        self.tail = Tail(entry.stream_seq, leaf, entry.recorded_at)
        self._note(entry)
        if self.sound:
            self.keeper.follow(entry)
        return entry

    def _note(self, entry: Entry) -> None:
        report, at = self.report, entry.recorded_at
        if report.last_recorded_at is None or at > report.last_recorded_at:
            report.last_recorded_at = at
        if report.first_recorded_at is None or at < report.first_recorded_at:
            report.first_recorded_at = at
        self.texts.cited.add(("chart", entry.chart))
        self.texts.cited.add(("policy", entry.policy))
        if entry.stream.startswith(RULEBOOK) and entry.event.endswith(".published"):
            kind, data = entry.event.removesuffix(".published"), entry.data
            self.texts.announced.add((kind, str(data.get("name")), str(data.get("digest"))))

    def _find(self, code: str, stream: str, seq: int, **detail: Any) -> None:
        self.sound = False
        self.report.find(code, stream, seq, **detail)

    def _blame(self, stream: str, seq: int, leaf: bytes, stored_leaf: Any, tag: Any) -> bytes:
        """Says which of body, leaf hash and MAC was changed; the leaf hash that the next entry should link to."""
        readable = type(tag) is bytes
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
        truth = _copied(entry)
        differing = [
            name for name, said, meant in zip(_ENTRY, columns, truth, strict=False) if said != meant
        ]
        self.report.find("column_differs", columns[0], columns[1], columns=differing)
        if columns[:2] != truth[:2]:
            self.sound = False  # the entry stands where it does not belong


def _copied(entry: Entry) -> tuple[Any, ...]:
    """What the row repeats of the body, in the order of `_ENTRY`."""
    return (
        entry.stream, entry.stream_seq, entry.event, entry.actor.id, entry.reason_code, entry.recorded_at,
    )  # fmt: skip


def compare_head(report: Report, stream: str, tail: Tail, head: tuple[Any, Any, Any] | None) -> None:
    """`head` is the subject's (audit_seq, audit_head, last_entry_at as text), or none if there is no subject."""
    if head is None:
        report.find("head_missing", stream)
        return
    if head == tail:
        return
    seq, leaf, at = head
    if seq == tail.seq:
        wrong = {"audit_head": leaf != tail.leaf_hash, "last_entry_at": at != tail.recorded_at}
        report.find("head_differs", stream, tail.seq, columns=[name for name, differs in wrong.items() if differs])
    elif type(seq) is int and seq > tail.seq:
        report.find("tail_cut", stream, tail.seq, head_says=seq)
    else:
        report.find("head_rewound", stream, tail.seq, head_says=seq)


class StreamHeads:
    """The keeper of streams whose head lies in `streams`; follows no entry."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._select = as_stored(streams, _HEAD, conn.dialect.name)
        self._pending: dict[str, Tail] = {}
        self._met = 0

    def follow(self, entry: Entry) -> None:
        """Nothing is folded."""

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (a head is compared anyway)
        """Keep the tail until enough are there to be compared in one statement."""
        self._pending[stream] = tail
        if len(self._pending) >= BATCH:
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


class _Openings:
    """Openings beside their commitments, both in order of (stream, number): every opening is seen exactly once."""

    def __init__(self, conn: Connection, vault: Vault, report: Report) -> None:
        self._conn = conn
        self._vault = vault
        self._report = report
        self._select = as_stored(openings, _OPENING, conn.dialect.name)
        self._after: tuple[str, int] | None = None

    def check(
        self, until: tuple[str, int] | None, committed: Mapping[tuple[str, int], Mapping[str, str] | None]
    ) -> None:
        """Openings after the last place and up to `until` against the commitments of the entries between them.

        A commitment of None is an entry whose body cannot be read: nothing is said of its openings.
        """
        place = sa.tuple_(openings.c.stream, openings.c.stream_seq)
        select = self._select
        if self._after is not None:
            select = select.where(place > self._after)
        if until is not None:
            select = select.where(place <= until)
        held: dict[tuple[str, int], dict[str, Any]] = {}
        for stream, seq, name, sealed in self._conn.execute(select):
            held.setdefault((stream, seq), {})[name] = sealed
        self._after = until
        for (stream, seq), fields in committed.items():
            here = held.pop((stream, seq), {})
            if fields is not None:
                self._compare(stream, seq, fields, here)
        for (stream, seq), unknown in held.items():
            self._report.find("opening_unannounced", stream, seq, fields=sorted(unknown))

    def _compare(self, stream: str, seq: int, fields: Mapping[str, str], held: dict[str, Any]) -> None:
        for name, commitment in fields.items():
            self._report.openings += 1
            if name not in held:
                self._report.find("opening_missing", stream, seq, field=name)
            elif not self._opens(name, held[name], commitment):
                self._report.find("opening_wrong", stream, seq, field=name)
        unknown = sorted(set(held) - set(fields))
        if unknown:
            self._report.find("opening_unannounced", stream, seq, fields=unknown)

    def _opens(self, name: str, sealed: Any, commitment: str) -> bool:
        try:
            opening = json.loads(self._vault.open("opening", sealed))
            return commit(bytes.fromhex(opening["salt"]), name, opening["value"]) == commitment
        except (ValueError, TypeError, KeyError, AttributeError):  # whatever was put there, it opens nothing
            return False


class _Texts:
    """Published texts: each the one of its digest, each announced, each announced or cited one there."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self.announced: set[tuple[str, str, str]] = set()
        self.cited: set[tuple[str, str | None]] = set()

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
        references = {(kind, f"{name}#{digest}") for kind, name, digest in held}
        announced = {(kind, f"{name}#{digest}") for kind, name, digest in self.announced}
        cited = {(kind, reference) for kind, reference in self.cited if reference is not None}
        for kind, reference in sorted((announced | cited) - references):
            self._report.find("text_missing", kind=kind, reference=reference)


def _check_queue(conn: Connection, report: Report) -> None:
    """Every entry is queued for sealing (nothing is sealed yet) and the queue names nothing else.

    Once entries are sealed, those with a leaf index leave the queue and this asks for the others only.
    """
    gone = sa.select(unsealed.c.entry).where(~sa.exists().where(entries.c.id == unsealed.c.entry))
    for number in conn.execute(gone.order_by(unsealed.c.entry).limit(_SHOWN)).scalars():
        report.find("queue_dangling", entry_row=number)
    queued = sa.exists().where(unsealed.c.entry == entries.c.id)
    left = sa.select(entries.c.stream, entries.c.stream_seq).where(~queued).limit(_SHOWN)
    for stream, seq in conn.execute(left):
        report.find("queue_incomplete", stream, seq)
