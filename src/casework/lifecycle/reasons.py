"""Reasons why not that are no guard's, as the door finds them and as entries keep them. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from casework.staff.permissions import Authority
from casework.statechart.chart import Event
from casework.statechart.decide import Reason, Refusal


def out_of_reach(
    posts: Collection[str], rules: tuple[str, ...], only_own: Mapping[str, tuple[str, ...]] | None = None
) -> Reason:
    """One of the actor's posts may do this, but not to this case: it is not his, nor of his team, region or product.

    `only_own`: the posts that may do this only with cases they own or handle, by which rules.
    """
    own = {rule: None for post in sorted(posts) for rule in (only_own or {}).get(post, ())}
    if own and all(post in (only_own or {}) for post in posts):
        return Reason(
            "out_of_reach", tuple(dict.fromkeys(("1.1.4", *own, *rules))), {"posts": sorted(posts)},
            {"own_or_handled": True}, "您的岗位只能办理本人管户或经办的案件，该案件不是",
            "your post does this only with cases that you own or handle, and this is neither",
        )  # fmt: skip
    return Reason(
        "out_of_reach", ("1.1.4", *rules), {"posts": sorted(posts)}, {"case_within_reach": True},
        "该案件不在您的管辖范围内", "this case is not yours, nor of the team, region or product you work for",
    )  # fmt: skip


def key_limited(command: str, commands: Iterable[str]) -> Reason:
    """The key or session that the actor came in with is not for this command."""
    return Reason(
        "key_not_permitted", ("1.1.4",), {"commands": sorted(commands)}, {"command": command},
        "此令牌或会话未获授权执行此操作", "this key or session is not for that command",
    )  # fmt: skip


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
    """The case is not as it was when it was asked for (decision 0007)."""
    return Reason(
        "changed_since_asked", ("1.1.4",), {"material_version": saw}, {"material_version": asked},
        "申请提出后案件已变化，须重新申请", "the case has changed since this was asked for; it must be asked for anew",
    )  # fmt: skip


def involved_before(people: Iterable[str]) -> Reason:
    """Proposer, reviewer and approver are three people; a deputy is not another one than his principal (1.1.4)."""
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
