"""Reading personal data is itself an entry (audit.md §5): who read which fields, and what for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from casework.audit.trail import Draft
from casework.cases.branch import Branch
from casework.clock import Clock, now
from casework.personal import Vault
from casework.staff.actor import Actor

READ, REVEALED, EXPORTED = "personal.read", "personal.revealed", "cases.exported"
_STREAM_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def record_read(
    conn: Connection,
    branch: Branch,
    actor: Actor,
    borrower_ids: Iterable[str],
    fields: Iterable[str],
    *,
    purpose: str | None = None,
    clock: Clock = now,
) -> None:
    """Append one entry `personal.read` to the stream of each borrower, in the caller's short transaction.

    Without a purpose the one that is usual for the actor's posts counts. CallerErrors `purpose_unknown`,
    `purpose_not_permitted`: it is a code of permissions.toml; free text never enters an entry.
    """
    permissions = branch.rulebook.permissions
    if purpose is None:
        purpose = permissions.purpose_of(actor)
    permissions.check_purpose(actor, purpose)
    trail = branch.trail(clock())
    data = {"fields": sorted(set(fields)), "purpose": purpose, "masked": True}
    # In one order always: two readers of the same borrowers must not lock each other.
    for borrower_id in sorted(set(borrower_ids)):
        trail.append(conn, stream_of(branch, borrower_id), Draft(READ, actor.signed, dict(data)))
    trail.write(conn)


def record_revealed(
    conn: Connection, branch: Branch, actor: Actor, borrower_id: str, fields: Iterable[str], contact_ids: Sequence[int],
    *, purpose: str, clock: Clock = now,
) -> None:  # fmt: skip
    """Append `personal.revealed`: which fields, of which contacts, what for; commit it before showing them."""
    trail = branch.trail(clock())
    data = {"fields": sorted(set(fields)), "purpose": purpose, "masked": False, "contact_ids": sorted(contact_ids)}
    trail.append(conn, stream_of(branch, borrower_id), Draft(REVEALED, actor.signed, data))
    trail.write(conn)


def record_export(
    conn: Connection, branch: Branch, actor: Actor, wanted: Mapping[str, Any], *, rows: int, kind: str,
    event: str = EXPORTED, clock: Clock = now,
) -> None:  # fmt: skip
    """Append `event` to `exports:<who>`: what was taken out (the filter's parts), how many rows, in which format."""
    trail = branch.trail(clock())
    data = {"filter": dict(wanted), "rows": rows, "format": kind}
    trail.append(conn, f"exports:{actor.id}", Draft(event, actor.signed, data))
    trail.write(conn)


def stream_of(branch: Branch, borrower_id: str) -> str:
    """The audit stream of a borrower; also the subject of his key."""
    return stream_name(branch.vault, borrower_id)


def stream_name(vault: Vault, borrower_id: str) -> str:
    """`borrower:<id>`; where an id has characters a stream's name cannot have, its blind index in hex."""
    if _STREAM_NAME.fullmatch(borrower_id):
        return f"borrower:{borrower_id}"
    return f"borrower:blind-{vault.blind('borrower_id', borrower_id).hex()}"
