"""Task lists, and the four lists of cases, as tables, told once: for the console's workbook and the shell's files."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from casework.spreadsheet import Column
from casework.table import BulkList, Lang
from casework.work.cases.branch import Branch
from casework.work.tasks.own import Task, told
from casework.work.tasks.strategies import WorkLine
from casework.work.tasks.words import word_of

COLUMNS: Final = (
    Column("list_of", "清单", "List", 12), Column("rank", "序", "No.", 6), Column("task", "任务", "Task", 18),
    Column("loan_id", "借据号", "Loan", 18), Column("dpd", "逾期天数", "Days past due", 10),
    Column("overdue_fen", "逾期金额（元）", "Overdue (yuan)", 14), Column("due_on", "期限", "Due", 12),
    Column("owed_by", "应办人", "Owed by", 12), Column("why", "为何在此", "Why", 40),
)  # fmt: skip
CASES: Final = (
    Column("id", "案件编号", "Case", 10), Column("loan_id", "借据号", "Loan", 18),
    Column("state", "状态", "State", 14), Column("bucket", "账龄", "Bucket", 8),
    Column("overdue_fen", "逾期金额（元）", "Overdue (yuan)", 14), Column("owner", "管户人", "Owner", 12),
    Column("handler", "经办人", "Handler", 12), Column("strategy", "今日策略", "Strategy today", 12),
)  # fmt: skip
"""Of the four lists (电催, 委催, 法催, 下户)."""
_OVERDUE: Final = frozenset({"overdue_fen"})
TASK_LISTS: Final = BulkList("task-lists", "任务清单", "Task lists", COLUMNS, totals=_OVERDUE)


def four_list(branch: Branch, name: str) -> BulkList:
    """One of the four, called as it is."""
    words = branch.rulebook.tasks.lists[name]
    return BulkList("work-lists", words.zh, words.en, CASES, totals=_OVERDUE)


def lines_of_cases(branch: Branch, found: Iterable[WorkLine], lang: Lang) -> Iterator[Sequence[Any]]:
    """A line each, in words."""
    rules, chart = branch.rulebook.tasks, branch.rulebook.chart
    for one in found:
        started = rules.strategies.get(one.strategy or "")
        yield (
            one.id, one.loan_id, getattr(chart.state_named(one.state), lang), one.bucket, one.overdue_fen, one.owner,
            one.handler, getattr(started, lang) if started else None,
        )  # fmt: skip


def lines_of_list(branch: Branch, tasks: Iterable[Task], lang: Lang) -> Iterator[Sequence[Any]]:
    """A line each, in the order given, numbered from 1."""
    for place, one in enumerate(tasks, 1):
        yield (
            one.list_of, place, getattr(word_of(branch, one), lang), one.loan_id, one.dpd, one.overdue_fen, one.due_on,
            one.owed_by, told(one)[lang == "en"],
        )  # fmt: skip
