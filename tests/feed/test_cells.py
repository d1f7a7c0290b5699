"""Files as clerks make them: what a cell shows is not always what it holds, and each good cell has its spoilt twin."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from casework.errors import CallerError
from casework.intake.feed.delivery import Delivery
from casework.intake.feed.feed_sheet import Notice
from casework.intake.feed.folder import read_folder
from casework.intake.feed.headers import Kind
from tests.feed.bank import DAY, Bank, Cells, arrears, loan, paid

GOOD: Mapping[Kind, Cells] = {"overdue": arrears(1), "loans": loan(1), "repayments": paid("P1", 1, DAY)}
SUMS: Mapping[Kind, int] = {"overdue": 102_100, "loans": 5_000_000, "repayments": 102_100}
KEYS: list[tuple[Kind, str]] = [
    ("overdue", "loan_id"), ("loans", "loan_id"), ("loans", "borrower_id"), ("repayments", "payment_id"),
    ("repayments", "loan_id"), ("repayments", "reverses"),
]  # fmt: skip
ERRORS = ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"]


def csv(_kind: Kind, row: Cells) -> bytes:
    return "\n".join([",".join(row), ",".join(row.values())]).encode()


def book(_kind: Kind, row: Mapping[str, Any], *, shown: str = "General", hidden: Sequence[str] = ()) -> bytes:
    """A workbook with one row after sheets of other things; a number is shown in the format `shown`, a day as one."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as made:
        form = made.add_format({"num_format": shown})
        for name in hidden:
            other = made.add_worksheet(name)
            other.write_row(0, 0, ["loan_id", "of last month"])
            (other.very_hidden if name.startswith("very") else other.hide)()
        sheet = made.add_worksheet("data")
        sheet.activate()
        sheet.set_first_sheet()
        for column, (name, value) in enumerate(row.items()):
            sheet.write_string(0, column, name)
            if isinstance(value, int | float):
                sheet.write_number(1, column, value, form)
            elif isinstance(value, date | time):
                sheet.write_datetime(1, column, value, made.add_format({"num_format": "yyyy-mm-dd hh:mm"}))
            elif value in ERRORS:
                sheet.write_formula(1, column, "=NA()", None, value)
            else:
                sheet.write_string(1, column, value)
    return out.getvalue()


def read(folder: Path, kind: Kind, content: bytes, *, rows: int = 1, sum_fen: int | None = None) -> Delivery:
    """The folder with that file and, if it is another, a sound `overdue` one."""
    folder.mkdir(exist_ok=True)
    entries: list[dict[str, Any]] = []
    for which, data, count in ((kind, content, rows), ("overdue", csv("overdue", GOOD["overdue"]), 1)):
        if any(entry["kind"] == which for entry in entries):
            continue
        (folder / which).write_bytes(data)
        total = SUMS[which] if which != kind or sum_fen is None else sum_fen
        entries.append({
            "name": which, "kind": which, "rows": count, "sha256": hashlib.sha256(data).hexdigest(),
            "control_sum_fen": total,
        })  # fmt: skip
    manifest = {"as_of": DAY.isoformat(), "institution": "demo", "files": entries}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return read_folder(folder)


def sheet_of(delivery: Delivery, kind: Kind) -> Any:
    return next(sheet for sheet in delivery.sheets if sheet.kind == kind)


# ── numbers in key columns ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kind", "column"), KEYS)
@pytest.mark.parametrize(
    ("number", "shown", "read_as"),
    [
        pytest.param(10001, "General", "10001", id="whole"),
        pytest.param(999_999_999_999_999, "0", "999999999999999", id="15 digits"),
        pytest.param(123, "000000", "000123", id="zeros that the format shows"),
        pytest.param(1234567, "000000", "1234567", id="more digits than the format's zeros"),
        pytest.param(123, "000000;-000000", "000123", id="zeros in a format of two sections"),
        pytest.param(123, "0", "123", id="no zeros in front"),
    ],
)
def test_a_number_cell_in_a_key_column_is_read_with_the_digits_that_it_shows(
    tmp_path: Path, kind: Kind, column: str, number: int, shown: str, read_as: str
) -> None:
    sheet = sheet_of(read(tmp_path, kind, book(kind, {**GOOD[kind], column: number}, shown=shown)), kind)
    assert getattr(sheet.rows[0], column) == read_as


@pytest.mark.parametrize(("kind", "column"), KEYS)
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(6222020000001001, "id_exponent", id="16 digits"),
        pytest.param(6222020000000001001, "id_exponent", id="19 digits"),
        pytest.param(1_000_000_000_000_000, "id_exponent", id="the least of 16"),
        pytest.param(12.5, "id_decimal", id="a part"),
        pytest.param(date(2026, 1, 2), "id_date", id="a day"),
        pytest.param(time(12, 30), "id_date", id="a time"),
    ],
)
def test_a_number_cell_that_cannot_be_told_exactly_is_set_aside_naming_the_column(
    tmp_path: Path, kind: Kind, column: str, number: float | date | time, code: str
) -> None:
    sheet = sheet_of(read(tmp_path, kind, book(kind, {**GOOD[kind], column: number})), kind)
    assert [(row.column, row.code) for row in sheet.set_aside] == [(column, code)]


