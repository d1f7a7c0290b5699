"""What somebody is shown: cases within the reach of their posts, and nothing of those beyond it (rule 1.1.4)."""

from datetime import date

from sqlalchemy.engine import Connection

from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.queries import find_case
from casework.work.cases.unseen import unseen


def reach_of(branch: Branch, actor: Actor, command: str, today: date) -> Reach:
    """The cases over which the actor may do `command`, by the policy in force on the branch's day."""
    return branch.rulebook.permissions.within(actor, command, branch.rulebook.policies.at(today))


def seen_case(conn: Connection, branch: Branch, actor: Actor, case_id: int, today: date) -> Case:
    """The case, if the actor's posts show it; CallerError `unknown_case`, the same where there is none."""
    found = find_case(conn, case_id)
    if not branch.rulebook.permissions.may_see(actor, found, branch.rulebook.policies.at(today)):
        raise unseen("unknown_case", case_id=case_id)
    return found
