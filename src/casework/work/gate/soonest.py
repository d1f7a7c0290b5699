"""From when each of some debtors may be called: what the gate would say now of their own numbers, asked together."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases
from casework.work.contacts.contact import DEBTOR
from casework.work.contacts.tables import contacts
from casework.work.gate.asking import Wanted, askings_of
from casework.work.gate.known_numbers import EVER
from casework.work.gate.permits import Foreseen, Why, foresee

_OWN_NUMBERS: Final = (
    sa.select(cases.c.id, contacts.c.id.label("contact_id"))
    .join(
        contacts,
        sa.and_(contacts.c.institution == cases.c.institution, contacts.c.borrower_id == cases.c.borrower_id),
    )
    .where(
        contacts.c.role == sa.literal_column(f"'{DEBTOR}'"),
        contacts.c.phone_index.is_not(None),
        contacts.c.ended_at.is_(None),
    )
)


class Soonest(NamedTuple):
    """Allowed now where there is no reason; else one of them, and from when none holds (none: it says no time)."""

    reason: Why | None = None
    opens_at: datetime | None = None


def soonest_calls(
    conn: Connection, branch: Branch, actor: Actor, case_ids: Collection[int], now: datetime
) -> dict[int, Soonest]:  # fmt: skip
    """By case: the number of the debtor's that may be called first; a case whose debtor has none is left out."""
    ways = rows.select_by_keys(conn, _OWN_NUMBERS, "id", sorted(set(case_ids)))
    wanted = [(actor, Wanted(way.id, DEBTOR, "call", contact_id=way.contact_id)) for way in ways]
    askings = [one for one in askings_of(conn, branch, wanted, now) if not isinstance(one, CallerError)]
    found: dict[int, Soonest] = {}
    for asking, said in zip(askings, foresee(conn, branch, askings, now), strict=True):
        one, known = _of(said), found.get(asking.case_id)
        found[asking.case_id] = one if known is None else min(known, one, key=_order)
    return found


def _of(said: Foreseen) -> Soonest:
    if not said.reasons:
        return Soonest()
    last = max(said.reasons, key=lambda one: one.allowed_from or EVER)
    return Soonest(last, last.allowed_from)


def _order(one: Soonest) -> tuple[bool, datetime]:
    return one.reason is not None, one.opens_at or EVER
