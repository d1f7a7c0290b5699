"""Receipts: handed to whoever made a change, so that an entry which is later missing convicts the service. Pure.

A signed note (C2SP signed-note, key kind 0x01) under a key of its own, `<origin>/receipts`, never the log's. Its text:

    casework/audit/v1/receipt
    <origin of the log>
    <recorded_at, the latest of its entries>
    <entry id> <leaf hash in base64>        one line per entry of the change, in the order they were written

Its first line is no log's origin (`signer.new_key`), so a receipt never passes for a checkpoint (docs/log.md §§3, 4).
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from casework.log.format import note
from casework.log.format.chain import HASH_BYTES
from casework.log.format.checkpoint import MAX_ORIGIN_BYTES
from casework.log.format.entry import STREAM
from casework.log.format.note import (
    LogKey,
    LogSigner,
    Signature,
    SignedNote,
)
from casework.log.format.tree import Faulty

LABEL: Final = "casework/audit/v1/receipt"
LABELS: Final = "casework/audit/v1/"
"""What everything begins with that this service signs or hashes and that is no checkpoint (docs/log.md §3)."""
NAME_ENDING: Final = "/receipts"
MAX_ENTRIES: Final = 2_000

_is_entry_id = re.compile(rf"{STREAM}:[1-9][0-9]{{0,15}}").fullmatch
_is_instant = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z").fullmatch


class MalformedReceipt(Faulty):
    """A note text that is no receipt.

    `code` is one of malformed_lines, wrong_label, malformed_origin, malformed_time, no_entries, too_many_entries,
    malformed_entry_id, malformed_leaf, doubled_entry, wrong_signer.
    """


class Recorded(NamedTuple):
    """An entry that was written: its id and its leaf hash (32 bytes)."""

    entry_id: str
    leaf: bytes


class ReceiptedChange(NamedTuple):
    """The entries of one change, in the order written, and the latest of their times, as `clock.utc_text` has it."""

    recorded_at: str
    entries: tuple[Recorded, ...]


class Receipt(NamedTuple):
    """That the log named `origin` was given these entries."""

    origin: str
    recorded_at: str
    entries: tuple[Recorded, ...]

    @property
    def text(self) -> str:
        """The text to sign; MalformedReceipt when these are no receipt."""
        text = text_of(self.origin, self.recorded_at, self.entries)
        if parse_text(text) != self:
            raise MalformedReceipt("malformed_lines")
        return text

    def signed(self, signer: LogSigner) -> bytes:
        """The receipt as a note; MalformedReceipt also where the signer is not the log's for receipts."""
        if signer.name != self.origin + NAME_ENDING:
            raise MalformedReceipt("wrong_signer")
        return SignedNote(self.text, (signer.sign(self.text),)).encode()


class SignedReceipt(NamedTuple):
    """A receipt and the key that has signed it."""

    receipt: Receipt
    key: LogKey


def text_of(origin: str, recorded_at: str, entries: Iterable[Recorded]) -> str:
    """The text of a receipt whose parts are known to be right."""
    lines = [f"{entry_id} {note.to_base64(leaf)}\n" for entry_id, leaf in entries]
    return f"{LABEL}\n{origin}\n{recorded_at}\n{''.join(lines)}"


def parse_text(text: str) -> Receipt:
    """The receipt whose text is exactly `text`; MalformedReceipt for every other text."""
    label, *lines = text.split("\n")
    if label != LABEL:
        raise MalformedReceipt("wrong_label")
    if len(lines) < 3 or lines.pop():
        raise MalformedReceipt("malformed_lines")
    origin, recorded_at, *rest = lines
    if not origin or len(origin.encode()) > MAX_ORIGIN_BYTES:
        raise MalformedReceipt("malformed_origin")
    if not _is_time(recorded_at):
        raise MalformedReceipt("malformed_time")
    if not rest:
        raise MalformedReceipt("no_entries")
    if len(rest) > MAX_ENTRIES:
        raise MalformedReceipt("too_many_entries")
    entries = tuple(map(_parse_entry, rest))
    if len({entry.entry_id for entry in entries}) < len(entries):
        raise MalformedReceipt("doubled_entry")
    return Receipt(origin, recorded_at, entries)


def parse_receipt(data: bytes) -> Receipt:
    """The receipt in the note `data`, whoever signed it; MalformedNote or MalformedReceipt for every other bytes."""
    return parse_text(note.parse(data).text)


def open_receipt(data: bytes, keys: Sequence[LogKey]) -> SignedReceipt:
    """The receipt in a note, if the receipt key of its log is among `keys` and has signed it.

    MalformedNote, MalformedReceipt or UnverifiedNote when it is not so.
    """
    signed = note.parse(data)
    receipt = parse_text(signed.text)
    own = [key for key in keys if key.name == receipt.origin + NAME_ENDING]
    (key, _), *_ = note.verified(signed, own)
    return SignedReceipt(receipt, key)


def _is_time(text: str) -> bool:
    try:
        return _is_instant(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _parse_entry(line: str) -> Recorded:
    entry_id, _, encoded = line.partition(" ")
    if not _is_entry_id(entry_id):
        raise MalformedReceipt("malformed_entry_id")
    try:
        leaf = note.from_base64(encoded)
    except ValueError:
        raise MalformedReceipt("malformed_leaf") from None
    if len(leaf) != HASH_BYTES:
        raise MalformedReceipt("malformed_leaf")
    return Recorded(entry_id, leaf)


class ReceiptSigner:
    """Signs one receipt after another: the key is taken apart once, and texts are trusted to be of this service."""

    def __init__(self, signer: LogSigner) -> None:
        """MalformedReceipt unless the signer is named as a log's key for receipts is."""
        if not signer.name.endswith(NAME_ENDING) or signer.name == NAME_ENDING:
            raise MalformedReceipt("wrong_signer")
        self.origin = signer.name.removesuffix(NAME_ENDING)
        self.key = signer.key
        self._key_id = self.key.key_id
        self._private = note.private_key(signer.seed)

    def sign(self, change: ReceiptedChange) -> bytes:
        """The receipt of a change as a note; the same bytes each time, since Ed25519 draws no random number."""
        text = text_of(self.origin, change.recorded_at, change.entries)
        signature = Signature(self.key.name, self._key_id, self._private.sign(text.encode()))
        return f"{text}\n{signature.line}".encode()
