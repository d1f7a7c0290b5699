"""Requests for an event of anything that is worked on: asked of the door when they are made, fired when approved."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.errors import CallerError
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Cleared, Done, Fire, Mistaken, Outcome, Refused
from casework.lifecycle.gather import gather, nouns_by_chart, select_of
from casework.lifecycle.kept import Kept
from casework.lifecycle.opening import unknown_event
from casework.people.staff.actor import Actor, system
from casework.rules.statechart.chart import Event
from casework.rules.statechart.decide import Reason
from casework.rules.statechart.fields import DataFault
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.shown import unseen_of, whose_are
from casework.work.cases.unseen import unseen
from casework.work.four_eyes.kinds import Carried, Standing
from casework.work.requests import EVENT, Request


class Events:
    """What charts put under four eyes. The subject is `case:<id>`, `promise:<id>` …, `what` the event."""

    name = EVENT

    def topic(self, branch: Branch, subject: str, what: str) -> str:
        """CallerErrors `unknown_case`, `unknown_event`, `no_request_needed`."""
        event = event_of(branch, subject, what)
        if event is None:
            raise unknown_event(what, branch.rulebook.charts[noun_of(branch, subject).chart])
        if event.four_eyes is None:
            raise CallerError(
                "no_request_needed", f"“{event.zh}”无须审批，请直接办理", f"“{event.en}” needs no approval: do it",
                event=what,
            )  # fmt: skip
        return event.four_eyes

    def pin(self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]) -> int:
        """The subject's material version (decision 0007); it is held with all that the door holds with it."""
        del data
        fire = Fire(actor=system("cli"), noun=noun_of(branch, subject).chart, id=number_of(subject), event=what)
        held = gather(conn, [fire], branch.nouns, branch.vault, lock="wait")
        found = held.subjects.get((noun_of(branch, subject).chart, fire.id))
        if found is None:
            raise unknown(branch, subject)
        material: int = found.material
        return material

    def ask(
        self, conn: Connection, branch: Branch, request_id: int, actor: Actor, subject: str, what: str,
        data: Mapping[str, Any], clock: Clock,
    ) -> tuple[Reason, ...] | Done | Refused:  # fmt: skip
        """The door asks every guard; that it was asked for, or why not, is an entry of the subject."""
        noun, number = noun_of(branch, subject), number_of(subject)
        fire = Fire(actor=actor, noun=noun.chart, id=number, event=what, data=data, asking=request_id)
        (outcome,) = advance(conn, [fire], branch, clock=clock)
        if isinstance(outcome, Done | Refused):
            return outcome
        raise _mistake(branch, subject, outcome)

    def carry_out(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...] | Carried:
        """Fire it: every guard is asked again, and the subject must be as it was."""
        (outcome,) = advance(conn, [_cleared(branch, request, actor, data)], branch, clock=clock)
        return Carried(outcome.entry_id) if isinstance(outcome, Done) else _why_not(branch, request, outcome)

    def forecast(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...]:
        """The door's own answer to the same, without a lock or an entry."""
        fire = _cleared(branch, request, actor, data)
        (outcome,) = advance(conn, [fire], branch, clock=clock, lock=False, dry_run=True)
        return () if isinstance(outcome, Done) else _why_not(branch, request, outcome)

    def standings(self, conn: Connection, branch: Branch, asked: Sequence[Request]) -> Mapping[int, Standing]:
        """Void once the chart has no way for the event from where the subject is now."""
        by_noun: dict[Kept, list[Request]] = {}
        for request in asked:
            by_noun.setdefault(noun_of(branch, request.subject), []).append(request)
        standing = {}
        for noun, about in by_noun.items():
            numbers = sorted({number_of(request.subject) for request in about})
            read = [noun.rows.read(row) for row in rows.select_by_keys(conn, select_of(noun), "id", numbers)]
            found = {one.id: (one, whose) for one, whose in zip(read, whose_are(conn, noun, read), strict=True)}
            for request in about:
                subject, whose = found[number_of(request.subject)]
                event = event_of(branch, request.subject, request.what)
                void = event is None or subject.state not in event.arcs
                standing[request.id] = Standing(noun, subject, whose, subject.material, void)
        return standing


def _cleared(branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any]) -> Fire:
    topic = branch.rulebook.requests.approvals[request.topic]
    cleared = Cleared(
        request_id=request.id, topic=request.topic, asked_by=request.opened_by, reviewed_by=request.reviewed_by,
        involved=request.involved, approvers=topic.approved_by, material_version=request.pinned_version,
    )  # fmt: skip
    noun, number = noun_of(branch, request.subject), number_of(request.subject)
    return Fire(actor=actor, noun=noun.chart, id=number, event=request.what, data=data, cleared=cleared)


def _why_not(branch: Branch, request: Request, outcome: Outcome) -> tuple[Reason, ...]:
    if isinstance(outcome, Refused):
        return outcome.reasons
    if isinstance(outcome, Mistaken) and outcome.code == "faulty_data":
        return tuple(map(_no_longer, outcome.faults))
    raise _mistake(branch, request.subject, outcome)


# ── subjects ────────────────────────────────────────────────────────────────────────────────────────────────────────


def noun_of(branch: Branch, subject: str) -> Kept:
    """Of what `<word>:<id>` is; CallerError `unknown_case` for anything else."""
    word = subject.partition(":")[0]
    for noun in nouns_by_chart(branch.nouns).values():
        if noun.word == word:
            return noun
    raise unseen("unknown_case")


def number_of(subject: str) -> int:
    """The number in `<word>:<id>`, as the service itself spells it; 0, which nothing has, for anything else."""
    number = subject.partition(":")[2]
    plain = number.isascii() and number.isdecimal() and len(number) <= 16
    return int(number) if plain and number == str(int(number)) else 0


def event_of(branch: Branch, subject: str, what: str) -> Event | None:
    """The event of the subject's chart, none if there is none of the name."""
    return branch.rulebook.charts[noun_of(branch, subject).chart].events.get(what)


def unknown(branch: Branch, subject: str) -> CallerError:
    """There is none of this number, or it is not shown to whoever asks."""
    noun = noun_of(branch, subject)
    return unseen("unknown_case") if noun is branch.nouns[0] else unseen_of(branch, noun, number_of(subject))


def _mistake(branch: Branch, subject: str, outcome: Outcome) -> CallerError:
    if not isinstance(outcome, Mistaken):
        raise TypeError(f"one command alone is done, refused or mistaken, not {type(outcome).__name__}")
    faults = [msgspec.structs.asdict(fault) for fault in outcome.faults]
    if outcome.code == f"unknown_{noun_of(branch, subject).word}":
        return unknown(branch, subject)
    what = ", ".join(fault.field for fault in outcome.faults) or outcome.code
    return CallerError(outcome.code, f"提交的数据有误：{what}", f"the data given are not what the event takes: {what}",
                       faults=faults)  # fmt: skip


def _no_longer(fault: DataFault) -> Reason:
    """What was good data when it was asked for can have been overtaken by the calendar: a term that is over."""
    return Reason(
        "data_overtaken", ("1.1.4", *fault.rules), {"field": fault.field}, {"field_valid": fault.field},
        f"申请中的数据已失效：{fault.zh}", f"what was asked for is no longer possible: {fault.en}",
    )  # fmt: skip
