"""A feed folder is read whole or refused with one clear error; its bad rows are set aside."""

import gzip
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.intake.feed import folder as folder_module
from casework.intake.feed import read_apart
from casework.intake.feed import read_sheet as read_module
from casework.intake.feed import sheet as sheet_module
from casework.intake.feed.cell import CellNote
from casework.intake.feed.delivery import Delivery
from casework.intake.feed.feed_sheet import Notice, SetAside
from casework.intake.feed.folder import read_folder, set_aside_csv
from casework.intake.feed.headers import COLUMNS
from casework.intake.feed.manifest import FeedManifest, FileEntry
from tests.conftest import LONGER

OVERDUE = """loan_id,oldest_due_date,overdue_principal,overdue_interest,overdue_penalty,outstanding_principal
D1,2024-05-01,1000.00,20.00,10.00,3102.00
D2,2024-05-02,500.5,0,0,700
"""
REPAYMENTS = "payment_id,loan_id,paid_on,amount,reverses\nP1,D1,2024-06-01,12.30,\nP2,D1,2024-06-01,-12.30,P1\n"
LOANS = "借据号,客户号,客户姓名,贷款余额(元),备注\nD1,B1,赵样本,3102.00,无\nD2,B2,钱样本,700,\n"
CONTACTS = "borrower_id,person_name,role,phone,address\nB1,赵样本,本人,12000000001,示例街1号\n"
SUMS = {"overdue": 153_050, "repayments": 0, "loans": 380_200, "contacts": None}


