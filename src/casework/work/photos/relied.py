"""What was done in reliance on a visit that proves nothing any more: a case placed early with an agency (1.3.2b).

Nothing is undone by itself. The basic-risk post has it on its list, once a debtor, and decides with the agency post
whether the case is recalled; whoever has looked ends the task.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.lifecycle.afterwards import Acted
from casework.people.staff.actor import system
from casework.rules.statechart.policy import Policy
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.tasks.checks import Check, add_checks
from casework.work.visits.noun import VISIT
from casework.work.visits.visit import Visit

CHECK: Final = "early_placement_check"
_RULES: Final = ("1.3.2b", "1.3.2w", "5.4")
_FAILED: Final = "not_found"


def ask_about_placements(conn: Connection, branch: Branch, acted: Sequence[Acted], clock: Clock) -> None:
    """Of each case that was placed early, one of whose visits in vain is none now, a check is asked for."""
    lost: dict[int, Visit] = {one.subject.parent_id: one.subject for one in acted if _proves_no_more(one.subject)}
    if not lost:
        return
    policy = branch.rulebook.policies.at(branch.today(clock()))
    cases = [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", sorted(lost))]
    wanted = [
        Check(case.customer, case.loan_id, CHECK, f"{VISIT.word}:{lost[case.id].id}", _RULES)
        for case in cases if _placed_early(case, policy)
    ]  # fmt: skip
    add_checks(conn, branch, wanted, system(acted[0].command.actor.via), clock())


def _proves_no_more(visit: Visit) -> bool:
    was_in_vain = any((one.name, one.was) == ("outcome", _FAILED) for one in visit.corrected)
    return (visit.outcome == _FAILED and visit.disproved) or (visit.outcome != _FAILED and was_in_vain)


def _placed_early(case: Case, policy: Policy) -> bool:
    placement, due = case.facts.placement, case.oldest_due_date
    return (
        placement is not None
        and due is not None
        and (placement.placed_on - due).days < policy.figure("placement.from_dpd")
    )
