"""An insider with the right key: rewrites an entry, and seals the chain behind it anew."""

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.format.chain import seal_entry
from casework.log.format.entry import Entry, decode_strict
from casework.log.tables import entries, streams
from casework.work.cases.tables import cases
from tests.log.built_log import change_entry

Change = Callable[[Entry], dict[str, Any]]


def reseal(conn: Connection, mac_key: bytes, stream: str, event: str, change: Change) -> None:
    """Rewrite the first `event` of `stream`; the head follows, in the row of a case or in `streams`."""
    wanted = sa.select(entries).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
    prev, changed = None, False
    for row in conn.execute(wanted).all():
        entry = decode_strict(bytes(row.body))
        values: dict[str, Any] = {"prev": prev}
        if entry.event == event and not changed:
            values |= change(entry)
            changed = True
        entry = msgspec.structs.replace(entry, **values)
        sealed = seal_entry(entry, mac_key)
        copies = {"event": entry.event, "actor_id": entry.actor.id, "reason_code": entry.reason_code}
        change_entry(conn, stream, row.stream_seq, **copies, **sealed._asdict())
        prev = sealed.leaf_hash.hex()
    assert changed, f"there is no {event} in {stream}"
    head = {"audit_head": bytes.fromhex(str(prev))}
    kind, _, number = stream.partition(":")
    of_case = cases.update().where(cases.c.id == int(number)) if kind == "case" else None
    conn.execute((streams.update().where(streams.c.stream == stream) if of_case is None else of_case).values(head))
