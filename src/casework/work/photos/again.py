"""Visits with photos that were drawn to be checked again, without a verdict or with one; the last ends their task."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.customer import Customer
from casework.lifecycle.afterwards import Acted
from casework.lifecycle.gather import select_of
from casework.work.cases.branch import Branch
from casework.work.cases.lifecycles import VISITS
from casework.work.photos.drawing import CHECK
from casework.work.tasks.checks import Check, end_checks
from casework.work.visits.visit import Visit

MOST: Final = 200
_CHECKED_MOST: Final = 20
_visits: Final = VISITS.table.c
_WAITING: Final = _visits.recheck_since.is_not(None)


def visits_drawn(conn: Connection) -> list[Visit]:
    """Those that wait, the longest first; at most 200."""
    wanted = select_of(VISITS).where(_WAITING).order_by(_visits.recheck_since, _visits.id).limit(MOST)
    return [VISITS.rows.read(row) for row in conn.execute(wanted)]


def visits_checked(conn: Connection) -> list[Visit]:
    """Those of whose photos a verdict was given, the last first; at most 20."""
    wanted = select_of(VISITS).where(_visits.rechecked_on.is_not(None))
    found = conn.execute(wanted.order_by(_visits.rechecked_on.desc(), _visits.id.desc()).limit(_CHECKED_MOST))
    return [VISITS.rows.read(row) for row in found]


def end_rechecks(conn: Connection, branch: Branch, acted: Sequence[Acted], clock: Clock) -> None:
    """Of each debtor of whom no photo waits any more the task is done, by whoever gave the last verdict."""
    last = {Customer(one.subject.institution, one.subject.borrower_id): one for one in acted}
    theirs = _visits.borrower_id.in_(sorted({one.borrower_id for one in last}))
    waiting = sa.select(_visits.institution, _visits.borrower_id).where(_WAITING, theirs)

    def who_waits() -> set[Customer]:
        return {Customer(*row) for row in conn.execute(waiting)}

    for customer, (command, visit) in last.items():
        check = Check(customer, visit.loan_id, CHECK, command.evidence)
        end_checks(conn, branch, check, who_waits, command.actor, clock(), visit=visit.id)
