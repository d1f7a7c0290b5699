"""Reading personal data is itself an entry (audit.md §5): who read which fields, and what for."""

import re
from collections.abc import Iterable

from sqlalchemy.engine import Connection

from casework.audit.trail import Draft
from casework.cases.branch import Branch
from casework.clock import Clock, now
from casework.errors import CallerError
from casework.staff.actor import Actor

READ = "personal.read"
DEFAULT_PURPOSE = "collection"
_PURPOSE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_STREAM_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def record_read(
    conn: Connection,
    branch: Branch,
    actor: Actor,
    borrower_ids: Iterable[str],
    fields: Iterable[str],
    *,
    purpose: str = DEFAULT_PURPOSE,
    clock: Clock = now,
) -> None:
    """Append one entry `personal.read` to the stream of each borrower, in the caller's short transaction.

    CallerError `purpose_malformed` unless `purpose` is a code: free text never enters an entry.
    """
    if _PURPOSE.fullmatch(purpose) is None:
        zh, en = "用途须为代码,如 collection", "the purpose must be a code such as collection"
        raise CallerError("purpose_malformed", zh, en)
    trail = branch.trail(clock())
    data = {"fields": sorted(set(fields)), "purpose": purpose, "masked": True}
    # In one order always: two readers of the same borrowers must not lock each other.
    for borrower_id in sorted(set(borrower_ids)):
        trail.append(conn, stream_of(branch, borrower_id), Draft(READ, actor.signed, dict(data)))
    trail.write(conn)


def stream_of(branch: Branch, borrower_id: str) -> str:
    """`borrower:<id>`; where an id has characters a stream's name cannot have, its blind index in hex."""
    if _STREAM_NAME.fullmatch(borrower_id):
        return f"borrower:{borrower_id}"
    return f"borrower:blind-{branch.vault.blind('borrower_id', borrower_id).hex()}"
