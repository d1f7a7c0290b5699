"""The latest contacts with a debtor, as whoever works the case sees them."""

from typing import Final

from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of

MOST: Final = 50


def latest_contacts(conn: Connection, customer: Customer, limit: int = MOST) -> list[Contact]:
    """At most `limit`, the newest first, over all loans, channels and callers."""
    theirs = (contact_log.c.borrower_id == customer.borrower_id, contact_log.c.institution == customer.institution)
    wanted = CONTACTS.where(*theirs).order_by(contact_log.c.started_at.desc(), contact_log.c.id.desc()).limit(limit)
    return [contact_of(row) for row in conn.execute(wanted)]
