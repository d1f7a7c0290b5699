"""What each reason of the gate says, in both languages. Pure."""

from collections.abc import Mapping

from casework.work.gate.limits import Limits


def texts_of(rule: str, limits: Limits, holds: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    """Chinese and English; `holds` are what the grounds of holds are called."""
    quiet = f"{limits.quiet_from_hour}:00", f"{limits.quiet_until_hour}:00"
    caps = _caps(limits)
    texts = {
        "X1": (f"{quiet[0]}至次日{quiet[1]}不得联系", f"nobody is contacted between {quiet[0]} and {quiet[1]}"),
        "X2": (
            f"当日接通本人（含未了结的联系许可）已达{limits.connected_calls}次，不得再拨",
            f"{limits.connected_calls} calls today reached the debtor, or are permitted and open",
        ),
        "X3": (
            f"该号码当日未接通（含未了结的联系许可）已达{limits.unanswered_calls}次，不得再拨",
            f"{limits.unanswered_calls} calls to this number today went unanswered, or are permitted and open",
        ),
        "X4": ("不是本人、共借人、担保人或登记在册的联系人，或号码已确认非本人",
               "neither the debtor nor anybody on record for the debtor, or the number is known to be wrong"),
        "X5": ("尚不得联系联系人：须逾期满规定天数，且此前无法联系到本人",
               "contact persons may not be approached yet: the debtor has not proved out of reach, or not for long"),
        "X6": ("联系人已拒绝再联系", "the contact person refuses to be contacted again"),
        "X8": (f"本机构当日上限已满（含未了结的联系许可）：{caps[0]}",
               f"the branch's cap for one debtor and day is full, permits that are open included: {caps[1]}"),
        "paid": ("已还款或客户称已还，下一份数据到达前不得催收",
                 "money came or is said to have been sent: no demand before the next snapshot tells"),
        "channel": ("案件在此状态下仅可由指定岗位联系", "in this state of the case only certain posts may do so"),
    }  # fmt: skip
    if rule in texts:
        return texts[rule]
    hold = holds.get(rule, {"zh": rule, "en": rule})
    return f"停催中：{hold['zh']}", f"a hold is in force: {hold['en']}"


def _caps(limits: Limits) -> tuple[str, str]:
    """What X8 counts, of what has a cap."""
    known = (
        (limits.messages, "短信{}条", "{} messages"),
        (limits.contact_calls, "联系人通话{}次", "{} calls to contact persons"),
    )  # fmt: skip
    said = [(zh.format(cap), en.format(cap)) for cap, zh, en in known if cap is not None]
    return "、".join(zh for zh, _ in said), ", ".join(en for _, en in said)
