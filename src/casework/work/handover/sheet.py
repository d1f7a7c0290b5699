"""The hand-over sheet of one receiver as a workbook: cases, and what they carry. No names, phones, addresses. Pure.

Written row by row (constant memory); texts stay texts, so that none can become a formula.
"""

import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final, Literal, NamedTuple

import xlsxwriter

from casework.spreadsheet import WORKBOOK
from casework.work.handover.carried import KINDS

Lang = Literal["zh", "en"]


class Column(NamedTuple):
    """One column: its key, headers, width."""

    key: str
    zh: str
    en: str
    width: int


COLUMNS: Final = (
    Column("case_id", "案件编号", "Case", 10),
    Column("loan_id", "借据号", "Loan", 20),
    Column("borrower_id", "客户号", "Borrower", 16),
    Column("state", "状态", "State", 14),
    Column("bucket", "账龄", "Bucket", 7),
    Column("days_past_due", "逾期天数", "Days past due", 9),
    Column("overdue_fen", "逾期总额（元）", "Overdue (yuan)", 14),
    Column("outstanding_principal_fen", "贷款余额（元）", "Outstanding principal (yuan)", 14),
    *(Column(kind, zh, en, 14) for kind, (zh, en) in KINDS.items()),
    Column("previous_owner", "原管户人", "Previous owner", 12),
    Column("previous_handler", "原经办人", "Previous handler", 12),
    Column("owner", "管户人", "Owner", 12),
    Column("handler", "经办人", "Handler", 12),
    Column("reason", "移交方式", "Chosen", 12),
    Column("rule", "依据规则", "Rule", 16),
    Column("entry_id", "回执（审计分录）", "Receipt (audit entry)", 22),
)


def workbook(
    lines: Iterable[Mapping[str, Any]], lang: Lang, *, labels: Mapping[str, str], notes: Mapping[str, str]
) -> bytes:
    """The cases as rows of `COLUMNS`, and a sheet of `notes`. `labels`: states and rules in words of `lang`."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, WORKBOOK) as book:
        bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet({"zh": "移交案件", "en": "Cases"}[lang])
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(COLUMNS):
            sheet.set_column(place, place, column.width)
        for place, column in enumerate(COLUMNS):
            sheet.write_string(0, place, column.zh if lang == "zh" else column.en, bold)
        for number, line in enumerate(lines, 1):
            for place, column in enumerate(COLUMNS):
                _write(sheet, number, place, column.key, line.get(column.key), labels, money, day)
        about = book.add_worksheet({"zh": "说明", "en": "Notes"}[lang])
        about.set_column(0, 1, 24)
        for number, (name, text) in enumerate(notes.items()):
            about.write_string(number, 0, name, bold)
            about.write_string(number, 1, text)
    return out.getvalue()


def _write(
    sheet: Any, row: int, place: int, key: str, value: Any, labels: Mapping[str, str], money: Any, day: Any
) -> None:
    if value is None:
        return
    if key.endswith("_fen"):
        sheet.write_number(row, place, value / 100, money)  # exact to the fen far beyond any loan
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, day)
    elif isinstance(value, int):
        sheet.write_number(row, place, value)
    elif isinstance(value, list):
        sheet.write_string(row, place, ", ".join(value))
    else:
        sheet.write_string(row, place, labels.get(value, value) if key in ("state", "rule", "reason") else value)
