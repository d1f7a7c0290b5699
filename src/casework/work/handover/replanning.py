"""Planning the same anew when the world has moved between a plan and its approval, or its application."""

import msgspec
from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.people.staff import dossier
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.handover import planning
from casework.work.handover.comparing import Differences
from casework.work.handovers import Handover


class Replanned(msgspec.Struct, frozen=True):
    """The world is not as it was planned: nothing was done, plan `by` replaces this one and asks for approval."""

    handover: int
    by: int
    differences: Differences


def replan(
    conn: Connection, branch: Branch, plan: Handover, changed: Differences, *, actor: Actor, clock: Clock
) -> Replanned:
    """Plan the same anew, as things are now; `plan` (locked) is replaced and names what differed.

    It stays a plan of who planned first: whoever runs into the difference asks for nothing of his own. Receivers named
    by hand who may not receive any more are passed over.
    """
    today, kind, wanted = branch.today(clock()), plan.opened_for, planning.options_of(plan)
    person = dossier.person(conn, plan.staff_no)
    drawn = planning.draw(conn, branch, person, kind, wanted, max(today, plan.effective_on), today, by_hand=False)
    by = planning.store(
        conn, branch, actor, plan.staff_no, kind, plan.effective_on, wanted, drawn, clock=clock, why="cases_changed",
        differences=changed.as_data(), planned_by=plan.planned_by,
    )  # fmt: skip
    return Replanned(plan.id, by, changed)
