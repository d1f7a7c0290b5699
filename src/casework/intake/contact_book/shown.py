"""A debtor's contact book as somebody is shown it: numbers masked, each with its state, source and last attempts."""

from typing import Final

import msgspec
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed.borrowers import CONTACT_FIELDS, FeedContact, book_shown
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch

COMMAND: Final = "contact.book"
MOST: Final = 200


class ContactBook(msgspec.Struct):
    """The book of one debtor, oldest first; `cut` if there is more than the 200 shown."""

    borrower_id: str
    institution: str
    items: list[FeedContact]
    cut: bool

    @property
    def fields(self) -> set[str]:
        """Which personal data it shows, for the entry of the read."""
        return {field for one in self.items for part, field in CONTACT_FIELDS.items() if getattr(one, part)}


def contact_book(conn: Connection, branch: Branch, actor: Actor, customer: Customer) -> ContactBook:
    """As `actor` may see it; that they may see the debtor has been checked."""
    found = book_shown(conn, branch, customer, actor, MOST + 1)
    return ContactBook(customer.borrower_id, customer.institution, found[:MOST], len(found) > MOST)
