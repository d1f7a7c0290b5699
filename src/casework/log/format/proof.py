"""Proofs as people hand them on (C2SP tlog-proof; consistency as lines of base64), docs/log.md §4. Pure.

A tlog-proof is one text: which leaf, the hashes from it to the root, and the signed checkpoint with that root.
With the log's key, its origin and the entry it convinces without the log.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from casework.log.format import note, tree
from casework.log.format.chain import HASH_BYTES
from casework.log.format.checkpoint import Checkpoint, SignedCheckpoint, Trust
from casework.log.format.tree import MAX_SIZE, Faulty, ProofRefused

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_HASHES: Final = 63  # what a witness must take; no proof in a log of 2^53 leaves needs as many
MAX_EXTRA_BYTES: Final = 65_535
_HASH_TEXT: Final = 44  # characters of a hash in base64
MAX_PROOF_BYTES: Final = note.MAX_NOTE_BYTES + MAX_EXTRA_BYTES * 4 // 3 + MAX_HASHES * (_HASH_TEXT + 1) + 256


class MalformedProof(Faulty):
    """A text that is no proof.

    `code` is one of proof_size, not_utf8, malformed_header, malformed_extra, malformed_index, malformed_hash,
    too_many_hashes, no_checkpoint.
    """


class InclusionProof(NamedTuple):
    """That the log of a signed checkpoint holds leaf `leaf_index`.

    `checkpoint` is the note as the log gave it out; `extra` is what the maker added, proven by nothing.
    """

    leaf_index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        """The text of the proof. ValueError when these are no proof (`parse_inclusion` says why)."""
        head = [HEADER, *([f"extra {note.to_base64(self.extra)}"] if self.extra else []), f"index {self.leaf_index}"]
        data = "\n".join([*head, ""]).encode() + encode_hashes(self.hashes) + b"\n" + self.checkpoint
        if parse_inclusion(data) != self:
            raise ValueError("not a proof")
        return data

    def verify(self, leaf: bytes, trust: Trust) -> SignedCheckpoint:
        """The checkpoint under which `leaf`, a leaf hash, is proven to be in the trusted log.

        ProofRefused when the hashes do not lead to its root; what `Trust.open` raises when the checkpoint is not
        a trusted one.
        """
        signed = trust.open(self.checkpoint)
        tree.verify_inclusion(self.leaf_index, signed.checkpoint.size, leaf, self.hashes, signed.checkpoint.root)
        return signed


def parse_inclusion(data: bytes) -> InclusionProof:
    """The proof whose text is exactly `data`; MalformedProof for every other byte string.

    The checkpoint in it is neither read nor verified here: `InclusionProof.verify` does both.
    """
    if len(data) > MAX_PROOF_BYTES:
        raise MalformedProof("proof_size")
    above, empty_line, checkpoint = data.partition(b"\n\n")
    if not empty_line or not checkpoint or len(checkpoint) > note.MAX_NOTE_BYTES:
        raise MalformedProof("no_checkpoint")
    header, *lines = _text(above).split("\n")
    if header != HEADER:
        raise MalformedProof("malformed_header")
    extra = b""
    if lines and lines[0].startswith("extra"):
        extra = _extra(lines.pop(0))
    if not lines or not lines[0].startswith("index "):
        raise MalformedProof("malformed_index")
    try:
        index = note.from_decimal(lines.pop(0).removeprefix("index "), MAX_SIZE - 1)
    except ValueError:
        raise MalformedProof("malformed_index") from None
    return InclusionProof(index, _hashes(lines), checkpoint, extra)


def _extra(line: str) -> bytes:
    label, _, encoded = line.partition(" ")
    try:
        extra = note.from_base64(encoded)
    except ValueError:
        raise MalformedProof("malformed_extra") from None
    if label != "extra" or not 1 <= len(extra) <= MAX_EXTRA_BYTES:  # nothing extra: the line is left out
        raise MalformedProof("malformed_extra")
    return extra


# --- consistency


def encode_hashes(hashes: Iterable[bytes]) -> bytes:
    """One hash a line, in base64: a consistency proof as a witness takes it."""
    return "".join(f"{note.to_base64(found)}\n" for found in hashes).encode()


def parse_hashes(data: bytes) -> tuple[bytes, ...]:
    """The hashes whose lines are exactly `data`; MalformedProof for every other byte string."""
    if len(data) > MAX_HASHES * (_HASH_TEXT + 1):
        raise MalformedProof("too_many_hashes")
    *lines, after = _text(data).split("\n")
    if after:
        raise MalformedProof("malformed_hash")
    return _hashes(lines)


def verify_consistency(old: Checkpoint, new: Checkpoint, hashes: Sequence[bytes]) -> None:
    """Return only if the log of `new` begins with the log of `old`; ProofRefused when not, or another log.

    Both checkpoints must have been opened with a trusted key before, or the proof proves nothing.
    """
    if old.origin != new.origin:
        raise ProofRefused("other_origin")
    tree.verify_consistency(old.size, new.size, hashes, old.root, new.root)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > MAX_HASHES:
        raise MalformedProof("too_many_hashes")
    try:
        hashes = tuple(map(note.from_base64, lines))
    except ValueError:
        raise MalformedProof("malformed_hash") from None
    if any(len(found) != HASH_BYTES for found in hashes):
        raise MalformedProof("malformed_hash")
    return hashes


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedProof("not_utf8") from None
