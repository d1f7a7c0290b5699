"""Approving a plan, as it was shown and only if the world still is as it was shown; and taking a plan back.

The kind `handover` of four eyes: its subject is `handover:<id>`, `what` departure or transfer, and it pins the plan's
digest. Approval marks the plan approved; applying it is another act. Whom the plan is about, who planned it, and
whoever deputises for them or they for, are no other people (rules 1.1.4, 5.4).
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.rules.statechart.decide import Reason
from casework.work.cases.branch import Branch
from casework.work.four_eyes import requests as four_eyes
from casework.work.four_eyes.ending import send_back_about
from casework.work.four_eyes.kinds import Carried
from casework.work.four_eyes.recording import Refused
from casework.work.four_eyes.stored import read_one
from casework.work.handover import recording
from casework.work.handover.comparing import Differences
from casework.work.handover.moves import pin_of
from casework.work.handover.planning import PLAN, asked_with
from casework.work.handover.recording import STREAM, plan_of
from casework.work.handover.replanning import Replanned, differences, moves_of, replan
from casework.work.handovers import DEPARTURE, HANDOVER, TRANSFER, Handover
from casework.work.requests import Request

APPROVE = "handover.approve"
NAME = HANDOVER.word
RULES = ("1.1.1", "5.4")


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
    plan = plan_of(conn, handover_id, lock=True)
    recording.check(branch, plan, "approved", actor, branch.today(clock()))
    asked = read_one(conn, plan.request or 0)
    if (asked.kind, asked.subject, asked.what) != (NAME, plan.stream, plan.opened_for):
        raise CallerError("handover_request_differs", handover=handover_id)
    changed = _changed(conn, branch, plan, clock)
    if changed:
        return replan(conn, branch, plan, changed, actor=actor, clock=clock)
    moved = four_eyes.approve(conn, branch, asked.id, actor=actor, remark=remark, clock=clock)
    if isinstance(moved, Refused):
        return moved
    return Approved(handover_id, moved.request_id, str(moved.carried_out))


def withdraw(conn: Connection, branch: Branch, handover_id: int, *, actor: Actor, clock: Clock = now) -> str:
    """Take back a plan that was not applied yet; the id of its entry.

    CallerErrors: unknown_handover, post_not_permitted, and by its status handover_applied, handover_replaced,
    handover_withdrawn.
    """
    branch.rulebook.permissions.require(actor, PLAN)
    plan, trail = plan_of(conn, handover_id, lock=True), branch.trail(clock())
    recording.check(branch, plan, "withdrawn", actor, trail.today)
    returned = send_back_about(conn, branch, trail, plan.stream, actor, "other")
    said = {"staff_no": plan.staff_no, "was": plan.state, "returned": returned}
    entry_id = recording.record(conn, branch, trail, plan, "withdrawn", actor, said)
    trail.write(conn)
    return entry_id


def _changed(conn: Connection, branch: Branch, plan: Handover, clock: Clock) -> Differences:
    return differences(conn, branch, plan, moves_of(conn, plan.id), today=branch.today(clock()))


class Handovers:
    """Plans of departures and transfers under four eyes."""

    name = NAME

    def topic(self, branch: Branch, subject: str, what: str) -> str:
        """CallerError `unknown_what`."""
        del branch, subject
        if what not in (DEPARTURE, TRANSFER):
            raise CallerError("unknown_what", "只有 departure 或 transfer", "it is departure or transfer")
        return NAME

    def pin(self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]) -> int:
        """The plan's digest; 0 once it is no longer waiting. Locks the plan."""
        del what, data
        plan = plan_of(conn, handover_of(subject), lock=True)
        return pin_of(plan.plan_digest) if plan.state == branch.rulebook.charts[HANDOVER.chart].initial else 0

    def concerned(
        self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]
    ) -> frozenset[str]:
        """Who goes; and who planned it, where somebody else asks."""
        del branch, what
        goes, planner = plan_of(conn, handover_of(subject)).staff_no, data.get("planner")
        return frozenset({goes} if planner is None else {goes, str(planner)})

    def ask(
        self, conn: Connection, branch: Branch, request_id: int, actor: Actor, subject: str, what: str,
        data: Mapping[str, Any], clock: Clock,
    ) -> tuple[Reason, ...]:  # fmt: skip
        """Only of a plan as it stands, with its digest, and only if all of it can be placed."""
        plan, trail = plan_of(conn, handover_of(subject), lock=True), branch.trail(clock())
        if what != plan.opened_for or data != asked_with(plan, actor):
            raise CallerError(
                "faulty_data", "须按计划的摘要提交审批", "a plan is asked for with its own kind, digest and planner",
                data=asked_with(plan, actor),
            )  # fmt: skip
        reasons = recording.reasons_against(branch, plan, "asked", actor, trail.today)
        if not reasons and plan.request is not None:  # not by the entry that begins the plan, which names the first
            recording.record(conn, branch, trail, plan, "asked", actor, {}, given={"request": request_id})
            trail.write(conn)
        return reasons

    def carry_out(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...] | Carried:
        """Mark the plan approved, if the world is as it was shown."""
        del data
        plan, trail = plan_of(conn, handover_of(request.subject), lock=True), branch.trail(clock())
        reasons = recording.reasons_against(branch, plan, "approved", actor, trail.today)
        if not reasons and _changed(conn, branch, plan, clock):
            told = CallerError("plan_changed", handover=plan.id)
            reasons = (Reason(told.code, RULES, dict(told.facts), {}, told.zh, str(told)),)
        if reasons:
            return reasons
        said = {"staff_no": plan.staff_no, "request": request.id, "plan_digest": plan.plan_digest}
        entry_id = recording.record(conn, branch, trail, plan, "approved", actor, said)
        trail.write(conn)
        return Carried(entry_id)


def handover_of(subject: str) -> int:
    """The number in `handover:<id>`; CallerError unknown_handover for anything else."""
    found = re.fullmatch(rf"{STREAM}([1-9][0-9]{{0,15}})", subject, re.ASCII)
    if found is None:
        raise CallerError("unknown_handover")
    return int(found[1])
