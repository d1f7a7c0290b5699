"""The only writer of entries: hands out the next place in a stream, seals the entry, stores it and queues it.

A subject with a row of its own (a case) keeps `audit_seq` and `audit_head` there and brings them; any other stream
(feeds, charts, staff) has its head in `streams`. Everything happens in the caller's transaction (docs/log.md §1).
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.errors import CallerError
from casework.log.format.chain import commit, seal_entry
from casework.log.format.entry import Entry, SignedActor, entry_id_of
from casework.log.format.receipt import ReceiptedChange, Recorded
from casework.log.tables import (
    entries,
    opening_keys,
    openings,
    streams,
    unsealed,
)
from casework.log.write.data_keys import keys_for, keys_of, opener
from casework.personal import Vault, cell
from casework.storage import rows
from casework.storage.driver_errors import is_place_taken, key_taken

ENTRY_COLUMNS = (
    "id", "stream", "stream_seq", "event", "actor_id", "reason_code", "recorded_at", "body", "leaf_hash", "mac",
)  # fmt: skip
_COLLECTED = "casework_collected"
_opening = msgspec.json.Encoder().encode
_OPENING_COLUMNS = ("stream", "stream_seq", "field", "sealed", "subject")


class Draft(msgspec.Struct):
    """What an entry is to say, before it has a place in its stream.

    `texts` are committed, never written; they are sealed with the key of `subject` (none: the branch's own).
    """

    event: str
    actor: SignedActor
    data: dict[str, Any]
    from_: str | None = None
    to: str | None = None
    reason_code: str | None = None
    rules: tuple[str, ...] = ()
    chart: str | None = None
    policy: str | None = None
    texts: Mapping[str, str] = msgspec.field(default_factory=dict)
    subject: str | None = None


class StreamHead(msgspec.Struct, frozen=True, gc=False):
    """The end of a stream: number, leaf hash and time of its last entry (0, empty, dawn of time before the first)."""

    seq: int
    leaf_hash: bytes
    recorded_at: datetime


_DAWN = datetime(1, 1, 1, tzinfo=UTC)
NOT_BEGUN = StreamHead(0, b"", _DAWN)


class Added(NamedTuple):
    """Entries that are not written yet, as rows but for their ids, and their texts that are not sealed yet."""

    entries: list[tuple[Any, ...]]
    texts: list[tuple[str, int, str, str, str | None]]


class Trail:
    """Collects the entries of one transaction and writes them in one statement each; one per transaction."""

    def __init__(self, mac_key: bytes, vault: Vault, recorded_at: datetime, today: date | None = None) -> None:
        self._mac_key = mac_key
        self._vault = vault
        self.recorded_at = recorded_at
        self.today = today or recorded_at.date()  # the branch's calendar day
        self._recorded_text = utc_text(recorded_at)
        self._entries: list[tuple[Any, ...]] = []
        self._openings: list[tuple[str, int, str, str, str | None]] = []  # still to be sealed
        self._sealed: list[tuple[Any, ...]] = []

    def add(self, stream: str, head: StreamHead, draft: Draft) -> StreamHead:
        """Append `draft` after `head` of `stream`; the new head. The caller holds the stream's lock.

        Times never run backwards within a stream, even if the machine's clock does (docs/evidence.md, 6).
        """
        seq = head.seq + 1
        recorded_at, recorded_text = self.recorded_at, self._recorded_text
        if head.recorded_at > recorded_at:
            recorded_at, recorded_text = head.recorded_at, utc_text(head.recorded_at)
        personal = {}
        for name, text in draft.texts.items():
            salt = os.urandom(32)
            personal[name] = commit(salt, name, text)
            opening = _opening({"salt": salt.hex(), "value": text}).decode()
            self._openings.append((stream, seq, name, opening, draft.subject))
        entry = Entry(
            actor=draft.actor, chart=draft.chart, data=draft.data, entry_id=entry_id_of(stream, seq), event=draft.event,
            from_=draft.from_, occurred_at=recorded_text, personal=personal, policy=draft.policy,
            prev=head.leaf_hash.hex() if seq > 1 else None, reason_code=draft.reason_code,
            recorded_at=recorded_text, rules=draft.rules, stream=stream, stream_seq=seq, to=draft.to,
        )  # fmt: skip
        sealed = seal_entry(entry, self._mac_key)
        self._entries.append((stream, seq, draft.event, draft.actor.id, draft.reason_code, recorded_at, *sealed))
        return StreamHead(seq, sealed.leaf_hash, recorded_at)

    def append(self, conn: Connection, stream: str, draft: Draft) -> StreamHead:
        """Append to a stream whose head lies in `streams`, locking it."""
        head = locked_head(conn, stream)
        after = self.add(stream, head, draft)
        values = {"audit_seq": after.seq, "audit_head": after.leaf_hash, "last_entry_at": after.recorded_at}
        conn.execute(streams.update().where(streams.c.stream == stream).values(values))
        return after

    @property
    def mac_key(self) -> bytes:
        """For what is stored beside the log under a MAC of its own (`chain.keyed`)."""
        return self._mac_key

    @property
    def entry_ids(self) -> list[str]:
        """The ids of what was added and is not written yet, in that order."""
        return [entry_id_of(stream, seq) for stream, seq, *_ in self._entries]

    def taken(self) -> "Added":
        """What was added so far, as a value; this one goes on without it."""
        added = Added(self._entries, self._openings)
        self._entries, self._openings = [], []
        return added

    def of(self, added: "Added") -> "Trail":
        """A trail with what another had added, to be written by itself."""
        part = Trail(self._mac_key, self._vault, self.recorded_at, self.today)
        part._entries, part._openings = added
        return part

    def seal_texts(self, conn: Connection) -> None:
        """Seal the openings of what was added, each with its subject's key: one statement, none without such texts.

        `write` does it too; whoever sends statements without waiting for their answers does it before.
        """
        subjects = {subject for *_, subject in self._openings if subject is not None}
        keys = keys_for(conn, self._vault, subjects, self.recorded_at) if subjects else {}
        for stream, seq, name, opening, subject in self._openings:
            sealer = self._vault if subject is None else keys[subject]
            self._sealed.append((stream, seq, name, sealer.seal(opening_cell(stream, seq, name), opening), subject))
        self._openings = []

    @contextmanager
    def places_free(self, conn: Connection) -> Iterator[None]:
        """CallerError `log_place_taken` where the next place of a stream holds an entry that its head knows nothing of.

        Who writes a stream holds its head, so nobody of ours can have been quicker: somebody else has written there.
        """
        added = self._entries
        try:
            yield
        except Exception as error:
            if is_place_taken(error, entries.name):
                raise _taken(key_taken(error) or _in_the_way(conn, added)) from error
            raise

    def write(self, conn: Connection) -> None:
        """Store what was added: entries, their place in the unsealed queue, openings. CallerError `log_place_taken`."""
        self.seal_texts(conn)
        with self.places_free(conn):
            rows.insert_queued(
                conn, entries, self._entries, ENTRY_COLUMNS[1:], queue=unsealed, sequence_name="entries_id_seq"
            )
        rows.insert_many(conn, openings, self._sealed, _OPENING_COLUMNS)
        collected = conn.get_execution_options().get(_COLLECTED)
        if collected is not None:
            collected += [(row[5], Recorded(entry_id_of(row[0], row[1]), row[7])) for row in self._entries]
        self._entries, self._sealed = [], []


def _in_the_way(conn: Connection, added: Sequence[tuple[Any, ...]]) -> str:
    """The stream in which one of these entries found its place taken; those before it stand in this transaction."""
    if conn.dialect.name != "sqlite":  # the transaction answers no more
        return "?"
    ours = {(stream, seq): mac for stream, seq, *_, mac in added}
    found = rows.select_by_keys(conn, _PLACES, ("stream", "stream_seq"), sorted(ours))
    return str(next((row.stream for row in found if row.mac != ours[row.stream, row.stream_seq]), "?"))


_PLACES = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.mac)


def _taken(stream: str) -> CallerError:
    return CallerError("log_place_taken", stream=stream)


Collected = list[tuple[datetime, Recorded]]
"""Entries in the order written, each with its time."""


def collecting(conn: Connection) -> Collected:
    """A list that from now on gets every entry that trails write on this connection: for receipts.

    Only where few are written: it grows with them.
    """
    collected: Collected = []
    conn.execution_options(**{_COLLECTED: collected})  # in place
    return collected


def change_of(collected: Collected) -> ReceiptedChange | None:
    """The change that these entries are; none where nothing was written."""
    if not collected:
        return None
    return ReceiptedChange(utc_text(max(at for at, _ in collected)), tuple(entry for _, entry in collected))


def locked_head(conn: Connection, stream: str) -> StreamHead:
    """The end of a stream whose head lies in `streams`, held until the transaction ends."""
    rows.insert_many(conn, streams, [(stream, _DAWN, 0, b"")], _HEAD, skip_existing=True)
    row = conn.execute(sa.select(streams).where(streams.c.stream == stream).with_for_update()).one()
    return StreamHead(row.audit_seq, bytes(row.audit_head), row.last_entry_at)


_BEGUN = sa.select(streams.c.stream)
_HEAD = ("stream", "last_entry_at", "audit_seq", "audit_head")


def locked_heads(conn: Connection, wanted: Collection[str]) -> dict[str, StreamHead]:
    """The same of many streams, in one order whoever asks."""
    inorder = sorted(wanted)
    begun = {row.stream for row in rows.select_by_keys(conn, _BEGUN, "stream", inorder)}
    fresh = [(name, _DAWN, 0, b"") for name in inorder if name not in begun]
    rows.insert_many(conn, streams, fresh, _HEAD, skip_existing=True)
    return _heads(rows.select_by_keys(conn, streams, "stream", inorder, lock="wait"))


def ask_heads(conn: Connection, wanted: Iterable[str]) -> Callable[[], dict[str, StreamHead]]:
    """The ends of streams that the caller holds by a lock of their own, in two steps as `rows.ask_by_keys`.

    Those that have not begun are left out.
    """
    asked = rows.ask_by_keys(conn, streams, "stream", sorted(wanted))
    return lambda: _heads(asked())


def _heads(found: Sequence[Any]) -> dict[str, StreamHead]:
    return {row.stream: StreamHead(row.audit_seq, bytes(row.audit_head), row.last_entry_at) for row in found}


def wait_for_heads(conn: Connection, wanted: Collection[str]) -> None:
    """Until nobody else holds these streams, holding nothing meanwhile nor afterwards.

    For who needs more than streams: whatever they took first, others would wait for behind them.
    """
    if conn.dialect.name == "sqlite":  # the writer holds the database
        return
    seen = conn.begin_nested()
    try:
        locked_heads(conn, wanted)
    finally:
        seen.rollback()


def put_heads(conn: Connection, heads: Mapping[str, StreamHead], *, fresh: Collection[str] = ()) -> None:
    """Where these streams end now; the caller holds them. `fresh`: those that have just begun."""
    changed = [(stream, head.recorded_at, head.seq, head.leaf_hash) for stream, head in heads.items()]
    rows.insert_many(conn, streams, [row for row in changed if row[0] in fresh], _HEAD)
    rows.update_many(conn, streams, "stream", [row for row in changed if row[0] not in fresh], _HEAD[1:])


def held_head(conn: Connection, stream: str, *, locked: bool = True) -> StreamHead | None:
    """The same of a stream that has begun; none where it has not, and nothing is held then, nor unless `locked`."""
    wanted = sa.select(streams).where(streams.c.stream == stream)
    row = conn.execute(wanted.with_for_update() if locked else wanted).one_or_none()
    return None if row is None else StreamHead(row.audit_seq, bytes(row.audit_head), row.last_entry_at)


def opening_cell(stream: str, seq: int, field: str) -> str:
    """Where an opening lies."""
    return cell(openings.name, field, str(seq), stream)


_OPENINGS = sa.select(openings, opening_keys.c.wrapped).select_from(
    openings.outerjoin(opening_keys, opening_keys.c.subject == openings.c.subject)
)


def read_openings_at(
    conn: Connection, vault: Vault, places: Collection[tuple[str, int]], field: str
) -> dict[tuple[str, int], str]:  # fmt: skip
    """The committed text `field` of entries of many streams, by stream and number; erased ones are left out."""
    keys = ("stream", "stream_seq", "field")
    found = rows.select_by_keys(conn, openings, keys, sorted((*place, field) for place in places))
    sealers = keys_of(conn, vault, sorted({row.subject for row in found if row.subject is not None}))
    texts = {}
    for row in found:
        sealer = vault if row.subject is None else sealers.get(row.subject)
        if sealer is not None:
            cell_of = opening_cell(row.stream, row.stream_seq, row.field)
            texts[row.stream, row.stream_seq] = str(json.loads(sealer.open(cell_of, bytes(row.sealed)))["value"])
    return texts


class Opened(NamedTuple):
    """What a commitment hides: its salt (32 bytes in hex) and the text."""

    salt: str
    value: str


def read_openings(conn: Connection, vault: Vault, stream: str, numbers: Sequence[int]) -> dict[tuple[int, str], str]:
    """The committed texts of these entries of a stream, by (stream_seq, field); erased ones are left out."""
    return {place: opened.value for place, opened in opened_with_salts(conn, vault, stream, numbers).items()}


def opened_with_salts(
    conn: Connection, vault: Vault, stream: str, numbers: Sequence[int]
) -> dict[tuple[int, str], Opened]:
    """As `read_openings`, with what makes the commitments."""
    if not numbers:
        return {}
    wanted = _OPENINGS.where(openings.c.stream == stream, openings.c.stream_seq.in_(sorted(numbers)))
    found = {}
    for row in conn.execute(wanted):
        sealer = opener(vault, row.subject, row.wrapped)
        opened = json.loads(sealer.open(opening_cell(stream, row.stream_seq, row.field), bytes(row.sealed)))
        found[row.stream_seq, row.field] = Opened(opened["salt"], opened["value"])
    return found
