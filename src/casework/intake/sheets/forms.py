"""Every kind of file of rows that is taken in: its columns, as they are read, told of and explained in its template."""

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from casework.intake.dialler.row import contact_columns
from casework.intake.enrolment.sheet import staff_columns
from casework.intake.enrolment.shift_sheet import shift_columns
from casework.intake.feed.agreed import PROMISE_COLUMNS, hold_columns
from casework.intake.feed.calendar_sheet import CALENDAR_COLUMNS
from casework.intake.feed.headers import COLUMNS
from casework.intake.sheets.column import FileForm
from casework.people.staff.posts import post_labels
from casework.work.cases.branch import Branch
from casework.work.cases.holds import HOLDS

_FEED: Final = {
    "loans": ("核心数据：贷款", "feed: loans"), "overdue": ("核心数据：逾期", "feed: overdue"),
    "contacts": ("核心数据：联系人", "feed: contacts"), "repayments": ("还款", "repayments"),
}  # fmt: skip


def forms_of(branch: Branch) -> Mapping[str, FileForm]:
    """By word, as this branch's rulebook has it."""
    book = branch.rulebook
    found = [
        *(FileForm(kind, *_FEED[kind], "feed import", columns) for kind, columns in COLUMNS.items()),
        FileForm("contact_records", "催收记录", "contacts made", "contact import", contact_columns(book.results)),
        FileForm("promises", "承诺还款", "promises to pay", "promise import", PROMISE_COLUMNS),
        FileForm(
            "holds", "停催", "holds", "hold import", hold_columns(ZoneInfo(branch.time_zone), book.charts[HOLDS.chart])
        ),
        FileForm("staff", "员工名册", "staff", "staff import", staff_columns(post_labels(book.chart))),
        FileForm("roster", "班表", "roster", "roster import", shift_columns(book.shifts)),
        FileForm("calendar", "工作日历", "calendar", "calendar import", CALENDAR_COLUMNS),
    ]  # fmt: skip
    return {one.word: one for one in found}
