"""What the commitments of a case's entries hide, for a dossier: with permission, for a purpose, on record."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.format.dossier import Disclosed
from casework.log.tables import openings
from casework.log.write.trail import opened_with_salts
from casework.people.staff.actor import Actor
from casework.personal import kind_of
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.disclosure import record_revealed
from casework.work.cases.history import FIELD_OF


def openings_of(conn: Connection, branch: Branch, case_id: int, entries: Collection[int]) -> list[Disclosed]:
    """The openings that are held of these entries of the case, with their salts; an erased one is left out."""
    stream = f"case:{case_id}"
    numbers = conn.execute(sa.select(openings.c.stream_seq).where(openings.c.stream == stream).distinct()).scalars()
    held = opened_with_salts(conn, branch.vault, stream, [seq for seq in numbers if seq in entries])
    return [Disclosed(seq, name, opened.salt, opened.value) for (seq, name), opened in sorted(held.items())]


def check_and_record(
    conn: Connection, branch: Branch, actor: Actor, case: Case, names: Iterable[str], purpose: str
) -> None:
    """Append `personal.revealed` to the borrower's stream, if the actor may be shown these texts in clear.

    The caller commits before showing them. CallerErrors as `Permissions.require` of `borrower.reveal` and
    `Permissions.check_reveal`.
    """
    permissions = branch.rulebook.permissions
    permissions.require(actor, "borrower.reveal")
    fields = {FIELD_OF[kind_of(name)] for name in names}
    hidden = {field for field in fields if permissions.view(actor, field) != "clear"}
    if hidden:
        permissions.check_reveal(actor, hidden, purpose)
    permissions.check_purpose(actor, purpose)
    if fields:
        record_revealed(conn, branch, actor, case.customer, fields, [], purpose=purpose)
