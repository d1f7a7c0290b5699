"""Requests for an event of a case: asked of the door when they are made, fired through it when they are approved."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.errors import CallerError
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Cleared, Done, Fire, Mistaken, Outcome, Refused
from casework.people.staff.actor import Actor
from casework.rules.statechart.decide import Reason
from casework.rules.statechart.fields import DataFault
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.unseen import unseen
from casework.work.four_eyes.kinds import Carried, Standing
from casework.work.requests import EVENT, Request

NAME = EVENT
PREFIX = "case:"


class CaseEvents:
    """What the chart puts under four eyes. The subject is `case:<id>`, `what` the event, `data` what it takes."""

    name = NAME

    def topic(self, branch: Branch, what: str) -> str:
        """CallerErrors `unknown_event`, `no_request_needed`."""
        event = branch.rulebook.chart.events.get(what)
        if event is None:
            raise CallerError("unknown_event", "状态图没有这个事件", "the chart has no such event")
        if event.four_eyes is None:
            raise CallerError(
                "no_request_needed", f"“{event.zh}”无须审批，请直接办理", f"“{event.en}” needs no approval: do it",
                event=what,
            )  # fmt: skip
        return event.four_eyes

    def pin(self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]) -> int:
        """The case's material version (decision 0007); the case is locked."""
        del branch, what, data  # a case counts by itself
        found = rows.select_by_keys(conn, CASE_ROWS, "id", [case_of(subject)], lock=True)
        if not found:
            raise unknown_case()
        return from_row(found[0]).facts.material_version

    def ask(
        self, conn: Connection, branch: Branch, request_id: int, actor: Actor, subject: str, what: str,
        data: Mapping[str, Any], clock: Clock,
    ) -> tuple[Reason, ...]:  # fmt: skip
        """The door asks every guard; that it was asked for, or why not, is an entry of the case."""
        fire = Fire(actor=actor, id=case_of(subject), event=what, data=data, asking=request_id)
        (outcome,) = advance(conn, [fire], branch, clock=clock)
        if isinstance(outcome, Done):
            return ()
        if isinstance(outcome, Refused):
            return outcome.reasons
        raise _mistake(outcome)

    def carry_out(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...] | Carried:
        """Fire it: every guard is asked again, and the case must be as it was."""
        (outcome,) = advance(conn, [_cleared(branch, request, actor, data)], branch, clock=clock)
        return Carried(outcome.entry_id) if isinstance(outcome, Done) else _why_not(outcome)

    def forecast(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...]:
        """The door's own answer to the same, without a lock or an entry."""
        fire = _cleared(branch, request, actor, data)
        (outcome,) = advance(conn, [fire], branch, clock=clock, lock=False, dry_run=True)
        return () if isinstance(outcome, Done) else _why_not(outcome)

    def standings(self, conn: Connection, branch: Branch, asked: Sequence[Request]) -> Mapping[int, Standing]:
        """Void once the chart has no way for the event from where the case is now."""
        numbers = {request.id: case_of(request.subject) for request in asked}
        found = {row[0]: row for row in rows.select_by_keys(conn, CASE_ROWS, "id", sorted({*numbers.values()}))}
        standing = {}
        for request in asked:
            case = from_row(found[numbers[request.id]])
            event = branch.rulebook.chart.events.get(request.what)
            void = event is None or case.state not in event.arcs
            standing[request.id] = Standing(case, case.facts.material_version, void)
        return standing


def _cleared(branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any]) -> Fire:
    topic = branch.rulebook.requests.approvals[request.topic]
    cleared = Cleared(
        request_id=request.id, topic=request.topic, asked_by=request.opened_by, reviewed_by=request.reviewed_by,
        involved=request.involved, approvers=topic.approved_by, material_version=request.pinned_version,
    )  # fmt: skip
    return Fire(actor=actor, id=case_of(request.subject), event=request.what, data=data, cleared=cleared)


def _why_not(outcome: Outcome) -> tuple[Reason, ...]:
    if isinstance(outcome, Refused):
        return outcome.reasons
    if isinstance(outcome, Mistaken) and outcome.code == "faulty_data":
        return tuple(map(_no_longer, outcome.faults))
    raise _mistake(outcome)


def case_of(subject: str) -> int:
    """The number in `case:<id>`; CallerError `unknown_case` for anything else."""
    number = subject.removeprefix(PREFIX)
    if subject == number or not (number.isascii() and number.isdecimal() and len(number) <= 16) or number[0] == "0":
        raise unknown_case()
    return int(number)


def unknown_case() -> CallerError:
    """There is none of this number, or it is not shown to whoever asks."""
    return unseen("unknown_case")


def _mistake(outcome: Outcome) -> CallerError:
    if not isinstance(outcome, Mistaken):
        raise TypeError(f"one command alone is done, refused or mistaken, not {type(outcome).__name__}")
    faults = [
        {"field": fault.field, "code": fault.code, "zh": fault.zh, "en": fault.en, "rules": list(fault.rules)}
        for fault in outcome.faults
    ]
    if outcome.code == "unknown_case":
        return unknown_case()
    what = ", ".join(fault.field for fault in outcome.faults) or outcome.code
    return CallerError(outcome.code, f"提交的数据有误：{what}", f"the data given are not what the event takes: {what}",
                       faults=faults)  # fmt: skip


def _no_longer(fault: DataFault) -> Reason:
    """What was good data when it was asked for can have been overtaken by the calendar: a term that is over."""
    return Reason(
        "data_overtaken", ("1.1.4", *fault.rules), {"field": fault.field}, {"field_valid": fault.field},
        f"申请中的数据已失效：{fault.zh}", f"what was asked for is no longer possible: {fault.en}",
    )  # fmt: skip
