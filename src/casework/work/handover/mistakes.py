"""The mistakes a caller can make with hand-overs, by code, in both languages; what its chart forbids is told there."""

from typing import Any, Final

from casework.errors import CallerError

_TEXTS: Final = {
    "unknown_handover": ("没有这个移交计划", "there is no such hand-over"),
    "unknown_receiver": ("{receiver}不是该计划的接收人", "{receiver} receives nothing by this plan"),
    "receiver_full": (
        "{receivers}共可再接收{room}件，需移交{needed}件在办案件",
        "{receivers} can take {room} more open cases, and {needed} are to be handed over",
    ),
    "home_needed": ("转岗须说明转往的团队或区域", "a transfer needs the team or the region he moves to"),
    "home_not_wanted": (
        "离职移交不填写团队和区域", "a departure has no team or region; say --transfer to move him",
    ),
    "nothing_changes": ("员工{staff_no}已属于该团队、区域", "{staff_no} belongs to that team and region already"),
    "day_out_of_range": ("日期须在{earliest}与{latest}之间", "the day must lie between {earliest} and {latest}"),
    "handover_request_differs": (
        "移交计划{handover}所指的申请并非该计划的申请，记录可能被改动，请核验审计日志",
        "the request that hand-over {handover} names asks for something else; verify the log",
    ),
    "plan_changed": (
        "移交计划{handover}拟定后案件或接收人已变化，须重新拟定",
        "cases or receivers have changed since hand-over {handover} was planned; it must be planned anew",
    ),
}  # fmt: skip


def mistake(code: str, **facts: Any) -> CallerError:
    """The mistake of this code."""
    zh, en = (
        text.format(**{name: comma.join(one) if isinstance(one, list) else one for name, one in facts.items()})
        for text, comma in zip(_TEXTS[code], ("、", ", "), strict=True)
    )
    return CallerError(code, zh, en, **facts)
