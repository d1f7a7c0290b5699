"""Personal data of a borrower in clear: for a purpose, for those permitted, after the entry that says so is committed.

Two steps, because the entry must be on disk before anybody is shown anything: `reveal` checks, reads what is sealed and
appends the entry in the caller's transaction; `Revealed.open` unseals, once the caller has committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.errors import CallerError
from casework.intake.feed.borrowers import (
    CONTACT_FIELDS,
    cell_of_contact,
    erased_of,
    known_borrower,
)
from casework.intake.feed.customers import of_customer
from casework.intake.feed.sealed_cells import of_borrower
from casework.intake.feed.tables import contacts
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.personal import Vault
from casework.work.cases.branch import Branch
from casework.work.cases.disclosure import record_revealed

MAX_CONTACTS = 50
_OF_BORROWER = ("name", "id_number")


class ClearContact(msgspec.Struct, omit_defaults=True):
    """A contact; the fields that were not asked for, or that nobody knows, are none."""

    id: int
    name: str | None = None
    phone: str | None = None
    address: str | None = None


class ClearBorrower(msgspec.Struct):
    """What was asked for, in clear; nothing where their data were erased, on the day `erased_on`."""

    borrower_id: str
    institution: str
    name: str | None
    id_number: str | None
    contacts: list[ClearContact]
    purpose: str
    erased_on: date | None = None


@dataclass(frozen=True)
class Revealed:
    """What is about to be shown, still sealed."""

    customer: Customer
    purpose: str
    fields: frozenset[str]
    borrower: Any
    contacts: Sequence[Any]
    erased_on: date | None

    def open(self, vault: Vault) -> ClearBorrower:
        """In clear; only after the transaction of `reveal` is committed."""
        name, id_number = (
            self._open(vault, field, of_borrower(self.customer, field), getattr(self.borrower, f"{field}_sealed"))
            for field in _OF_BORROWER
        )
        people = [
            ClearContact(
                row.id,
                **{
                    part: self._open(vault, field, cell_of_contact(row, part), getattr(row, f"{part}_sealed"))
                    for part, field in CONTACT_FIELDS.items()
                },
            )
            for row in self.contacts
        ]
        institution, borrower_id = self.customer
        return ClearBorrower(borrower_id, institution, name, id_number, people, self.purpose, self.erased_on)

    def _open(self, vault: Vault, field: str, place: str, sealed: bytes | None) -> str | None:
        return vault.open(place, bytes(sealed)) if sealed is not None and field in self.fields else None


def reveal(
    conn: Connection, branch: Branch, customer: Customer, fields: Sequence[str],
    contact_ids: Sequence[int] | None = None, *, actor: Actor, within: Reach, purpose: str,
) -> Revealed:  # fmt: skip
    """Check, read, and append the entry; the caller commits, then opens.

    Without `contact_ids` all of the borrower's contacts, if they are at most 50. CallerErrors: those of
    `Permissions.check_reveal`, `unknown_borrower`, `unknown_contact`, `too_many_contacts`.
    """
    row = known_borrower(conn, customer, within)  # first: any other refusal would tell that they are there
    branch.rulebook.permissions.check_reveal(actor, fields, purpose)
    if barred := sorted(set(fields) - {*_OF_BORROWER, *CONTACT_FIELDS.values()}):
        raise CallerError("unknown_field", fields=barred, known=[*_OF_BORROWER, *CONTACT_FIELDS.values()])
    found = []
    if set(fields) & set(CONTACT_FIELDS.values()):
        found = _contacts(conn, customer, contact_ids)
    shown = [contact.id for contact in found]
    record_revealed(conn, branch, actor, customer, fields, shown, purpose=purpose)
    return Revealed(customer, purpose, frozenset(fields), row, found, erased_of(conn, branch, [row]).get(customer))


def _contacts(conn: Connection, customer: Customer, wanted: Sequence[int] | None) -> list[Any]:
    statement = sa.select(contacts).where(of_customer(contacts, customer)).order_by(contacts.c.id)
    if wanted is not None:
        statement = statement.where(contacts.c.id.in_(sorted(set(wanted))[: MAX_CONTACTS + 1]))
    found = list(conn.execute(statement.limit(MAX_CONTACTS + 1)))
    if len(found) > MAX_CONTACTS or (wanted is not None and len(set(wanted)) > MAX_CONTACTS):
        raise CallerError("too_many_contacts", at_most=MAX_CONTACTS)
    missing = sorted(set(wanted or ()) - {row.id for row in found})
    if missing:
        raise CallerError("unknown_contact", contact_ids=missing)
    return found
