"""The daily report as sheets: teams, people, what is missing, breaches, holds, customers who could not be repaired."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from casework.evidence.evening.handing_in import HandIn
from casework.evidence.evening.of_day import people_called
from casework.evidence.evening.report import Daily
from casework.evidence.ledger.people import Called
from casework.file_names import FileName, file_name
from casework.instants import branch_text
from casework.people.staff.actor import Actor
from casework.spreadsheet import Column
from casework.table import Lang, Sheet, printed
from casework.work.cases.branch import Branch
from casework.work.contacts.registered import WHY
from casework.work.duties.table import STATUS_WORDS
from casework.work.gate.reviews import VERDICT_WORDS

_FIGURES: Final = (
    Column("due", "应办", "due", 8), Column("done", "已完成", "done", 8), Column("late", "逾期未办", "late", 9),
    Column("exempt", "豁免", "exempt", 8), Column("open", STATUS_WORDS["open"][0], "open", 8),
    Column("contacts", "催记", "contacts", 8),
)  # fmt: skip
TEAMS: Final = (
    Column("team", "团队", "team", 18), Column("people", "人数", "people", 7),
    Column("handed_in", "已上交", "handed in", 8), Column("missing", "未交", "missing", 7), *_FIGURES,
)  # fmt: skip
PEOPLE: Final = (
    Column("who", "催收人", "collector", 18), Column("team", "团队", "team", 14), *_FIGURES,
    Column("came", "台账", "ledger", 10), Column("at", "上交时间", "handed in at", 16),
    Column("by", "上交人", "handed in by", 16), Column("entry", "分录", "entry", 22),
)  # fmt: skip
MISSING: Final = (
    Column("who", "催收人", "collector", 18), Column("part", "内容", "part", 10), Column("due", "时限", "due at", 16),
    Column("at", "上交时间", "handed in at", 16),
)  # fmt: skip
BREACHES: Final = (
    Column("at", "时间", "time", 16), Column("loan_id", "借据号", "loan", 16),
    Column("who", "催收人", "collector", 18), Column("rules", "违规", "breach of", 14),
    Column("verdict", "复核", "review", 12), Column("contact_ref", "编号", "reference", 20),
)  # fmt: skip
LACKING: Final = (
    Column("why", "待复核原因", "goes to review for", 18), Column("contacts", "联系数", "contacts", 9),
    Column("reviewed", "已复核", "reviewed", 9),
)  # fmt: skip
HOLDS: Final = (
    Column("hold", "停催类型", "hold", 18), Column("in_force", "生效中", "in force", 9),
    Column("to_review", "到期待复核", "to review", 11),
)  # fmt: skip
UNREPAIRED: Final = (
    Column("loan_id", "借据号", "loan", 16), Column("lost_on", "失联日期", "lost since", 11),
    Column("repaired_on", "信息修复日期", "repaired", 12), Column("repair", "信息修复结果", "repair", 12),
    Column("overdue_fen", "逾期金额", "overdue", 13), Column("owner", "管户人", "owner", 16),
    Column("handler", "经办人", "handler", 16),
)  # fmt: skip
CAME: Final = {
    "handed_in": ("已交", "handed in"), "late": ("迟交", "late"), "missing": ("未交", "missing"),
    "not_yet": ("未到时限", "not yet due"),
}  # fmt: skip
PARTS: Final = {"ledger": ("台账", "ledger"), "supplement": ("补充", "supplement")}
TITLES: Final = (
    ("催收日报", "Daily report"), ("人员", "People"), ("未交及迟交", "Missing and late"), ("违规联系", "Breaches"),
    ("停催", "Holds"), ("无法修复名单", "Could not be repaired"), ("未录音等联系", "No recording, template, line"),
)  # fmt: skip
_SIGNED: Final[Mapping[Lang, Sequence[str]]] = {
    "zh": ("制表人", "复核人", "主管"), "en": ("Prepared by", "Reviewed by", "Head of the branch"),
}  # fmt: skip
_SUMMED: Final = frozenset({"people", "handed_in", "missing", *(column.field for column in _FIGURES)})


def verdict_words(verdict: str | None) -> tuple[str, str]:
    """In Chinese and English; none: nobody has looked yet."""
    return VERDICT_WORDS[verdict] if verdict else ("待复核", "waits for review")


class _Telling(NamedTuple):
    """What the lines are written with."""

    branch: Branch
    names: Called
    zone: ZoneInfo
    lang: Lang

    def of(self, texts: tuple[str, str]) -> str:
        return texts[self.lang == "en"]


def report_sheets(
    conn: Connection, branch: Branch, report: Daily, issued: HandIn | None, made_by: Actor, at: datetime,
    lang: Lang = "zh",
) -> list[Sheet]:  # fmt: skip
    """In their order; whether it was issued, by whom, and the log's entry stand under every title."""
    whose = {one.owed_by for one in report.people} | {one.staff_no for one in report.breaches if one.staff_no}
    whose |= {one.owner for one in report.unrepaired} | {one.handler for one in report.unrepaired}
    whose |= {one.handed_in_by for one in report.people if one.handed_in_by} | {made_by.id}
    names = people_called(conn, branch, whose | ({issued.handed_in_by} if issued else set()), lang)
    telling = _Telling(branch, names, ZoneInfo(branch.time_zone), lang)
    about = _about(telling, report, issued, made_by, at)
    figures = frozenset(column.field for column in _FIGURES)
    titles = [telling.of(texts) for texts in TITLES]
    return [
        Sheet(titles[0], about, TEAMS, _teams(telling, report), _SUMMED),
        Sheet(titles[1], about, PEOPLE, _people(telling, report), figures),
        Sheet(titles[2], about, MISSING, _missing(telling, report)),
        Sheet(titles[3], about, BREACHES, _breaches(telling, report)),
        Sheet(titles[4], about, HOLDS, _holds(telling, report), frozenset({"in_force", "to_review"})),
        Sheet(titles[5], about, UNREPAIRED, _unrepaired(telling, report), frozenset({"overdue_fen"})),
        Sheet(titles[6], about, LACKING, _lacking(telling, report), frozenset({"contacts", "reviewed"})),
    ]


