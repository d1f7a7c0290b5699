"""Lists of cases as CSV and XLSX: the same rows, readable columns, amounts in yuan with two places. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple

import xlsxwriter

from casework.money import yuan_text
from casework.rules.statechart.chart import Chart
from casework.spreadsheet import WORKBOOK, safe_cell, write_notes
from casework.work.cases.line import CaseLine

MAX_ROWS = 20_000
Lang = Literal["zh", "en"]


class _Column(NamedTuple):
    field: str
    zh: str
    en: str
    width: int


_COLUMNS = (
    _Column("id", "案件编号", "Case", 10),
    _Column("loan_id", "借据号", "Loan", 20),
    _Column("borrower_id", "客户号", "Borrower", 16),
    _Column("state", "状态", "State", 14),
    _Column("state_since", "进入状态日期", "In state since", 12),
    _Column("days_past_due", "逾期天数", "Days past due", 9),
    _Column("bucket", "账龄", "Bucket", 7),
    _Column("oldest_due_date", "最早应还日", "Oldest due date", 12),
    _Column("overdue_fen", "逾期总额（元）", "Overdue (yuan)", 14),
    _Column("overdue_principal_fen", "逾期本金（元）", "Overdue principal (yuan)", 14),
    _Column("overdue_interest_fen", "逾期利息（元）", "Overdue interest (yuan)", 14),
    _Column("overdue_penalty_fen", "罚息（元）", "Penalty (yuan)", 14),
    _Column("outstanding_principal_fen", "贷款余额（元）", "Outstanding principal (yuan)", 14),
    _Column("owner", "管户人", "Owner", 12),
    _Column("handler", "经办人", "Handler", 12),
    _Column("team", "团队", "Team", 10),
    _Column("region", "区域", "Region", 10),
    _Column("product", "产品", "Product", 12),
    _Column("channel_code", "渠道", "Channel", 12),
    _Column("institution", "机构", "Institution", 12),
    _Column("opened_on", "入催日期", "Opened on", 12),
    _Column("opened_for", "入催原因", "Opened for", 14),
)


_PEOPLE = {"owner": "owner_name", "handler": "handler_name"}


def cases_csv(lines: Iterable[CaseLine], chart: Chart, lang: Lang, *, cut: bool) -> bytes:
    """UTF-8 with BOM, CRLF; no cell can be taken for a formula. When `cut`, a last row says so."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([getattr(column, lang) for column in _COLUMNS])
    for line in lines:
        writer.writerow([_text(column.field, _shown(line, column.field, chart, lang)) for column in _COLUMNS])
    if cut:
        writer.writerow([cut_note(lang)])
    return out.getvalue().encode("utf-8-sig")


def cases_xlsx(lines: Iterable[CaseLine], chart: Chart, lang: Lang, *, cut: bool, notes: Mapping[str, str]) -> bytes:
    """A workbook: the cases, and a sheet of notes (filter, sort, time); one row in memory at a time."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, WORKBOOK) as book:
        bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet({"zh": "案件", "en": "Cases"}[lang])
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(_COLUMNS):
            sheet.set_column(place, place, column.width)
        for place, column in enumerate(_COLUMNS):
            sheet.write_string(0, place, getattr(column, lang), bold)
        number = 0
        for number, line in enumerate(lines, 1):
            for place, column in enumerate(_COLUMNS):
                value = _cell(column.field, _shown(line, column.field, chart, lang))
                if value is not None:
                    sheet.write(number, place, value, _format_of(column.field, value, money, day))
        write_notes(book, lang, notes, number, cut_note(lang) if cut else None)
    return out.getvalue()


def cut_note(lang: Lang) -> str:
    """What a file says at its end when the filter holds more rows than a file may have."""
    if lang == "zh":
        return f"仅导出前 {MAX_ROWS} 行；请缩小筛选范围"
    return f"only the first {MAX_ROWS} rows; narrow the filter"


def _cell(field: str, value: Any) -> Any:
    return value / 100 if field.endswith("_fen") else value  # exact to the fen far beyond any loan


def _format_of(field: str, value: Any, money: Any, day: Any) -> Any:
    if field.endswith("_fen"):
        return money
    return day if isinstance(value, date) else None


def _text(field: str, value: Any) -> str:
    if value is None:
        return ""
    if field.endswith("_fen"):
        return yuan_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) else safe_cell(str(value))


def _shown(line: CaseLine, field: str, chart: Chart, lang: Lang) -> Any:
    """A field of a case, codes in words; a code of an earlier chart as it is."""
    value = getattr(line, field)
    if field == "state" and value in chart.states:
        return chart.state_named(value).told(line.ended_as, lang)
    if field in _PEOPLE and (name := getattr(line, _PEOPLE[field])) is not None:
        return f"{name}（{value}）" if lang == "zh" else f"{name} ({value})"
    if field == "opened_for" and value in chart.openings:
        return getattr(chart.openings[value], lang)
    return value