@pytest.mark.parametrize(("kind", "column"), KEYS)
@pytest.mark.parametrize(
    ("text", "code"),
    [("6.22E+18", "id_exponent"), ("10001.0", "id_decimal"), ("='1'", "id_formula"), ("'0012", "id_formula"),
     ("合计", "id_without_digit"), ("#N/A", "error_value"), ("L1\u200b", "id_invisible_character"),
     ("1月2日", "id_date"), ("2-Jan", "id_date")],
)  # fmt: skip
def test_a_spoilt_key_is_set_aside_in_every_key_column_with_its_cause(
    tmp_path: Path, kind: Kind, column: str, text: str, code: str
) -> None:
    sheet = sheet_of(read(tmp_path, kind, csv(kind, {**GOOD[kind], column: text})), kind)
    assert [(row.column, row.code) for row in sheet.set_aside] == [(column, code)]
    assert sheet.set_aside[0].cells[list(GOOD[kind]).index(column)] == text


@pytest.mark.parametrize(("kind", "column"), KEYS)
def test_a_contracts_own_number_goes_in_and_full_width_is_folded(tmp_path: Path, kind: Kind, column: str) -> None:
    sheet = sheet_of(read(tmp_path, kind, csv(kind, {**GOOD[kind], column: "（２０２６）鄂借字第0001号"})), kind)
    assert getattr(sheet.rows[0], column) == "(2026)鄂借字第0001号"


@pytest.mark.parametrize(
    ("loans", "settled"),
    [
        pytest.param([loan(40, loan_id="合计"), *map(loan, range(2, 40))], "arrears_cleared", id="a key that is none"),
        pytest.param([*map(loan, range(2, 41))], "paid_in_full", id="all keys read"),
        pytest.param(
            [loan(1, loan_id="Ｌ１", npl_since="soon"), *map(loan, range(2, 41))], "arrears_cleared", id="full width",
        ),
    ],
)  # fmt: skip
def test_a_loan_whose_key_may_be_the_unreadable_one_is_not_paid_in_full(
    bank: Bank, loans: Sequence[Cells], settled: str
) -> None:
    many = [arrears(number) for number in range(1, 41)]
    bank.send(DAY, many, loans=[loan(number) for number in range(1, 41)])
    bank.send(DAY + timedelta(days=1), many[1:], loans=loans)
    assert bank.story(bank.case(1).id)[-1] == f"case.step.{settled}"


# ── error cells, hidden sheets, blank rows ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("form", [csv, book])
@pytest.mark.parametrize(
    ("kind", "column"), [("loans", name) for name in GOOD["loans"]] + [("overdue", name) for name in GOOD["overdue"]]
)
def test_an_error_cell_of_any_column_sets_its_row_aside_in_csv_as_in_xlsx(
    tmp_path: Path, kind: Kind, column: str, form: Any, error: str
) -> None:
    content = form(kind, {**GOOD[kind], column: error})
    sum_fen = 0 if column == "outstanding_principal" and kind == "loans" else None
    sheet = sheet_of(read(tmp_path, kind, content, sum_fen=sum_fen), kind)
    assert [(row.column, row.code) for row in sheet.set_aside] == [(column, "error_value")]


@pytest.mark.parametrize("text", ["N/A", "3#", "#12", "#N/A2"])
@pytest.mark.parametrize("form", [csv, book])
def test_a_text_that_only_looks_like_an_error_is_a_text(tmp_path: Path, form: Any, text: str) -> None:
    other = {**GOOD["loans"], "channel_code": text}
    assert sheet_of(read(tmp_path, "loans", form("loans", other)), "loans").rows[0].channel_code == text


def test_an_error_in_a_column_that_nothing_reads_is_no_matter(tmp_path: Path) -> None:
    content = book("loans", {**GOOD["loans"], "remark": "#N/A"})
    assert len(sheet_of(read(tmp_path, "loans", content), "loans").rows) == 1


@pytest.mark.parametrize(
    ("hidden", "told"), [(["old"], True), (["old", "very old"], True), ([], False)], ids=["one", "two", "none"]
)
def test_the_first_sheet_that_can_be_seen_is_read_and_it_is_said_if_a_hidden_one_comes_before_it(
    tmp_path: Path, hidden: Sequence[str], told: bool
) -> None:
    sheet = sheet_of(read(tmp_path, "overdue", book("overdue", GOOD["overdue"], hidden=hidden)), "overdue")
    assert [row.loan_id for row in sheet.rows] == ["L1"]
    assert (Notice(1, "", "first_sheet_hidden") in sheet.notices) is told


