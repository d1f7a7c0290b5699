"""Where contacts reached a debtor by an address that they name themselves: rows of files and what people type.

The address is sealed with the entry that recorded the contact. It has no fingerprint in the log of contacts, for a
`number` there is one that was called; a debtor's visits are few, so their texts are opened when the book is looked at.
"""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.dialler.notes import noted
from casework.personal import normalise
from casework.work.cases.branch import Branch
from casework.work.contacts.contact import WRITTEN
from casework.work.contacts.tables import contact_log
from casework.work.gate.known_numbers import Reached

_log: Final = contact_log.c
_CHANNELS: Final = sorted({"visit", *WRITTEN})
_MADE: Final = sa.select(_log.contact_ref, _log.source, _log.started_at, _log.outcome).where(
    _log.borrower_id == sa.bindparam("borrower_id", type_=sa.String),
    _log.institution == sa.bindparam("institution", type_=sa.String),
    _log.has_address == sa.true(), _log.permit_id.is_(None), _log.channel.in_(_CHANNELS),
)  # fmt: skip


def reached_by_address(conn: Connection, branch: Branch, customer: Customer) -> Mapping[str, list[Reached]]:
    """By address, as `normalise` writes it: visits there, and what was written to it; nothing of who was erased."""
    made = conn.execute(_MADE, customer._asdict()).all()
    if not made:
        return {}
    texts = noted(conn, branch, [(row.contact_ref, row.source) for row in made], "address")
    found: dict[str, list[Reached]] = {}
    for row in made:
        address = texts.get((row.contact_ref, row.source))
        if address is not None:
            found.setdefault(normalise("address", address), []).append(Reached(row.started_at, row.outcome))
    return found
