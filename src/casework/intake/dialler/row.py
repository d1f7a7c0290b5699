"""One row of a contact file, from cells to values: columns in English or Chinese, and why a row is set aside. Pure."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from casework import ids
from casework.instants import read_instant_text
from casework.intake.feed.cell import (
    ROLES,
    BadCell,
    CellNote,
    check_row,
    key_cell,
    phone_cell,
    text_cell,
)
from casework.intake.feed.cell_texts import TEXTS as CELL_TEXTS
from casework.intake.feed.headers import COLUMNS, places_of
from casework.intake.sheets.column import CellKind, FileColumn, names_of, one_of
from casework.intake.sheets.every_fault import faults_behind
from casework.intake.sheets.fault import Fault
from casework.intake.sheets.kinds import INSTANT, KEY, PHONE, STAFF
from casework.intake.sheets.kinds import text as words_of
from casework.people.staff.person import fault_of_staff_no
from casework.rules.statechart.fields import EARLIEST, LATEST
from casework.work.contacts.contact import (
    CHANNEL_WORDS,
    LOCATED,
    NEXT_ACTION_WORDS,
    PARTIES,
    PARTY_WORDS,
    PURPOSES,
)
from casework.work.contacts.results import Result, Results


def _as_told(words: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Each code by itself and by its Chinese word."""
    return {said: code for code, (zh, _) in words.items() for said in (code, zh)}


_PARTIES: Final = _as_told(PARTY_WORDS) | ROLES
_CHANNELS: Final = {
    **_as_told(CHANNEL_WORDS),
    **dict.fromkeys(("外呼", "人工外呼", "拨打电话"), "call"),
    **dict.fromkeys(("语音机器人", "机器人", "AI语音", "AI外呼"), "ai_voice"),
    **dict.fromkeys(("消息", "短信或消息"), "message"), "下户催收": "visit", "催收函": "letter",
    **dict.fromkeys(("客户来电", "呼入"), "inbound"),
}  # fmt: skip
_PURPOSES: Final = {
    **{purpose: purpose for purpose in PURPOSES},
    "催收": "demand", "查找": "locate", "关怀": "care", "回访": "care", "投诉答复": "complaint_answer",
    "送达": "service_of_papers", "文书送达": "service_of_papers", "时效通知": "limitation_notice",
}  # fmt: skip
_NEXT_ACTIONS: Final = {
    **_as_told(NEXT_ACTION_WORDS), "下户": "visit", "司法": "legal", "无": "nothing",
}  # fmt: skip
NOTE_LIMIT: Final = 2_000


def _column(name: str, kind: CellKind, *aliases: str, example: str | None = None) -> FileColumn:
    return FileColumn(name, kind, name in COLUMNS_NEEDED, aliases, example, name in ("phone", "address"))


COLUMNS_NEEDED: Final = ("contact_ref", "loan_id", "party", "channel", "started_at", "result")
_SECONDS_KIND: Final = CellKind("整数秒，最多6位", "a whole number of seconds, at most 6 digits", "35")
_FIXED: Final = (
    _column("contact_ref", KEY, "催记编号", "通话编号", "记录编号", "流水号", example="EX-K0001"),
    _column("staff_no", STAFF, "工号", "坐席工号", "催收人工号", "催收人"),
    _column("agency", words_of(40, "", code=True), "机构", "委外机构", "催收机构"),
    *(one.like(compulsory=one.name in COLUMNS_NEEDED) for one in COLUMNS["loans"][:2]),
    _column("party", one_of(_PARTIES, "debtor"), "对象", "联系对象", "接触对象"),
    _column("phone", PHONE, "电话", "号码", "联系电话", "手机号", "手机号码", "被叫号码"),
    _column("address", words_of(500, ""), "地址", "下户地址", "联系地址"),
    _column("purpose", one_of(_PURPOSES, "demand"), "目的", "联系目的"),
    _column("line", words_of(64, "95500", code=True), "外显号码", "主叫号码", "登记线路", "线路"),
    _column("seconds", _SECONDS_KIND, "通话时长", "时长", "通话秒数"),
    _column("template", words_of(64, "", code=True), "模板", "短信模板"),
    _column("channel", one_of(_CHANNELS, "call"), "渠道", "方式", "催收方式", "联系方式"),
    _column("started_at", INSTANT, "开始时间", "呼叫时间", "通话开始时间"),
    _column("ended_at", INSTANT, "结束时间", "通话结束时间", example="2024-05-31T10:00:35+08:00"),
    _column("result", words_of(64, "no_answer", code=True), "结果", "催收结果", "通话结果"),
    _column("recording", words_of(200, "EX-REC-0001", code=True), "录音", "录音编号"),
    _column("note", words_of(NOTE_LIMIT, "示例，请删除"), "备注", "催记", "催记内容"),
    _column("next_action", one_of(_NEXT_ACTIONS, "call_again"), "下一步", "后续动作", "跟进措施"),
)  # fmt: skip
COLUMNS_OF_ROW: Final = tuple(one.name for one in _FIXED)
KNOWN: Final = names_of(_FIXED)
"""By `normal` of what a file may call it, the column."""
_SOUND: Final = {one.name: one.filled for one in _FIXED}


