"""A branch whose callers ask before they call, and what they recorded of their calls."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.intake.dialler.recording import New, put
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import contacts
from casework.work.gate.asking import Wanted, decide
from casework.work.gate.permits import Permit, begin_dialling, permits_of, settle, why_not_of
from tests.feed.bank import INSTITUTION, Bank


class Desk:
    """Asks for permits and records contacts, at instants that the test says."""

    def __init__(self, bank: Bank, actor: Actor) -> None:
        self.bank, self.actor, self.recorded = bank, actor, 0

    def __repr__(self) -> str:
        return "Desk()"

    def ways(self, borrower_id: str = "B1", role: str = "debtor") -> list[int]:
        """The contacts on record of that borrower in that role."""
        with reading(self.bank.started.engine) as conn:
            found = conn.execute(contacts.select().order_by(contacts.c.id)).all()
        return [row.id for row in found if (row.borrower_id, row.role) == (borrower_id, role)]

    def number(self, phone: str) -> bytes:
        """The fingerprint of a number."""
        return self.bank.started.branch.vault.blind("phone", phone)

    def ask(self, at: datetime, *, loan: int = 1, actor: Actor | None = None, **wanted: Any) -> Permit:
        """A call to the debtor of the loan on the first number on record, unless more is said."""
        fields: dict[str, Any] = {"party": "debtor", "channel": "call"} | wanted
        if not fields.keys() & {"phone", "contact_id"}:
            fields["contact_id"] = self.ways(f"B{loan}", fields["party"])[0]
        branch = self.bank.started.branch
        with writing(self.bank.started.engine) as conn:
            one = Wanted(case_id=self.bank.case(loan).id, **fields)
            return decide(conn, branch, actor or self.actor, one, at)

    def rules(self, at: datetime, **wanted: Any) -> list[str]:
        """The rules against it; none if it is allowed."""
        return [one.rule for one in self.ask(at, **wanted).reasons]

    @staticmethod
    def _settle(conn: Connection, contact: Contact, actor: Actor) -> None:
        permit = permits_of(conn, [contact.permit_id or 0], actor.id).get(contact.permit_id or 0)
        why_not = "unknown_permit" if permit is None else why_not_of(permit, contact, contact.recorded_at)
        if why_not is not None:
            raise CallerError(why_not)
        settle(conn, [contact], contact.recorded_at)

    def dial(self, permit_id: int, at: datetime, actor: Actor | None = None) -> datetime:
        """Dialling begins."""
        with writing(self.bank.started.engine) as conn:
            return begin_dialling(conn, self.bank.started.branch, permit_id, (actor or self.actor).id, at).holds_until

    def record(
        self, at: datetime, result: str = "no_answer", *, loan: int = 1, phone: str = "12000000001",
        known_at: datetime | None = None, actor: Actor | None = None, **other: Any,
    ) -> Contact:  # fmt: skip
        """Record a contact, as the outcome of the permit that it names if it names one."""
        self.recorded += 1
        fields: dict[str, Any] = {
            "party": "debtor", "channel": "call", "number": self.number(phone), "source": "api", "loan_id": f"L{loan}",
            "borrower_id": f"B{loan}",
        } | other  # fmt: skip
        branch = self.bank.started.branch
        contact = Contact(
            institution=INSTITUTION, contact_ref=f"c{self.recorded:05}",
            started_at=at, result=result,
            outcome=branch.rulebook.results.by_code[result].outcome_with(fields["party"]),
            recorded_at=known_at or at + timedelta(minutes=1), **fields,
        )  # fmt: skip
        texts = {"phone": phone} if contact.number else {}
        with writing(self.bank.started.engine) as conn:
            if contact.permit_id is not None:
                self._settle(conn, contact, actor or self.actor)
            put(conn, branch, [New(contact, texts, b"-")], actor or self.actor, contact.recorded_at)
        return contact
