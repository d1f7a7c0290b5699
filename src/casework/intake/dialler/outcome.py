"""What came of a permitted contact: recorded as any other, and the permit is used by it."""

from datetime import datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.errors import CallerError
from casework.intake.dialler.called_back import close_call_backs
from casework.intake.dialler.learning import learn_at_once
from casework.intake.dialler.recording import API, New, Recorded, put
from casework.intake.dialler.row import TEXTS
from casework.intake.dialler.typed import acting_for
from casework.intake.feed.borrowers import cell_of_contact
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases
from casework.work.contacts.contact import NEXT_ACTIONS, Contact
from casework.work.contacts.tables import contacts
from casework.work.gate.permits import permit_of, settle

_WHOSE: Final = sa.select(*cases.c["owner", "handler", "team", "region", "product"]).where(
    cases.c.id == sa.bindparam("id")
)
_TEXTS: Final = ("address", "recording", "note")


class Outcome(msgspec.Struct, frozen=True):
    """The result by its code, when it began and ended; texts are sealed. `recording` none: there is none."""

    result: str
    started_at: datetime
    ended_at: datetime | None = None
    seconds: int | None = None
    line: str | None = None
    template: str | None = None
    address: str | None = None
    recording: str | None = None
    note: str | None = None
    next_action: str | None = None


def record_outcome(
    conn: Connection, branch: Branch, permit_id: int, outcome: Outcome, actor: Actor, at: datetime
) -> Recorded:
    """Record it in the debtor's log, settle the permit, tell the cases that they were reached; all in the transaction.

    CallerErrors of `settle`, `unknown_next_action`, `unknown_result`, `result_not_of_channel`, `ended_before_started`,
    `in_the_future`.
    """
    permit = permit_of(conn, permit_id, actor.id)
    known = branch.rulebook.results.of(outcome.result)
    if known is None:
        raise CallerError("unknown_result", *TEXTS["unknown_result"], result=outcome.result)
    if permit.channel not in known.on:
        raise CallerError("result_not_of_channel", *TEXTS["result_not_of_channel"], channel=permit.channel)
    if outcome.next_action not in (None, *NEXT_ACTIONS):
        raise CallerError("unknown_next_action", *TEXTS["unknown_next_action"], known=list(NEXT_ACTIONS))
    if outcome.started_at > at:
        raise CallerError("in_the_future", *TEXTS["in_the_future"])
    if outcome.ended_at is not None and outcome.ended_at < outcome.started_at:
        raise CallerError("ended_before_started", *TEXTS["ended_before_started"])
    whose = Customer(permit.institution, permit.borrower_id)
    contact = Contact(
        institution=whose.institution, source=API, contact_ref=f"permit-{permit.id}", loan_id=permit.loan_id,
        borrower_id=whose.borrower_id, party=permit.party, channel=permit.channel, purpose=permit.purpose,
        started_at=outcome.started_at, ended_at=outcome.ended_at, result=known.code,
        outcome=known.outcome_with(permit.party), recorded_at=at, staff_no=actor.id,
        number=None if permit.number is None else bytes(permit.number), has_address=outcome.address is not None,
        recording=outcome.recording is not None, permit_id=permit.id,
        line=outcome.line, seconds=outcome.seconds, template=outcome.template, next_action=outcome.next_action,
    )  # fmt: skip
    settle(conn, contact, actor.id, at)
    texts = {name: text for name in _TEXTS if (text := getattr(outcome, name))}
    if (phone := _phone(conn, branch, permit.contact_id)) is not None:
        texts["phone"] = phone
    row_hash = branch.vault.fingerprint(contact.contact_ref.encode())
    principal = _acting_for(conn, branch, permit.case_id, actor, at)
    (recorded,) = put(conn, branch, [New(contact, texts, row_hash, principal)], actor, at)
    close_call_backs(conn, branch, [recorded], via=actor.via, clock=lambda: at)
    if contact.connected:
        learn_at_once(conn, branch, [contact], via=actor.via, clock=lambda: at)
    return recorded


def _acting_for(conn: Connection, branch: Branch, case_id: int, actor: Actor, at: datetime) -> str | None:
    of_permit = conn.execute(_WHOSE, {"id": case_id}).all() if actor.principals else []
    return acting_for(branch, actor, branch.today(at), of_permit)


def _phone(conn: Connection, branch: Branch, contact_id: int | None) -> str | None:
    """The number of a contact on record, to be sealed with the entry; none where the caller gave the number."""
    if contact_id is None:
        return None
    row = conn.execute(sa.select(contacts).where(contacts.c.id == contact_id)).one_or_none()
    if row is None or row.phone_sealed is None:
        return None
    return branch.vault.open(cell_of_contact(row, "phone"), bytes(row.phone_sealed))
