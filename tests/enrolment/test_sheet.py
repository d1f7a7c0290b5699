"""A file of staff: what its cells may say, in which spellings, and every fault told by line and column."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.intake.enrolment.sheet import (
    MOST_ROWS,
    PeopleSheet,
    SheetLine,
    post_names,
    read_sheet,
    staff_columns,
)
from casework.intake.feed.sheet import read_rows

LABELS = {
    "business_rep": {"zh": "业务代表", "en": "business representative"}, "approver": {"zh": "审批人", "en": "approver"},
    "system": {"zh": "系统", "en": "the service itself"},
}  # fmt: skip
POSTS = post_names(LABELS)


def read(*rows: str) -> PeopleSheet:
    return read_sheet(((number, row.split("|")) for number, row in enumerate(rows, 1)), POSTS)


def test_columns_stand_in_any_order_in_either_language_and_others_are_not_read() -> None:
    sheet = read("姓名|备注|工号|岗位|离职日期|capacity", "王|x|S1|审批人|2026-04-30|7")
    assert sheet.faults == ()
    assert sheet.unread == ("备注",)
    assert sheet.lines == (
        SheetLine(2, "S1", "王", ("approver",), capacity=7, leaves_on=date(2026, 4, 30),
             says=frozenset({"staff_no", "name", "posts", "capacity", "leaves_on"})),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("header", "code"),
    [("staff_no|posts", "column_missing"), ("王|S1", "column_missing"), ("", "column_missing"),
     ("staff_no|name|工号", "column_repeated")],
)  # fmt: skip
def test_a_header_without_what_is_compulsory_or_with_it_twice_is_refused(header: str, code: str) -> None:
    with pytest.raises(CallerError) as told:
        read(header, "S1|王|x")
    assert told.value.code == code
    assert "王" not in str(told.value)


@pytest.mark.parametrize(
    ("column", "good", "value", "bad", "code"),
    [("staff_no", " S1 ", "S1", "S 1", "malformed_staff_no"),
     ("staff_no", "a.b_-9", "a.b_-9", "System", "reserved_staff_no"),
     ("staff_no", "ＢＲ１", "BR1", "BR", "id_without_digit"), ("staff_no", "0012", "0012", "'0012", "id_formula"),
     ("staff_no", "10001", "10001", "10001.0", "id_decimal"), ("staff_no", "1E5", "1E5", "1.2E+15", "id_exponent"),
     ("staff_no", "N.A1", "N.A1", "#N/A", "error_value"), ("staff_no", "1-2", "1-2", "2026-01-02", "id_date"),
     ("staff_no", "S1", "S1", "S1\u200b", "id_invisible_character"),
     ("staff_no", "S" * 31 + "1", "S" * 31 + "1", "S" * 32 + "1", "malformed_staff_no"),
     ("staff_no", "S1", "S1", "张1", "malformed_staff_no"), ("team", "N/A", "N/A", "#N/A", "error_value"),
     ("staff_no", "S1", "S1", "-", "cannot_be_none"), ("staff_no", "S1", "S1", "", "missing_value"),
     ("name", "王 小明", "王 小明", "", "missing_value"), ("name", "王", "王", "-", "cannot_be_none"),
     ("name", "王" * 64, "王" * 64, "王" * 65, "text_too_long"), ("name", "王", "王", "王\u202e", "control_character"),
     ("posts", "业务代表、审批人", ("approver", "business_rep"), "业务代表、厂长", "unknown_post"),
     ("posts", "business_rep approver business_rep", ("approver", "business_rep"), "system", "unknown_post"),
     ("posts", "Business Representative", ("business_rep",), "系统", "unknown_post"),
     ("posts", "审批人;business_rep", ("approver", "business_rep"), "1", "unknown_post"),
     ("posts", "-", (), "--", "unknown_post"),
     ("team", "一组", "一组", "组" * 65, "text_too_long"), ("team", "-", None, "a\tb", "control_character"),
     ("region", "R1", "R1", "R\x001", "control_character"),
     ("capacity", "0", 0, "-1", "malformed_capacity"), ("capacity", "100000", 100_000, "100001", "malformed_capacity"),
     ("capacity", "-", None, "1.5", "malformed_capacity"), ("capacity", "7", 7, "٧", "malformed_capacity"),
     ("joined_on", "2026-02-28", date(2026, 2, 28), "2026-02-29", "malformed_date"),
     ("joined_on", "2026-02-28", date(2026, 2, 28), "-", "cannot_be_none"),
     ("leaves_on", "-", None, "28.2.2026", "malformed_date")],
)  # fmt: skip
def test_every_cell_is_read_or_told_with_its_line_and_column(
    column: str, good: str, value: Any, bad: str, code: str
) -> None:
    cells = {"staff_no": "S1", "name": "王", column: good}
    sheet = read("|".join(cells), "|".join(cells.values()))
    assert sheet.faults == ()
    assert getattr(sheet.lines[0], column) == value
    assert column in sheet.lines[0].says
    cells[column] = bad
    wrong = read("|".join(cells), "S9|李" + "|" * (len(cells) - 2), "|".join(cells.values()))
    assert [(fault.line, fault.column, fault.code) for fault in wrong.faults] == [(3, column, code)]
    assert wrong.faults[0].zh
    assert [line.staff_no for line in wrong.lines] == ["S9"]


def test_an_empty_cell_says_nothing() -> None:
    (line,) = read("staff_no|name|posts|team|capacity", "S1|王|||").lines
    assert line.says == {"staff_no", "name"}


def test_a_number_twice_and_a_row_of_another_length_are_faults_and_blank_rows_are_not() -> None:
    sheet = read("staff_no|name", "S1|王", " | ", "S1|李", "S2|赵|x")
    assert [(fault.line, fault.column, fault.code) for fault in sheet.faults] == [
        (4, "staff_no", "repeated_staff_no"), (5, None, "wrong_cell_count"),
    ]  # fmt: skip


def test_a_file_of_too_many_rows_is_refused() -> None:
    rows = [["staff_no", "name"], *([f"S{n}", "王"] for n in range(MOST_ROWS + 1))]
    assert len(read_sheet(enumerate(rows[:-1], 1), POSTS).lines) == MOST_ROWS
    with pytest.raises(CallerError) as told:
        read_sheet(enumerate(rows, 1), POSTS)
    assert told.value.code == "too_many_rows"


@given(
    st.lists(st.lists(st.text(max_size=40), max_size=10), max_size=6),
    st.permutations(sorted(one.name for one in staff_columns(LABELS))),
)
def test_whatever_stands_in_a_file_is_read_or_told_and_never_crashes(rows: list[list[str]], header: list[str]) -> None:
    sheet = read_sheet(enumerate([header, *rows], 1), POSTS)
    assert len(sheet.lines) + len({fault.line for fault in sheet.faults}) <= len(rows)


def test_csv_in_gb18030_is_read_too() -> None:
    content = "工号,姓名,岗位\r\nS1,王,业务代表\r\n".encode("gb18030")
    assert read_sheet(read_rows(content, "staff.csv"), POSTS).lines[0].posts == ("business_rep",)
