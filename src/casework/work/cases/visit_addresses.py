"""Which visits went to one address, whoever's it is: by its keyed fingerprint, so that a risk seen there is known."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.lifecycle.tables import table_of
from casework.storage import rows
from casework.storage.database import BigId, Bytes, metadata, partial_index
from casework.work.visits.noun import VISIT
from casework.work.visits.visit import NO_RISK, Visit

visits: Final = table_of("visits", VISIT.rows)
sa.Index("ix_visits_day", visits.c.visit_on, visits.c.visitor)
partial_index("ix_visits_recheck", visits.c.recheck_since, visits.c.id, where=visits.c.recheck_since.is_not(None))
partial_index("ix_visits_checked", visits.c.rechecked_on, visits.c.id, where=visits.c.rechecked_on.is_not(None))
sa.Index("ix_visits_state", visits.c.state, visits.c.id)  # what waits for a review, or was returned
sa.Index("ix_visits_reported", visits.c.reported_at, visits.c.checked_out_at)  # whose report is owed, or came that day
PLANNED: Final = "'planned'"
"""The state of what is still to be made, as SQL has it: such an index is used where the statement says it itself."""
partial_index("ix_visits_planned", visits.c.parent_id, where=f"state = {PLANNED}")
UNDER_WAY: Final = "'under_way'"
"""The state of what somebody is on now, in the same way."""
partial_index("ix_visits_under_way", visits.c.visitor, where=f"state = {UNDER_WAY}")
visit_addresses: Final = sa.Table(
    "visit_addresses",
    metadata,
    sa.Column("visit_id", BigId, primary_key=True, autoincrement=False),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("address_index", Bytes),  # none: erased
    sa.Index("ix_visit_addresses_address", "address_index"),
    sa.Index("ix_visit_addresses_borrower", "borrower_id"),
)
COLUMNS: Final = tuple(visit_addresses.c.keys())
_SEEN: Final = (
    sa.select(visit_addresses.c.address_index, *visits.c["id", "address_risk", "risk_at", "risk_on", "risk_by"])
    .join(visits, visits.c.id == visit_addresses.c.visit_id)
    .where(visits.c.address_risk.is_not(None))
)


class RiskSeen(NamedTuple):
    """What a visitor said of an address last: the risk, on which visit, when, who."""

    risk: str
    visit_id: int
    on: date
    by: str
    at: datetime


def risks_at(conn: Connection, addresses: Collection[bytes]) -> dict[bytes, RiskSeen]:
    """Of these addresses those that have a risk: what was said last counts, until somebody says that it is gone."""
    latest: dict[bytes, Any] = {}
    for row in rows.select_by_keys(conn, _SEEN, "address_index", sorted(addresses)):
        known = latest.get(bytes(row.address_index))
        if known is None or (row.risk_at, row.id) > (known.risk_at, known.id):
            latest[bytes(row.address_index)] = row
    seen = ((index, row) for index, row in latest.items() if row.address_risk != NO_RISK)
    return {index: RiskSeen(row.address_risk, row.id, row.risk_on, row.risk_by, row.risk_at) for index, row in seen}


def risks_of(conn: Connection, visit_ids: Collection[int]) -> dict[int, RiskSeen]:
    """By visit, what was last seen at its address, by whoever visited whom there."""
    found = {
        row.visit_id: bytes(row.address_index)
        for row in rows.select_by_keys(conn, sa.select(visit_addresses), "visit_id", sorted(visit_ids))
        if row.address_index is not None
    }
    seen_there = risks_at(conn, set(found.values()))
    return {number: seen_there[index] for number, index in found.items() if index in seen_there}


def is_news(visit: Visit, seen: RiskSeen) -> bool:
    """Whether a risk was told of after the visit was ordered: then nobody has said that they know of it."""
    return visit.ordered_at is not None and seen.at > visit.ordered_at


def forget_addresses(conn: Connection, customer: Customer) -> list[bytes]:
    """Erasure: where their visits went is known no more; the fingerprints that were there."""
    theirs = (
        visit_addresses.c.institution == customer.institution,
        visit_addresses.c.borrower_id == customer.borrower_id,
    )
    found = conn.execute(sa.select(visit_addresses.c.address_index).where(*theirs)).scalars().all()
    conn.execute(visit_addresses.update().where(*theirs).values(address_index=None))
    return [bytes(one) for one in found if one is not None]
