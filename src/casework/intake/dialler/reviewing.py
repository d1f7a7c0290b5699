"""Contacts that go to review whoever made them: calls of which there is no recording, messages of no template."""

from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.work.contacts.contact import RECORDED, WRITTEN, Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of

_log: Final = contact_log.c
_TO_REVIEW: Final = CONTACTS.where(
    sa.or_(
        sa.and_(_log.channel.in_(sorted(RECORDED)), _log.recording == sa.false()),
        sa.and_(_log.channel.in_(sorted(WRITTEN)), _log.template.is_(None)),
    )
).order_by(_log.started_at, _log.id)


def contacts_to_review(conn: Connection, first: date, last: date, at_most: int | None = None) -> list[Contact]:
    """Those that began on these days of the branch, over all debtors, as they began; why, says `to_review`."""
    of_days = _TO_REVIEW.where(_log.day.between(first, last)).limit(at_most)
    return [contact_of(row) for row in conn.execute(of_days)]
