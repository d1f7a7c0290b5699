"""The daily report as sheets: teams, people, what is missing, breaches, holds, customers who could not be repaired."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from casework.evidence.evening.handing_in import HandIn
from casework.evidence.evening.of_day import people_called
from casework.evidence.evening.report import Daily
from casework.evidence.ledger.people import Called
from casework.people.staff.actor import Actor
from casework.spreadsheet import Column
from casework.table import Sheet, printed
from casework.work.cases.branch import Branch

_FIGURES: Final = (
    Column("due", "应办", "due", 8), Column("done", "已完成", "done", 8), Column("late", "逾期未办", "late", 9),
    Column("exempt", "豁免", "exempt", 8), Column("open", "未到期", "open", 8),
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
CAME: Final = {"handed_in": "已交", "late": "迟交", "missing": "未交", "not_yet": "未到时限"}
PARTS: Final = {"ledger": "台账", "supplement": "补充"}
VERDICTS: Final = {"confirmed": "确认违规", "explained": "已说明", "cleared": "已更正"}
_SUMMED: Final = frozenset({"people", "handed_in", "missing", *(column.field for column in _FIGURES)})


def report_sheets(
    conn: Connection, branch: Branch, report: Daily, issued: HandIn | None, made_by: Actor, at: datetime
) -> list[Sheet]:  # fmt: skip
    """In their order; whether it was issued, by whom, and the log's entry stand under every title."""
    zone = ZoneInfo(branch.time_zone)
    whose = {one.owed_by for one in report.people} | {one.staff_no for one in report.breaches if one.staff_no}
    whose |= {one.owner for one in report.unrepaired} | {one.handler for one in report.unrepaired}
    whose |= {one.handed_in_by for one in report.people if one.handed_in_by} | {made_by.id}
    names = people_called(conn, branch, whose | ({issued.handed_in_by} if issued else set()))
    said = (
        f"{names.who(issued.handed_in_by)} {issued.handed_in_at.astimezone(zone):%Y-%m-%d %H:%M}发出"
        f"（分录 {issued.entry_id}，{issued.digest.hex()[:16]}）"
        if issued
        else f"未发出，截至{report.made_at.astimezone(zone):%Y-%m-%d %H:%M}"
    )
    late = "；".join(f"{name} 数据截至{last}" for name, last in report.without_feed.items())
    about = " · ".join(
        filter(
            None,
            (
                str(report.on), said, late,
                f"导出：{names.who(made_by.id)} {at.astimezone(zone):%Y-%m-%d %H:%M}（北京时间）",
            ),
        )
    )  # fmt: skip
    figures = frozenset(column.field for column in _FIGURES)
    return [
        Sheet("催收日报", about, TEAMS, _teams(report), _SUMMED),
        Sheet("人员", about, PEOPLE, _people(report, names, zone), figures),
        Sheet("未交及迟交", about, MISSING, _missing(report, names, zone)),
        Sheet("违规联系", about, BREACHES, _breaches(report, names, zone)),
        Sheet("停催", about, HOLDS, _holds(branch, report), frozenset({"in_force", "to_review"})),
        Sheet("无法修复名单", about, UNREPAIRED, _unrepaired(branch, report, names), frozenset({"overdue_fen"})),
    ]


def report_workbook(
    conn: Connection, branch: Branch, report: Daily, issued: HandIn | None, made_by: Actor, at: datetime
) -> bytes:  # fmt: skip
    """Ready to print."""
    return printed(report_sheets(conn, branch, report, issued, made_by, at), "zh", ("制表人", "复核人", "主管"))


def report_name(on: date) -> str:
    """As the branch files it."""
    return f"催收日报-{on}.xlsx"


def _teams(report: Daily) -> Iterator[Sequence[Any]]:
    for one in report.teams:
        yield one.team or "未分组", *(getattr(one, column.field) for column in TEAMS[1:])


def _people(report: Daily, names: Called, zone: ZoneInfo) -> Iterator[Sequence[Any]]:
    for one in report.people:
        figures = (getattr(one, column.field) for column in _FIGURES)
        at = one.handed_in_at.astimezone(zone) if one.handed_in_at else None
        yield names.who(one.owed_by), one.team, *figures, CAME[one.came], at, names.who(one.handed_in_by), one.entry_id


def _missing(report: Daily, names: Called, zone: ZoneInfo) -> Iterator[Sequence[Any]]:
    for one in report.missing:
        at = one.handed_in_at.astimezone(zone) if one.handed_in_at else None
        yield names.who(one.owed_by), PARTS[one.part], one.due_at.astimezone(zone), at


def _breaches(report: Daily, names: Called, zone: ZoneInfo) -> Iterator[Sequence[Any]]:
    for one in report.breaches:
        verdict = VERDICTS.get(one.verdict, one.verdict) if one.verdict else "待复核"
        yield (
            one.started_at.astimezone(zone), one.loan_id, names.who(one.staff_no) or one.agency,
            "、".join(one.rules), verdict, one.contact_ref,
        )  # fmt: skip


def _holds(branch: Branch, report: Daily) -> Iterator[Sequence[Any]]:
    grounds = branch.rulebook.charts["hold"].openings["set"].fields["hold"].one_of
    for one in report.holds:
        yield grounds[one.hold]["zh"] if one.hold in grounds else one.hold, one.in_force, one.to_review


def _unrepaired(branch: Branch, report: Daily, names: Called) -> Iterator[Sequence[Any]]:
    outcomes = branch.rulebook.chart.facts["information_repair"].fields["outcome"].one_of
    for one in report.unrepaired:
        repair = outcomes[one.repair]["zh"] if one.repair is not None and one.repair in outcomes else one.repair
        yield (
            one.loan_id, one.lost_on, one.repaired_on, repair, one.overdue_fen, names.who(one.owner),
            names.who(one.handler),
        )  # fmt: skip
