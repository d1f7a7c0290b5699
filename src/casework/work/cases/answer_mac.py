"""The MAC of a stored answer: over whose it is, what was asked, when, and all of what is answered again."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.log.check.findings import Report
from casework.log.format.chain import keyed
from casework.log.stored import as_stored
from casework.work.cases.tables import idempotency

_KIND: Final = "answer"
_COLUMNS: Final = ("actor_id", "key", "request_hash", "status", "answer", "created_at", "mac")
_AT_ONCE: Final = 500


def answer_mac(
    mac_key: bytes, actor_id: str, key: str, request_hash: bytes, status: int, answer: bytes, created_at: datetime | str
) -> bytes:
    """32 bytes; `created_at` as an instant or as `clock.utc_text` writes it."""
    at = created_at if isinstance(created_at, str) else utc_text(created_at)
    texts = (text.encode() for text in (actor_id, key, str(status), at))
    return keyed(mac_key, _KIND, *texts, request_hash, answer)


def check_answers(conn: Connection, mac_key: bytes, report: Report) -> None:
    """Find stored answers that this service did not store so (`answer_changed`), by whose they are."""
    wanted = as_stored(idempotency, _COLUMNS, conn.dialect.name)
    for batch in conn.execute(wanted, execution_options={"yield_per": _AT_ONCE}).partitions():
        for row in batch:
            if not _holds(mac_key, tuple(row)):
                report.find("answer_changed", f"staff:{row.actor_id}", table=idempotency.name)


def _holds(mac_key: bytes, row: tuple[Any, ...]) -> bool:
    *parts, mac = row
    try:
        actor_id, key, request_hash, status, answer, created_at = parts
        expected = answer_mac(mac_key, actor_id, key, bytes(request_hash), status, bytes(answer), created_at)
        return expected == bytes(mac)
    except (TypeError, ValueError, AttributeError):  # a value that is not of its column's kind
        return False


__all__ = ["answer_mac", "check_answers"]
