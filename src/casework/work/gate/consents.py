"""The consents of debtors, as the gate asks for them."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.storage import rows
from casework.work.cases.lifecycles import CONSENTS
from casework.work.gate.standing import Consent

_kept: Final = CONSENTS.table
_CONSENTS: Final = sa.select(
    _kept.c.institution, _kept.c.borrower_id, _kept.c.begins_at, _kept.c.ends_at, _kept.c.from_hour, _kept.c.until_hour
)


def consents_of(conn: Connection, borrowers: Sequence[str]) -> dict[Customer, list[Consent]]:
    """The consents of these borrowers, those that are over too: each says from when until when it is in force."""
    found: dict[Customer, list[Consent]] = {}
    for row in rows.select_by_keys(conn, _CONSENTS, "borrower_id", borrowers):
        consent = Consent(row.begins_at, row.ends_at, row.from_hour % 24, row.until_hour % 24)
        found.setdefault(Customer(row.institution, row.borrower_id), []).append(consent)
    return found
