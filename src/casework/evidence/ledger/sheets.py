"""The four sheets of the ledger: cases, customers who could not be repaired, what was not done and why, contacts."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from casework.evidence.ledger.gathering import Day
from casework.spreadsheet import Column
from casework.table import Sheet, printed
from casework.work.cases.branch import Branch
from casework.work.contacts.contact import Contact
from casework.work.duties.listing import Listed

_CASES: Final = (
    Column("day", "日期", "day", 11), Column("collector", "催收人", "collector", 14),
    Column("loan_id", "借据号", "loan", 14), Column("customer", "客户", "customer", 9),
    Column("product", "产品", "product", 9), Column("channel", "渠道", "channel", 9),
    Column("dpd", "逾期天数", "days past due", 8), Column("bucket", "账龄", "bucket", 6),
    Column("overdue_fen", "逾期金额", "overdue", 13), Column("outstanding_fen", "贷款余额", "outstanding", 14),
    Column("owner", "管户人", "owner", 14), Column("due", "应拨", "calls due", 6),
    Column("dialled", "实拨", "calls made", 6), Column("connected", "接通", "connected", 6),
    Column("debtor", "本人接通", "debtor reached", 8), Column("result", "最近结果", "last result", 12),
    Column("pay_by", "承诺日", "promised for", 11), Column("promised_fen", "承诺金额", "promised", 12),
    Column("lost_on", "失联", "lost since", 11), Column("repaired_on", "信息修复", "repaired", 11),
    Column("visits", "下户次数", "visits in vain", 8), Column("photos", "外访照片", "photos", 8),
    Column("handler", "经办人", "handler", 14), Column("paid_fen", "今日还款", "paid today", 12),
    Column("holds", "停催类型", "holds", 14), Column("review_by", "复核日", "review by", 11),
    Column("unrecorded", "未录音数", "unrecorded", 8), Column("breaches", "违规数", "breaches", 7),
    Column("disposal", "司法处置表", "disposal form", 11), Column("exempt", "豁免规则", "exempt by", 14),
)  # fmt: skip
_UNREPAIRED: Final = (
    Column("loan_id", "借据号", "loan", 14), Column("customer", "客户", "customer", 9),
    Column("lost_on", "失联日期", "lost since", 11), Column("repaired_on", "信息修复日期", "repaired", 12),
    Column("overdue_fen", "逾期金额", "overdue", 13), Column("handler", "经办人", "handler", 14),
)  # fmt: skip
_NOT_DONE: Final = (
    Column("loan_id", "借据号", "loan", 14), Column("customer", "客户", "customer", 9),
    Column("duty", "任务", "duty", 14), Column("status", "状态", "status", 10),
    Column("why", "原因", "why", 14), Column("due_on", "期限", "due on", 11),
    Column("owed_by", "应办人", "owed by", 16),
)  # fmt: skip
_CONTACTS: Final = (
    Column("at", "时间", "time", 16), Column("collector", "催收人", "collector", 14),
    Column("loan_id", "借据号", "loan", 14), Column("customer", "客户", "customer", 9),
    Column("party", "联系对象", "party", 12), Column("channel", "方式", "channel", 10),
    Column("result", "结果", "result", 16), Column("recorded", "录音", "recorded", 8),
    Column("rules", "违规", "breach of", 12), Column("contact_ref", "编号", "reference", 18),
)  # fmt: skip
_DIALS: Final = frozenset({"dial", "dial_contacts", "dial_by_dpd"})
_STATUS: Final = {"late": "逾期未办", "open": "未到期", "exempt": "豁免"}
_PARTY: Final = {"debtor": "本人", "co_borrower": "共同借款人", "guarantor": "担保人", "contact": "联系人"}
_CHANNEL: Final = {
    "call": "电话", "ai_voice": "智能语音", "message": "短信", "visit": "下户", "letter": "信函", "inbound": "来电",
}  # fmt: skip
_WHY: Final = {"promise": "有未到期承诺", "outage": "故障", "day_off": "休息日"}


def ledger(branch: Branch, day: Day, made_by: str, made_at: datetime, team: str | None) -> bytes:
    """The workbook: who made it and when stand under every title, customers are masked, times are the branch's."""
    zone = ZoneInfo(branch.time_zone)
    at = made_at.astimezone(zone)
    about = f"{day.on} · 范围：{team or '全部'} · 制表：{made_by} {at:%Y-%m-%d %H:%M}（北京时间）"
    totals = frozenset(
        {"overdue_fen", "promised_fen", "paid_fen", "due", "dialled", "connected", "unrecorded", "breaches"}
    )
    sheets = [
        Sheet("催收台账", about, _CASES, _case_lines(branch, day), totals),
        Sheet("无法修复名单", about, _UNREPAIRED, _unrepaired(day), frozenset({"overdue_fen"})),
        Sheet("未完成及原因", about, _NOT_DONE, _not_done(branch, day)),
        Sheet("催记明细", about, _CONTACTS, _contact_lines(branch, day, zone)),
    ]
    return printed(sheets, "zh", ("制表人", "复核人", "基础风险管理岗"))