BLANK = b"\n,,,,,\n" + b" , ,,,,\n"


@pytest.mark.parametrize("stated", [1, 3])
def test_rows_of_commas_are_no_rows_whether_the_manifest_counted_them_or_not(tmp_path: Path, stated: int) -> None:
    sheet = read(tmp_path, "overdue", csv("overdue", GOOD["overdue"]) + BLANK, rows=stated).overdue
    assert (sheet.row_count, len(sheet.rows), sheet.set_aside) == (1, 1, [])


@pytest.mark.parametrize("stated", [0, 2, 4])
def test_another_count_than_with_or_without_the_blank_rows_is_refused(tmp_path: Path, stated: int) -> None:
    with pytest.raises(CallerError) as told:
        read(tmp_path, "overdue", csv("overdue", GOOD["overdue"]) + BLANK, rows=stated)
    assert told.value.code == "row_count_differs"


# ── dates that are none ─────────────────────────────────────────────────────────────────────────────────────────────

PLACEHOLDERS = [
    "1900-01-01", "1899-12-30", "1899-12-31", "1900-01-00", "0000-00-00", "0001-01-01", "1970-01-01", "1979-12-31",
    "9999-12-31",
]  # fmt: skip


@pytest.mark.parametrize("day", PLACEHOLDERS)
@pytest.mark.parametrize("column", ["disbursed_on", "npl_since"])
def test_a_placeholder_in_an_optional_column_is_unknown_with_a_warning(tmp_path: Path, column: str, day: str) -> None:
    sheet = sheet_of(read(tmp_path, "loans", csv("loans", {**GOOD["loans"], column: day})), "loans")
    assert (getattr(sheet.rows[0], column), sheet.notices) == (None, [Notice(2, column, "placeholder_date")])


@pytest.mark.parametrize("day", PLACEHOLDERS)
@pytest.mark.parametrize(("kind", "column"), [("overdue", "oldest_due_date"), ("repayments", "paid_on")])
def test_a_placeholder_in_a_compulsory_column_sets_the_row_aside(
    tmp_path: Path, kind: Kind, column: str, day: str
) -> None:
    sheet = sheet_of(read(tmp_path, kind, csv(kind, {**GOOD[kind], column: day})), kind)
    assert [(row.column, row.code) for row in sheet.set_aside] == [(column, "placeholder_date")]


@pytest.mark.parametrize("column", ["disbursed_on", "npl_since"])
@pytest.mark.parametrize(
    ("day", "known"), [(DAY, True), (DAY + timedelta(days=1), False), (date(1980, 1, 1), True)],
    ids=["the feed's day", "the day after", "the earliest"],
)  # fmt: skip
def test_a_day_after_the_feeds_own_is_unknown_with_a_warning(
    tmp_path: Path, column: str, day: date, known: bool
) -> None:
    row = {**GOOD["loans"], "disbursed_on": "", column: day.isoformat()}
    sheet = sheet_of(read(tmp_path, "loans", csv("loans", row)), "loans")
    assert getattr(sheet.rows[0], column) == (day if known else None)
    assert sheet.notices == ([] if known else [Notice(2, column, "dated_after_as_of")])


@pytest.mark.parametrize(("early", "known"), [(1, False), (0, True), (-1, True)], ids=["before", "on", "after"])
def test_a_loan_is_not_non_performing_before_it_was_paid_out(tmp_path: Path, early: int, known: bool) -> None:
    npl_since = date.fromisoformat(GOOD["loans"]["disbursed_on"]) - timedelta(days=early)
    row = {**GOOD["loans"], "npl_since": npl_since.isoformat()}
    sheet = sheet_of(read(tmp_path, "loans", csv("loans", row)), "loans")
    assert sheet.rows[0].npl_since == (npl_since if known else None)
    assert sheet.notices == ([] if known else [Notice(2, "npl_since", "npl_before_disbursement")])


@pytest.mark.parametrize(
    ("early", "warned"), [(1, {"due_before_disbursement": 1}), (0, {}), (-1, {})], ids=["before", "on", "after"]
)
@pytest.mark.parametrize("with_loans", [True, False], ids=["with a loans file", "from the books"])
def test_due_before_it_was_paid_out_is_a_warning_and_the_loan_goes_in(
    bank: Bank, with_loans: bool, early: int, warned: dict[str, int]
) -> None:
    due = DAY - timedelta(days=5)
    loans = [loan(1, disbursed_on=(due + timedelta(days=early)).isoformat()), loan(2)]
    if not with_loans:
        bank.send(DAY - timedelta(days=1), [], loans=loans)
    run = bank.send(DAY, [arrears(1), arrears(2)], loans=loans if with_loans else None)
    run.figures["warnings"].pop("unverified_owner", None)
    run.figures["warnings"].pop("institution_registered", None)
    assert run.figures["warnings"] == warned
    assert bank.case(1).state == "phone_collection"
