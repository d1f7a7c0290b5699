"""The four sheets of the ledger: cases, customers who could not be repaired, what was not done and why, contacts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from casework.customer import Customer
from casework.evidence.ledger.line import ContactLine, DutyLine, LedgerLine
from casework.evidence.ledger.lines import Part, unrepaired
from casework.evidence.ledger.people import Called
from casework.spreadsheet import Column
from casework.table import Sheet
from casework.work.cases.branch import Branch
from casework.work.cases.duty_rules import DISPOSAL_FORM
from casework.work.cases.lifecycles import DISPOSALS
from casework.work.disposals import RETURNED
from casework.work.duties.table import STATUS_WORDS, exempted_by

CASES: Final = (
    Column("day", "日期", "day", 11), Column("collector", "催收人", "collector", 14),
    Column("loan_id", "借据号", "loan", 14), Column("customer", "客户（脱敏）", "customer (masked)", 9),
    Column("product", "产品", "product", 9), Column("channel", "渠道", "channel", 9),
    Column("dpd", "逾期天数", "days past due", 8), Column("bucket", "账龄", "bucket", 6),
    Column("overdue_fen", "逾期金额", "overdue", 13), Column("outstanding_fen", "贷款余额", "outstanding", 14),
    Column("owner", "管户人", "owner", 14), Column("strategy", "今日策略", "strategy", 9),
    Column("due", "应拨", "calls due", 6), Column("dialled", "实拨", "calls made", 6),
    Column("connected", "接通", "connected", 6), Column("debtor", "本人接通", "debtor reached", 8),
    Column("result", "最近结果", "last result", 12), Column("pay_by", "承诺日", "promised for", 11),
    Column("promised_fen", "承诺金额", "promised", 12), Column("lost_on", "失联", "lost since", 11),
    Column("repair", "信息修复结果", "repair", 12), Column("visits", "下户第n次", "visit no.", 8),
    Column("visit", "下户结果", "visit", 10), Column("photos", "下户照片数", "photos", 8),
    Column("handler", "经办人", "handler", 14), Column("paid_fen", "今日还款", "paid today", 12),
    Column("holds", "停催类型", "holds", 14), Column("review_by", "复核日", "review by", 11),
    Column("agreement", "协商还款", "arrangement", 16), Column("complaint", "投诉", "complaint", 6),
    Column("follow_up", "下次跟进时间", "next follow-up", 13), Column("unrecorded", "未录音数", "unrecorded", 8),
    Column("breaches", "违规数", "breaches", 7), Column("disposal_on", "司法处置表", "disposal form", 11),
    Column("exempt", "豁免规则", "exempt by", 14), Column("remark", "备注", "remark", 24),
    Column("plan", "明日计划", "plan for tomorrow", 14),
)  # fmt: skip
UNREPAIRED: Final = (
    Column("loan_id", "借据号", "loan", 14), Column("customer", "客户（脱敏）", "customer (masked)", 9),
    Column("lost_on", "失联日期", "lost since", 11), Column("repaired_on", "信息修复日期", "repaired", 12),
    Column("repair", "信息修复结果", "repair", 12), Column("dpd", "逾期天数", "days past due", 8),
    Column("overdue_fen", "逾期金额", "overdue", 13), Column("owner", "管户人", "owner", 14),
    Column("handler", "经办人", "handler", 14),
)  # fmt: skip
NOT_DONE: Final = (
    Column("loan_id", "借据号", "loan", 14), Column("customer", "客户（脱敏）", "customer (masked)", 9),
    Column("duty", "任务", "duty", 14), Column("status", "状态", "status", 10), Column("why", "原因", "why", 24),
    Column("due_on", "期限", "due on", 11), Column("owed_by", "应办人", "owed by", 16),
)  # fmt: skip
CONTACTS: Final = (
    Column("at", "时间", "time", 16), Column("collector", "催收人", "collector", 14),
    Column("loan_id", "借据号", "loan", 14), Column("customer", "客户（脱敏）", "customer (masked)", 9),
    Column("party", "联系对象", "party", 12), Column("channel", "方式", "channel", 10),
    Column("result", "结果", "result", 16), Column("recorded", "录音", "recorded", 8),
    Column("rules", "违规", "breach of", 12), Column("late", "补录", "entered late", 8),
    Column("next", "下一步", "next", 10), Column("remark", "备注", "remark", 24),
    Column("contact_ref", "编号", "reference", 18),
)  # fmt: skip
_KEPT_LEFT: Final = 4  # up to the customer
_TOTALS: Final = frozenset(
    {"overdue_fen", "promised_fen", "paid_fen", "due", "dialled", "connected", "unrecorded", "breaches"}
)
_OF_CUSTOMER: Final = ("dialled", "connected", "unrecorded", "breaches")
PARTY_WORDS: Final = {"debtor": "本人", "co_borrower": "共同借款人", "guarantor": "担保人", "contact": "联系人",
          "representative": "代理人", "heir": "继承人", "guardian": "监护人"}  # fmt: skip
CHANNEL_WORDS: Final = {
    "call": "电话", "ai_voice": "智能语音", "message": "短信", "visit": "下户", "letter": "信函", "inbound": "来电",
}  # fmt: skip
_NEXT: Final = {
    "call_again": "再次拨打", "visit": "安排下户", "repair": "信息修复", "await_payment": "等待还款",
    "legal": "司法处置", "nothing": "暂无",
}  # fmt: skip
SIGNED_BY: Final = ("制表人", "复核人", "基础风险管理岗")


class NotHandedIn(NamedTuple):
    """Somebody's ledger or supplement that is missing, or came late: until when it was due, and when it came."""

    owed_by: str
    what: str
    due_at: datetime
    handed_in_at: datetime | None


