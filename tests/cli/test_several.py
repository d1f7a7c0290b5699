"""Rows of a file in place of arguments (`--from FILE`), as strangers write them."""

import codecs
import csv
import io
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import xlsxwriter

from casework.cli.several import rows_of
from casework.intake.dialler.row import KNOWN

COLUMNS, NEEDED = ("contact_ref", "result", "reason"), ("contact_ref", "result")
TEXT = "contact_ref,result,reason\nc1,他人接听,听错\nc2,busy,\n"
ROWS = [{"contact_ref": "c1", "result": "他人接听", "reason": "听错"}, {"contact_ref": "c2", "result": "busy"}]


def utf_8(text: str) -> bytes:
    return text.encode()


def with_mark(text: str) -> bytes:
    return codecs.BOM_UTF8 + text.encode()


def gb18030(text: str) -> bytes:
    return text.encode("gb18030")


def xlsx(text: str) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate(csv.reader(io.StringIO(text))):
            sheet.write_row(number, 0, cells)
    return out.getvalue()


@pytest.mark.parametrize("kind", [utf_8, with_mark, gb18030, xlsx])
def test_rows_come_in_every_kind_of_file(tmp_path: Path, kind: Callable[[str], bytes]) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(kind(TEXT))
    assert rows_of(file, COLUMNS, NEEDED, 50) == ROWS


def test_columns_may_have_their_chinese_names_and_none_and_those_of_rows_that_were_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(gb18030("催记编号,催收结果,set_aside_zh,\nc1,他人接听,未知,\n"))
    assert rows_of(file, COLUMNS, NEEDED, 50, KNOWN) == [{"contact_ref": "c1", "result": "他人接听"}]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (TEXT[:-4].encode(), "line 3"), (f'{TEXT}c3,"bus'.encode(), "no valid CSV from line 4"),
        (xlsx(TEXT)[:-40], "cannot be read"), (TEXT.encode()[:-20] + b"\xff", "neither UTF-8 nor GB18030"),
        (b"", "lacks the compulsory column"), (b"contact_ref,result\n", "no rows"),
        (b"contact_ref,result,colour\nc1,busy,red\n", "columns are contact_ref, result, reason"),
        (b"contact_ref,result\n" + b"c1,busy\n" * 51, "than the 50 that are read"),
    ],
    ids=["in a row", "in a cell", "in a workbook", "in a character", "empty", "header", "unknown column", "too many"],
)  # fmt: skip
def test_a_file_that_is_cut_or_none_of_these_is_a_mistake_of_usage_that_says_where(
    tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    with pytest.raises(click.UsageError, match=told):
        rows_of(file, COLUMNS, NEEDED, 50)


def test_what_became_of_a_row_has_its_cell_and_what_stands_there_masked(tmp_path: Path) -> None:
    file = tmp_path / "rows.xlsx"
    file.write_bytes(xlsx("phone,loan_id\n12000000000,L1\n,L2\ncall me,L3\n"))
    rows = rows_of(file, ("loan_id", "phone"), ("loan_id",), 50)
    wrong = {"outcome": "malformed_phone", "field": "phone", "zh": "不是电话号码", "en": "not a phone number"}
    assert rows.with_place(0, wrong) == wrong | {
        "file": "rows.xlsx", "line": 2, "cell": "A2", "value": "120****0000"
    }  # fmt: skip
    assert rows.with_place(2, wrong | {"field": "loan_id"})["value"] == "L3"
    assert rows.with_place(1, {"outcome": "done"})["cell"] is None
    cut = tmp_path / "cut.csv"
    cut.write_text("loan_id,phone\nL1\nL2,1,2\nL3,1\n")
    with pytest.raises(click.UsageError, match="line 2, 3 has not"):
        rows_of(cut, ("loan_id", "phone"), ("loan_id",), 50)
    cut.write_text("loan_id,x,y\nL1,1,1\n")
    with pytest.raises(click.UsageError, match="x, y; columns are"):
        rows_of(cut, ("loan_id", "phone"), ("loan_id",), 50)
