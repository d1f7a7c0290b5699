"""Carrying a plan out: every case moves, its person leaves or moves, their access ends; all of it in one transaction.

The world is compared with the plan first, under lock. If anything differs, nothing is applied: a new plan is made,
which has to be approved anew, and the answer says so. Callers commit either way.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Outcome, Refused
from casework.people.identity.ending import end_access
from casework.people.staff import register
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Assign, Command
from casework.work.four_eyes import requests as four_eyes
from casework.work.handover import recording
from casework.work.handover.comparing import Differences
from casework.work.handover.moves import Move, receivers_of
from casework.work.handover.replanning import Replanned, differences, moves_of, replan
from casework.work.handovers import DEPARTURE, Handover

APPLY = "handover.apply"


class Applied(msgspec.Struct, frozen=True):
    """It happened. `access_ended`: tokens, keys, sessions and codes that died; `returned`: their proposals, by id."""

    handover: int
    cases: int
    receivers: dict[str, int]
    access_ended: int
    returned: list[int]
    entry_id: str


def apply(
    conn: Connection, branch: Branch, handover_id: int, *, actor: Actor, clock: Clock = now
) -> Applied | Replanned:
    """Carry out an approved plan, from its day on.

    CallerErrors: unknown_handover, post_not_permitted, handover_of_oneself, handover_not_yet, and by its status
    handover_planned, handover_applied, handover_replaced, handover_withdrawn.
    """
    branch.rulebook.permissions.require(actor, APPLY)
    plan, today = recording.plan_of(conn, handover_id, lock=True), branch.today(clock())
    recording.check(branch, plan, "applied", actor, today)
    moves = moves_of(conn, handover_id)
    changed = differences(conn, branch, plan, moves, today=today, lock=True)
    if not changed:
        changed = _move_cases(conn, branch, plan, moves, actor, clock)
    if changed:
        return replan(conn, branch, plan, changed, actor=actor, clock=clock)
    return _finish(conn, branch, plan, moves, actor, clock)


def _move_cases(
    conn: Connection, branch: Branch, plan: Handover, moves: Sequence[Move], actor: Actor, clock: Clock
) -> Differences:
    """Through the door, all or none; what the door refused, if it did (then nothing has moved)."""
    commands: list[Command] = [_assign(plan, move, actor) for move in moves]
    # No savepoint around it: SQLite's cost of one grows with the square of what is written inside.
    outcomes = advance(conn, commands, branch, clock=clock, atomic=True, keep_refusals=False)
    refused = Counter(_code(outcome) for outcome in outcomes if not isinstance(outcome, Done))
    return Differences(refused=dict(sorted(refused.items())))


def _assign(plan: Handover, move: Move, actor: Actor) -> Assign:
    return Assign(
        actor=actor, id=move.case_id, owner=str(move.receiver), handler=move.handler, reason=plan.opened_for,
        rule=move.rule, post=move.post, permitted_by=APPLY, material_version=move.material_version,
        cause={"handover": plan.id, "chosen": move.reason}, keep_capacity=True,
    )  # fmt: skip


def _code(outcome: Outcome) -> str:
    return outcome.reasons[0].code if isinstance(outcome, Refused) else getattr(outcome, "code", "not_done")


def _finish(
    conn: Connection, branch: Branch, plan: Handover, moves: Sequence[Move], actor: Actor, clock: Clock
) -> Applied:
    """What follows the cases: receipts, the register, their access and proposals, the plan itself."""
    conn.execute(_RECEIPTS, {"handover": plan.id})
    trail, staff_no, cause = branch.trail(clock()), plan.staff_no, {"handover": plan.id}
    ended, returned = 0, list[int]()
    if plan.opened_for == DEPARTURE:
        ended = end_access(conn, trail, actor, staff_no=staff_no)
        returned = four_eyes.send_back_all_of(conn, branch, trail, staff_no, actor)
        register.leave(conn, trail, actor, staff_no=staff_no, on=plan.effective_on, cause=cause)
    else:
        register.move(
            conn, trail, actor, staff_no=staff_no, team=plan.team, region=plan.region, from_on=plan.effective_on,
            cause=cause,
        )  # fmt: skip
    counts = {receiver: len(theirs) for receiver, theirs in receivers_of(moves).items()}
    said = {
        "staff_no": staff_no, "kind": plan.opened_for, "plan_digest": plan.plan_digest, "cases": len(moves),
        "receivers": [{"receiver": receiver, "cases": count} for receiver, count in counts.items()],
        "access_ended": ended, "returned": returned,
    }  # fmt: skip
    entry_id = recording.record(conn, branch, trail, plan, "applied", actor, said)
    trail.write(conn)
    return Applied(plan.id, len(moves), counts, ended, returned, entry_id)


# The assignment is the last entry of each case that moved: its row, which this transaction holds, says which.
_RECEIPTS = sa.text(
    "UPDATE handover_moves SET entry_id = (SELECT 'case:' || cases.id || ':' || cases.audit_seq FROM cases"
    " WHERE cases.id = handover_moves.case_id) WHERE handover_id = :handover"
)
