"""The mistakes a caller can make with hand-overs, each with its code, both languages and its facts."""

from collections.abc import Iterable, Sequence
from datetime import date

from casework.errors import CallerError
from casework.work.cases.reasons import receiver_unfit

_RECEIVERS = {
    "receiver_is_leaver": ("正是要移交的人", "is the one who goes"),
}


def unknown_handover() -> CallerError:
    """No such id."""
    return CallerError("unknown_handover", "没有这个移交计划", "there is no such hand-over")


def receiver_mistake(code: str, receiver: str) -> CallerError:
    """Why somebody named by hand may not receive cases."""
    if code in _RECEIVERS:
        zh, en = _RECEIVERS[code]
        return CallerError(code, f"{receiver}{zh}", f"{receiver} {en}", receiver=receiver)
    reason = receiver_unfit(code, receiver)
    return CallerError(code, reason.zh, reason.en, receiver=receiver)


def receivers_full(receivers: Iterable[str], cases: int, room: int) -> CallerError:
    """The receivers named by hand have less room than is needed."""
    named = sorted(receivers)
    return CallerError(
        "receiver_full", f"{'、'.join(named)}共可再接收{room}件，需移交{cases}件在办案件",
        f"{', '.join(named)} can take {room} more open cases, and {cases} are to be handed over",
        receivers=named, room=room, needed=cases,
    )  # fmt: skip


def home_needed() -> CallerError:
    """A transfer leads somewhere."""
    return CallerError(
        "home_needed", "转岗须说明转往的团队或区域", "a transfer needs the team or the region he moves to"
    )


def home_not_wanted() -> CallerError:
    """A departure leads nowhere."""
    return CallerError(
        "home_not_wanted", "离职移交不填写团队和区域", "a departure has no team or region; say --transfer to move him"
    )


def already_at_home(staff_no: str) -> CallerError:
    """He belongs there already."""
    return CallerError(
        "nothing_changes", f"员工{staff_no}已属于该团队、区域", f"{staff_no} belongs to that team and region already",
        staff_no=staff_no,
    )  # fmt: skip


def day_out_of_range(first: date, last: date) -> CallerError:
    """A day that can only be a slip."""
    return CallerError(
        "day_out_of_range", f"日期须在{first}与{last}之间", f"the day must lie between {first} and {last}",
        field="on", earliest=first.isoformat(), latest=last.isoformat(),
    )  # fmt: skip


def not_open(handover_id: int, status: str, wanted: Sequence[str]) -> CallerError:
    """The plan is past that, or not there yet; code `handover_<status>` (`handover_planned`: not approved yet)."""
    zh, en = _STATUS[status]
    return CallerError(
        f"handover_{status}", f"移交计划{handover_id}{zh}", f"hand-over {handover_id} {en}", handover=handover_id,
        status=status, needs=list(wanted),
    )  # fmt: skip


_STATUS = {
    "planned": ("尚未审批", "is not approved yet"),
    "approved": ("已审批", "is approved already"),
    "applied": ("已执行，不得重复执行", "was applied already and is not applied twice"),
    "replaced": ("已被新计划取代", "was replaced by another plan"),
    "withdrawn": ("已撤回", "was withdrawn"),
}


def not_yet(handover_id: int, effective_on: date) -> CallerError:
    """Too early to apply it."""
    return CallerError(
        "handover_not_yet", f"移交计划{handover_id}自{effective_on}起方可执行",
        f"hand-over {handover_id} can be applied from {effective_on} on", handover=handover_id,
        opens_on=effective_on.isoformat(),
    )  # fmt: skip


def not_asked(handover_id: int, unplaced: int) -> CallerError:
    """There is no request to decide."""
    return CallerError(
        "handover_unplaced", f"移交计划{handover_id}尚有{unplaced}件案件无人接收，不能提交审批",
        f"hand-over {handover_id} cannot place {unplaced} cases, so there is nothing to approve",
        handover=handover_id, unplaced=unplaced,
    )  # fmt: skip


def request_differs(handover_id: int) -> CallerError:
    """The request that the plan's row names asks for something else: somebody has changed the row."""
    return CallerError(
        "handover_request_differs", f"移交计划{handover_id}所指的申请并非该计划的申请，记录可能被改动，请核验审计日志",
        f"the request that hand-over {handover_id} names asks for something else; its row may have been changed: "
        "verify the log", handover=handover_id,
    )  # fmt: skip


def own_departure(staff_no: str) -> CallerError:
    """Nobody carries out his own hand-over, nor does his deputy."""
    return CallerError(
        "handover_of_oneself", "本人及其代理人不得办理本人的移交",
        "nobody decides or carries out his own hand-over, nor does his deputy", staff_no=staff_no,
    )  # fmt: skip


def plan_changed(handover_id: int) -> CallerError:
    """The world is not as it was shown."""
    return CallerError(
        "plan_changed", f"移交计划{handover_id}拟定后案件或接收人已变化，须重新拟定",
        f"cases or receivers have changed since hand-over {handover_id} was planned; it must be planned anew",
        handover=handover_id,
    )  # fmt: skip


def unknown_receiver_of(receiver: str) -> CallerError:
    """The plan gives nothing to him."""
    return CallerError(
        "unknown_receiver", f"{receiver[:32]}不是该计划的接收人", f"{receiver[:32]} receives nothing by this plan"
    )
