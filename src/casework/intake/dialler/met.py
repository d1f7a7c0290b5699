"""Whom a visit met is a contact of the debtor: recorded with its report, as any other that was made (day.md §3)."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.intake.dialler.correcting import put_right
from casework.intake.dialler.entering import enter
from casework.intake.dialler.recording import New
from casework.lifecycle.afterwards import Acted
from casework.work.cases.branch import Branch
from casework.work.cases.ordered_to import addresses_of
from casework.work.contacts.contact import CONTACT, DEBTOR, OF_VISITS, Contact
from casework.work.visits.visit import Visit

_PARTIES: Final = {"debtor": DEBTOR, "nobody": DEBTOR}
"""Who was met, as a party; who is not the debtor is somebody around them, and nobody met was the debtor missed."""


def record_met(conn: Connection, branch: Branch, acted: Sequence[Acted], clock: Clock) -> None:
    """A contact for each visit that was reported: the visit's time, its leader, the address, found or not."""
    at = clock()
    addresses = addresses_of(conn, branch, [one.subject for one in acted])
    for command, visit in acted:
        contact = _contact(branch, visit, at, addresses.get(visit.id))
        texts = {"address": addresses[visit.id]} if contact.has_address else {}
        new = New(contact, texts, branch.vault.fingerprint(f"visit:{visit.id}".encode()))
        enter(conn, branch, [new], command.actor, at)


def correct_met(conn: Connection, branch: Branch, acted: Sequence[Acted], clock: Clock) -> None:
    """The contact of each visit whose report was corrected says what the report says."""
    at = clock()
    for command, visit in acted:
        put_right(conn, branch, _contact(branch, visit, at, None), command.actor, at)


def _contact(branch: Branch, visit: Visit, at: Any, address: str | None) -> Contact:
    result = branch.rulebook.results.by_code[str(visit.outcome)]
    party = _PARTIES.get(str(visit.person_met), CONTACT)
    began = visit.checked_in_at
    if began is None:
        raise ValueError("nobody reports a visit that was not made")
    return Contact(
        institution=visit.institution, source=OF_VISITS, contact_ref=f"visit-{visit.id}", loan_id=visit.loan_id,
        borrower_id=visit.borrower_id, party=party, channel="visit", started_at=began, ended_at=visit.checked_out_at,
        result=result.code, outcome=result.outcome_with(party), recorded_at=at, staff_no=visit.visitor,
        has_address=address is not None,
    )  # fmt: skip
