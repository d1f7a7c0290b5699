"""What a spreadsheet or a cut column leaves of a text file, and how it is met."""

import pytest

from casework.errors import CallerError
from casework.intake.feed.headers import understand
from casework.intake.feed.sheet import read_rows

_NAMES = "借据号,姓名\n" + "".join(f"D{number},示例客户\n" for number in range(40))


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_character_cut_in_one_cell_leaves_the_rest_of_a_utf_8_file_readable(bom: bytes) -> None:
    content = bom + _NAMES.encode() + "D40,示例客".encode() + "户".encode()[:2] + b"\nD41," + "赵样本\n".encode()
    rows = [cells for _, cells in read_rows(content, "loans.csv")]
    assert rows[0] == ["借据号", "姓名"]
    assert rows[-2:] == [["D40", "示例客\ufffd"], ["D41", "赵样本"]]


def test_a_file_in_gb18030_is_read_as_that_though_some_of_its_bytes_would_be_sound_utf_8() -> None:
    rows = [cells for _, cells in read_rows((_NAMES + "D40,联通\n").encode("gb18030"), "loans.csv")]
    assert rows[-1] == ["D40", "联通"]


def test_a_file_that_ends_within_a_character_was_cut() -> None:
    """However short it is: sound up to its last character, it is no GB18030."""
    for text in (_NAMES.encode()[:-2], "工号,name\nN1,王小".encode()[:-1]):
        with pytest.raises(CallerError, match="ends in the middle of a character") as caught:
            read_rows(text, "loans.csv")
        assert caught.value.code == "file_unreadable"


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        (_NAMES.encode("utf-16"), "file_unreadable", "UTF-16"),
        (_NAMES.encode("utf-16-le"), "file_unreadable", "UTF-16"),
        (_NAMES.encode("utf-16-be"), "file_unreadable", "UTF-16"),
        (b"\xfe\xff" + _NAMES.encode("utf-16-be"), "file_unreadable", "UTF-16"),
        (_NAMES.replace(",", "\t").encode(), "other_separator", "tabs"),
        (_NAMES.replace(",", ";").encode("gb18030"), "other_separator", "semicolons"),
        (_NAMES.replace(",", "；").encode(), "other_separator", "semicolons"),
        (b"sep=;\n" + _NAMES.replace(",", ";").encode(), "other_separator", "sep="),
        (b"\n\nSEP=,\n" + _NAMES.encode(), "other_separator", "line 3"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "file_unreadable", "an old workbook .*with a password"),
        (b"%PDF-1.7\n" + _NAMES.encode(), "file_unreadable", "PDF"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "file_unreadable", "picture"),
        (b"Rar!\x1a\x07\x00" + bytes(40), "file_unreadable", "archive"),
        ("\ufeff\n<HTML><table><tr><td>借据号</td></tr></table>".encode(), "file_unreadable", "a web page or XML"),
    ],
)
def test_what_a_spreadsheet_saves_otherwise_is_named(content: bytes, code: str, named: str) -> None:
    with pytest.raises(CallerError, match=named) as caught:
        list(read_rows(content, "loans.csv"))
    assert caught.value.code == code


def test_a_title_above_the_header_and_a_cover_sheet_are_named_where_columns_are_missing() -> None:
    for mistaken in (
        ("loans", ["十一月逾期明细", "", ""]),
        ("overdue", ["封面"]),
        ("overdue", ["逾期明细", "制表：甲"]),
    ):
        with pytest.raises(CallerError, match="a title above the header, and a cover sheet") as caught:
            understand(*mistaken)
        assert caught.value.code == "column_missing"
    with pytest.raises(CallerError) as other:
        understand("loans", ["借据号", "客户号"])
    assert "title" not in str(other.value)