class Words(NamedTuple):
    """What lines are written with: the branch's rules, people, and customers as they are masked."""

    branch: Branch
    called: Called
    masked: dict[Customer, str]
    notes: Mapping[tuple[str, str], str] = MappingProxyType({})
    """Of contacts, by reference and source, masked as customers are."""

    @property
    def zone(self) -> ZoneInfo:
        """Of the branch."""
        return ZoneInfo(self.branch.time_zone)

    def result(self, code: str | None) -> str | None:
        """What came of a contact."""
        known = self.branch.rulebook.results.of(code) if code is not None else None
        return known.zh if known is not None else code

    def why(self, exempt_by: str | None) -> str:
        """A hold by its ground, else what exempts."""
        return "" if exempt_by is None else exempted_by(self.branch, exempt_by, "zh")

    def strategy(self, code: str | None) -> str | None:
        """What was started for a case that day."""
        known = self.branch.rulebook.tasks.strategies
        return known[code].zh if code is not None and code in known else code

    def repair(self, outcome: str | None) -> str | None:
        """What a repair of information came to."""
        known = self.branch.rulebook.chart.facts["information_repair"].fields["outcome"].one_of
        return str(known[outcome]["zh"]) if outcome is not None and outcome in known else outcome

    def arrangement(self, one: LedgerLine) -> str:
        """What the debtor wishes, and what was agreed."""
        known = self.branch.rulebook.charts["hold"].events["wish_arrangement"].fields["wish"].one_of
        wish = f"意愿：{known[one.wish]['zh'] if one.wish in known else one.wish}" if one.wish else None
        agreed = f"{one.agreed_on}已达成，{one.agreed_fen / 100:,.2f}元" if one.agreed_fen is not None else None
        return "；".join(filter(None, (wish, agreed)))

    def form(self, one: LedgerLine) -> date | str | None:
        """Since when a disposal form stands; of one that was sent back that it was."""
        if one.disposal != RETURNED:
            return one.disposal_on
        return f"{one.disposal_on}{self.branch.rulebook.charts[DISPOSALS.chart].states[RETURNED].zh}"

    def note(self, line: ContactLine) -> str | None:
        """What was noted of a contact."""
        return self.notes.get((line.contact_ref, line.source))

    def customer(self, line: Any) -> str | None:
        """Masked; none where the borrower was erased."""
        return self.masked.get(self.whose(line))

    @staticmethod
    def whose(line: Any) -> Customer:
        """Of whom a line is."""
        return Customer(line.institution, line.borrower_id)

    @staticmethod
    def next_action(code: str | None) -> str | None:
        """What is to follow."""
        return _NEXT.get(code, code) if code is not None else None


def sheets(
    words: Words, on: date, part: Part, missing: Sequence[NotHandedIn], about: str
) -> list[Sheet]:  # fmt: skip
    """In their order; `about` is shown under each title."""
    once = "同一客户的拨打、接通、未录音和违规在合计中只计一次"
    return [
        Sheet(
            "催收台账", f"{about} · {once}", CASES, case_lines(words, on, part), _TOTALS, _KEPT_LEFT,
            _once_a_customer(part.cases),
        ),
        Sheet(
            "无法修复名单", about, UNREPAIRED, unrepaired_lines(words, unrepaired(part)), frozenset({"overdue_fen"})
        ),
        Sheet("未完成及原因", about, NOT_DONE, _not_done(words, part, missing)),
        Sheet("催记明细", about, CONTACTS, _contact_lines(words, part.contacts)),
    ]  # fmt: skip


def _once_a_customer(cases: Iterable[LedgerLine]) -> dict[str, int]:
    """Calls are made to a debtor and stand in the lines of all their cases; in the totals they count once."""
    first = {Words.whose(one): one for one in cases}.values()
    return {field: sum(getattr(one, field) for one in first) for field in _OF_CUSTOMER}


