"""The four sheets of the ledger: cases, customers who could not be repaired, what was not done and why, contacts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from casework.evidence.ledger.line import ContactLine, DutyLine, LedgerLine
from casework.evidence.ledger.lines import Part, unrepaired
from casework.evidence.ledger.wording import HANDED_IN_WHAT, Words
from casework.spreadsheet import Column
from casework.table import Lang, Sheet
from casework.work.cases.duty_rules import DISPOSAL_FORM
from casework.work.contacts.contact import CHANNEL_WORDS, PARTY_WORDS
from casework.work.disposals import RETURNED
from casework.work.duties.table import STATUS_WORDS

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
TITLES: Final = (
    ("催收台账", "Ledger"), ("无法修复名单", "Could not be repaired"), ("未完成及原因", "Not done and why"),
    ("催记明细", "Contacts"),
)  # fmt: skip
SIGNED_BY: Final = ("制表人", "复核人", "基础风险管理岗")
SIGNED: Final[Mapping[Lang, Sequence[str]]] = {
    "zh": SIGNED_BY, "en": ("Prepared by", "Reviewed by", "Basic-risk manager"),
}  # fmt: skip


class NotHandedIn(NamedTuple):
    """Somebody's ledger or supplement that is missing, or came late: until when it was due, and when it came."""

    owed_by: str
    what: str
    due_at: datetime
    handed_in_at: datetime | None


def sheets(
    words: Words, on: date, part: Part, missing: Sequence[NotHandedIn], about: str
) -> list[Sheet]:  # fmt: skip
    """In their order; `about` is shown under each title."""
    once = words.of(
        "同一客户的拨打、接通、未录音和违规在合计中只计一次",
        "calls, connections, calls without recording and breaches of a customer count once in the totals",
    )
    titles = [words.of(*texts) for texts in TITLES]
    return [
        Sheet(
            titles[0], f"{about} · {once}", CASES, case_lines(words, on, part), _TOTALS, _KEPT_LEFT,
            _once_a_customer(part.cases),
        ),
        Sheet(
            titles[1], about, UNREPAIRED, unrepaired_lines(words, unrepaired(part)), frozenset({"overdue_fen"})
        ),
        Sheet(titles[2], about, NOT_DONE, _not_done(words, part, missing)),
        Sheet(titles[3], about, CONTACTS, _contact_lines(words, part.contacts)),
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
            "debtor": words.whether(one.debtor_connected), "result": words.result(one.result), "pay_by": one.pay_by,
            "promised_fen": one.promised_fen, "lost_on": one.lost_on,
            "repair": words.repair(one.repair) or (str(one.repaired_on) if one.repaired_on else None),
            "visits": one.visits or None, "visit": words.result(one.visit), "photos": one.photos or None,
            "handler": words.called.who(one.handler), "paid_fen": one.paid_fen,
            "holds": words.listed(words.why(hold) for hold in one.holds), "review_by": one.review_by,
            "complaint": words.there(True) if "complaint" in one.holds else None, "unrecorded": one.unrecorded,
            "breaches": one.breaches, "disposal_on": words.form(one),
            "strategy": words.strategy(one.strategy),
            "follow_up": one.follow_up.astimezone(words.zone) if one.follow_up else None,
            "exempt": words.listed(words.why(by) for by in one.exempt), "agreement": words.arrangement(one),
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
        at = late.handed_in_at.astimezone(words.zone) if late.handed_in_at else None
        came = words.of("于{:%m-%d %H:%M}上交", "handed in {:%m-%d %H:%M}").format(at) if at else None
        due = words.of("应于{:%m-%d %H:%M}前", "due by {:%m-%d %H:%M}").format(late.due_at)
        status = words.of("迟交", "late") if at else words.of("未交", "missing")
        told = words.of("，", ", ").join(filter(None, (due, came)))
        yield (
            None,
            None,
            words.word(HANDED_IN_WHAT, late.what),
            status,
            told,
            late.due_at.date(),
            words.called.who(late.owed_by),
        )
    by_name = words.branch.rulebook.duties.by_name
    cases = {one.case_id: one for one in part.cases}
    for one in part.duties:
        if one.status != "done":
            name = getattr(by_name[one.duty], words.lang) if one.duty in by_name else one.duty
            yield (
                one.loan_id, words.customer(one), name, words.of(*STATUS_WORDS[one.status]),
                words.why(one.exempt_by) or _how_far(words, one, cases.get(one.case_id)), one.due_on,
                words.called.who(one.owed_by),
            )  # fmt: skip


def _how_far(words: Words, duty: DutyLine, case: LedgerLine | None) -> str:
    """Of a duty to dial or to visit that is not done: what was."""
    if case is None:
        return ""
    if duty.duty.startswith("dial"):
        called = words.of("已拨{}次，本人未接通", "called {} time(s), debtor not reached").format(case.dialled)
        return called if case.dialled else words.of("未拨打", "not called")
    if duty.duty == DISPOSAL_FORM:
        late = words.of("当日时限后填写", "filled in after the hour")
        missing = words.of("未填写", "not filled in")
        back = words.of("已退回，未补正", "returned, not put right")
        return back if case.disposal == RETURNED else late if case.disposal_on is not None else missing
    if duty.duty == "visit":
        made = words.of("已下户{}次，无照片报告", "visited {} time(s), no report with photos").format(case.visits)
        return made if case.visits else words.of("未下户", "not visited")
    return ""


def _contact_lines(words: Words, contacts: Iterable[ContactLine]) -> Iterator[Sequence[Any]]:
    for one in contacts:
        yield (
            one.at.astimezone(words.zone), words.called.who(one.staff_no) or one.agency, one.loan_id,
            words.customer(one), words.word(PARTY_WORDS, one.party),
            words.word(CHANNEL_WORDS, one.channel), words.result(one.result), words.there(one.is_recorded),
            words.listed(one.rules), words.of("补录", "late") if one.entered_late else None,
            words.next_action(one.next_action), words.note(one), one.contact_ref,
        )  # fmt: skip
