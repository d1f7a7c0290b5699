"""The workbook as it is printed and sent on: every column of the branch's form, title, totals, signed, paged."""

import io
import re
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from casework.evidence.evening.of_day import ledger_name
from casework.evidence.evening.report_sheets import HOLDS, MISSING, TEAMS
from casework.evidence.ledger.sheets import CASES, CONTACTS, NOT_DONE, SIGNED_BY, UNREPAIRED
from casework.spreadsheet import Column
from casework.table import Sheet, as_csv, printed, shown

FORM = [
    "日期", "催收人", "借据号", "客户（脱敏）", "产品", "渠道", "逾期天数", "账龄",
    "逾期金额", "贷款余额", "管户人", "今日策略", "应拨", "实拨", "接通", "本人接通",
    "最近结果", "承诺日", "承诺金额", "失联", "信息修复结果", "下户第n次", "下户结果", "下户照片数",
    "经办人", "今日还款", "停催类型", "复核日", "协商还款", "投诉", "下次跟进时间", "未录音数",
    "违规数", "司法处置表", "豁免规则", "备注", "明日计划",
]  # fmt: skip
LOTS = (Column("loan_id", "借据号", "loan", 14), Column("paid_fen", "金额", "paid", 12), Column("at", "时间", "at", 16))
LINES = [
    ("=1+1", 12_345, datetime(2026, 11, 29, 17, 1)),
    ("L2", None, None),
    ("L3", 5, datetime(2026, 11, 29, 8)),
]  # fmt: skip


def parts(book: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        return {name: packed.read(name).decode() for name in packed.namelist() if name.endswith(".xml")}


def made(columns: Any = LOTS, lines: Any = LINES, totals: frozenset[str] = frozenset({"paid_fen"})) -> bytes:
    return printed([Sheet("台账", "2026-11-29 · 全部", columns, lines, totals)], "zh", SIGNED_BY)


def test_the_form_of_the_branch_has_every_column_in_its_order() -> None:
    assert [column.zh for column in CASES] == FORM


def test_a_sheet_has_its_title_what_it_is_about_a_header_totals_and_lines_to_sign() -> None:
    lines = CalamineWorkbook.from_filelike(io.BytesIO(made())).get_sheet_by_name("台账").to_python()
    assert [line[0] for line in lines[:2]] == ["台账", "2026-11-29 · 全部"]
    assert lines[2] == ["借据号", "金额", "时间"]
    assert lines[3][:2] == ["=1+1", 123.45]
    assert lines[6][:2] == ["合计", 123.5]
    assert [str(cell)[:3] for cell in lines[8]] == ["制表人", "复核人", "基础风"]


@pytest.mark.parametrize("columns", [LOTS, CASES, NOT_DONE, CONTACTS, UNREPAIRED, TEAMS, MISSING, HOLDS])
def test_it_is_printed_lying_down_with_the_header_and_a_number_on_every_page_and_signed(
    columns: tuple[Column, ...],
) -> None:
    found = parts(made(columns, [], frozenset()))
    sheet = found["xl/worksheets/sheet1.xml"]
    assert 'orientation="landscape"' in sheet
    assert 'paperSize="9"' in sheet
    assert '<pane ySplit="3"' in sheet
    assert '<autoFilter ref="A3:' in sheet
    assert "&amp;P / &amp;N" in sheet
    assert 'fitToHeight="0"' in sheet
    names = found["xl/workbook.xml"]
    assert "Print_Titles" in names
    assert "$2:$3" in names
    last = re.search(r"Print_Area[^>]*>[^<]*\$A\$1:\$([A-Z]+)\$(\d+)", names)
    assert last is not None
    signed = max(re.findall(rf'r="([A-Z]+){last[2]}"', sheet), key=lambda name: (len(name), name))
    assert (len(signed), signed) <= (len(last[1]), last[1])


def test_a_wide_sheet_is_printed_over_pages_that_can_be_read_each_with_whose_line_it_is() -> None:
    wide = Sheet("台账", "", CASES, [], frozenset({"dialled"}), kept_left=4, summed={"dialled": 7})
    found = parts(printed([wide], "zh", SIGNED_BY))
    sheet, names = found["xl/worksheets/sheet1.xml"], found["xl/workbook.xml"]
    assert 'fitToWidth="2"' in sheet
    assert 'xSplit="4" ySplit="3"' in sheet
    assert "$A:$D" in names
    assert "<v>7</v>" in sheet


def test_nothing_in_it_is_a_formula_and_amounts_are_numbers() -> None:
    sheet = parts(made())["xl/worksheets/sheet1.xml"]
    assert "<f>" not in sheet
    assert "<v>123.45</v>" in sheet


def test_the_same_table_is_csv_and_stands_on_a_screen() -> None:
    told = as_csv(Sheet("台账", "", LOTS, LINES), "en").decode("utf-8-sig").split("\r\n")
    assert told[:3] == ["loan,paid,at", "'=1+1,123.45,2026-11-29 17:01", "L2,,"]
    assert [shown(column, value) for column, value in zip(LOTS, LINES[0], strict=True)] == [
        "=1+1", "123.45", "2026-11-29 17:01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("team", "name"),
    [
        ("电催一组", "催收台账-2026-11-29-电催一组.xlsx"), (None, "催收台账-2026-11-29.xlsx"),
        ("../a:b", "催收台账-2026-11-29-..ab.xlsx"),
    ],
)  # fmt: skip
def test_a_file_is_called_as_the_branch_sends_it_on(team: str | None, name: str) -> None:
    assert ledger_name(date(2026, 11, 29), team).name == name