def deliver(folder: Path, manifest: dict[str, Any] | None = None, /, **files: bytes | str) -> Path:
    """Write files (kind=content) and an honest manifest, changed at will by `manifest`."""
    entries = []
    for kind, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{kind}.csv").write_bytes(data)
        rows = {"overdue": 2, "repayments": 2, "loans": 2, "contacts": 1}[kind]
        entry = {
            "name": f"{kind}.csv",
            "kind": kind,
            "rows": rows,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        entries.append({**entry, "control_sum_fen": SUMS[kind]})
    whole = {"as_of": "2024-06-01", "institution": "demo", "files": entries, **(manifest or {})}
    (folder / "manifest.json").write_text(json.dumps(whole), encoding="utf-8")
    return folder


def change(folder: Path, **changed: Any) -> Path:
    """Change the manifest's first file entry."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"][0].update(changed)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def refusal(folder: Path) -> CallerError:
    with pytest.raises(CallerError) as refused:
        read_folder(folder)
    assert refused.value.zh
    return refused.value


def test_a_sound_folder_is_read_whole(tmp_path: Path) -> None:
    delivery = read_folder(deliver(tmp_path, overdue=OVERDUE, loans=LOANS, contacts=CONTACTS, repayments=REPAYMENTS))
    assert (delivery.as_of, delivery.institution) == (date(2024, 6, 1), "demo")
    assert [sheet.kind for sheet in delivery.sheets] == ["loans", "contacts", "overdue", "repayments"]
    assert [row.loan_id for row in delivery.overdue.rows] == ["D1", "D2"]
    assert [*delivery.overdue.lines] == [2, 3]
    assert delivery.loans is not None
    assert delivery.loans.rows[0].borrower_name == "赵样本"
    assert Notice(1, "备注", "column_unknown") in delivery.loans.notices
    assert Notice(1, "team", "column_absent") in delivery.loans.notices
    assert delivery.contacts is not None
    assert delivery.contacts.rows[0].role == "debtor"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"overdue": OVERDUE.replace("2024-05-02", "soon")},
        {"overdue": OVERDUE + "D3,2024-05-02,1,0,0,1\n", "loans": "a;b"},
    ],
)
def test_two_processes_read_what_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, bytes | str]
) -> None:
    monkeypatch.setattr(folder_module, "AHEAD_FROM", 1)
    monkeypatch.setattr(read_apart, "_HANDED_OVER", 1)
    files = {"overdue": OVERDUE, "loans": LOANS, "contacts": CONTACTS, "repayments": REPAYMENTS} | changed
    folder = deliver(tmp_path, **files)
    assert said(folder, processes=2) == said(folder, processes=1)


def said(folder: Path, *, processes: int) -> Any:
    """The delivery, or why it is refused."""
    try:
        return read_folder(folder, processes=processes)
    except CallerError as mistake:
        return mistake.code, mistake.zh, str(mistake), mistake.facts


def test_the_digest_is_that_of_the_files_whatever_their_order(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    one = read_folder(deliver(folders[0], overdue=OVERDUE, repayments=REPAYMENTS)).digest
    two = read_folder(deliver(folders[1], repayments=REPAYMENTS, overdue=OVERDUE)).digest
    three = read_folder(deliver(folders[2], overdue=OVERDUE)).digest
    assert one == two != three


def replaced(path: Path) -> Path:
    """Move what is there aside, to put something else in its place."""
    path.rename(path.with_name("before"))
    return path


MANIFEST_FAULTS: list[tuple[str, Callable[[Path], object], str]] = [
    ("gone", lambda f: (f / "manifest.json").unlink(), "manifest_missing"),
    ("not JSON", lambda f: (f / "manifest.json").write_text("{"), "manifest_malformed"),
    ("not UTF-8", lambda f: (f / "manifest.json").write_bytes(b'{"as_of": "\xff"}'), "manifest_malformed"),
    ("deep", lambda f: (f / "manifest.json").write_text("[" * 100_000), "manifest_malformed"),
    ("huge", lambda f: (f / "manifest.json").write_text(" " * (1 << 20) + "{}"), "file_too_large"),
    (
        "a folder",
        lambda f: replaced(f / "manifest.json").mkdir(),
        "file_unreadable",
    ),
    ("empty list", lambda f: deliver(f, {"files": []}), "manifest_malformed"),
    ("bad day", lambda f: deliver(f, {"as_of": "2024-06-31"}, overdue=OVERDUE), "manifest_malformed"),
    ("a day before all feeds", lambda f: deliver(f, {"as_of": "0001-01-05"}, overdue=OVERDUE), "manifest_malformed"),
    ("bad institution", lambda f: deliver(f, {"institution": "a b"}, overdue=OVERDUE), "manifest_malformed"),
    ("no overdue", lambda f: deliver(f, repayments=REPAYMENTS), "manifest_malformed"),
    ("unknown kind", lambda f: change(f, kind="gossip"), "manifest_malformed"),
    ("path up", lambda f: change(f, name="../overdue.csv"), "manifest_malformed"),
    ("absolute path", lambda f: change(f, name="/etc/hostname"), "manifest_malformed"),
    ("backslash", lambda f: change(f, name="..\\overdue.csv"), "manifest_malformed"),
    ("NUL", lambda f: change(f, name="overdue\x00.csv"), "manifest_malformed"),
    ("no control sum", lambda f: change(f, control_sum_fen=None), "manifest_malformed"),
    ("fractional sum", lambda f: change(f, control_sum_fen=1.5), "manifest_malformed"),
    ("negative rows", lambda f: change(f, rows=-1), "manifest_malformed"),
    ("no file", lambda f: (f / "overdue.csv").unlink(), "file_missing"),
    (
        "a link",
        lambda f: replaced(f / "overdue.csv").symlink_to("before"),
        "file_unreadable",
    ),
    ("a pipe", lambda f: os.mkfifo(replaced(f / "overdue.csv")), "file_unreadable"),
    ("cut file", lambda f: (f / "overdue.csv").write_text(OVERDUE[:-9]), "file_digest_differs"),
    ("other digest", lambda f: change(f, sha256="0" * 64), "file_digest_differs"),
    ("fewer rows", lambda f: change(f, rows=3), "row_count_differs"),
    ("more rows", lambda f: change(f, rows=1), "row_count_differs"),
    ("sum too low", lambda f: change(f, control_sum_fen=153_049), "control_sum_differs"),
    ("sum too high", lambda f: change(f, control_sum_fen=153_051), "control_sum_differs"),
]


@pytest.mark.parametrize(("fault", "code"), [f[1:] for f in MANIFEST_FAULTS], ids=[f[0] for f in MANIFEST_FAULTS])
def test_a_folder_that_is_not_what_its_manifest_says_is_refused(
    tmp_path: Path, fault: Callable[[Path], object], code: str
) -> None:
    deliver(tmp_path, overdue=OVERDUE)
    assert len(read_folder(tmp_path).overdue.rows) == 2
    fault(tmp_path)
    assert refusal(tmp_path).code == code


def test_a_folder_that_is_not_there_is_named_so(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").code == "folder_missing"


def xlsx(text: str) -> bytes:
    """The CSV text as a workbook with real numbers and dates."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        style = book.add_format({"num_format": "yyyy-mm-dd"})
        for number, line in enumerate(text.splitlines()):
            for column, cell in enumerate(line.split(",")):
                if number and column == 1:
                    sheet.write_datetime(number, column, datetime.fromisoformat(cell), style)
                elif number and column > 1:
                    sheet.write_number(number, column, float(cell))
                else:
                    sheet.write_string(number, column, cell)
    return out.getvalue()


CHINESE = "借据号,最早逾期日期,逾期本金（元）,逾期利息,罚息,贷款余额\n" + OVERDUE.split("\n", 1)[1]
FORMS: list[tuple[str, bytes]] = [
    ("BOM", OVERDUE.encode("utf-8-sig")),
    ("CRLF", OVERDUE.replace("\n", "\r\n").encode()),
    ("no last line end", OVERDUE.strip().encode()),
    ("blank lines", OVERDUE.replace("\n", "\n\n").encode()),
    (
        "columns in another order",
        b"\n".join(b",".join(reversed(x.split(b","))) for x in OVERDUE.encode().split()),
    ),
    ("headers in other letters", OVERDUE.replace("loan_id", " Loan-ID ").encode()),
    ("Chinese headers", CHINESE.encode()),
    ("GB18030", CHINESE.encode("gb18030")),
    ("gzip", gzip.compress(OVERDUE.encode())),
    ("gzip of two members", gzip.compress(OVERDUE[:150].encode()) + gzip.compress(OVERDUE[150:].encode())),
    ("gzip of GB18030", gzip.compress(CHINESE.encode("gb18030"))),
    ("XLSX", xlsx(OVERDUE)),
    ("XLSX with Chinese headers", xlsx(CHINESE)),
]


@pytest.mark.parametrize("content", [f[1] for f in FORMS], ids=[f[0] for f in FORMS])
def test_every_form_of_a_file_gives_the_same_rows(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plain").mkdir()
    plain = read_folder(deliver(tmp_path / "plain", overdue=OVERDUE)).overdue
    assert read_folder(deliver(tmp_path, overdue=content)).overdue.rows == plain.rows


def far_cell() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "loan_id")
        sheet.write(1_048_575, 16_383, "here")
    return out.getvalue()


def workbook(rows: str, shared: str = "") -> bytes:
    """A workbook that no spreadsheet writes but the reader takes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx(OVERDUE))) as good, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bad:
        for member in good.namelist():
            part = good.read(member).decode()
            if member.endswith("sheet1.xml"):
                part = part[: part.index("<sheetData>")] + f"<sheetData>{rows}</sheetData></worksheet>"
            if member.endswith("sharedStrings.xml") and shared:
                part = part[: part.index("<si>")] + f"<si><t>{shared}</t></si></sst>"
            bad.writestr(member, part)
    return out.getvalue()


def open_document() -> bytes:
    """A spreadsheet of another format, which the reader would take too."""
    names = "urn:oasis:names:tc:opendocument:xmlns"
    cells = '<table:table-cell table:number-columns-repeated="9"><text:p>loan_id</text:p></table:table-cell>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{names}:manifest:1.0"/>')
        package.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{names}:office:1.0" xmlns:table="{names}:table:1.0"'
            f' xmlns:text="{names}:text:1.0"><office:body><office:spreadsheet><table:table table:name="a">'
            f'<table:table-row table:number-rows-repeated="9">{cells}</table:table-row></table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return out.getvalue()


FIRST = '<row r="1"><c r="A1"><v>1</v></c></row>'


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/worksheets/sheet1.xml", bytes(3 << 20))
    return out.getvalue()


FILE_FAULTS: list[tuple[str, bytes, str]] = [
    ("cut gzip", gzip.compress(OVERDUE.encode())[:-20], "file_cut"),
    ("damaged gzip", gzip.compress(OVERDUE.encode())[:-8] + bytes(8), "file_unreadable"),
    ("large gzip", gzip.compress(bytes(3 << 20)), "file_too_large"),
    ("neither encoding", b"loan_id,\xff\xff\xff", "file_unreadable"),
    ("cut XLSX", xlsx(OVERDUE)[:-100], "file_unreadable"),
    ("zip that is no workbook", b"PK\x03\x04" + bytes(100), "file_unreadable"),
    ("XLSX with a far-off cell", far_cell(), "file_too_large"),
    (
        "XLSX with a far-off cell, its reference among blanks",
        workbook(f'{FIRST}<row><c r = "XFD1048576"/></row>'),
        "file_too_large",
    ),
    ("XLSX with a far-off cell in small letters", workbook(f'{FIRST}<row><c r="xfd1048576"/></row>'), "file_too_large"),
    (
        "XLSX with cells that have no reference",
        workbook(f'<row r="1">{"<c><v>1</v></c>" * 16_000}</row><row r="1000000"><c><v>1</v></c></row>'),
        "file_too_large",
    ),
    (
        "XLSX with one long text in many cells",
        workbook('<c t="s"><v>0</v></c>' * 3_000, "x" * 1_000_000),
        "file_too_large",
    ),
    ("OpenDocument", open_document(), "file_unreadable"),
    ("gzip of nothing but members", gzip.compress(b"") * 100_001, "file_too_large"),
    ("large XLSX", bomb(), "file_too_large"),
    ("empty", b"", "column_missing"),
    ("no header", OVERDUE.split("\n", 1)[1].encode(), "column_missing"),
    ("a column too few", OVERDUE.replace("overdue_penalty", "fee").encode(), "column_missing"),
    ("a column twice", OVERDUE.replace("overdue_penalty", "overdue_interest").encode(), "column_repeated"),
    ("a column under two names", OVERDUE.replace("overdue_penalty", "逾期利息").encode(), "column_repeated"),
    ("an open quote", OVERDUE.replace("D2", '"D2').encode(), "csv_malformed"),
    ("header alone", OVERDUE.split("\n", maxsplit=1)[0].encode(), "row_count_differs"),
]


@pytest.mark.parametrize(("content", "code"), [f[1:] for f in FILE_FAULTS], ids=[f[0] for f in FILE_FAULTS])
def test_a_file_that_cannot_be_read_is_refused_before_anything_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, code: str
) -> None:
    monkeypatch.setattr(sheet_module, "UNPACKED_LIMIT", 2 << 20)
    monkeypatch.setattr(sheet_module.gunzip, "__defaults__", (2 << 20,))
    refused = refusal(deliver(tmp_path, overdue=content))
    assert refused.code == code
    assert "D1" not in f"{refused} {refused.zh} {refused.facts}"


@settings(max_examples=60 * LONGER, deadline=None)
@given(st.data())
def test_no_damage_to_a_file_is_worse_than_a_refusal(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([form for _, form in FORMS])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    entry = FileEntry("x", "overdue", 2, "0" * 64, 153_050)
    manifest = FeedManifest(date(2024, 6, 1), "demo", [entry])
    try:
        sheet = read_module.read_sheet(manifest.as_of, entry, bytes(content))
    except CallerError:
        return
    assert len(sheet.rows) + len(sheet.set_aside) == 2


def read_overdue(folder: Path, *lines: str, rows: int, sum_fen: int) -> Delivery:
    deliver(folder, overdue=OVERDUE.split("\n", 1)[0] + "\n" + "\n".join(lines) + "\n")
    return read_folder(change(folder, rows=rows, control_sum_fen=sum_fen))


GOOD_LINE = "D1,2024-05-01,1000.00,20.00,10.00,3102.00"
SET_ASIDE: list[tuple[str, int, str, str]] = [
    ("D2,2024-06-02,1.00,0,0,1", 100, "oldest_due_date", "due_after_as_of"),
    ("D2,2024-05-02,-1.00,0,0,1", -100, "overdue_principal", "negative_amount"),
    ("D2,soon,1.00,0,0,1", 100, "oldest_due_date", "malformed_date"),
    ("D2,2024-05-02,,1.00,0,1", 100, "overdue_principal", "missing_value"),
    (GOOD_LINE, 103_000, "loan_id", "repeated_loan"),
    (",2024-05-02,1.00,0,0,1", 100, "loan_id", "missing_value"),
    ("D2,2024-05-02,1.00,0,0", 100, "", "wrong_cell_count"),
    ("D2,2024-05-02,1.00,0,0,1,2", 100, "", "wrong_cell_count"),
    ("D2,2024-05-02,one,0,0,1", 100, "overdue_principal", "malformed_amount"),
]


@pytest.mark.parametrize(("line", "sum_fen", "column", "code"), SET_ASIDE)
def test_a_bad_row_is_set_aside_with_line_column_and_reason_and_counts_in_the_control_sum(
    tmp_path: Path, line: str, sum_fen: int, column: str, code: str
) -> None:
    sheet = read_overdue(tmp_path, GOOD_LINE, line, rows=2, sum_fen=103_000 + sum_fen).overdue
    assert [row.loan_id for row in sheet.rows] == ["D1"]
    assert sheet.set_aside == [SetAside(3, column, code, tuple(line.split(",")))]
    undecided = code in {"malformed_amount", "wrong_cell_count"}
    assert sheet.notices == ([Notice(1, "", "control_sum_undecided")] if undecided else [])


def test_an_unreadable_amount_does_not_excuse_a_sum_that_is_too_low(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="adds up to"):
        read_overdue(tmp_path, GOOD_LINE, "D2,2024-05-02,one,0,0,1", rows=2, sum_fen=102_999)


def test_the_loans_of_rows_set_aside_are_known_unless_the_row_does_not_tell(tmp_path: Path) -> None:
    lines = ["D2,soon,1,0,0,1", ",2024-05-02,1,0,0,1", "D\x01,2024-05-02,1,0,0,1", "D4,2024-05-02", GOOD_LINE]
    sheet = read_overdue(tmp_path, GOOD_LINE, *lines, rows=6, sum_fen=206_300).overdue
    assert sheet.set_aside_keys() == ({"D2", "D4", "D1"}, 2)


def test_a_row_set_aside_later_has_its_cells_again(tmp_path: Path) -> None:
    sheet = read_overdue(
        tmp_path, GOOD_LINE, "D2,soon,1,0,0,1", "D3,2024-05-02,1,0,0,1", rows=3, sum_fen=103_200
    ).overdue
    less = sheet.put_aside({0: CellNote("loan_id", "unknown_loan")})
    assert [(row.line, row.code) for row in less.set_aside] == [(2, "unknown_loan"), (3, "malformed_date")]
    assert ",".join(less.set_aside[0].cells) == GOOD_LINE
    assert [row.loan_id for row in less.rows] == ["D3"]
    assert [*less.lines] == [4]
    assert sheet.put_aside({}) is sheet


def test_a_file_that_is_another_by_the_time_its_cells_are_wanted_is_refused(tmp_path: Path) -> None:
    sheet = read_folder(deliver(tmp_path, overdue=OVERDUE)).overdue
    (tmp_path / "overdue.csv").write_text(OVERDUE.replace("1000.00", "1000.01"), encoding="utf-8")
    with pytest.raises(CallerError) as refused:
        sheet.put_aside({0: CellNote("loan_id", "unknown_loan")})
    assert refused.value.code == "file_digest_differs"


def test_set_aside_rows_are_downloaded_mended_and_fed_again(tmp_path: Path) -> None:
    sheet = read_overdue(tmp_path, GOOD_LINE, "D2,soon,500.50,0,0,700", rows=2, sum_fen=153_050).overdue
    text = set_aside_csv("overdue", sheet.header.names, sheet.set_aside)
    assert "3,oldest_due_date,malformed_date," in text
    mended = text.replace("soon", "2024-05-02")
    deliver(tmp_path, overdue=mended)
    again = read_folder(change(tmp_path, rows=1, control_sum_fen=50_050)).overdue
    assert ([row.loan_id for row in again.rows], again.notices) == (["D2"], [])


def test_a_line_number_is_that_of_the_file_even_behind_a_cell_of_two_lines(tmp_path: Path) -> None:
    two_lines = '"D\n2",2024-05-02,1,0,0,1'
    sheet = read_overdue(tmp_path, GOOD_LINE, "", two_lines, "D3,soon,1,0,0,1", rows=3, sum_fen=103_200).overdue
    assert [(row.line, row.code) for row in sheet.set_aside] == [
        (4, "control_character"),
        (6, "malformed_date"),
    ]


def test_a_negative_reversal_counts_with_its_sign_in_the_control_sum(tmp_path: Path) -> None:
    sheet = read_folder(deliver(tmp_path, overdue=OVERDUE, repayments=REPAYMENTS)).repayments
    assert sheet is not None
    assert [(row.amount_fen, row.reverses) for row in sheet.rows] == [(1_230, None), (1_230, "P1")]


def test_no_name_means_two_columns_of_one_kind() -> None:
    for kind, columns in COLUMNS.items():
        names = [name for column in columns for name in (column.name, *column.aliases)]
        assert len(names) == len(set(names)), kind
        assert all(column.aliases for column in columns), kind
