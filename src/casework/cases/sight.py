"""What somebody is shown: cases within the reach of his posts, and nothing of those beyond it (rule 1.1.4)."""

from datetime import date

from sqlalchemy.engine import Connection

from casework.cases.branch import Branch
from casework.cases.case import Case
from casework.cases.queries import find_case
from casework.cases.reasons import out_of_reach
from casework.errors import CallerError
from casework.staff.actor import Actor
from casework.staff.permissions import Reach, Whose
from casework.statechart.decide import Reason
from casework.statechart.policy import Policy


def reach_of(branch: Branch, actor: Actor, command: str, today: date) -> Reach:
    """The cases over which the actor may do `command`, by the policy in force on the branch's day."""
    return branch.rulebook.permissions.within(actor, command, branch.rulebook.policies.at(today))


def seen_case(conn: Connection, branch: Branch, actor: Actor, case_id: int, today: date) -> Case:
    """The case, if the actor's posts show it to him; CallerErrors `unknown_case`, `out_of_reach`."""
    found = find_case(conn, case_id)
    check_sight(branch, actor, found, branch.rulebook.policies.at(today), case_id=case_id)
    return found


def check_sight(branch: Branch, actor: Actor, case: Whose, policy: Policy, **facts: int | str) -> None:
    """CallerError `out_of_reach` with its reason, unless the actor's posts show him the case (or loan)."""
    permissions = branch.rulebook.permissions
    if not permissions.may_see(actor, case, policy):
        raise beyond(actor, permissions.commands["case.read"].rules, **facts)


def beyond(actor: Actor, rules: tuple[str, ...], **facts: int | str) -> CallerError:
    """CallerError `out_of_reach`: what is asked for is there, but not for him."""
    held = actor.posts.union(*(principal.posts for principal in actor.principals))
    reason = out_of_reach(held, rules)
    return CallerError(reason.code, reason.zh, reason.en, reasons=[_told(reason)], **facts)


def _told(reason: Reason) -> dict[str, object]:
    return {
        "code": reason.code, "rules": list(reason.rules), "saw": dict(reason.saw), "needs": dict(reason.needs),
        "zh": reason.zh, "en": reason.en, "opens_on": None,
    }  # fmt: skip
