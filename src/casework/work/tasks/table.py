"""Task lists as a table, told once: for the console's workbook and the shell's files."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from casework.spreadsheet import Column
from casework.table import Lang
from casework.work.cases.branch import Branch
from casework.work.tasks.own import Task, told
from casework.work.tasks.words import word_of

COLUMNS: Final = (
    Column("list_of", "清单", "List", 12), Column("rank", "序", "No.", 6), Column("task", "任务", "Task", 18),
    Column("loan_id", "借据号", "Loan", 18), Column("dpd", "逾期天数", "Days past due", 10),
    Column("overdue_fen", "逾期金额（元）", "Overdue (yuan)", 14), Column("due_on", "期限", "Due", 12),
    Column("owed_by", "应办人", "Owed by", 12), Column("why", "为何在此", "Why", 40),
)  # fmt: skip


def lines_of_list(branch: Branch, tasks: Iterable[Task], lang: Lang) -> Iterator[Sequence[Any]]:
    """A line each, in the order given, numbered from 1."""
    for place, one in enumerate(tasks, 1):
        yield (
            one.list_of, place, getattr(word_of(branch, one), lang), one.loan_id, one.dpd, one.overdue_fen, one.due_on,
            one.owed_by, told(one)[lang == "en"],
        )  # fmt: skip