def case_lines(words: Words, on: date, part: Part) -> Iterator[Sequence[Any]]:
    """A line each, in the order of the columns; the remark is what was noted last of the debtor."""
    remarks = {words.whose(one): note for one in part.contacts if (note := words.note(one))}
    for one in part.cases:
        told: dict[str, Any] = {
            "day": on, "collector": words.called.who(one.collector), "loan_id": one.loan_id,
            "customer": words.customer(one), "product": one.product, "channel": one.channel, "dpd": one.dpd,
            "bucket": one.bucket, "overdue_fen": one.overdue_fen, "outstanding_fen": one.outstanding_fen,
            "owner": words.called.who(one.owner), "due": one.due, "dialled": one.dialled, "connected": one.connected,
            "debtor": "是" if one.debtor_connected else "否", "result": words.result(one.result), "pay_by": one.pay_by,
            "promised_fen": one.promised_fen, "lost_on": one.lost_on,
            "repair": words.repair(one.repair) or (str(one.repaired_on) if one.repaired_on else None),
            "visits": one.visits or None, "visit": words.result(one.visit), "photos": one.photos or None,
            "handler": words.called.who(one.handler), "paid_fen": one.paid_fen,
            "holds": "、".join(words.why(hold) for hold in one.holds), "review_by": one.review_by,
            "complaint": "有" if "complaint" in one.holds else None, "unrecorded": one.unrecorded,
            "breaches": one.breaches, "disposal_on": words.form(one),
            "strategy": words.strategy(one.strategy),
            "follow_up": one.follow_up.astimezone(words.zone) if one.follow_up else None,
            "exempt": "、".join(words.why(by) for by in one.exempt), "agreement": words.arrangement(one),
            "remark": remarks.get(one.customer), "plan": words.next_action(one.next_action),
        }  # fmt: skip
        yield [told.get(column.field) for column in CASES]


def unrepaired_lines(words: Words, cases: Iterable[LedgerLine]) -> Iterator[Sequence[Any]]:
    """A line each, in the order of `UNREPAIRED`."""
    for one in cases:
        yield (
            one.loan_id, words.customer(one), one.lost_on, one.repaired_on, words.repair(one.repair), one.dpd,
            one.overdue_fen, words.called.who(one.owner), words.called.who(one.handler),
        )  # fmt: skip


def _not_done(words: Words, part: Part, missing: Iterable[NotHandedIn]) -> Iterator[Sequence[Any]]:
    """Ledgers that are missing or late first, then duties: what exempts, or how far it came."""
    for late in missing:
        came = f"于{late.handed_in_at.astimezone(words.zone):%m-%d %H:%M}上交" if late.handed_in_at else None
        due = f"应于{late.due_at:%m-%d %H:%M}前"
        status = "迟交" if late.handed_in_at else "未交"
        told = "，".join(filter(None, (due, came)))
        yield None, None, late.what, status, told, late.due_at.date(), words.called.who(late.owed_by)
    by_name = words.branch.rulebook.duties.by_name
    cases = {one.case_id: one for one in part.cases}
    for one in part.duties:
        if one.status != "done":
            name = by_name[one.duty].zh if one.duty in by_name else one.duty
            yield (
                one.loan_id, words.customer(one), name, STATUS_WORDS[one.status][0],
                words.why(one.exempt_by) or _how_far(one, cases.get(one.case_id)), one.due_on,
                words.called.who(one.owed_by),
            )  # fmt: skip


def _how_far(duty: DutyLine, case: LedgerLine | None) -> str:
    """Of a duty to dial or to visit that is not done: what was."""
    if case is None:
        return ""
    if duty.duty.startswith("dial"):
        return f"已拨{case.dialled}次，本人未接通" if case.dialled else "未拨打"
    if duty.duty == DISPOSAL_FORM:
        late = "当日时限后填写" if case.disposal_on is not None else "未填写"
        return "已退回，未补正" if case.disposal == RETURNED else late
    if duty.duty == "visit":
        return f"已下户{case.visits}次，无照片报告" if case.visits else "未下户"
    return ""


def _contact_lines(words: Words, contacts: Iterable[ContactLine]) -> Iterator[Sequence[Any]]:
    for one in contacts:
        yield (
            one.at.astimezone(words.zone), words.called.who(one.staff_no) or one.agency, one.loan_id,
            words.customer(one), PARTY_WORDS.get(one.party, one.party), CHANNEL_WORDS.get(one.channel, one.channel),
            words.result(one.result), "有" if one.is_recorded else "无", "、".join(one.rules),
            "补录" if one.entered_late else None, words.next_action(one.next_action), words.note(one), one.contact_ref,
        )  # fmt: skip