def _about(told: _Telling, report: Daily, issued: HandIn | None, made_by: Actor, at: datetime) -> str:
    def minute(instant: datetime) -> str:
        return branch_text(instant, told.branch.time_zone, "minutes")

    if issued is None:
        said = told.of((f"未发出，截至{minute(report.made_at)}", f"not issued, as of {minute(report.made_at)}"))
    else:
        who, when = told.names.who(issued.handed_in_by), minute(issued.handed_in_at)
        entry = f"{issued.entry_id}, {issued.digest.hex()[:16]}"
        said = told.of((f"{who} {when}发出（分录 {entry}）", f"issued by {who}, {when} (entry {entry})"))
    fed = [
        told.of((f"{name} 数据截至{last}", f"{name}: data as of {last}")) for name, last in report.without_feed.items()
    ]
    who, when, zone = told.names.who(made_by.id), minute(at), told.branch.time_zone
    taken = told.of((f"导出：{who} {when}（时间为{zone}）", f"made by {who}, {when} (times in {zone})"))
    return " · ".join([str(report.on), said, *fed, taken])


def report_workbook(
    conn: Connection, branch: Branch, report: Daily, issued: HandIn | None, made_by: Actor, at: datetime,
    lang: Lang = "zh",
) -> bytes:  # fmt: skip
    """Ready to print."""
    return printed(report_sheets(conn, branch, report, issued, made_by, at, lang), lang, _SIGNED[lang])


def report_name(on: date, lang: Lang = "zh") -> FileName:
    """As the branch files it."""
    title = {"zh": "催收日报", "en": "Daily-collection-report"}[lang]
    return file_name(title, "daily-report" if lang == "zh" else title, on, kind="xlsx")


def _teams(told: _Telling, report: Daily) -> Iterator[Sequence[Any]]:
    for one in report.teams:
        yield one.team or told.of(("未分组", "no team")), *(getattr(one, column.field) for column in TEAMS[1:])


def _people(told: _Telling, report: Daily) -> Iterator[Sequence[Any]]:
    for one in report.people:
        yield (
            told.names.who(one.owed_by), one.team, *(getattr(one, column.field) for column in _FIGURES),
            told.of(CAME[one.came]), one.handed_in_at.astimezone(told.zone) if one.handed_in_at else None,
            told.names.who(one.handed_in_by), one.entry_id,
        )  # fmt: skip


def _missing(told: _Telling, report: Daily) -> Iterator[Sequence[Any]]:
    for one in report.missing:
        at = one.handed_in_at.astimezone(told.zone) if one.handed_in_at else None
        yield told.names.who(one.owed_by), told.of(PARTS[one.part]), one.due_at.astimezone(told.zone), at


def _breaches(told: _Telling, report: Daily) -> Iterator[Sequence[Any]]:
    for one in report.breaches:
        yield (
            one.started_at.astimezone(told.zone), one.loan_id, told.names.who(one.staff_no) or one.agency,
            told.of(("、", ", ")).join(one.rules), told.of(verdict_words(one.verdict)), one.contact_ref,
        )  # fmt: skip


def _lacking(told: _Telling, report: Daily) -> Iterator[Sequence[Any]]:
    for one in report.lacking:
        yield told.of(WHY[one.why]), one.contacts, one.reviewed


def _holds(told: _Telling, report: Daily) -> Iterator[Sequence[Any]]:
    grounds = told.branch.rulebook.charts["hold"].openings["set"].fields["hold"].one_of
    for one in report.holds:
        yield grounds[one.hold][told.lang] if one.hold in grounds else one.hold, one.in_force, one.to_review


def _unrepaired(told: _Telling, report: Daily) -> Iterator[Sequence[Any]]:
    outcomes = told.branch.rulebook.chart.facts["information_repair"].fields["outcome"].one_of
    for one in report.unrepaired:
        known = one.repair is not None and one.repair in outcomes
        yield (
            one.loan_id, one.lost_on, one.repaired_on, outcomes[one.repair or ""][told.lang] if known else one.repair,
            one.overdue_fen, told.names.who(one.owner), told.names.who(one.handler),
        )  # fmt: skip
