"""Bundles written by hand: a log of any entries, consistent and signed, as an operator with every key could make it."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from casework.clock import utc_text
from casework.evidence.bundle.layout import (
    CHECKPOINT,
    CHECKPOINTS,
    KEYS,
    MANIFEST,
    SCHEMA,
    BundleManifest,
    Scope,
)
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.log.check.findings import Report
from casework.log.format.chain import leaf_hash
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.entry import (
    Entry,
    SignedActor,
    decode_strict,
    encode,
)
from casework.log.format.key_history import BEGUN, RECEIPT_KEY
from casework.log.format.note import LogSigner, SignedNote, parse
from casework.log.format.receipt import NAME_ENDING, Receipt, Recorded
from casework.log.format.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    Tile,
    encode_bundle,
)
from casework.log.format.tree import Range, root_of
from casework.log.write.grown import Growing, Log

ORIGIN = "log.example/forged"
REAL = LogSigner(ORIGIN, bytes(range(32)))
OTHER = LogSigner(ORIGIN, bytes(range(1, 33)))
RECEIPTS = LogSigner(ORIGIN + NAME_ENDING, bytes(range(3, 35)))
_ACTOR = SignedActor("S1", "staff", "api")
_START = datetime(2026, 1, 11, 1, 30, tzinfo=UTC)


def entry(stream: str, seq: int, before: bytes | None, minute: int, **fields: Any) -> Entry:
    """One entry; `before`: the leaf hash of the one before it in its stream."""
    at = utc_text(_START + timedelta(minutes=minute))
    given: dict[str, Any] = {
        "actor": _ACTOR, "chart": None, "data": {"number": minute}, "entry_id": f"{stream}:{seq}", "event": "test.done",
        "from_": None, "occurred_at": at, "personal": {}, "policy": None, "prev": before.hex() if before else None,
        "reason_code": None, "recorded_at": at, "rules": (), "stream": stream, "stream_seq": seq, "to": None,
    }  # fmt: skip
    return Entry(**(given | fields))


def bodies(count: int, streams: int = 7) -> list[bytes]:
    """What a log says of its keys, then entries of streams in turn, a minute apart; `count` in all, at least 2."""
    data = {"origin": ORIGIN, "key": REAL.key.text, "succeeds": None}
    found = [encode(entry("log:1", 1, None, 0, event=BEGUN, data=data))]
    said = {"receipt_key": RECEIPTS.key.text}
    found.append(encode(entry("log:1", 2, leaf_hash(found[0]), 1, event=RECEIPT_KEY, data=said)))
    ends: dict[str, tuple[int, bytes | None]] = {}
    for number in range(2, count):
        stream = f"test:{number * 5 % streams}"
        seq, before = ends.get(stream, (0, None))
        found.append(encode(entry(stream, seq + 1, before, number)))
        ends[stream] = (seq + 1, leaf_hash(found[-1]))
    return found


def relinked(found: Iterable[bytes]) -> list[bytes]:
    """The same entries with numbers and links made to fit: what who rewrites history has to do."""
    ends: dict[str, tuple[int, bytes | None]] = {}
    made = []
    for body in found:
        old = decode_strict(body)
        seq, before = ends.get(old.stream, (0, None))
        new = msgspec.structs.replace(
            old, stream_seq=seq + 1, entry_id=f"{old.stream}:{seq + 1}", prev=before.hex() if before else None
        )
        made.append(encode(new))
        ends[old.stream] = (seq + 1, leaf_hash(made[-1]))
    return made


def changed(body: bytes, **fields: Any) -> bytes:
    """An entry that says something else."""
    return encode(msgspec.structs.replace(decode_strict(body), **fields))


def write(folder: Path, found: Sequence[bytes], signer: LogSigner = REAL, *, earlier: Sequence[int] = ()) -> Path:
    """A whole bundle of exactly these entries; checkpoints of `earlier` sizes lie in it too, none is cosigned."""
    growing = Growing(Log(1, ORIGIN), Range())
    hashes = [leaf_hash(body) for body in found]
    for _, level, number, _, data in growing.add(hashes):
        put(folder, Tile(level, number).path, data)
    for level, partial in enumerate(growing.partial):
        if partial:
            number = (len(found) >> (TILE_HEIGHT * level)) // TILE_WIDTH
            put(folder, Tile(level, number, len(partial)).path, b"".join(partial))
    for at in range(0, len(found), TILE_WIDTH):
        piece = found[at : at + TILE_WIDTH]
        put(folder, Bundle(at // TILE_WIDTH, len(piece)).path, encode_bundle(piece))
    for size in earlier:
        put(folder, f"{CHECKPOINTS}/{size}", signed(found, size, signer))
    put(folder, CHECKPOINT, signed(found, len(found), signer))
    put(folder, KEYS, f"{signer.key.text}\n".encode())
    manifest = BundleManifest(
        SCHEMA, ORIGIN, "2026-01-12T00:00:00.000000Z", len(found), Scope("whole", 0, len(found)), ()
    )
    put(folder, MANIFEST, manifest.encode())
    return folder


def signed(found: Sequence[bytes], size: int, signer: LogSigner = REAL) -> bytes:
    """The checkpoint of the first `size` entries."""
    return Checkpoint(ORIGIN, size, root_of(leaf_hash(body) for body in found[:size])).signed(signer)


def put(folder: Path, path: str, data: bytes) -> None:
    """A file of the bundle."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


@dataclass
class Case:
    """A bundle that an attack may change, and what its reader holds."""

    folder: Path
    bodies: list[bytes]
    held: KeysHeld = field(default_factory=KeysHeld)

    def verify(self, **options: Any) -> Report:
        """What the verification says."""
        return verify_bundle(self.folder, self.held, jobs=1, **options)

    def rewrite(self, found: Sequence[bytes], signer: LogSigner = REAL, **options: Any) -> None:
        """Another log in its place."""
        shutil.rmtree(self.folder)
        write(self.folder, found, signer, **options)

    def edit(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """A file as somebody changed it; it must be another one afterwards."""
        before = (self.folder / path).read_bytes()
        after = change(before)
        assert after != before, path
        (self.folder / path).write_bytes(after)

    def trust(self, size: int) -> None:
        """The reader kept the checkpoint of this size, from before the attack."""
        self.held = KeysHeld(trusted=note_of(signed(self.bodies, size)))


def receipt(body: bytes) -> bytes:
    """What was answered when this entry was written."""
    made = decode_strict(body)
    return Receipt(ORIGIN, made.recorded_at, (Recorded(made.entry_id, leaf_hash(body)),)).signed(RECEIPTS)


def note_of(data: bytes) -> SignedNote:
    """As a reader has it."""
    return parse(data)


def codes(report: Report) -> set[str]:
    """What was found."""
    return {finding.code for finding in report.findings}


def doubts(report: Report) -> set[str]:
    """What could not be told."""
    return {doubt.code for doubt in report.doubts}