def contact_columns(results: Results) -> tuple[FileColumn, ...]:
    """The columns of a contact file, under this table of results."""
    words = {word: one.code for one in results.by_code.values() for word in (one.code, one.zh, *one.also)}
    kind = one_of(words, "no_answer")
    return tuple(one.like(kind=kind) if one.name == "result" else one for one in _FIXED)


_SECONDS: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_TIME_LENGTH: Final = range(len("2026-11-29T08:00Z"), 41)
_STAFF_KEPT: Final = 10_000

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    **ids.TEXTS,
    **{code: CELL_TEXTS[code] for code in ("malformed_phone", "wrong_cell_count", "unknown_loan")},
    "missing": ("没有编号", "the row has no reference of its own"),
    "not_the_loans_borrower": ("客户号不是该借据的客户", "the loan is another borrower's"),
    "unknown_party": ("未知的联系对象", f"not one of {', '.join(PARTIES)}"),
    "unknown_channel": ("未知的联系渠道", "not one of the channels"),
    "unknown_purpose": ("未知的联系目的", "not one of the purposes"),
    "purpose_not_of_party": ("对联系人只能查找债务人下落", "a contact may only be asked where the debtor is"),
    "unknown_next_action": ("未知的下一步", "not one of the next actions"),
    "unknown_result": ("未知的联系结果", "not in the table of results"),
    "result_not_of_channel": ("该渠道不会有此结果", "this channel cannot end in that"),
    "malformed_time": (
        "不是带时区的时间，如 2026-11-29T08:00:00+08:00",
        "not a time with its offset, such as 2026-11-29T08:00:00+08:00",
    ),
    "in_the_future": ("开始时间晚于现在", "it starts after now"),
    "ended_before_started": ("结束时间早于开始时间", "it ended before it started"),
    "no_phone_or_address": ("没有号码，也没有地址", "neither a number nor an address"),
    "malformed_seconds": ("不是秒数", "not a number of seconds"),
    "malformed_staff_no": ("不是工号", "not a staff number"),
    "contact_differs": ("同一编号此前已导入，内容不同", "a contact of this reference came before with other content"),
    "not_your_own": (
        "只能登记本人的联系",
        "this is somebody else's contact, or an agency's: only who reaches all cases records those",
    ),
    "unknown_staff": ("未登记的工号，已记为待核实", "nobody registered this staff number; it is entered as unverified"),
}  # fmt: skip
"""Code → zh, en: why a row is set aside, and what is warned of."""


class Given(NamedTuple):
    """A row that was understood, whether or not there is such a loan; `outcome` follows from its result."""

    line: int
    contact_ref: str
    staff_no: str | None
    agency: str | None
    loan_id: str
    borrower_id: str | None
    party: str
    phone: str | None
    address: str | None
    purpose: str
    line_used: str | None
    seconds: int | None
    template: str | None
    channel: str
    started_at: datetime
    ended_at: datetime | None
    result: str
    outcome: str
    recording: str | None
    note: str | None
    next_action: str | None


class Aside(NamedTuple):
    """A row that was not: where, why, and what it calls itself."""

    line: int
    column: str
    kind: str
    contact_ref: str | None
    loan_id: str | None = None
    more: tuple[CellNote, ...] = ()  # what else is wrong with it

    @property
    def faults(self) -> list[Fault]:
        """Everything that is wrong with it."""
        return [fault_of(self.line, self.contact_ref, *one) for one in ((self.column, self.kind), *self.more)]


def fault_of(line: int, contact_ref: str | None, column: str, code: str) -> Fault:
    """One of these codes."""
    return Fault(line, column or None, code, *TEXTS[code], ref=contact_ref)


