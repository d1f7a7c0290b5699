"""A receipt with each change: the header `Receipt`, signed after the commit; and the wait for a signed checkpoint.

Whoever changes something says so with `tell_recorded`; the edge then adds the headers, so that every route answers the
same way. Signing is deterministic: an answer that is repeated for an idempotency key carries the same receipt.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final

from litestar import Request
from sqlalchemy.engine import Connection

from api.awaiting import Awaiting
from api.logs import log
from api.metrics import Metrics
from casework.log.format.receipt import ReceiptedChange
from casework.log.write.receipt_keys import ReceiptKey
from casework.log.write.trail import Collected, change_of, collecting
from casework.settings import Settings

MAX_IN_HEADER: Final = 20
"""Entries; more would not fit into what proxies let through. `GET /log/receipt/{entry_id}` gives them one by one."""
RECEIPT: Final = b"receipt"
OMITTED: Final = b"receipt-omitted"
_RECORDED: Final = "recorded"


class Receipts:
    """Makes the headers of changes; without a key for receipts changes go on, and log and metrics tell."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.key = ReceiptKey(settings.keys_dir)
        self._metrics = metrics
        self._is_missing = False

    def headers(self, change: ReceiptedChange) -> list[tuple[bytes, bytes]]:
        """`Receipt`, or `Receipt-Omitted` with the number of entries where they are too many; none without a key."""
        if len(change.entries) > MAX_IN_HEADER:
            return [(OMITTED, str(len(change.entries)).encode())]
        signer = self.key.signer()
        if (signer is None) != self._is_missing:
            self._is_missing = signer is None
            log().error("receipts", missing=self._is_missing)
        if signer is None:
            self._metrics.receipts_missing.inc()
            return []
        return [(RECEIPT, base64.b64encode(signer.sign(change)))]


async def headers_of(
    state: dict[str, Any], receipts: Receipts, awaiting: Awaiting, wait_s: int | None
) -> list[tuple[bytes, bytes]]:
    """What the answer says of what was recorded: its receipt and, where that was asked for, where it is sealed."""
    change: ReceiptedChange | None = state.get(_RECORDED)
    if change is None:
        return []
    headers = receipts.headers(change)
    if wait_s is None:
        return headers
    size = await awaiting.sealed([entry.entry_id for entry in change.entries], wait_s)
    if size is None:
        return headers
    return [*headers, (b"preference-applied", b"sealed"), (b"sealed-in", str(size).encode())]


def tell_recorded(request: Request[Any, Any, Any], change: ReceiptedChange | None) -> None:
    """Say what a request has changed, once it is committed; none: nothing."""
    if change is not None:
        request.scope["state"][_RECORDED] = change


class Recording:
    """What one transaction of a request writes; `tell` it after the commit."""

    def __init__(self, request: Request[Any, Any, Any], conn: Connection) -> None:
        self._request = request
        self._collected: Collected = collecting(conn)

    def tell(self) -> None:
        """The transaction has been committed."""
        tell_recorded(self._request, change_of(self._collected))


def shared_out(collected: Collected, firsts: Sequence[Sequence[str | None]]) -> list[ReceiptedChange | None]:
    """Which entries of a shared transaction are whose.

    `firsts`: for each job, for each of its commands, the entry that its outcome names, "" where it has written one that
    could not be named (a refused opening), None where it has written none. What follows a named entry in the log and
    is named by nobody belongs to it: the change of owner after a step.
    """
    owner = {entry_id: number for number, names in enumerate(firsts) for entry_id in names if entry_id}
    unnamed = [number for number, names in enumerate(firsts) for entry_id in names if entry_id == ""]
    parts: list[Collected] = [[] for _ in firsts]
    present: int | None = None
    for at, entry in collected:
        if entry.entry_id.startswith("openings:"):
            present = unnamed.pop(0) if unnamed else None
        else:
            present = owner.get(entry.entry_id, present)
        if present is not None:
            parts[present].append((at, entry))
    return list(map(change_of, parts))
