"""Blocks of rows read by columns: what is read is what reading row by row gives, and anything odd is left to it."""

from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.intake.feed.bounds import USUAL
from casework.intake.feed.cell import BadCell, CellNote
from casework.intake.feed.headers import COLUMNS, Kind
from casework.intake.feed.manifest import FileEntry
from casework.intake.feed.plain_rows import block_parser
from casework.intake.feed.read_sheet import read_sheet
from casework.intake.feed.row import loan_parser, overdue_parser
from tests.conftest import LONGER
from tests.feed.test_row import AS_OF, GOOD

KINDS: list[Kind] = ["loans", "overdue"]
HEADERS: dict[Kind, list[str]] = {kind: [column.name for column in COLUMNS[kind]] for kind in KINDS}
ODD = [
    "", " ", "0", "5", "00", "-1", "-1.00", "1,000.00", "1.5", "1.55", "1.555", ".50", "5.", "¥5.00",
    "99999999999999.00", "9999999999999.99", "9999999999999", "１２.００", "１2", "٣.٠٠", "1.00\n2.00", "1\n", "\n",
    "D1\nD2", "1.00\r", "D000001", "d1", "D-1", "2024-0001", "2024-01-02", "Jan-24", "Jan", "6E18", "6.22E+18",
    "合计", "D" * 64 + "1", "D" * 63 + "1", "1" * 64, "1" * 65, " D1", "D1 ", "D１", "#N/A", "x" * 128, "x" * 129,
    "赵\ufffd", "赵\u202e", "赵\tq", "赵 样本", " 赵", "2024-05-31", "2024/5/31", "20240531", "2024年5月31日",
    "2024-06-01", "2024-06-02", "1899-01-01", "1900-01-00", "45000", "2023-05-04", "2023-05-05", "是", "否", " 是",
    "true", "TRUE", "maybe", "嗨花", "次级", "Loss", "loss ", "closed", "结清", "正常", "system", "S001、S002",
    "S001", "x" * 32, "x" * 33, "x" * 64, "x" * 65, "11010119900101001X", "(1)234", "12", "1", "31", "366", "\x00",
    "\ud800",
]  # fmt: skip
"""Cells as people and programs write them, each fit for one column and odd in most others."""


def by_rows(kind: Kind, block: list[list[str]], header: list[str]) -> tuple[list[Any], list[CellNote]] | None:
    """What reading one by one gives, with its notes; none where a row is to be set aside."""
    notes: list[CellNote] = []
    parser = {"loans": loan_parser, "overdue": overdue_parser}[kind]
    parse: Any = parser({name: at for at, name in enumerate(header)}, len(header), AS_OF, notes)
    try:
        return [parse(cells) for cells in block], notes
    except BadCell:
        return None


def by_columns(kind: Kind, block: list[list[str]], header: list[str]) -> list[Any] | None:
    parse = block_parser(kind, {name: at for at, name in enumerate(header)}, AS_OF)
    assert parse is not None
    return parse([*zip(*block, strict=True)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_of_plain_rows_is_read_at_once(kind: Kind) -> None:
    cells = [GOOD[kind][name] for name in HEADERS[kind]]
    block = [cells] * 3
    rows = by_columns(kind, block, HEADERS[kind])
    assert rows is not None
    assert (rows, []) == by_rows(kind, block, HEADERS[kind])
    assert {type(row) for row in rows} == {type(rows[0])}
    assert rows[0]._fields


@pytest.mark.parametrize("kind", KINDS)
def test_every_odd_cell_in_every_column_is_read_as_row_by_row_or_left_to_it(kind: Kind) -> None:
    header = HEADERS[kind]
    good = [GOOD[kind][name] for name in header]
    taken = 0
    for at in range(len(header)):
        for odd in ODD:
            block = [good, [*good[:at], odd, *good[at + 1 :]], good]
            rows = by_columns(kind, block, header)
            if rows is not None:
                taken += 1
                assert (rows, []) == by_rows(kind, block, header), (header[at], odd)
    assert taken > len(header)


@settings(max_examples=200 * LONGER, deadline=None)
@given(st.data())
def test_whatever_is_read_by_columns_is_what_reading_row_by_row_gives(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    header = [name for name in HEADERS[kind] if name not in ("status", "days_past_due") or data.draw(st.booleans())]
    good = [GOOD[kind][name] for name in header]
    block = [list(good) for _ in range(data.draw(st.integers(1, 4)))]
    for _ in range(data.draw(st.integers(0, 3))):
        row, at = data.draw(st.integers(0, len(block) - 1)), data.draw(st.integers(0, len(header) - 1))
        block[row][at] = data.draw(st.sampled_from(ODD) | st.text(max_size=6))
    rows = by_columns(kind, block, header)
    if rows is not None:
        assert (rows, []) == by_rows(kind, block, header)


def test_a_row_with_a_cell_too_many_or_too_few_is_left_to_reading_row_by_row() -> None:
    header = [name for name in HEADERS["overdue"] if name != "days_past_due"]
    good = ",".join(GOOD["overdue"][name] for name in header)
    second = good.replace("D000001", "D000002")
    for other in (second.rpartition(",")[0], second + ",", "?" + second.replace(",", ".")):
        content = "\n".join([",".join(header), good, other]).encode()
        sheet = read_sheet(AS_OF, FileEntry("overdue.csv", "overdue", 2, "0" * 64, 10**9), content)
        assert [(row.line, row.code) for row in sheet.set_aside] == [(3, "wrong_cell_count")]
        assert [*sheet.lines] == [2]


def test_kinds_of_which_few_rows_come_are_read_row_by_row() -> None:
    assert block_parser("contacts", {}, date(2024, 6, 1)) is None
    assert block_parser("repayments", {}, date(2024, 6, 1)) is None


def test_what_interrupts_the_reading_of_a_file_is_told_behind_the_faults_of_the_rows_before_it() -> None:
    header = [name for name in HEADERS["overdue"] if name != "days_past_due"]
    good = ",".join(GOOD["overdue"][name] for name in header)
    lines = [",".join(header), good, "?" + good, good.replace("D000001", "D000002"), '"' + good + '"x']
    entry = FileEntry("overdue.csv", "overdue", 4, "0" * 64, 0)
    content = "\n".join(lines).encode()
    with pytest.raises(CallerError) as caught:
        read_sheet(AS_OF, entry, content)
    assert caught.value.code == "csv_malformed"
    with pytest.raises(CallerError) as caught:
        read_sheet(AS_OF, entry, content, replace(USUAL, aside=0))
    assert caught.value.code == "too_many_set_aside"
    with pytest.raises(CallerError) as caught:
        read_sheet(AS_OF, msgspec.structs.replace(entry, rows=2), content)
    assert caught.value.code == "row_count_differs"