class Reader:
    """Reads the rows of one file: made from its header."""

    def __init__(self, header: Sequence[str], results: Results, now: datetime, *, errors: bool) -> None:
        """`errors`: whether an error value of a spreadsheet may stand somewhere.

        CallerErrors column_missing, column_repeated: they name our columns only, for without a header the first row
        is somebody's data.
        """
        self._places = places_of(header, KNOWN, COLUMNS_NEEDED)
        if not {"phone", "address"} & self._places.keys():
            places_of(header, KNOWN, ("phone",))
        self._at = [self._places.get(name) for name in COLUMNS_OF_ROW]
        self._width = len(header)
        self._results, self._now, self._errors = results, now, errors
        self._staff = _Staff()

    def read(self, line: int, cells: Sequence[str]) -> Given | Aside:
        """One row."""
        if len(cells) < self._width or any(map(str.strip, cells[self._width :])):
            return Aside(line, "", "wrong_cell_count", self._ref(cells))
        try:
            return self._checked(line, cells)
        except BadCell as bad:
            _, *more = faults_behind(bad.note, lambda tried: self._checked(line, tried), cells, self._places, _SOUND)
            return Aside(line, *bad.note, self._ref(cells), self._text(cells, "loan_id"), tuple(more))

    def _checked(self, line: int, cells: Sequence[str]) -> Given:
        check_row(cells, self._places, len(cells), errors=self._errors)
        return self._given(line, [None if at is None else cells[at] for at in self._at])

    def _ref(self, cells: Sequence[str]) -> str | None:
        return self._text(cells, "contact_ref")

    def _text(self, cells: Sequence[str], column: str) -> str | None:
        at = self._places[column]
        return (cells[at].strip()[: ids.LONGEST] or None) if at < len(cells) else None

    def _given(self, line: int, cells: Sequence[str | None]) -> Given:
        (ref, staff, agency, loan, borrower, party, phone, address, purpose, used, seconds, template, channel, started,
         ended, result, recording, note, following) = cells  # fmt: skip
        contact_ref = key_cell(_or(ref, "contact_ref", "missing"), "contact_ref")
        loan_id = key_cell(_or(loan, "loan_id", "unknown_loan"), "loan_id")
        whom = _code(party, "party", _PARTIES, "unknown_party")
        how = _code(channel, "channel", _CHANNELS, "unknown_channel")
        what = self._result(result, how)
        at, until = self._times(started, ended)
        number = phone_cell(phone) if phone else None
        where = text_cell(address, "address", 500) if address else None
        if number is None and where is None:
            raise BadCell("phone", "no_phone_or_address")
        return Given(
            line, contact_ref, self._staff[staff or ""], _text(agency, "agency", 40), loan_id,
            key_cell(borrower, "borrower_id") if borrower and borrower.strip() else None, whom, number, where,
            _purpose(purpose, whom), _text(used, "line", 64), _seconds(seconds), _text(template, "template", 64), how,
            at, until, what.code, what.outcome_with(whom), _text(recording, "recording", 200),
            _text(note, "note", NOTE_LIMIT), _next_action(following),
        )  # fmt: skip

    def _result(self, cell: str | None, channel: str) -> Result:
        result = self._results.of((cell or "").strip())
        if result is None:
            raise BadCell("result", "unknown_result")
        if channel not in result.on:
            raise BadCell("result", "result_not_of_channel", beside="channel")
        return result

    def _times(self, started: str | None, ended: str | None) -> tuple[datetime, datetime | None]:
        at = _time(started, "started_at")
        if at > self._now:
            raise BadCell("started_at", "in_the_future")
        until = _time(ended, "ended_at") if ended and ended.strip() else None
        if until is not None and until < at:
            raise BadCell("ended_at", "ended_before_started", beside="started_at")
        return at, until


def _or(cell: str | None, column: str, kind: str) -> str:
    if not cell or not cell.strip():
        raise BadCell(column, kind)
    return cell


def _code(cell: str | None, column: str, known: Mapping[str, str], kind: str) -> str:
    code = known.get(cell or "") or known.get(unicodedata.normalize("NFKC", cell or "").strip())
    if code is None:
        raise BadCell(column, kind)
    return code


def _next_action(cell: str | None) -> str | None:
    return _code(cell, "next_action", _NEXT_ACTIONS, "unknown_next_action") if cell and cell.strip() else None


def _purpose(cell: str | None, party: str) -> str:
    if not cell or not cell.strip():
        return "locate" if party in LOCATED else "demand"
    purpose = _code(cell, "purpose", _PURPOSES, "unknown_purpose")
    if party == "contact" and purpose != "locate":
        raise BadCell("purpose", "purpose_not_of_party", beside="party")
    return purpose


def _time(cell: str | None, column: str) -> datetime:
    text = (cell or "").strip()
    try:
        at = read_instant_text(text, None) if len(text) in _TIME_LENGTH else None
    except ValueError:
        at = None
    if at is None or not EARLIEST.year <= at.year <= LATEST.year:
        raise BadCell(column, "malformed_time")
    return at


def _text(cell: str | None, column: str, limit: int) -> str | None:
    return text_cell(cell, column, limit) if cell else None


class _Staff(dict[str, str | None]):
    """Staff numbers, each judged once: a file has few of them."""

    def __missing__(self, cell: str) -> str | None:
        number = ids.fold(cell) or None
        if number is not None and fault_of_staff_no(number) is not None:
            raise BadCell("staff_no", "malformed_staff_no")
        if len(self) < _STAFF_KEPT:
            self[cell] = number
        return number


def _seconds(cell: str | None) -> int | None:
    if not cell or not cell.strip():
        return None
    if _SECONDS.fullmatch(cell.strip()) is None:
        raise BadCell("seconds", "malformed_seconds")
    return int(cell)
