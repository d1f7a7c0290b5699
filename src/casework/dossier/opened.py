"""What the commitments of a case's entries hide, for a dossier: with permission, for a purpose, on record."""

import json
from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit.dossier import Opening
from casework.audit.tables import openings
from casework.cases.branch import Branch
from casework.cases.case import Case
from casework.cases.disclosure import record_revealed
from casework.cases.history import FIELD_OF
from casework.personal import kind_of
from casework.staff.actor import Actor


def openings_of(conn: Connection, branch: Branch, case_id: int, entries: Collection[int]) -> list[Opening]:
    """The openings that are held of these entries of the case, with their salts; an erased one is left out."""
    wanted = sa.select(openings.c.stream_seq, openings.c.field, openings.c.sealed)
    at = wanted.where(openings.c.stream == f"case:{case_id}").order_by(openings.c.stream_seq, openings.c.field)
    found = []
    for seq, name, sealed in conn.execute(at):
        if seq in entries:
            opened = json.loads(branch.vault.open("opening", bytes(sealed)))
            found.append(Opening(seq, name, opened["salt"], opened["value"]))
    return found


def check_and_record(
    conn: Connection, branch: Branch, actor: Actor, case: Case, names: Iterable[str], purpose: str
) -> None:
    """Append `personal.revealed` to the borrower's stream, if the actor may be shown these texts in clear.

    The caller commits before he shows them. CallerErrors as `Permissions.require` of `borrower.reveal` and
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
        record_revealed(conn, branch, actor, case.borrower_id, fields, [], purpose=purpose)
