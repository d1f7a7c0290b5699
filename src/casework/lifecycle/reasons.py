"""Reasons why not that are no guard's, as the door finds them and as entries keep them. Pure."""

from collections.abc import Iterable
from typing import Any

from casework.people.staff.permissions import Authority
from casework.rules.statechart.chart import Event
from casework.rules.statechart.decide import Reason, Refusal


def request_needed(event: Event) -> Reason:
    """The chart puts this event under four eyes."""
    return Reason(
        "request_needed", ("1.1.4",), {"event": event.name}, {"request": event.four_eyes},
        f"“{event.zh}”须先申请，经他人复核、审批后生效", f"“{event.en}” must be asked for and approved by others",
    )  # fmt: skip


def no_request_needed(event: Event) -> Reason:
    """The chart does not put this event under four eyes: it is fired."""
    return Reason(
        "no_request_needed", ("1.1.4",), {"event": event.name}, {"request": None},
        f"“{event.zh}”无须审批，请直接办理", f"“{event.en}” needs no approval: do it",
    )  # fmt: skip


def changed_since_asked(saw: int, asked: int) -> Reason:
    """The subject is not as it was when it was asked for (decision 0007)."""
    return Reason(
        "changed_since_asked", ("1.1.4",), {"material_version": saw}, {"material_version": asked},
        "申请提出后所涉事项已变化，须重新申请", "it has changed since this was asked for; it must be asked for anew",
    )  # fmt: skip


def involved_before(people: Iterable[str]) -> Reason:
    """Proposer, reviewer and approver are three people; a deputy is not another one than their principal (1.1.4)."""
    return Reason(
        "involved_before", ("1.1.4",), {"involved": sorted(people)}, {"another_person": True},
        "您或您代理的人已参与本申请，须由他人办理",
        "you, or somebody you deputise for, had a part in this request before",
    )  # fmt: skip


def by(authority: Authority) -> dict[str, Any]:
    """By which post it was done, and for whom if a deputy did it: the log names both."""
    if authority.acting_for is None:
        return {"post": authority.post}
    return {"post": authority.post, "acting_for": authority.acting_for}


def rules_of(refusal: Refusal) -> tuple[str, ...]:
    """Every rule that its reasons name, once."""
    return tuple(dict.fromkeys(rule for reason in refusal.reasons for rule in reason.rules))


def on_record(reason: Reason) -> dict[str, Any]:
    """A reason as the entry keeps it: code and facts; the texts are in the chart of that digest."""
    return {"code": reason.code, "saw": dict(reason.saw), "needs": dict(reason.needs)}
