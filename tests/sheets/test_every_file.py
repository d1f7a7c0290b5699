"""Every kind of file that is taken in: its template goes in, all faults are told at once, mended rows go in."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from casework.intake.feed.sheet import read_rows
from casework.intake.sheets.column import FileColumn, one_of
from casework.intake.sheets.forms import forms_of
from casework.intake.sheets.kinds import PHONE, YUAN
from casework.operation.startup import start
from casework.settings import Settings
from casework.storage.database import reading
from tests.feed.bank import Bank
from tests.feed.shell import Said, casework

FEED = ("loans", "overdue", "contacts", "repayments")
IMPORTS = {
    "staff": ("staff", "import"), "roster": ("roster", "import"), "calendar": ("calendar", "import"),
    "promises": ("promise", "import"), "holds": ("hold", "import"), "contact_records": ("contact", "import"),
    "repayments": ("repayment", "import"),
}  # fmt: skip
WHOLE = {"staff": (), "roster": (), "calendar": ()}
"""Those that are taken in whole or not at all without being asked; the others with --atomic."""


def xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate(rows):
            for at, cell in enumerate(cells):
                sheet.write_string(number, at, cell)
    return out.getvalue()


def in_csv(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode("gb18030")


@pytest.fixture
def filled(settings: Settings, rulebook_published: None, tmp_path: Path) -> Settings:
    """A branch that took in the templates of staff and of the feed as they are."""
    folder = tmp_path / "feed"
    folder.mkdir()
    for kind in ("staff", *FEED):
        path = (folder if kind in FEED else tmp_path) / f"{kind}.xlsx"
        assert casework(settings, "template", kind, "-o", path).code == 0
    told(casework(settings, "staff", "import", tmp_path / "staff.xlsx", "--json"))
    made = casework(settings, "feed", "manifest", folder, "--as-of", "2024-05-31", "--institution", "demo")
    assert made.code == 0, made.err
    run = told(casework(settings, "feed", "import", folder, "--json"))
    assert (run["status"], run["set_aside_rows"], run["opened"]) == ("applied", 0, 1)
    assert not {"column_absent", "column_unknown"} & run["warnings"].keys()
    return settings


def told(said: Said) -> Any:
    assert said.code == 0, (said.out, said.err)
    return json.loads(said.out)


def test_every_template_goes_in_as_it_is_without_a_fault(filled: Settings, tmp_path: Path) -> None:
    for lang in ("zh", "en"):
        for kind, command in IMPORTS.items():
            path = tmp_path / f"{kind}-{lang}.{'csv' if lang == 'en' else 'xlsx'}"
            assert casework(filled, "template", kind, "-o", path, "--lang", lang).code == 0
            said = told(casework(filled, *command, path, "--json"))
            assert said.get("set_aside", said.get("faults", [])) == [], kind
            assert said.get("rows", 1) == 1, kind


def test_a_template_explains_each_column_that_is_read_and_names_every_kind(filled: Settings, tmp_path: Path) -> None:
    started = start(filled)
    forms = forms_of(started.branch)
    started.engine.dispose()
    listed = told(casework(filled, "template", "--json"))
    assert [one["kind"] for one in listed] == [*forms]
    assert casework(filled, "template", "nothing").code == 2
    assert casework(filled, "staff", "import", tmp_path / "staff.xlsx", "--mend", tmp_path / "rows.ods").code == 2
    assert casework(filled, "feed", "set-aside", "1", "-o", tmp_path / "rows").code == 2
    assert casework(filled, "template", "staff", "-o", tmp_path / "staff.ods").code == 2, (
        "what it is not, it is not called"
    )
    assert casework(filled, "template", "staff", "-o", tmp_path / "staff.xlsx").code == 2, "nothing is written over"
    for form in forms.values():
        assert all(one.kind.zh and one.kind.en for one in form.columns)
        assert all(one.filled or not one.compulsory or one.may_be_empty for one in form.columns)


# Kind → the rows (header first), and every fault: line, cell, code, the value told, a word of what is expected.
Faults = list[tuple[int, str | None, str, str | None, str]]
BROKEN: dict[str, tuple[list[list[str]], Faults]] = {
    "staff": (
        [["工号", "姓名", "岗位", "团队", "上限"], ["EX001", "示例员工", "厂长", "NOWHERE", "many"],
         ["S9", "", "", "", "7"], ["张", "李四", "", "", ""]],
        [(2, "C2", "unknown_post", "厂长", "phone_collector"), (2, "D2", "unknown_team", "NOWHERE", "64"),
         (2, "E2", "malformed_capacity", "many", "100000"), (3, "B3", "missing_value", None, "64"),
         (4, "A4", "id_without_digit", "张", "32")],
    ),
    "roster": (
        [["日期", "工号", "班次", "替班人"], ["2126-13-10", "EX001", "假", ""], ["2126-03-10", "X9", "rest", "EX001"],
         ["", "EX001", "day", "EX001"]],
        [(2, "日期", "malformed_date", "2126-13-10", "2024-05-31"), (2, "班次", "unknown_shift", "假", "rest"),
         (3, "工号", "unknown_staff", "X9", "32"), (4, "日期", "missing_value", None, "2024-05-31")],
    ),
    "calendar": (
        [["day", "kind"], ["2027-01-01", "也许"], ["2027-02-30", "off"], ["2027-01-02", "off"], ["2027-01-02", "休"]],
        [(2, "B2", "unknown_kind", "也许", "worked"), (3, "A3", "malformed_date", "2027-02-30", "2024-05-31"),
         (5, "A5", "repeated", "2027-01-02", "2024-05-31")],
    ),
    "promises": (
        [["ref", "loan_id", "made_on", "pay_by", "amount", "staff_no"],
         ["P1", "EX-2024-0001", "2024-06-01", "soon", "1.234,56", "EX001"],
         ["P2", "L9", "2024-06-05", "2024-06-03", "5", ""],
         ["P2", "EX-2024-0001", "2024-06-01", "2024-06-03", "", "张"]],
        [(2, "D2", "malformed_date", "soon", "2024-05-31"), (2, "E2", "malformed_amount", "1.234,56", "1,234.56"),
         (3, "B3", "no_case", "L9", "64"), (3, "D3", "before_it_was_made", "2024-06-03", "2024-05-31"),
         (4, "E4", "missing_value", None, "1,234.56"), (4, "F4", "malformed_staff_no", "张", "32"),
         (4, "A4", "repeated", "P2", "64")],
    ),
    "holds": (
        [["借据号", "事由", "开始", "结束"], ["L9", "holiday", "2024-06-01", ""], ["", "complaint", "someday", ""],
         ["EX-2024-0001", "complaint", "2024-06-01T10:00:00", "2024-06-02"]],
        [(2, "A2", "unknown_loan", "L9", "64"), (2, "B2", "unknown_ground", "holiday", "complaint"),
         (3, "A3", "missing_value", None, "64"), (3, "C3", "malformed_time", "someday", "+08:00"),
         (4, "C4", "malformed_time", "2024-06-01T10:00:00", "+08:00")],
    ),
    "contact_records": (
        [["催记编号", "借据号", "对象", "电话", "渠道", "开始时间", "结果"],
         ["K1", "L9", "邻居", "call me 13800001234", "fax", "2024-06-01", "busy"],
         ["", "EX-2024-0001", "debtor", "12000000001", "call", "2024-06-01T10:00:00+08:00", "delivered"],
         ["K3", "EX-2024-0001", "debtor", "", "call", "2024-06-01T10:00:00+08:00", "busy"]],
        [(2, "B2", "unknown_loan", "L9", "64"), (2, "C2", "unknown_party", "邻居", "debtor"),
         (2, "D2", "malformed_phone", "cal************1234", "12000000000"),
         (2, "E2", "unknown_channel", "fax", "message"),
         (2, "F2", "malformed_time", "2024-06-01", "+08:00"), (3, "A3", "missing", None, "64"),
         (3, "G3", "result_not_of_channel", "delivered", "no_answer"), (4, "D4", "no_phone_or_address", None, "1200")],
    ),
    "repayments": (
        [["还款流水号", "借据号", "还款日期", "还款金额", "冲正流水号"], ["R1", "L9", "2999-01-01", "五百", ""],
         ["R2", "EX-2024-0001", "2024-06-32", "-5", ""], ["R3", "EX-2024-0001", "2024-06-01", "5", ""],
         ["R3", "EX-2024-0001", "2024-06-01", "5", ""]],
        [(2, "借据号", "unknown_loan", "L9", "64"), (2, "还款日期", "placeholder_date", "2999-01-01", "2024-05-31"),
         (2, "还款金额", "malformed_amount", "五百", "1,234.56"),
         (3, "还款日期", "malformed_date", "2024-06-32", "2024"),
         (3, "还款金额", "negative_amount", "-5", "1,234.56"), (5, "还款流水号", "repeated_payment", "R3", "64")],
    ),
}  # fmt: skip


def test_every_fault_of_every_file_is_told_at_once_with_its_cell_and_nothing_is_half_done(
    filled: Settings, tmp_path: Path
) -> None:
    assert casework(filled, "staff", "team", "T1", "一组").code == 0
    bank = Bank(started := start(filled), tmp_path)
    before, wrong = bank.dump(), dict[str, Any]()
    for kind, (rows, faults) in BROKEN.items():
        book = faults[0][1] is not None and faults[0][1][-1].isdigit()
        path = tmp_path / f"broken-{kind}.{'xlsx' if book else 'csv'}"
        path.write_bytes(xlsx(rows) if book else in_csv(rows))
        atomic = () if kind in WHOLE else ("--atomic",)
        said = casework(filled, *IMPORTS[kind], path, "--json", *atomic)
        found = json.loads(said.out)
        found = found.get("faults") or found["set_aside"]
        assert said.code == 1, kind
        got = {(one["line"], one["cell"], one["code"], one["value"]) for one in found}
        wrong |= {kind: got ^ {fault[:4] for fault in faults}} if got != {fault[:4] for fault in faults} else {}
        assert {one["file"] for one in found} == {path.name}
        expected = {(one["line"], one["cell"]): one["expected_en"] + one["expected_zh"] for one in found}
        unexpected = [fault for fault in faults if fault[4] not in expected.get(fault[:2], fault[4])]
        wrong |= {f"{kind} expected": unexpected} if unexpected else {}
        people = casework(filled, *IMPORTS[kind], path, *atomic)
        assert [cell for _, cell, *_ in faults if book and str(cell) not in people.err + people.out] == [], kind
    assert wrong == {}
    assert bank.dump() == before
    started.engine.dispose()


@pytest.mark.parametrize("written", ["xlsx", "csv"])
def test_rows_that_were_set_aside_are_mended_and_go_in(filled: Settings, tmp_path: Path, written: str) -> None:
    """The last column says what is wrong and is not read again; that the rows were written out is an entry."""
    rows = BROKEN["promises"][0] + [["P4", "EX-2024-0001", "2024-06-01", "2024-06-03", "5.00", ""]]
    broken, to_mend = tmp_path / "承诺.xlsx", tmp_path / f"mend.{written}"
    broken.write_bytes(xlsx(rows))
    first = told(casework(filled, "promise", "import", broken, "--mend", to_mend, "--json"))
    assert (first["stored"], first["set_aside_rows"], first["faults_in_all"]) == (1, 3, 7)
    assert to_mend.stat().st_mode & 0o077 == 0
    header, *asides = [cells for _, cells in read_rows(to_mend.read_bytes(), "mend")]
    assert header[:6] == rows[0]
    assert [cells[:6] for cells in asides] == rows[1:4], "as they came"
    said = " ".join(asides[0])
    assert [one for one in ("soon", "1.234,56", "不是有效日期", "最多两位小数") if one not in said] == []
    for cells, sound in zip(asides, ("2024-06-03 1.00", "2024-06-06 2.00", "2024-06-03 3.00"), strict=True):
        pay_by, amount = sound.split()
        cells[1], cells[3], cells[4], cells[5] = "EX-2024-0001", pay_by, amount, ""
    asides[2][0] = "P3"
    mended = tmp_path / f"mended.{written}"
    mended.write_bytes(xlsx([header, *asides]) if written == "xlsx" else in_csv([header, *asides]))
    again = told(casework(filled, "promise", "import", mended, "--json"))
    assert (again["stored"], again["set_aside"]) == (3, [])
    started = start(filled)
    with reading(started.engine) as conn:
        read = [
            json.loads(one)
            for one in conn.exec_driver_sql("SELECT body FROM entries WHERE stream = 'feed:set_aside'").scalars()
        ]
    started.engine.dispose()
    assert [(one["event"], one["data"]["kind"], one["data"]["masked"]) for one in read] == [
        ("personal.read", "promises", False)
    ]  # fmt: skip


def test_a_whole_file_to_mend_has_every_row(filled: Settings, tmp_path: Path) -> None:
    rows = [*BROKEN["staff"][0], ["S11", "赵六", "", "", ""]]
    (tmp_path / "staff-broken.xlsx").write_bytes(xlsx(rows))
    to_mend = tmp_path / "mend.xlsx"
    assert casework(filled, "staff", "import", tmp_path / "staff-broken.xlsx", "--mend", to_mend).code == 1
    header, *asides = [cells for _, cells in read_rows(to_mend.read_bytes(), "mend")]
    assert [cells[:5] for cells in asides] == rows[1:]
    assert casework(filled, "staff", "import", tmp_path / "staff-broken.xlsx", "--mend", to_mend).code == 2
    for cells, sound in zip(asides, ("业务代表||70", "||7", "||", "||"), strict=True):
        cells[2:5] = sound.split("|")
    asides[1][1], asides[2][0] = "王五", "S10"
    (tmp_path / "mended.xlsx").write_bytes(xlsx([header, *asides]))
    done = told(casework(filled, "staff", "import", tmp_path / "mended.xlsx", "--json"))
    assert (done["applied"], done["columns_not_read"]) == (True, [])


def test_what_is_somebodys_number_is_not_repeated_in_whatever_column_it_stands() -> None:
    channel = FileColumn("channel", one_of({"call": "call", "电话": "call"}, "call"))
    assert channel.shown("13912345678") == "139****5678"
    assert channel.shown("住：420101199001011234") != "住：420101199001011234"
    assert "420101199001011234" not in str(channel.shown("420101199001011234"))
    assert channel.shown(" 传真 ") == "传真"
    assert FileColumn("amount", YUAN).shown("1.234,56") == "1.234,56"
    assert FileColumn("phone", PHONE, personal=True).shown("12345678901") == "123****8901"
    assert FileColumn("address", PHONE).shown("somewhere") == "***"
    assert (channel.shown("x" * 99), channel.shown("")) == ("x" * 40 + "…", None)