def _case_lines(branch: Branch, day: Day) -> Iterator[Sequence[Any]]:
    attempts: int = branch.rulebook.policies.at(day.on).figure("lost_contact.attempts_per_day")
    for case in day.cases:
        contacts, owed = day.contacts.get(case.customer, ()), day.duties.get(case.id, ())
        facts, promised, holds = case.facts, day.promised.get(case.id), day.held.get(case.customer, ())
        last = contacts[-1] if contacts else None
        yield (
            day.on, day.who(last.staff_no if last and last.staff_no else case.handler), case.loan_id,
            day.masked.get(case.customer), case.product, case.channel_code, case.days_past_due(day.on), case.bucket,
            case.overdue_fen, case.outstanding_principal_fen, day.who(case.owner),
            attempts if any(one.duty in _DIALS for one in owed) else 0,
            sum(one.is_attempt for one in contacts), sum(one.connected for one in contacts),
            "是" if any(one.connected for one in contacts) else "否", _result(branch, last) if last else None,
            promised.pay_by if promised else None, promised.amount_fen if promised else None,
            case.state_since if case.state == "lost_contact" else None, facts.repaired_on, len(facts.failed_visits),
            len(facts.visit_photos), day.who(case.handler), day.paid_fen.get(case.loan_id),
            _holds(branch, holds), min((one.review_by for one in holds if one.review_by), default=None),
            sum(one.is_call and not one.recording for one in contacts), _breaches(day, contacts),
            facts.disposal_form_on, "、".join(_exempt(branch, owed)),
        )  # fmt: skip


def _unrepaired(day: Day) -> Iterator[Sequence[Any]]:
    """Lost still, though information was repaired since: nothing was found."""
    for case in day.cases:
        repaired_on = case.facts.repaired_on
        if case.state == "lost_contact" and repaired_on is not None and repaired_on >= case.state_since:
            yield (
                case.loan_id, day.masked.get(case.customer), case.state_since, repaired_on, case.overdue_fen,
                day.who(case.handler),
            )  # fmt: skip


def _not_done(branch: Branch, day: Day) -> Iterator[Sequence[Any]]:
    duties = branch.rulebook.duties.by_name
    for case in day.cases:
        for one in day.duties.get(case.id, ()):
            if one.status != "done":
                yield (
                    case.loan_id, day.masked.get(case.customer), duties[one.duty].zh, _STATUS[one.status],
                    _why(branch, one.exempt_by), one.due_on, _owed_by(branch, day, one),
                )  # fmt: skip


def _contact_lines(branch: Branch, day: Day, zone: ZoneInfo) -> Iterator[Sequence[Any]]:
    each = (one for of_them in day.contacts.values() for one in of_them)
    for one in sorted(each, key=lambda one: (one.started_at, one.contact_ref)):
        yield (
            one.started_at.astimezone(zone), day.who(one.staff_no) or one.agency, one.loan_id,
            day.masked.get(one.customer), _PARTY.get(one.party, one.party), _CHANNEL.get(one.channel, one.channel),
            _result(branch, one), "有" if one.recording else "无",
            "、".join(day.breaches.get((one.source, one.contact_ref), ())), one.contact_ref,
        )  # fmt: skip


def _result(branch: Branch, contact: Contact) -> str:
    result = branch.rulebook.results.of(contact.result)
    return result.zh if result is not None else contact.result


def _holds(branch: Branch, holds: Sequence[Any]) -> str:
    return "、".join(sorted({_why(branch, one.hold) for one in holds}))


def _exempt(branch: Branch, owed: Sequence[Listed]) -> list[str]:
    return sorted({_why(branch, one.exempt_by) for one in owed if one.exempt_by is not None})


def _why(branch: Branch, exempt_by: str | None) -> str:
    if exempt_by is None:
        return ""
    grounds = branch.rulebook.charts["hold"].openings["set"].fields["hold"].one_of
    return grounds[exempt_by]["zh"] if exempt_by in grounds else _WHY.get(exempt_by, exempt_by)


def _owed_by(branch: Branch, day: Day, one: Listed) -> str:
    labels = branch.rulebook.chart.posts
    return labels[one.owed_by]["zh"] if one.owed_by in labels else day.who(one.owed_by)


def _breaches(day: Day, contacts: Sequence[Contact]) -> int:
    return sum((one.source, one.contact_ref) in day.breaches for one in contacts)
