"""Reasons why not that are no guard's and a case's own: one at a time for a loan, who may receive it. Pure."""

from casework.rules.statechart.chart import Approval
from casework.rules.statechart.decide import Reason


def open_already(case_id: int) -> Reason:
    """The loan has a live case already, and may have but one (1.1.1)."""
    return Reason(
        "case_open_already", ("1.1.1",), {"case_id": case_id}, {"live_cases_at_most": 0},
        f"该贷款已有在办案件{case_id}", f"the loan already has a live case, {case_id}",
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
    "receiver_full": ("在办案件已达上限", "has as many open cases as they may have"),
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
