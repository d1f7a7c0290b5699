"""Checkpoints, and the cosignatures that give them a time (C2SP tlog-checkpoint, tlog-cosignature/v1). Pure.

A checkpoint says how large the log of one origin was and what its root; the log signs it as a note. A witness
that has checked it against the last one it saw signs it again, with the time, under a key of its own kind: its
signature can never pass for the log's, nor the log's for it (docs/log.md §4).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from casework.log.format import note
from casework.log.format.chain import HASH_BYTES
from casework.log.format.note import (
    SIGNATURE_BYTES,
    LogKey,
    LogSigner,
    NoteKey,
    Signature,
    SignedNote,
    Signer,
    ed25519_matches,
)
from casework.log.format.tree import EMPTY_ROOT, MAX_SIZE, Faulty

MAX_ORIGIN_BYTES: Final = 255  # what other kinds of cosignature can name
MAX_TIME: Final = 2**63 - 1

_TIME: Final = struct.Struct(">Q")


class MalformedCheckpoint(Faulty):
    """A note text that is no checkpoint, or another log's.

    `code` is one of malformed_lines, malformed_origin, malformed_size, malformed_root, other_origin.
    """


class Checkpoint(NamedTuple):
    """The log named `origin` had `size` leaves and this root, 32 bytes; `extensions` are lines that others add.

    Our logs add none, and nothing may be believed for standing in one.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text to sign. MalformedCheckpoint when these are no checkpoint."""
        lines = (self.origin, str(self.size), note.to_base64(self.root), *self.extensions)
        text = "".join(f"{line}\n" for line in lines)
        if parse(text) != self:
            raise MalformedCheckpoint("malformed_lines")
        return text

    def signed(self, *signers: LogSigner) -> bytes:
        """The checkpoint as a note signed by these; two while a key is being replaced."""
        return SignedNote(self.text, tuple(signer.sign(self.text) for signer in signers)).encode()


def parse(text: str) -> Checkpoint:
    """The checkpoint whose text is exactly `text`; MalformedCheckpoint for every other text."""
    *lines, after = text.split("\n")
    if after or len(lines) < 3 or not all(lines):
        raise MalformedCheckpoint("malformed_lines")
    origin, size_text, root_text, *extensions = lines
    if len(origin.encode()) > MAX_ORIGIN_BYTES:
        raise MalformedCheckpoint("malformed_origin")
    try:
        size = note.from_decimal(size_text, MAX_SIZE)
    except ValueError:
        raise MalformedCheckpoint("malformed_size") from None
    try:
        root = note.from_base64(root_text)
    except ValueError:
        raise MalformedCheckpoint("malformed_root") from None
    if len(root) != HASH_BYTES or (size == 0 and root != EMPTY_ROOT):
        raise MalformedCheckpoint("malformed_root")
    return Checkpoint(origin, size, root, tuple(extensions))


# --- cosignatures


def _cosigned_message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


@dataclass(frozen=True, slots=True)
class WitnessKey(NoteKey):
    """A key that signs checkpoints with the time at which it saw them (kind 0x04): a witness's."""

    kind: ClassVar[int] = 0x04

    def signed(self, text: str, blob: bytes) -> bool:
        """Whether `blob` is a time and the Ed25519 signature of that time and `text`."""
        if len(blob) != _TIME.size + SIGNATURE_BYTES or cosigned_at(blob) > MAX_TIME:
            return False
        message = _cosigned_message(text, cosigned_at(blob))
        return ed25519_matches(self.public, message, blob[_TIME.size :])


@dataclass(frozen=True, slots=True)
class Cosigner(Signer):
    """Signs checkpoints with a time (kind 0x04). What it has checked before is the caller's duty."""

    kind: ClassVar[int] = WitnessKey.kind

    @property
    def key(self) -> WitnessKey:
        """Its public half."""
        return WitnessKey(self.name, self.public)

    def cosign(self, checkpoint: Checkpoint, at: int) -> Signature:
        """The cosignature of `checkpoint` as of `at`, in whole seconds since 1970 (POSIX).

        ValueError for a time that the format cannot carry.
        """
        if not 0 <= at <= MAX_TIME:
            raise ValueError("no such time")
        signature = self.ed25519(_cosigned_message(checkpoint.text, at))
        return Signature(self.name, self.key.key_id, _TIME.pack(at) + signature)


def cosigned_at(blob: bytes) -> int:
    """The seconds since 1970 in a cosignature that a witness's key has `signed`."""
    at: int = _TIME.unpack_from(blob)[0]
    return at


# --- opening


class Cosigned(NamedTuple):
    """A witness, and when it saw the checkpoint, in seconds since 1970 by its own clock."""

    witness: WitnessKey
    at: int


class SignedCheckpoint(NamedTuple):
    """A checkpoint that the log has signed: by which of its known keys, and which known witnesses saw it."""

    checkpoint: Checkpoint
    log_keys: tuple[LogKey, ...]
    cosigned: tuple[Cosigned, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose word a reader takes: one log, by its origin and keys, and witnesses of it, perhaps none.

    ValueError without a log key, for keys that cannot be told apart, and for a witness whose key is the log's:
    its time would be the log's own word.
    """

    origin: str
    log_keys: Sequence[LogKey]
    witnesses: Sequence[WitnessKey] = ()

    def __post_init__(self) -> None:
        keys = {(key.name, key.key_id) for key in (*self.log_keys, *self.witnesses)}
        if not self.log_keys or len(keys) < len(self.log_keys) + len(self.witnesses):
            raise ValueError("no log key, or two keys of one name and id")
        if {key.public for key in self.log_keys} & {key.public for key in self.witnesses}:
            raise ValueError("a witness has the log's own key")

    def open(self, data: bytes) -> SignedCheckpoint:
        """The checkpoint in a note, if the trusted log has signed it.

        Every signature of a key known here must be right, and one at least be the log's. MalformedNote,
        MalformedCheckpoint (`other_origin` for another log's) or UnverifiedNote when it is not so.
        """
        signed = note.parse(data)
        checkpoint = parse(signed.text)
        if checkpoint.origin != self.origin:
            raise MalformedCheckpoint("other_origin")
        keys: list[NoteKey] = [*self.log_keys, *self.witnesses]
        found = note.verified(signed, keys)
        log_keys = tuple(key for key, _ in found if isinstance(key, LogKey))
        if not log_keys:
            raise note.UnverifiedNote("no_known_signature")
        cosigned = (Cosigned(key, cosigned_at(one.blob)) for key, one in found if isinstance(key, WitnessKey))
        return SignedCheckpoint(checkpoint, log_keys, tuple(cosigned), data)
