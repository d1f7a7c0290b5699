"""Approving a plan, as it was shown and only if the world still is as it was shown; and taking a plan back.

The kind `handover` of four eyes: its subject is `handover:<id>`, `what` departure or transfer, and it pins the plan's
digest. Approval marks the plan approved; applying it is another act. Whom the plan is about, who planned it, and
whoever deputises for them or they for, are no other people (rules 1.1.4, 5.4).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.people.staff.register import bump
from casework.rules.statechart.decide import Reason
from casework.work.cases.branch import Branch
from casework.work.four_eyes import requests as four_eyes
from casework.work.four_eyes.kinds import Carried, register
from casework.work.four_eyes.recording import Refused
from casework.work.four_eyes.stored import read_one
from casework.work.handover import (
    mistakes,
    planning,
    preview,
    standing,
)
from casework.work.handover.asking import (
    NAME,
    PREFIX,
    asked_with,
    close_request,
)
from casework.work.handover.comparing import Differences
from casework.work.handover.moves import DEPARTURE, TRANSFER, pin_of
from casework.work.handover.present import differences, moves_of, row_of
from casework.work.handover.replanning import Replanned, replan
from casework.work.handover.tables import handovers
from casework.work.request.request import Request

APPROVE = "handover.approve"


class Approved(msgspec.Struct, frozen=True):
    """The plan may be applied from `effective_on` on."""

    handover: int
    request: int
    entry_id: str


def approve(
    conn: Connection, branch: Branch, handover_id: int, *, actor: Actor, remark: str | None = None, clock: Clock = now
) -> Approved | Replanned | Refused:
    """Approve the plan; if the world has moved, nothing is approved and a new plan is made instead.

    CallerErrors: unknown_handover, post_not_permitted, handover_unplaced, and by its status handover_approved,
    handover_applied, handover_replaced, handover_withdrawn; faulty_data; handover_request_differs, request_altered.
    """
    branch.rulebook.permissions.require(actor, APPROVE)
    row = row_of(conn, handover_id, lock=True)
    if row.status != standing.PLANNED:
        raise mistakes.not_open(handover_id, row.status, [standing.PLANNED])
    if row.request_id is None:
        raise mistakes.not_asked(handover_id, preview.decoded(bytes(row.preview)).unplaced)
    asked = read_one(conn, row.request_id)
    if (asked.kind, asked.subject, asked.what) != (NAME, f"{PREFIX}{handover_id}", row.kind):
        raise mistakes.request_differs(handover_id)
    changed = _changed(conn, branch, row, clock)
    if changed:
        return replan(conn, branch, row, changed, actor=actor, clock=clock)
    moved = four_eyes.approve(conn, branch, row.request_id, actor=actor, remark=remark, clock=clock)
    if isinstance(moved, Refused):
        return moved
    return Approved(handover_id, moved.request_id, str(moved.carried_out))


def withdraw(conn: Connection, branch: Branch, handover_id: int, *, actor: Actor, clock: Clock = now) -> str:
    """Take back a plan that was not applied yet; the id of its entry.

    CallerErrors: unknown_handover, post_not_permitted, and by its status handover_applied, handover_replaced,
    handover_withdrawn.
    """
    branch.rulebook.permissions.require(actor, planning.PLAN)
    row = row_of(conn, handover_id, lock=True)
    if row.status not in standing.OPEN:
        raise mistakes.not_open(handover_id, row.status, standing.OPEN)
    trail = branch.trail(clock())
    conn.execute(handovers.update().where(handovers.c.id == handover_id).values(status=standing.WITHDRAWN))
    bump(conn)
    returned = close_request(conn, branch, trail, handover_id, actor, "withdrawn")
    data = {"staff_no": row.staff_no, "was": row.status, "returned": returned}
    stream = planning.stream_of(handover_id)
    head = trail.append(conn, stream, Draft("handover.withdrawn", actor.signed, data, rules=planning.RULES))
    trail.write(conn)
    return f"{stream}:{head.seq}"


def _changed(conn: Connection, branch: Branch, row: Any, clock: Clock) -> Differences:
    return differences(conn, branch, row, moves_of(conn, row.id), today=branch.today(clock()), lock=False)


class Handovers:
    """Plans of departures and transfers under four eyes."""

    name = NAME

    def topic(self, branch: Branch, what: str) -> str:
        """CallerError `unknown_what`."""
        del branch
        if what not in (DEPARTURE, TRANSFER):
            raise CallerError("unknown_what", "只有 departure 或 transfer", "it is departure or transfer")
        return NAME

    def pin(self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]) -> int:
        """The plan's digest; 0 once it is no longer waiting. Locks the plan."""
        del branch, what, data
        row = row_of(conn, handover_of(subject), lock=True)
        return pin_of(row.plan_digest) if row.status == standing.PLANNED else 0

    def concerned(
        self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]
    ) -> frozenset[str]:
        """Who goes; and who planned it, where somebody else asks."""
        del branch, what
        row = row_of(conn, handover_of(subject))
        planner = data.get("planner")
        return frozenset({row.staff_no} if planner is None else {row.staff_no, str(planner)})

    def ask(
        self, conn: Connection, branch: Branch, request_id: int, actor: Actor, subject: str, what: str,
        data: Mapping[str, Any], clock: Clock,
    ) -> tuple[Reason, ...]:  # fmt: skip
        """Only of a plan as it stands, with its digest, and only if all of it can be placed."""
        del branch, clock
        row = row_of(conn, handover_of(subject), lock=True)
        planner = None if row.planned_by == actor.id else row.planned_by
        if what != row.kind or data != asked_with(row.plan_digest, planner):
            raise CallerError(
                "faulty_data", "须按计划的摘要提交审批", "a plan is asked for with its own kind, digest and planner",
                data=asked_with(row.plan_digest, planner),
            )  # fmt: skip
        if row.status != standing.PLANNED:
            return (_reason(mistakes.not_open(row.id, row.status, [standing.PLANNED])),)
        unplaced = preview.decoded(bytes(row.preview)).unplaced
        if unplaced:
            return (_reason(mistakes.not_asked(row.id, unplaced)),)
        conn.execute(handovers.update().where(handovers.c.id == row.id).values(request_id=request_id))
        return ()

    def carry_out(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...] | Carried:
        """Mark the plan approved, if the world is as it was shown."""
        del data
        row = row_of(conn, handover_of(request.subject), lock=True)
        if row.status != standing.PLANNED:
            return (_reason(mistakes.not_open(row.id, row.status, [standing.PLANNED])),)
        changed = _changed(conn, branch, row, clock)
        if changed:
            return (_reason(mistakes.plan_changed(row.id)),)
        conn.execute(handovers.update().where(handovers.c.id == row.id).values(status=standing.APPROVED))
        bump(conn)
        trail = branch.trail(clock())
        said = {"staff_no": row.staff_no, "request": request.id, "plan_digest": row.plan_digest}
        stream = planning.stream_of(row.id)
        head = trail.append(conn, stream, Draft("handover.approved", actor.signed, said, rules=planning.RULES))
        trail.write(conn)
        return Carried(f"{stream}:{head.seq}")


def handover_of(subject: str) -> int:
    """The number in `handover:<id>`; CallerError unknown_handover for anything else."""
    number = subject.removeprefix(PREFIX)
    if number == subject or not (number.isascii() and number.isdecimal() and len(number) <= 16) or number[0] == "0":
        raise mistakes.unknown_handover()
    return int(number)


def _reason(mistake: CallerError) -> Reason:
    return Reason(mistake.code, planning.RULES, dict(mistake.facts), {}, mistake.zh, str(mistake))


register(Handovers())
