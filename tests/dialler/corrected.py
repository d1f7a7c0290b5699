"""One correction of a contact, as tests make them."""

from datetime import datetime

from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.intake.dialler.correcting import Correction, correct_contacts
from casework.intake.dialler.recording import REPEATED, Not, Recorded
from casework.intake.dialler.typed import texts_of_kind
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch


def correct(
    conn: Connection, branch: Branch, contact_ref: str, source: str | None, result: str, actor: Actor, at: datetime,
    reason: str | None = None,
) -> Recorded | Not:  # fmt: skip
    """One alone; `REPEATED` where it is right already. CallerErrors: why it cannot be put right."""
    asked = Correction(contact_ref, result, source, reason)
    ((_, became),) = correct_contacts(conn, branch, [asked], actor, at, atomic=True)
    if isinstance(became, Not) and became is not REPEATED:
        raise CallerError(became.kind, *texts_of_kind(became.kind), contact_ref=contact_ref)
    return became
