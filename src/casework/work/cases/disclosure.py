"""Reading personal data is itself an entry (docs/log.md §5): who read which fields, and what for."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer, stream_of
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.table import LIST_EXPORTED
from casework.work.cases.branch import Branch

READ, REVEALED = "personal.read", "personal.revealed"


def record_read(
    conn: Connection,
    branch: Branch,
    actor: Actor,
    customers: Iterable[Customer],
    fields: Iterable[str],
    *,
    purpose: str | None = None,
) -> None:
    """Append one entry `personal.read` to the stream of each borrower, in the caller's short transaction.

    Without a purpose the one that is usual for the actor's posts counts. CallerErrors `purpose_unknown`,
    `purpose_not_permitted`: it is a code of permissions.toml; free text never enters an entry.
    """
    permissions = branch.rulebook.permissions
    if purpose is None:
        purpose = permissions.purpose_of(actor)
    permissions.check_purpose(actor, purpose)
    trail = branch.trail(now())
    data = {"fields": sorted(set(fields)), "purpose": purpose, "masked": True}
    # In one order always: two readers of the same borrowers must not lock each other.
    for customer in sorted(set(customers)):
        trail.append(conn, stream_of(branch.vault, customer), Draft(READ, actor.signed, dict(data)))
    trail.write(conn)


def record_revealed(
    conn: Connection, branch: Branch, actor: Actor, customer: Customer, fields: Iterable[str],
    contact_ids: Sequence[int], *, purpose: str, clock: Clock = now,
) -> None:  # fmt: skip
    """Append `personal.revealed`: which fields, of which contacts, what for; commit it first."""
    trail = branch.trail(clock())
    data = _revealed(fields, purpose, contact_ids)
    trail.append(conn, stream_of(branch.vault, customer), Draft(REVEALED, actor.signed, data))
    trail.write(conn)


def record_photos_revealed(
    conn: Connection, branch: Branch, actor: Actor, photos: Mapping[Customer, Sequence[int]], fields: Iterable[str], *,
    purpose: str, clock: Clock = now,
) -> None:  # fmt: skip
    """Append one `personal.revealed` to the stream of each borrower: what of which of their photos; commit it first."""
    trail = branch.trail(clock())
    for customer, photo_ids in sorted(photos.items()):  # in one order, as `record_read`
        data = _revealed(fields, purpose, ()) | {"photo_ids": sorted(photo_ids)}
        trail.append(conn, stream_of(branch.vault, customer), Draft(REVEALED, actor.signed, data))
    trail.write(conn)


def _revealed(fields: Iterable[str], purpose: str, contact_ids: Sequence[int]) -> dict[str, Any]:
    return {
        "fields": sorted(set(fields)), "purpose": purpose, "masked": False, "contact_ids": sorted(contact_ids),
    }  # fmt: skip


def record_export(
    conn: Connection, branch: Branch, actor: Actor, wanted: Mapping[str, Any], *, rows: int, kind: str,
    event: str = LIST_EXPORTED, file: bytes | None = None, clock: Clock = now,
) -> None:  # fmt: skip
    """Append `event` to `exports:<who>`: what was taken out (the filter's parts), how many rows, in which format.

    `file`: the file itself, whose SHA-256 the entry has: it can be known again.
    """
    trail = branch.trail(clock())
    data: dict[str, Any] = {"filter": dict(wanted), "rows": rows, "format": kind}
    if file is not None:
        data["digest"] = hashlib.sha256(file).hexdigest()
    trail.append(conn, f"exports:{actor.id}", Draft(event, actor.signed, data))
    trail.write(conn)
