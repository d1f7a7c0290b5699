"""What a case's dossier shows: entries that stand in the log, and that none of the case is missing (decision 0019).

Pure. With the log's verifier key it convinces without a database, a network or the time of day. What it shows:
every entry given is in the tree of the signed checkpoint; those in `entries` are all that the case had in the tree of
the first `size` leaves, as the log itself stated in an entry of its own (`heads`); those in `later` came after, and
nothing says that they are all; nor of those in `list_acts`, which are no entries of the case but acts on its tasks
(`tasks:…`), each naming the case. What it cannot show: that the log's statement was itself true. Whoever has the whole
log makes that root again (`casework.log.format.case_heads`).
"""

import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from casework.log.check.findings import Report
from casework.log.format import checkpoint, note, tree
from casework.log.format.case_heads import MalformedStatement, Statement, head_hash, statement_of
from casework.log.format.chain import HASH_BYTES, commit, follows, leaf_hash
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.dossier import Disclosed, Dossier, MalformedDossier, ProvenEntry, parse
from casework.log.format.entry import MAX_INT, Entry, MalformedEntry, decode_strict
from casework.log.format.note import LogKey, UnverifiedNote
from casework.log.format.proof import MAX_HASHES
from casework.log.format.tree import Faulty, ProofRefused

_LISTS: Final = "tasks"


