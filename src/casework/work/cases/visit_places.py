"""Where a visit goes: its address masked as permissions.toml shows it, or in clear for a purpose, after its entry."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import now
from casework.customer import Customer
from casework.lifecycle.gather import select_of
from casework.people.staff.actor import Actor
from casework.personal import mask
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.disclosure import record_revealed
from casework.work.cases.lifecycles import VISITS
from casework.work.cases.ordered_to import addresses_of
from casework.work.cases.shown import seen
from casework.work.visits.visit import RETURNED, Visit

FIELD: Final = "address"
REVEAL: Final = "borrower.reveal"
MOST: Final = 100
"""Nobody visits more in a day."""
_visits: Final = VISITS.table.c


def visits_of_day(conn: Connection, people: frozenset[str], day: date) -> list[Visit]:
    """Those of a day that these people lead or go along with, by number of the stop, then by area; at most 100."""
    theirs = sa.or_(_visits.visitor.in_(people), _visits.second_visitor.in_(people))
    wanted = select_of(VISITS).where(_visits.visit_on == day, theirs, _visits.state.not_in(["cancelled", "missed"]))
    ordered = wanted.order_by(
        _visits.stop.is_(None), _visits.stop, _visits.area.is_(None), _visits.area, _visits.id
    ).limit(MOST)  # fmt: skip
    return [VISITS.rows.read(row) for row in conn.execute(ordered)]


def visits_returned(conn: Connection, people: frozenset[str]) -> list[Visit]:
    """Those whose reports these people are to put right, the longest waiting first; at most 100."""
    theirs = sa.or_(_visits.visitor.in_(people), _visits.second_visitor.in_(people))
    wanted = select_of(VISITS).where(_visits.state == RETURNED, theirs)
    found = conn.execute(wanted.order_by(_visits.state_since, _visits.id).limit(MOST))
    return [VISITS.rows.read(row) for row in found]


def masked_addresses(conn: Connection, branch: Branch, actor: Actor, visits: Sequence[Visit]) -> dict[int, str]:
    """By visit, as the actor is shown addresses; nothing of what they are not shown, or what was erased."""
    view = branch.rulebook.permissions.view(actor, FIELD)
    if view is None:
        return {}
    found = addresses_of(conn, branch, visits)
    return found if view == "clear" else {number: mask(FIELD, text) for number, text in found.items()}


def reveal_address(
    engine: Engine, branch: Branch, actor: Actor, visit_id: int, *, purpose: str
) -> str | None:  # fmt: skip
    """In clear, after the entry that says so is committed; none where it was erased.

    CallerErrors `post_not_permitted`, `unknown_visit`, and those of `Permissions.check_reveal`.
    """
    permissions = branch.rulebook.permissions
    permissions.require(actor, REVEAL)
    with writing(engine) as conn:
        visit: Visit = seen(conn, branch, VISITS, actor, visit_id, branch.today(now()))[0]
        permissions.check_reveal(actor, [FIELD], purpose)
        customer, contact = Customer(visit.institution, visit.borrower_id), visit.contact_id
        ids = [] if contact is None else [contact]
        record_revealed(conn, branch, actor, customer, [FIELD], ids, purpose=purpose)
    with reading(engine) as conn:
        return addresses_of(conn, branch, [visit]).get(visit.id)
