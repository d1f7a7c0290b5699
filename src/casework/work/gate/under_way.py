"""The call that somebody has begun and not yet said what came of: found again when its page was left or read anew."""

from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.work.contacts.contact import CALLS
from casework.work.gate.tables import contact_permits

_OPEN: Final = (
    sa.select(*(contact_permits.c[name] for name in ("id", "contact_id", "party", "dialling_at", "holds_until")))
    .where(
        contact_permits.c.used_at.is_(None), contact_permits.c.dialling_at.is_not(None),
        contact_permits.c.contact_id.is_not(None), contact_permits.c.channel.in_(sorted(CALLS)),
    )
    .order_by(contact_permits.c.dialling_at.desc(), contact_permits.c.id.desc())
    .limit(1)
)  # fmt: skip


class UnderWay(NamedTuple):
    """A call to a way on record (`contact_id`), dialled and without an outcome; its permit holds until then."""

    permit_id: int
    contact_id: int
    party: str
    began_at: datetime
    holds_until: datetime


def call_under_way(conn: Connection, customer: Customer, actor_id: str, now: datetime) -> UnderWay | None:
    """Theirs with this debtor, for whichever loan; the latest."""
    theirs = _OPEN.where(
        contact_permits.c.borrower_id == customer.borrower_id, contact_permits.c.institution == customer.institution,
        contact_permits.c.actor_id == actor_id, contact_permits.c.holds_until > now,
    )  # fmt: skip
    row = conn.execute(theirs).one_or_none()
    return None if row is None else UnderWay(*row)
