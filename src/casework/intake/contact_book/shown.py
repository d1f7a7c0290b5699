"""A debtor's contact book as somebody is shown it: numbers masked, each with its state, source and last attempts."""

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed.borrowers import CONTACT_FIELDS, FeedContact, book_shown
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.gate.known_numbers import EVER

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

    next: None = None


def contact_book(
    conn: Connection, branch: Branch, actor: Actor, customer: Customer, as_of: date | None = None
) -> ContactBook:
    """As `actor` may see it; that they may see the debtor has been checked.

    `as_of`: as it was at the end of that day, by contacts that had begun (as put right since), what was entered and
    what feeds of that day and before had brought.
    """
    until = EVER if as_of is None else datetime.combine(as_of + timedelta(days=1), time(), ZoneInfo(branch.time_zone))
    found = book_shown(conn, branch, customer, actor, MOST + 1, until)
    return ContactBook(customer.borrower_id, customer.institution, found[:MOST], len(found) > MOST)
