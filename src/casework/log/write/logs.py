"""Where a log begins, where its key changes, and where it ends in a loss: each told by an entry of `log:<number>`.

The first leaf of a log is the entry that says what it is: origin, key and, after a loss, which log it succeeds and
what of that was lost (docs/log.md §2). A change of keys is an entry with the old key's signature (§4).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.errors import CallerError
from casework.log.format import note
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.entry import SignedActor
from casework.log.format.key_history import BEGUN, CHANGED, change_text
from casework.log.format.tiles import MalformedTile
from casework.log.format.tree import EMPTY_ROOT, Range
from casework.log.tables import (
    entries,
    leaves,
    logs,
    unsealed,
)
from casework.log.write import signer
from casework.log.write.grown import (
    Growing,
    Log,
    begun_log,
    present_log,
    root_at,
    size_of,
)
from casework.log.write.signer import SigningKeys
from casework.log.write.trail import Draft, Trail
from casework.storage import rows

PREFIX: Final = "log"
LEAF_COLUMNS: Final = ("log", "leaf_index", "entry", "leaf_hash")
SEAL_LOCK: Final = "hashtext('casework/seal')"


def default_origin(fingerprint: str) -> str:
    """A name that no other branch's log has: of the fingerprint of this branch's own keys."""
    return f"casework/log-{fingerprint}"


def hold_seal(conn: Connection) -> None:
    """Keep every sealer out until the transaction ends; on SQLite the write lock does."""
    if conn.dialect.name != "sqlite":
        conn.execute(sa.text(f"SELECT pg_advisory_xact_lock({SEAL_LOCK})"))


def begin(
    conn: Connection, trail: Trail, actor: SignedActor, keys: SigningKeys, *, succeeds: Mapping[str, Any] | None = None,
    also: Sequence[Draft] = (),
) -> Growing:  # fmt: skip
    """Begin the log of these keys with the entry that says so as leaf 0; the caller's transaction holds the seal.

    The entry's data: origin, verifier key, and `succeeds`: what is known of the log before. `also` are further entries
    of the log's stream, which wait to be sealed as any other.
    """
    before = present_log(conn)
    log = Log(before.number + 1 if before else 1, keys.origin)
    stream = f"{PREFIX}:{log.number}"
    data = {"origin": log.origin, "key": keys.present.key.text, "succeeds": dict(succeeds) if succeeds else None}
    head = trail.append(conn, stream, Draft(BEGUN, actor, data))
    for draft in also:
        trail.append(conn, stream, draft)
    trail.write(conn)
    conn.execute(logs.insert().values(number=log.number, origin=log.origin, begun_at=head.recorded_at))
    at = (entries.c.stream == stream) & (entries.c.stream_seq == head.seq)
    row = conn.execute(sa.select(entries.c.id).where(at)).scalar_one()
    rows.insert_many(conn, leaves, [(log.number, 0, row, head.leaf_hash)], LEAF_COLUMNS)
    rows.delete_many(conn, unsealed, "entry", [row])
    growing = Growing(log, Range())
    growing.add([head.leaf_hash])
    return growing


# --- changing keys


def rotate(conn: Connection, trail: Trail, actor: SignedActor, folder: Path, *, overlap: timedelta) -> SigningKeys:
    """Put a new key in the place of the log's present one; both sign for `overlap`.

    The caller holds the keys folder (`signer.held`) from before the transaction, as the signer does, and commits.

    The files are changed last, before the commit: if that fails, the new key signs unannounced beside the old one,
    and the change can be made again. CallerErrors `log_not_begun`, and as `signer.read_keys`.
    """
    keys = signer.read_keys(folder)
    log = begun_log(conn)
    at = trail.recorded_at
    until = at + overlap
    new = signer.new_key(keys.origin)
    kept = [key for key in keys.keys[:-1] if key.until is not None and at < key.until]
    leaving = signer.SecretKey(keys.keys[-1].secret, until)
    old_key, new_key = keys.present.key, new.signer.key
    signature = keys.present.sign(change_text(log.origin, old_key, new_key, utc_text(until)))
    data = {
        "old_key": old_key.text, "new_key": new_key.text, "both_until": utc_text(until),
        "signature": note.to_base64(signature.blob),
    }  # fmt: skip
    trail.append(conn, f"{PREFIX}:{log.number}", Draft(CHANGED, actor, data))
    trail.write(conn)
    changed = SigningKeys(keys.origin, (*kept, leaving, new))
    signer.write_keys(folder, changed)
    return changed


# --- after a loss


def begin_anew(
    conn: Connection, trail: Trail, actor: SignedActor, folder: Path, origin: str, *, reason_code: str
) -> tuple[SigningKeys, Growing]:
    """Begin a new log, under a new name and key, over everything the database holds.

    The caller holds the keys folder (`signer.held`) from before the transaction, as the signer does, and commits.

    Its first leaf states the last checkpoint that the old log's signer gave out, what of that log is found here, and
    the reason. Every other entry goes back into the queue, and its openings, texts and chains stay what they were.
    CallerErrors `origin_taken`, `origin_malformed`, `signer_memory_malformed`.
    """
    hold_seal(conn)
    taken = {key.name for key in signer.known_keys(folder)}
    if origin in taken or conn.execute(sa.select(logs.c.number).where(logs.c.origin == origin)).scalar():
        raise CallerError("origin_taken", origin=origin)
    remembered, old = signer.read_memory(folder), present_log(conn)
    keys = SigningKeys(origin, (signer.new_key(origin),))
    stated = succession(conn, old, remembered, reason_code)
    growing = begin(conn, trail, actor, keys, succeeds=stated)
    _queue_all(conn, growing.log)
    if remembered is not None:  # set aside, not deleted: an auditor may ask for it
        aside = folder / f"{signer.MEMORY_FILE}.{utc_text(trail.recorded_at).replace(':', '')}"
        (folder / signer.MEMORY_FILE).rename(aside)
    signer.write_keys(folder, keys)
    return keys, growing


def succession(conn: Connection, old: Log | None, remembered: Checkpoint | None, reason_code: str) -> dict[str, Any]:
    """What is known of the old log: its last signed checkpoint, and the tree that the database holds of it now.

    `lost_leaves`: at least so many are gone; more where leaves of another history stand in their place.
    """
    size = size_of(conn, old) if old else 0
    root = _root_at(conn, old, size)
    origin = remembered.origin if remembered else old.origin if old else None
    return {
        "origin": origin, "reason": reason_code,
        "signed_size": remembered.size if remembered else None,
        "signed_root": remembered.root.hex() if remembered else None,
        "found_size": size, "found_root": root.hex() if root else None,
        "lost_leaves": _lost(conn, old, size, remembered) if remembered else None,
    }  # fmt: skip


def _lost(conn: Connection, old: Log | None, size: int, remembered: Checkpoint) -> int:
    if size < remembered.size:
        return remembered.size - size
    return 0 if _root_at(conn, old, remembered.size) == remembered.root else 1


def _root_at(conn: Connection, log: Log | None, size: int) -> bytes | None:
    """None where the tree is damaged."""
    try:
        return root_at(conn, log, size) if log else EMPTY_ROOT
    except MalformedTile:
        return None


def _queue_all(conn: Connection, log: Log) -> None:
    queued = sa.exists().where(unsealed.c.entry == entries.c.id)
    sealed = sa.exists().where(leaves.c.log == log.number, leaves.c.entry == entries.c.id)
    waiting = sa.select(entries.c.id).where(~queued, ~sealed)
    conn.execute(unsealed.insert().from_select(["entry"], waiting))


def overlap_ends(keys: SigningKeys) -> datetime | None:
    """When the present key will sign alone, or none where it does already."""
    ends = [key.until for key in keys.keys if key.until is not None]
    return max(ends) if ends else None