@dataclass(slots=True)
class Shown:
    """What a dossier shows and what was found wrong with it.

    `complete`: entries that are all of the case as of `statement`; `later`: those after it. Both mean something only
    where `report` found nothing. `leaf_indexes`: where the one and then the other are in the tree. `list_acts`: what
    was done with tasks about it, oldest first, as many as were given.
    """

    report: Report = field(default_factory=Report)
    case: int | None = None
    checkpoint: Checkpoint | None = None
    statement: Statement | None = None
    complete: list[Entry] = field(default_factory=list)
    later: list[Entry] = field(default_factory=list)
    list_acts: list[Entry] = field(default_factory=list)
    leaf_indexes: list[int] = field(default_factory=list)
    opened: dict[tuple[int, str], str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        signed, stated = self.checkpoint, self.statement
        return {
            "case": self.case, "origin": signed.origin if signed else None, "size": signed.size if signed else None,
            "complete_as_of": {"day": stated.day, "size": stated.size, "cases": stated.cases} if stated else None,
            "complete": len(self.complete), "later": len(self.later), "list_acts": len(self.list_acts),
            "opened": len(self.opened),
            **self.report.as_json(),
        }  # fmt: skip


def read_dossier(data: bytes, keys: Sequence[LogKey], trusted: Checkpoint | None = None) -> Shown:
    """Verify a dossier with the log's keys, which must have come another way than the dossier.

    `trusted`: a checkpoint that the reader holds; it must be of the size that the dossier was asked for (`since`) or of
    its own checkpoint's, else it cannot be compared, which is a doubt. Doubts too, and so no verdict but cannot_tell:
    bytes that are no dossier, no keys.
    """
    shown = Shown()
    try:
        document = parse(data)
    except MalformedDossier as fault:
        shown.report.doubt("dossier_malformed", fault=fault.code)
        return shown
    _Reading(document, shown).run(keys, trusted)
    return shown


class _Read(NamedTuple):
    """An entry whose bytes are in the one form."""

    leaf_index: int
    entry: Entry
    leaf: bytes


class _Reading:
    """One dossier, looked at from top to bottom; what cannot be looked at any more is left out and has a finding."""

    def __init__(self, document: Dossier, shown: Shown) -> None:
        self.document = document
        self.shown = shown
        self.report = shown.report
        self.stream = f"case:{document.case}"

    def run(self, keys: Sequence[LogKey], trusted: Checkpoint | None) -> None:
        """Checkpoint, entries, statement, head, openings."""
        if not 1 <= self.document.case <= MAX_INT:
            self.report.find("entry_of_another_case", case=self.document.case)
            return
        self.shown.case = self.document.case
        signed = self.shown.checkpoint = self._checkpoint(keys)
        if signed is None:
            return
        if trusted is not None:
            self._compare(signed, trusted)
        before = [self._entry(one, signed) for one in self.document.entries]
        later = [self._entry(one, signed) for one in self.document.later]
        whole = [one for one in (*before, *later) if one is not None]
        self._chain(whole)
        self._statement(signed, before, later)
        self.shown.complete = [one.entry for one in before if one is not None]
        self.shown.later = [one.entry for one in later if one is not None]
        self.shown.leaf_indexes = [one.leaf_index for one in whole]
        self._openings({one.entry.stream_seq: one.entry for one in whole})
        self.shown.list_acts = list(self._list_acts(signed))
        self.report.streams, self.report.cases = 1 + len({one.stream for one in self.shown.list_acts}), 1
        self.report.entries = len(whole) + len(self.shown.list_acts)

    # --- the checkpoint

    def _checkpoint(self, keys: Sequence[LogKey]) -> Checkpoint | None:
        try:
            read = note.parse(self.document.checkpoint.encode())
            signed = checkpoint.parse(read.text)
        except (Faulty, UnicodeEncodeError) as fault:
            code = fault.code if isinstance(fault, Faulty) else "not_utf8"
            self.report.find("checkpoint_malformed", fault=code)
            return None
        self.report.checkpoints = 1
        if signed.origin != self.document.origin:
            self.report.find("checkpoint_other_log", says=self.document.origin, signed=signed.origin)
            return None
        own = [key for key in keys if key.name == signed.origin]
        if not own:  # no key at all, or those of another log
            if keys:
                self.report.find("checkpoint_key_unknown", size=signed.size)
            else:
                self.report.doubt("log_keys_missing")
            return signed
        try:
            note.verified(read, own)
        except UnverifiedNote as fault:
            unknown = fault.code == "no_known_signature"
            self.report.find("checkpoint_key_unknown" if unknown else "checkpoint_signature_wrong", size=signed.size)
        return signed

    def _compare(self, signed: Checkpoint, trusted: Checkpoint) -> None:
        """Whether the log signed begins with the one that the reader holds."""
        since = self.document.since
        same = trusted.size == signed.size
        if trusted.origin != signed.origin:
            self.report.find("trusted_other_log", signed=signed.origin, held=trusted.origin)
            return
        if not same and (since is None or since.size != trusted.size):
            self.report.doubt("trusted_of_another_size", signed=signed.size, held=trusted.size)
            return
        try:
            hashes = [] if same or since is None else _hashes(since.proof)
            tree.verify_consistency(trusted.size, signed.size, hashes, trusted.root, signed.root)
        except ProofRefused as fault:
            self.report.find("trusted_root_differs", size=trusted.size, fault=fault.code)
        else:
            self.report.trust = "trusted_checkpoint"

    # --- entries

    def _entry(self, given: ProvenEntry, signed: Checkpoint, stream: str | None = None) -> _Read | None:
        """The entry if its bytes are one and its stream is the one wanted; its proof is looked at in any case."""
        body = given.body.encode("utf-8", "surrogatepass")
        leaf = leaf_hash(body)
        wanted = stream or self.stream
        try:
            hashes = _hashes(given.proof)
            tree.verify_inclusion(given.leaf_index, signed.size, leaf, hashes, signed.root)
        except ProofRefused as fault:
            self.report.find("proof_refused", wanted, fault=fault.code, leaf_index=given.leaf_index)
        self.report.leaves += 1
        self.report.body_bytes += len(body)
        try:
            entry = decode_strict(body)
        except MalformedEntry as fault:
            self.report.find("body_malformed", wanted, fault=fault.code, leaf_index=given.leaf_index)
            return None
        if stream is None and entry.stream != self.stream:
            self.report.find("entry_of_another_case", entry.stream, entry.stream_seq)
            return None
        return _Read(given.leaf_index, entry, leaf)

    def _chain(self, whole: Sequence[_Read]) -> None:
        """From the first entry on without a hole, each linked to the one before it and sealed after it."""
        leaf, seq, at, index = None, 0, None, -1
        for one in whole:
            code = follows(leaf, seq, one.entry, prev_recorded_at=at)
            if code is not None:
                self.report.find(code, self.stream, one.entry.stream_seq)
            if one.leaf_index <= index:
                self.report.find("leaf_order", self.stream, one.entry.stream_seq, leaf_index=one.leaf_index)
            leaf, seq, at, index = one.leaf, one.entry.stream_seq, one.entry.recorded_at, one.leaf_index
        if whole:
            times = [one.entry.recorded_at for one in whole]
            self.report.first_recorded_at, self.report.last_recorded_at = min(times), max(times)

    def _list_acts(self, signed: Checkpoint) -> Iterator[Entry]:
        """Each in the tree, about this case, none twice; no chain binds them, for a task's stream has its own."""
        index = -1
        for given in self.document.list_acts:
            read = self._entry(given, signed, _LISTS)
            if read is None:
                continue
            one = read.entry
            if not one.stream.startswith(f"{_LISTS}:") or one.data.get("case") != self.document.case:
                self.report.find("entry_of_another_case", one.stream, one.stream_seq)
                continue
            if read.leaf_index <= index:
                self.report.find("leaf_order", one.stream, one.stream_seq, leaf_index=read.leaf_index)
            index = read.leaf_index
            yield one

    # --- that they are all

    def _statement(self, signed: Checkpoint, before: Sequence[_Read | None], later: Sequence[_Read | None]) -> None:
        heads = self.document.heads
        read = self._entry(heads.entry, signed, "log")
        if read is None:
            return
        try:
            stated = statement_of(read.entry)
        except MalformedStatement as fault:
            self.report.find("case_heads_malformed", read.entry.stream, read.entry.stream_seq, fault=fault.code)
            return
        self.shown.statement = stated
        at = (read.entry.stream, read.entry.stream_seq)
        if stated.size > read.leaf_index:
            self.report.find("case_heads_differ", *at, size=stated.size, stands_at=read.leaf_index)
        for one in before:
            if one is not None and one.leaf_index >= stated.size:
                self.report.find("entry_not_covered", self.stream, one.entry.stream_seq, size=stated.size)
        for one in later:
            if one is not None and one.leaf_index < stated.size:
                self.report.find("head_passed_over", self.stream, one.entry.stream_seq, size=stated.size)
        head = before[-1]
        if head is None:
            return  # it has its finding
        leaf = head_hash(self.document.case, head.entry.stream_seq, head.leaf)
        try:
            tree.verify_inclusion(heads.index, stated.cases, leaf, _hashes(heads.proof), stated.root)
        except ProofRefused as fault:
            self.report.find("head_not_stated", self.stream, head.entry.stream_seq, fault=fault.code)

    # --- what was committed

    def _openings(self, entries: dict[int, Entry]) -> None:
        for one in self.document.openings:
            entry = entries.get(one.seq)
            if entry is None or one.field not in entry.personal or (one.seq, one.field) in self.shown.opened:
                self.report.find("opening_unannounced", self.stream, one.seq, fields=[one.field])
            elif not _opens(one, entry.personal[one.field]):
                self.report.find("opening_wrong", self.stream, one.seq, field=one.field)
            else:
                self.shown.opened[one.seq, one.field] = one.value
            self.report.openings += 1


def _opens(opening: Disclosed, commitment: str) -> bool:
    try:
        salt = bytes.fromhex(opening.salt)
        return salt.hex() == opening.salt and commit(salt, opening.field, opening.value) == commitment
    except ValueError:  # MalformedEntry is one
        return False


def _hashes(texts: Sequence[str]) -> list[bytes]:
    """ProofRefused `malformed_hash`, `too_many_hashes` unless these are hashes in the one form of base64."""
    if len(texts) > MAX_HASHES:
        raise ProofRefused("too_many_hashes")
    try:
        hashes = [note.from_base64(text) for text in texts]
    except (ValueError, binascii.Error):
        raise ProofRefused("malformed_hash") from None
    if any(len(found) != HASH_BYTES for found in hashes):
        raise ProofRefused("malformed_hash")
    return hashes
