"""What the gate says against visits before anybody leaves, and before anybody knocks."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection

from casework.people.staff.actor import Actor
from casework.work.cases.case import Case
from casework.work.contacts.contact import DEBTOR
from casework.work.gate.gather import Asking
from casework.work.gate.judge import Wish
from casework.work.gate.permits import Why, foresee

if TYPE_CHECKING:
    from casework.work.cases.branch import Branch


def against_visits(
    conn: Connection, branch: "Branch", wanted: Sequence[tuple[Actor, Case]], at: datetime
) -> list[list[Why]]:  # fmt: skip
    """Every reason why the debtor of the case may not be visited then by whoever it is; nothing is reserved."""
    askings = [
        Asking(
            Wish(case.loan_id, DEBTOR, "visit", "demand", None, at), case.customer,
            actor.posts.union(*(principal.posts for principal in actor.principals)), case.state, case.product, case.id,
            actor.id,
        )
        for actor, case in wanted
    ]  # fmt: skip
    return [one.reasons for one in foresee(conn, branch, askings, at)]
