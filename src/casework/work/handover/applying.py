"""Carrying a plan out: every case moves, its person leaves or moves, his access ends; all of it in one transaction.

The world is compared with the plan first, under lock. If anything differs, nothing is applied: a new plan is made,
which has to be approved anew, and the answer says so. Callers commit either way.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Mistaken, Outcome, Refused
from casework.log.write.trail import Draft
from casework.people.identity.ending import end_access
from casework.people.staff import register
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Assign, Command
from casework.work.four_eyes import requests as four_eyes
from casework.work.handover import mistakes, planning, standing
from casework.work.handover.comparing import Differences
from casework.work.handover.moves import DEPARTURE, Move, receivers_of
from casework.work.handover.present import differences, moves_of, row_of
from casework.work.handover.replanning import Replanned, replan
from casework.work.handover.tables import handovers

APPLY = "handover.apply"


class Applied(msgspec.Struct, frozen=True):
    """It happened. `access_ended`: tokens, keys, sessions and codes that died; `returned`: his proposals, by id."""

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
    row = row_of(conn, handover_id, lock=True)
    if row.status != standing.APPROVED:
        raise mistakes.not_open(handover_id, row.status, [standing.APPROVED])
    if row.staff_no in actor.people:
        raise mistakes.own_departure(row.staff_no)
    today = branch.today(clock())
    if today < row.effective_on:
        raise mistakes.not_yet(handover_id, row.effective_on)
    moves = moves_of(conn, handover_id)
    changed = differences(conn, branch, row, moves, today=today, lock=True)
    if not changed:
        changed = _move_cases(conn, branch, row, moves, actor, clock)
    if changed:
        return replan(conn, branch, row, changed, actor=actor, clock=clock)
    return _finish(conn, branch, row, moves, actor, clock)


def _move_cases(
    conn: Connection, branch: Branch, row: Any, moves: Sequence[Move], actor: Actor, clock: Clock
) -> Differences:
    """Through the door, all or none; what the door refused, if it did (then nothing has moved)."""
    commands: list[Command] = [_assign(row, move, actor) for move in moves]
    # No savepoint around it: SQLite's cost of one grows with the square of what is written inside.
    outcomes = advance(conn, commands, branch, clock=clock, atomic=True, keep_refusals=False)
    refused = Counter(_code(outcome) for outcome in outcomes if not isinstance(outcome, Done))
    return Differences(refused=dict(sorted(refused.items())))


def _assign(row: Any, move: Move, actor: Actor) -> Assign:
    return Assign(
        actor=actor, id=move.case_id, owner=str(move.receiver), handler=move.handler, reason=row.kind,
        rule=move.rule, post=move.post, permitted_by=APPLY, material_version=move.material_version,
        cause={"handover": row.id, "chosen": move.reason}, keep_capacity=True,
    )  # fmt: skip


def _code(outcome: Outcome) -> str:
    match outcome:
        case Refused():
            return outcome.reasons[0].code
        case Mistaken():
            return outcome.code
        case _:
            return "not_done"


def _finish(conn: Connection, branch: Branch, row: Any, moves: Sequence[Move], actor: Actor, clock: Clock) -> Applied:
    """What follows the cases: receipts, the register, his access and proposals, the plan itself."""
    conn.execute(_RECEIPTS, {"handover": row.id})
    trail = branch.trail(clock())
    cause = {"handover": row.id}
    ended, returned = 0, list[int]()
    if row.kind == DEPARTURE:
        ended = end_access(conn, trail, actor, staff_no=row.staff_no)
        returned = four_eyes.send_back_all_of(conn, branch, trail, row.staff_no, actor)
        register.leave(conn, trail, actor, staff_no=row.staff_no, on=row.effective_on, cause=cause)
    else:
        wanted = planning.options_of(row)
        register.move(
            conn, trail, actor, staff_no=row.staff_no, team=wanted.team, region=wanted.region,
            from_on=row.effective_on, cause=cause,
        )  # fmt: skip
    conn.execute(
        handovers.update().where(handovers.c.id == row.id).values(status=standing.APPLIED, applied_at=trail.recorded_at)
    )
    counts = {receiver: len(his) for receiver, his in receivers_of(moves).items()}
    data = {
        "staff_no": row.staff_no, "kind": row.kind, "plan_digest": row.plan_digest, "cases": len(moves),
        "receivers": [{"receiver": receiver, "cases": count} for receiver, count in counts.items()],
        "access_ended": ended, "returned": returned,
    }  # fmt: skip
    draft = Draft("handover.applied", actor.signed, data, rules=planning.RULES)
    head = trail.append(conn, planning.stream_of(row.id), draft)
    trail.write(conn)
    return Applied(row.id, len(moves), counts, ended, returned, f"{planning.stream_of(row.id)}:{head.seq}")


# The assignment is the last entry of each case that moved: its row, which this transaction holds, says which.
_RECEIPTS = sa.text(
    "UPDATE handover_moves SET entry_id = (SELECT 'case:' || cases.id || ':' || cases.audit_seq FROM cases"
    " WHERE cases.id = handover_moves.case_id) WHERE handover_id = :handover"
)
