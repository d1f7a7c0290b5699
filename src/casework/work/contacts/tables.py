"""The contact book (known ways to reach a debtor) and the contact log (what happened): both are the debtor's."""

from typing import Any, Final

import sqlalchemy as sa

from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
    partial_index,
)
from casework.work.contacts.contact import Contact

contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("relation", sa.String(32)),
    sa.Column("address_kind", sa.String(16)),
    sa.Column("source", sa.String(64)),
    sa.Column("legal_basis", sa.String(64)),
    sa.Column("name_sealed", Bytes),
    sa.Column("phone_sealed", Bytes),
    sa.Column("phone_index", Bytes),  # what a contact's `number` is compared with
    sa.Column("address_sealed", Bytes),
    sa.Column("row_hash", Bytes, nullable=False, unique=True),  # keyed hash: the same row twice is one contact
    sa.Column("found_by", sa.String(64)),  # none: a feed brought it, on the day of `added_at`
    sa.Column("added_at", UtcDateTime),
    sa.Column("refused_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("mac", Bytes, nullable=False),
    sa.Index("ix_contacts_borrower", "borrower_id"),
    sa.Index("ix_contacts_phone", "phone_index"),
)

# A row is the fold of its entries in the debtor's stream; number, address and note themselves are sealed there.
contact_log = sa.Table(
    "contact_log",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("contact_ref", sa.String(64), nullable=False),
    sa.Column("loan_id", sa.String(64), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("party", sa.String(16), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("result", sa.String(32), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Column("purpose", sa.String(32), nullable=False),
    sa.Column("staff_no", sa.String(32)),
    sa.Column("agency", sa.String(64)),
    sa.Column("number", Bytes),  # keyed fingerprint (personal.Vault.blind) of the number; erased with the debtor
    sa.Column("has_address", sa.Boolean, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("recording", sa.Boolean, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.Column("permit_id", BigId),
    sa.Column("line", sa.String(64)),  # the registered line that was called from
    sa.Column("seconds", sa.Integer),
    sa.Column("template", sa.String(64)),  # of a message: none goes to review
    sa.Column("next_action", sa.String(16)),
    sa.Column("day", sa.Date, nullable=False),  # of `started_at` in branch time
    sa.Column("row_hash", Bytes, nullable=False),  # keyed, of the row as it came: tells a repeat from another content
    sa.Column("stream_seq", sa.BigInteger, nullable=False),  # of the last entry about it, in the debtor's stream
    sa.Column("mac", Bytes, nullable=False),  # over source, reference, number and row_hash
    sa.UniqueConstraint("contact_ref", "source"),
    sa.Index("ix_contact_log_borrower", "borrower_id", "day"),
    sa.Index("ix_contact_log_day", "day", "staff_no"),
    # The result too: what was found out of a number, whenever, is asked of each that is called.
    sa.Index("ix_contact_log_number", "number", "day", "result"),
    partial_index("ix_contact_log_visits", "borrower_id", "day", where="channel = 'visit'"),
)

IS_VISIT: Final = contact_log.c.channel == sa.literal_column("'visit'")
"""A contact on the spot; a word of SQL, by which the databases know the index of these."""
FIELDS: Final = tuple(Contact.__struct_fields__)
CONTACTS: Final = sa.select(*(contact_log.c[name] for name in FIELDS))
"""Rows as `contact_of` reads them."""


def contact_of(row: Any) -> Contact:
    """The contact that a row of `CONTACTS` holds."""
    return Contact(**dict(zip(FIELDS, row, strict=True)))
