"""Reasons why not that are no guard's: whose case it is, what four eyes ask, who may receive a case. Pure."""

from collections.abc import Collection, Iterable, Mapping

from casework.statechart.chart import Approval, Event
from casework.statechart.decide import Reason


def open_already(case_id: int) -> Reason:
    """The loan has a live case already, and may have but one (1.1.1)."""
    return Reason(
        "case_open_already", ("1.1.1",), {"case_id": case_id}, {"live_cases_at_most": 0},
        f"该贷款已有在办案件{case_id}", f"the loan already has a live case, {case_id}",
    )  # fmt: skip


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


def case_closed(closed_as: str) -> Reason:
    """A case that is finally closed is nobody's work any more."""
    return Reason(
        "case_closed", ("1.1.1",), {"closed_as": closed_as}, {"closed_as": None},
        "案件已终结，不再改派", "the case is finally closed and is not given to anybody any more",
    )  # fmt: skip


def receiver_unfit(code: str, receiver: str, **saw: int) -> Reason:
    """Why somebody may not receive the case: unknown, gone, holding no post, full, or the owner already."""
    zh, en = _RECEIVERS[code]
    return Reason(code, ("1.1.1",), {"receiver": receiver, **saw}, {"another_receiver": True}, f"{receiver}{zh}",
                  f"{receiver} {en}")  # fmt: skip


_RECEIVERS = {
    "receiver_unknown": ("不在册", "is not on the register"),
    "receiver_not_there": ("已离职或尚未核实", "has left, or is not verified"),
    "receiver_leaving": ("即将离职，不能接收案件", "is about to leave and receives no cases"),
    "receiver_without_post": ("没有可负责案件的岗位", "holds no post that may own a case"),
    "receiver_full": ("在办案件已达上限", "has as many open cases as he may have"),
    "receiver_is_owner": ("已是管户人", "is the owner already"),
}


def nobody_to_receive(code: str, post: str | None, rule: str) -> Reason:
    """Nobody may have the case by rule: `no_holder` of the owning post, or `all_full`."""
    zh, en = {
        "no_holder": ("应负责岗位无人在岗", "nobody holds the post that owns by rule"),
        "all_full": ("应负责岗位的人员在办案件均已达上限", "everybody who could own it by rule is full"),
    }[code]
    return Reason(code, ("1.1.1", "5.4"), {"post": post, "rule": rule}, {"somebody_with_room": True}, zh, en)


def no_owner(rule: str) -> Reason:
    """Nobody on the register could own the case (1.1.1)."""
    return Reason(
        "no_owner", ("1.1.1", "5.4"), {"rule": rule}, {"somebody_to_own_it": True},
        "没有可负责该案件的员工，请先登记基础风险管理岗",
        "nobody could own this case: register a basic-risk manager first",
    )  # fmt: skip


def topic_posts(topic: Approval) -> dict[str, list[str]]:
    """Who may ask, review and approve, for options and refusals."""
    return {
        "ask": sorted(topic.proposed_by),
        "review": sorted(topic.reviewed_by),
        "approve": sorted(topic.approved_by),
    }
