"""What witnesses have signed of our checkpoints: taken in once, kept apart, put behind a checkpoint that is given out.

A row of `checkpoints` never changes, so a cosignature is a row of its own. Nothing is believed for standing there: each
line is verified again before it is served and when the log is (docs/log.md §4; decision 0018).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.format import checkpoint, note
from casework.log.format.checkpoint import Checkpoint, WitnessKey, cosigned_at
from casework.log.format.note import Signature, SignedNote
from casework.log.format.times import CLOCKS_DIFFER_S
from casework.log.format.tree import Faulty
from casework.log.tables import checkpoints, cosignatures, logs
from casework.log.write.grown import Log, PublishedTree
from casework.storage import rows

_COLUMNS: Final = ("log", "size", "witness", "line", "cosigned_at", "received_at")
_LOOKED_AT: Final = 64
"""Cosigned sizes, newest first, among which one with a good cosignature is looked for: forged rows cost no more."""


class CosignaturesTaken(NamedTuple):
    """A cosignature that is on file now, `new` or already before."""

    log: Log
    size: int
    witness: WitnessKey
    at: int
    new: bool


def take_in(conn: Connection, data: bytes, witnesses: Sequence[WitnessKey], at: datetime) -> list[CosignaturesTaken]:
    """Keep the cosignatures of known witnesses in the cosigned checkpoint `data`, received now, at `at`.

    A repeat changes nothing, also one with another time. CallerErrors: `malformed_note`; `unknown_checkpoint` where no
    log of ours has published that size; `checkpoint_differs` where it has another root; `witness_unknown`;
    `cosignature_wrong`; `cosigned_time_off` for a time before the checkpoint was published, or that has not come.
    """
    read, signed = _read(data)
    log, published_at = _published(conn, signed)
    found = _verified(read, witnesses)
    taken = []
    for key, signature in found:
        seconds = cosigned_at(signature.blob)
        slack = CLOCKS_DIFFER_S
        if not published_at.timestamp() - slack - 1 <= seconds <= at.timestamp() + slack:
            raise CallerError(
                "cosigned_time_off",
                cosigned_at=seconds,
                published_at=int(published_at.timestamp()),
                now=int(at.timestamp()),
            )
        mine = (cosignatures.c.log == log.number, cosignatures.c.size == signed.size)
        there = conn.execute(sa.select(sa.true()).where(*mine, cosignatures.c.witness == key.text)).scalar()
        taken.append(CosignaturesTaken(log, signed.size, key, seconds, not there))
    new = [
        (log.number, signed.size, one.witness.text, signature.line.encode(), one.at, at)
        for one, (_, signature) in zip(taken, found, strict=True)
        if one.new
    ]
    rows.insert_many(conn, cosignatures, new, _COLUMNS, skip_existing=True)  # the same may be handed in twice at once
    return taken


def _read(data: bytes) -> tuple[SignedNote, Checkpoint]:
    try:
        read = note.parse(data)
        return read, checkpoint.parse(read.text)
    except Faulty as fault:
        raise CallerError("malformed_note", fault=fault.code) from None


def _verified(read: SignedNote, witnesses: Sequence[WitnessKey]) -> list[tuple[WitnessKey, Signature]]:
    try:
        return note.verified(read, witnesses)
    except note.UnverifiedNote as fault:
        if fault.code == "signature_wrong":
            raise CallerError("cosignature_wrong") from None
    raise CallerError("witness_unknown")


def _published(conn: Connection, signed: Checkpoint) -> tuple[Log, datetime]:
    at = checkpoints.c
    wanted = sa.select(logs.c.number, at.root, at.published_at).join(logs, logs.c.number == at.log)
    row = conn.execute(wanted.where(logs.c.origin == signed.origin, at.size == signed.size)).one_or_none()
    if row is None:
        raise CallerError("unknown_checkpoint", size=signed.size)
    if bytes(row.root) != signed.root:
        raise CallerError("checkpoint_differs", size=signed.size, here=bytes(row.root).hex(), given=signed.root.hex())
    return Log(row.number, signed.origin), row.published_at


# --- giving them out


def with_cosignatures(conn: Connection, log: Log, found: PublishedTree, witnesses: Sequence[WitnessKey]) -> bytes:
    """The checkpoint's note, the log's signatures first, then those of known witnesses that are right."""
    try:
        read = note.parse(found.note)
    except Faulty:
        return found.note  # whoever reads it will say what is wrong with it
    lines = _good_lines(conn, log, found.size, read.text, witnesses)
    return read.signed_also(*lines).encode() if lines else found.note


def newest_cosigned(conn: Connection, log: Log, witnesses: Sequence[WitnessKey]) -> bytes:
    """The newest checkpoint that a known witness has cosigned; CallerError `no_cosigned_checkpoint`."""
    at = cosignatures.c
    texts = [key.text for key in witnesses]
    sizes = sa.select(at.size).where(at.log == log.number, at.witness.in_(texts)).distinct().order_by(at.size.desc())
    for size in conn.execute(sizes.limit(_LOOKED_AT)).scalars():
        held = checkpoints.c
        wanted = sa.select(held.size, held.root, held.note).where(held.log == log.number, held.size == size)
        row = conn.execute(wanted).one_or_none()
        if row is None:
            continue
        found = PublishedTree(row.size, bytes(row.root), bytes(row.note))
        data = with_cosignatures(conn, log, found, witnesses)
        if data != found.note:
            return data
    raise CallerError("no_cosigned_checkpoint")


def _good_lines(conn: Connection, log: Log, size: int, text: str, witnesses: Sequence[WitnessKey]) -> list[Signature]:
    at = cosignatures.c
    wanted = sa.select(at.line).where(at.log == log.number, at.size == size).order_by(at.received_at, at.witness)
    found = []
    for line in conn.execute(wanted).scalars():
        good = read_line(bytes(line), text, witnesses)
        if good is not None:
            found.append(good[1])
    return found


def read_line(line: bytes, text: str, witnesses: Sequence[WitnessKey]) -> tuple[WitnessKey, Signature] | None:
    """Whose line it is and the signature in it, if it is one of these witnesses' and right for the note text."""
    try:
        read = note.parse(text.encode() + b"\n" + line)
        return note.verified(read, witnesses)[0] if read.text == text else None
    except Faulty:
        return None
