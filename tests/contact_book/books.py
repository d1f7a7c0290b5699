"""Contact books as tests enter, mark and look at them."""

from datetime import date, datetime
from typing import Any

from casework.clock import now
from casework.customer import Customer
from casework.intake.contact_book.adding import Added, NewWay, NotAdded, add
from casework.intake.contact_book.marking import Marked, mark
from casework.intake.contact_book.shown import contact_book
from casework.intake.feed.borrowers import FeedContact
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from tests.feed.bank import Bank


def way(number: int = 1, **fields: Any) -> NewWay:
    """A sister of B<number> whom the debtor named."""
    said: dict[str, Any] = {
        "loan_id": f"L{number}", "role": "contact", "source": "debtor", "legal_basis": "consent",
        "phone": f"1210000{number:04}", "name": "甄不存二", "relation": "sibling",
    } | fields  # fmt: skip
    return NewWay(**said)


def enter(
    bank: Bank, *ways: NewWay, actor: Actor | None = None, at: datetime | None = None, atomic: bool = False
) -> list[Added | NotAdded]:  # fmt: skip
    """In a transaction of its own."""
    with writing(bank.started.engine) as conn:
        return add(conn, bank.started.branch, ways, actor or bank.actor, at or now(), atomic=atomic)


def entered(bank: Bank, one: NewWay, **more: Any) -> int:
    """The number of one that must be new."""
    (told,) = enter(bank, one, **more)
    assert isinstance(told, Added)
    assert told.entry_id is not None
    return told.contact_id


def marked(bank: Bank, contact_id: int, what: str, at: datetime | None = None) -> Marked:
    """In a transaction of its own."""
    with writing(bank.started.engine) as conn:
        return mark(conn, bank.started.branch, contact_id, what, "来信", bank.actor, at or now())


def book(bank: Bank, number: int = 1, as_of: date | None = None) -> list[FeedContact]:
    """The book of B<number>, as the service sees it."""
    him = Customer(bank.institution, f"B{number}")
    with reading(bank.started.engine) as conn:
        return contact_book(conn, bank.started.branch, bank.actor, him, as_of).items


def states(bank: Bank, number: int = 1, as_of: date | None = None) -> list[tuple[str, str]]:
    """Role and state of each entry."""
    return [(one.role, one.state) for one in book(bank, number, as_of)]
