"""A plan beside the present: its moves as they are stored, what differs from the world by now, and planning anew."""

from collections.abc import Sequence
from datetime import date

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.people.staff import dossier
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.handover import planning, standing
from casework.work.handover.comparing import Differences, compare, receivers_by_choice
from casework.work.handover.moves import MOVE_COLUMNS, Move
from casework.work.handover.tables import handover_moves
from casework.work.handovers import TRANSFER, Handover

_MOVE = tuple(handover_moves.c[name] for name in MOVE_COLUMNS)


def moves_of(conn: Connection, handover_id: int) -> list[Move]:
    """Every move of a plan, by case."""
    wanted = sa.select(*_MOVE).where(handover_moves.c.handover_id == handover_id)
    return [Move(*row) for row in conn.execute(wanted.order_by(handover_moves.c.case_id))]


def differences(
    conn: Connection, branch: Branch, plan: Handover, moves: Sequence[Move], *, today: date, lock: bool = False
) -> Differences:
    """What has changed since the plan was made. `lock`: their cases and their own row are held until the commit.

    With `lock` the material versions of a departure's cases are left to the door, which reads the cases anyway.
    """
    goes = plan.staff_no
    among = planning.candidates(conn, branch, goes, (), max(today, plan.effective_on), today, by_hand=False)
    held = standing.held_now(conn, goes) if lock else {}
    versions = None
    if not lock or plan.opened_for == TRANSFER:
        found = standing.cases_of(conn, goes)
        moving = planning.moving_of(found, goes, plan.opened_for, planning.options_of(plan), among, branch)
        held = standing.held_of(moving, goes)
        versions = {case.id: case.facts.material_version for case in moving}
    unfit = {
        receiver: code for receiver in receivers_by_choice(moves)
        if (code := planning.unfit(receiver, goes, among.roster, among.without, among.rules.posts)) is not None
    }  # fmt: skip
    return compare(moves, held, unfit, versions)


class Replanned(msgspec.Struct, frozen=True):
    """The world is not as it was planned: nothing was done, plan `by` replaces this one and asks for approval."""

    handover: int
    by: int
    differences: Differences


def replan(
    conn: Connection, branch: Branch, plan: Handover, changed: Differences, *, actor: Actor, clock: Clock
) -> Replanned:
    """Plan the same anew, as things are now; `plan` (locked) is replaced and names what differed.

    It stays a plan of who planned first: whoever runs into the difference asks for nothing themselves. Receivers named
    by hand who may not receive any more are passed over.
    """
    today, kind, wanted = branch.today(clock()), plan.opened_for, planning.options_of(plan)
    person = dossier.person(conn, plan.staff_no)
    drawn = planning.draw(conn, branch, person, kind, wanted, max(today, plan.effective_on), today, by_hand=False)
    by = planning.store(
        conn, branch, actor, plan.staff_no, kind, plan.effective_on, wanted, drawn, clock=clock, why=planning.CHANGED,
        differences=changed.as_data(), planned_by=plan.planned_by,
    )  # fmt: skip
    return Replanned(plan.id, by, changed)
