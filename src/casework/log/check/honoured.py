"""Receipts against the log: made for an entry that is there, and asked whether what they promise was kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.format.chain import is_genuine, leaf_hash
from casework.log.format.entry import MalformedEntry, decode_strict
from casework.log.format.note import LogKey
from casework.log.format.receipt import (
    ReceiptedChange,
    Recorded,
    SignedReceipt,
    open_receipt,
)
from casework.log.format.tree import Faulty
from casework.log.tables import (
    entries,
    leaves,
    logs,
    unsealed,
)
from casework.log.write import receipt_keys
from casework.log.write.grown import Log, last_published, present_log

Standing = Literal["included", "not_sealed_yet", "receipt_not_honoured"]
_MANY = 400


class KeptWord(NamedTuple):
    """What became of an entry of a receipt: its leaf, and the size of a signed checkpoint that covers it."""

    entry_id: str
    standing: Standing
    leaf_index: int | None = None
    checkpoint: int | None = None


def change_of_entry(conn: Connection, entry_id: str, mac_key: bytes, *, of_actor: str | None = None) -> ReceiptedChange:
    """An entry that is there, to be receipted; with `of_actor` only one of the actor's own.

    The leaf hash is that of the body, and its MAC holds: nothing is promised that this service did not write.
    CallerErrors `unknown_entry`, `proof_fails`.
    """
    rows = _look(conn, [entry_id])
    row = rows.get(entry_id)
    if row is None or (of_actor is not None and row.actor_id != of_actor):
        raise CallerError("unknown_entry")
    body = bytes(row.body)
    try:
        entry = decode_strict(body)
    except MalformedEntry:
        entry = None
    if entry is None or entry.entry_id != entry_id or not is_genuine(mac_key, body, row.leaf_hash, row.mac):
        raise CallerError("proof_fails", entry_id=entry_id)
    return ReceiptedChange(entry.recorded_at, (Recorded(entry_id, leaf_hash(body)),))


def trusted_keys(conn: Connection, folder: Path) -> list[LogKey]:
    """Keys of receipts: those in the keys folder, and those that a log of this database has announced."""
    keys = dict.fromkeys(receipt_keys.known_keys(folder))
    for number, origin in conn.execute(sa.select(logs.c.number, logs.c.origin)):
        for text in receipt_keys.announced(conn, Log(number, origin)):
            try:
                keys[LogKey.parse(text)] = None
            except Faulty:
                continue
    return list(keys)


def opened(data: bytes, keys: Sequence[LogKey]) -> SignedReceipt:
    """CallerError `receipt_not_trusted`: it is no receipt, or none that one of these keys has signed."""
    try:
        return open_receipt(data, keys)
    except Faulty as fault:
        raise CallerError("receipt_not_trusted", reason=fault.code) from None


def kept(conn: Connection, promised: Sequence[Recorded]) -> list[KeptWord]:
    """Entry by entry whether the present log has what was promised; `conn` is one snapshot.

    An entry that is neither sealed nor waiting to be is as good as gone. A new log, begun after a loss, has to hold
    the entries of the old one: that it does not is what its first leaf states.
    """
    log = present_log(conn)
    published = last_published(conn, log) if log else None
    signed = published.size if published else 0
    found = []
    for start in range(0, len(promised), _MANY):
        part = promised[start : start + _MANY]
        rows = _look(conn, [one.entry_id for one in part], log)
        found += [_standing(one, rows.get(one.entry_id), signed) for one in part]
    return found


def _standing(promised: Recorded, row: Any | None, signed: int) -> KeptWord:
    there = row is not None and leaf_hash(bytes(row.body)) == promised.leaf
    if row is None or not there or (row.leaf_index is None and row.waiting is None):
        return KeptWord(promised.entry_id, "receipt_not_honoured")
    if row.leaf_index is None:
        return KeptWord(promised.entry_id, "not_sealed_yet")
    if bytes(row.sealed_hash) != promised.leaf:
        return KeptWord(promised.entry_id, "receipt_not_honoured", row.leaf_index)
    if row.leaf_index >= signed:
        return KeptWord(promised.entry_id, "not_sealed_yet", row.leaf_index)
    return KeptWord(promised.entry_id, "included", row.leaf_index, signed)


def _look(conn: Connection, entry_ids: Sequence[str], log: Log | None = None) -> dict[str, Any]:
    places = []
    for entry_id in entry_ids:
        stream, _, number = entry_id.rpartition(":")
        if number.isascii() and number.isdecimal() and len(number) <= 16 and len(stream) <= 80 and stream.isprintable():
            places.append((stream, int(number)))
    sealed = (leaves.c.entry == entries.c.id) & (leaves.c.log == (log.number if log else 0))
    wanted = (
        sa.select(
            entries.c.stream, entries.c.stream_seq, entries.c.actor_id, entries.c.body, entries.c.leaf_hash,
            entries.c.mac,
            leaves.c.leaf_index, leaves.c.leaf_hash.label("sealed_hash"), unsealed.c.entry.label("waiting"),
        )
        .select_from(entries.outerjoin(leaves, sealed).outerjoin(unsealed, unsealed.c.entry == entries.c.id))
        .where(sa.tuple_(entries.c.stream, entries.c.stream_seq).in_(places))
    )  # fmt: skip
    return {f"{row.stream}:{row.stream_seq}": row for row in conn.execute(wanted)} if places else {}
