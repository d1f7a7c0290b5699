"""Duties of a day as a table, told once: for files of the shell and over HTTP. It names no customer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.people.staff.listing import names_of
from casework.spreadsheet import Column
from casework.table import BulkList, Lang
from casework.work.cases.branch import Branch
from casework.work.duties.listing import Listed

COLUMNS: Final = (
    Column("day", "日期", "Day", 11), Column("loan_id", "借据号", "Loan", 18), Column("duty", "任务", "Duty", 18),
    Column("status", "状态", "Status", 11), Column("exempt_by", "豁免规则", "Exempt by", 14),
    Column("due_on", "期限", "Due", 11), Column("owed_by", "应办人", "Owed by", 18),
    Column("rules", "规则", "Rules", 18), Column("institution", "机构", "Institution", 12),
    Column("case_id", "案件编号", "Case", 10),
)  # fmt: skip
DUTIES: Final = BulkList("duties", "当日任务", "Duties", COLUMNS)
STATUS_WORDS: Final = {
    "done": ("已完成", "done"), "late": ("逾期未办", "late"), "open": ("待办", "open"), "exempt": ("豁免", "exempt"),
}  # fmt: skip
EXEMPT_WORDS: Final = {
    "promise": ("有承诺", "a promise"), "outage": ("故障", "an outage"), "day_off": ("休息日", "a day off"),
    "paid": ("已还款", "money has come"),
}  # fmt: skip


def exempted_by(branch: Branch, by: str, lang: Lang) -> str:
    """What exempts, for people: a hold by its ground, a rule by itself."""
    grounds = branch.rulebook.charts["hold"].openings["set"].fields["hold"].one_of
    if by in grounds:
        return str(grounds[by][lang])
    return EXEMPT_WORDS[by][lang == "en"] if by in EXEMPT_WORDS else by


def duty_cells(conn: Connection, branch: Branch, found: Sequence[Listed], lang: Lang) -> Iterator[Sequence[Any]]:
    """A line each, in the order given; people by name and number, posts by name."""
    names = names_of(conn, {one.owed_by for one in found} - branch.rulebook.permissions.posts.keys())
    return _lines(branch, found, names, lang)


def _lines(branch: Branch, found: Iterable[Listed], names: Mapping[str, str], lang: Lang) -> Iterator[Sequence[Any]]:
    rules, posts, en = branch.rulebook.duties.by_name, branch.rulebook.chart.posts, lang == "en"

    def who(owed_by: str) -> str:
        if owed_by in posts:
            return str(posts[owed_by][lang])
        return f"{names[owed_by]} {owed_by}" if owed_by in names else owed_by

    for one in found:
        rule = rules.get(one.duty)
        yield (
            one.day, one.loan_id, getattr(rule, lang) if rule is not None else one.duty, STATUS_WORDS[one.status][en],
            one.exempt_by and exempted_by(branch, one.exempt_by, lang), one.due_on, who(one.owed_by),
            "、".join(rule.rules) if rule is not None else "", one.institution, one.case_id,
        )  # fmt: skip
