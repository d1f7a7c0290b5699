"""One row of a feed file: what it means, and for every good row a corrupt twin."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.intake.feed.cell import BadCell, CellNote, fen
from casework.intake.feed.cell_texts import TEXTS
from casework.intake.feed.headers import COLUMNS, Kind
from casework.intake.feed.row import (
    ContactRow,
    OverdueRow,
    Parser,
    contact_parser,
    loan_parser,
    overdue_parser,
    repayment_parser,
)
from casework.money import fen_from_yuan, yuan_text

AS_OF = date(2024, 6, 1)
GOOD: dict[Kind, dict[str, str]] = {
    "loans": {
        "loan_id": "D000001",
        "borrower_id": "B000001",
        "borrower_name": "赵样本",
        "id_number": "000000199001010000",
        "product": "嗨花",
        "channel_code": "C01",
        "owner_staff_no": "S001",
        "team": "T1",
        "region": "R1",
        "disbursed_on": "2023-05-04",
        "self_payment": "是",
        "principal": "50000",
        "outstanding_principal": "49999.9",
        "risk_class": "次级",
        "npl_since": "",
        "status": "",
    },
    "overdue": {
        "loan_id": "D000001",
        "oldest_due_date": "2024-05-31",
        "overdue_principal": "1000.00",
        "overdue_interest": "20.05",
        "overdue_penalty": "0",
        "outstanding_principal": "3102.00",
        "days_past_due": "1",
    },
    "contacts": {
        "borrower_id": "B000001",
        "person_name": "赵样本",
        "role": "debtor",
        "relation": "self",
        "phone": "12000000001",
        "address_kind": "home",
        "address": "示例街1号",
        "source": "application form",
        "legal_basis": "contract",
    },
    "repayments": {
        "payment_id": "P1",
        "loan_id": "D000001",
        "paid_on": "2024-06-01",
        "amount": "12.30",
        "reverses": "",
    },
}


def read(kind: Kind, **changed: str) -> tuple[Any, list[CellNote]]:
    return read_several(kind, [], changed)


def read_several(kind: Kind, more: list[ContactRow], changed: dict[str, str]) -> tuple[Any, list[CellNote]]:
    columns = [column.name for column in COLUMNS[kind]]
    positions = {name: index for index, name in enumerate(columns)}
    notes: list[CellNote] = []
    width = len(columns)
    parsers: dict[Kind, Parser[Any]] = {
        "loans": loan_parser(positions, width, AS_OF, notes),
        "overdue": overdue_parser(positions, width, AS_OF, notes),
        "contacts": contact_parser(positions, width, notes, more),
        "repayments": repayment_parser(positions, width, AS_OF),
    }
    return parsers[kind]([{**GOOD[kind], **changed}[name] for name in columns]), notes


def test_a_good_overdue_row_is_dates_and_fen() -> None:
    row, notes = read("overdue")
    assert row == OverdueRow("D000001", date(2024, 5, 31), 100_000, 2_005, 0, 310_200)
    assert row.overdue_fen == 102_005
    assert notes == []


def test_a_good_loan_row_is_read_in_the_words_of_the_rules() -> None:
    row, notes = read("loans")
    assert (row.product, row.self_payment, row.risk_class) == ("haihua", True, "substandard")
    assert (row.principal_fen, row.outstanding_principal_fen) == (5_000_000, 4_999_990)
    assert (row.disbursed_on, row.npl_since, notes) == (date(2023, 5, 4), None, [])


def test_an_empty_cell_is_unknown_and_never_zero() -> None:
    optional = [column.name for column in COLUMNS["loans"] if not column.compulsory]
    row, _ = read("loans", outstanding_principal="", **dict.fromkeys(optional, " "))
    assert row[:2] == ("D000001", "B000001")
    assert set(row[2:]) == {None}


@pytest.mark.parametrize("column", [c.name for c in COLUMNS["overdue"] if c.compulsory])
def test_an_overdue_row_with_an_unknown_value_is_set_aside(column: str) -> None:
    with pytest.raises(BadCell) as bad:
        read("overdue", **{column: ""})
    assert bad.value.note == CellNote(column, "missing_value")


CORRUPT: list[tuple[Kind, str, str, str]] = [
    ("overdue", "oldest_due_date", "2024-06-02", "due_after_as_of"),
    ("overdue", "oldest_due_date", "2024-06-01", "not_past_due"),
    ("overdue", "oldest_due_date", "31/05/2024", "malformed_date"),
    ("overdue", "oldest_due_date", "2024-05/31", "malformed_date"),
    ("overdue", "oldest_due_date", "240531", "malformed_date"),
    ("overdue", "oldest_due_date", "00001", "placeholder_date"),
    ("overdue", "oldest_due_date", "2024年5月", "malformed_date"),
    ("overdue", "oldest_due_date", "2024-W22-5", "malformed_date"),
    ("overdue", "oldest_due_date", "2024-05-32", "malformed_date"),
    ("overdue", "oldest_due_date", "2023-02-29", "malformed_date"),
    ("overdue", "oldest_due_date", "2024-05-31 09:30", "malformed_date"),
    ("overdue", "oldest_due_date", "２０２４-05-32", "malformed_date"),
    ("overdue", "overdue_principal", "-0.01", "negative_amount"),
    ("overdue", "overdue_interest", "1.005", "malformed_amount"),
    ("overdue", "overdue_interest", "1,00.00", "malformed_amount"),
    ("overdue", "overdue_interest", "1.000,00", "malformed_amount"),
    ("overdue", "overdue_interest", "1000,000.00", "malformed_amount"),
    ("overdue", "overdue_interest", "(12.00", "malformed_amount"),
    ("overdue", "overdue_interest", "-(12.00)", "malformed_amount"),
    ("overdue", "overdue_interest", "(12.00)", "negative_amount"),
    ("overdue", "overdue_interest", "￥-0.01", "negative_amount"),
    ("overdue", "overdue_interest", "$12.00", "malformed_amount"),
    ("overdue", "overdue_penalty", "1e3", "malformed_amount"),
    ("overdue", "overdue_penalty", "nan", "malformed_amount"),
    ("overdue", "overdue_penalty", ".50", "malformed_amount"),
    ("overdue", "overdue_penalty", "１２.005", "malformed_amount"),
    ("overdue", "overdue_penalty", "12345678901234.00", "malformed_amount"),
    ("overdue", "overdue_penalty", "9" * 5000, "malformed_amount"),
    ("overdue", "loan_id", "D" * 65, "text_too_long"),
    ("overdue", "loan_id", "D0\x000", "control_character"),
    ("overdue", "loan_id", "D0\u202e1", "control_character"),
    ("loans", "loan_id", "", "missing_value"),
    ("loans", "borrower_id", " ", "missing_value"),
    ("loans", "outstanding_principal", "-1", "negative_amount"),
    ("contacts", "role", "stranger", "unknown_role"),
    ("contacts", "role", "", "missing_value"),
    ("repayments", "amount", "-12.30", "negative_amount"),
    ("repayments", "amount", "", "missing_value"),
    ("repayments", "amount", "12.345", "malformed_amount"),
    ("repayments", "paid_on", "2024-06-02", "paid_after_as_of"),
    ("repayments", "paid_on", "", "missing_value"),
    ("repayments", "payment_id", "", "missing_value"),
]


@pytest.mark.parametrize(("kind", "column", "cell", "code"), CORRUPT)
def test_a_corrupt_twin_is_refused_with_column_and_reason(kind: Kind, column: str, cell: str, code: str) -> None:
    assert read(kind)[0]
    with pytest.raises(BadCell) as bad:
        read(kind, **{column: cell})
    assert bad.value.note == CellNote(column, code)
    assert not cell.strip() or cell not in str(bad.value)


# column of loans, cell → what is taken for it, the warning: none of them sets the row aside.
CODES: list[tuple[str, str, str | None, str | None]] = [
    ("owner_staff_no", "ＢＲ１", "BR1", None),
    ("owner_staff_no", " BR1 ", "BR1", None),
    ("owner_staff_no", "BR1、BR2", None, "owner_unreadable"),
    ("owner_staff_no", "BR1 BR2", None, "owner_unreadable"),
    ("owner_staff_no", "1234567890123456.0", None, "owner_unreadable"),
    ("owner_staff_no", "6.2E+18", None, "owner_unreadable"),
    ("owner_staff_no", "nobody-else", None, "owner_unreadable"),
    ("owner_staff_no", "张三", None, "owner_unreadable"),
    ("owner_staff_no", "S" * 33, None, "owner_unreadable"),
    ("owner_staff_no", "S\x001", None, "owner_unreadable"),
    ("owner_staff_no", "system", None, "owner_reserved"),
    ("owner_staff_no", "ＳＹＳＴＥＭ", None, "owner_reserved"),
    ("owner_staff_no", "Null", None, "owner_reserved"),
    ("owner_staff_no", "systems1", "systems1", None),
    (
        "team",
        "武汉江岸支行个人金融部贷后管理中心第一催收小组(含外拓与电话催收两个班次)",
        "武汉江岸支行个人金融部贷后管理中心第一催收小组(含外拓与电话催收两个班次)",
        None,
    ),
    ("team", "T" * 64, "T" * 64, None),
    ("team", "T" * 65, None, "code_unreadable"),
    ("team", "Ｔ１", "T1", None),
    ("region", "R" * 65, None, "code_unreadable"),
    ("region", "R\u202e1", None, "code_unreadable"),
    ("product", "P" * 33, None, "code_unreadable"),
    ("product", "ｃｏｎｓｕｍｅｒ", "consumer", None),
    ("channel_code", "C" * 33, None, "code_unreadable"),
    ("channel_code", "C\n1", None, "code_unreadable"),
    ("risk_class", "次级" * 30, None, "unknown_risk_class"),
    ("risk_class", "sub-standard", None, "unknown_risk_class"),
    ("risk_class", "Substandard", "substandard", None),
]


@pytest.mark.parametrize(("column", "cell", "taken", "warning"), CODES)
def test_a_code_that_is_odd_is_unknown_with_a_warning_and_never_sets_the_row_aside(
    column: str, cell: str, taken: str | None, warning: str | None
) -> None:
    row, notes = read("loans", **{column: cell})
    assert getattr(row, column) == taken
    assert notes == ([] if warning is None else [CellNote(column, warning)])
    assert warning is None or warning in TEXTS


# kind, column that may be empty, cell → the warning: the value is unknown, the row goes in.
UNKNOWN: list[tuple[Kind, str, str, str]] = [
    ("loans", "borrower_name", "赵\n样本", "control_character"),
    ("loans", "borrower_name", "赵" * 129, "text_too_long"),
    ("loans", "borrower_name", "赵样\ufffd", "cut_character"),
    ("loans", "id_number", "-", "malformed_id_number"),
    ("loans", "id_number", "4.2e+17", "malformed_id_number"),
    ("loans", "self_payment", "√", "malformed_flag"),
    ("loans", "principal", "五万", "malformed_amount"),
    ("loans", "principal", "-1", "negative_amount"),
    ("loans", "disbursed_on", "2023-02-29", "malformed_date"),
    ("loans", "npl_since", "never", "malformed_date"),
    ("contacts", "person_name", "赵\x07", "control_character"),
    ("contacts", "relation", "夫" * 33, "text_too_long"),
    ("contacts", "phone", "call me", "malformed_phone"),
    ("contacts", "phone", "12000000001 / 无", "malformed_phone"),
    ("contacts", "address_kind", "k" * 17, "text_too_long"),
    ("contacts", "address", "街\x07", "control_character"),
    ("contacts", "source", "s" * 65, "text_too_long"),
    ("contacts", "legal_basis", "b" * 65, "text_too_long"),
]


@pytest.mark.parametrize(("kind", "column", "cell", "warning"), UNKNOWN)
def test_a_fault_where_nothing_need_stand_leaves_the_value_unknown_with_a_warning(
    kind: Kind, column: str, cell: str, warning: str
) -> None:
    good, _ = read(kind)
    row, notes = read(kind, **{column: cell})
    field = "principal_fen" if column == "principal" else column
    assert row == good._replace(**{field: None})
    assert notes == [CellNote(column, warning)]
    assert warning in TEXTS


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        ({"phone": "call me", "address": ""}, CellNote("phone", "malformed_phone")),
        ({"phone": "", "address": "街\x07"}, CellNote("address", "control_character")),
        ({"phone": "", "address": ""}, CellNote("phone", "missing_value")),
    ],
)
def test_a_contact_whose_only_way_cannot_be_read_is_set_aside_for_that(cells: dict[str, str], note: CellNote) -> None:
    with pytest.raises(BadCell) as bad:
        read("contacts", **cells)
    assert bad.value.note == note


@pytest.mark.parametrize(
    ("cell", "phones"),
    [
        ("(0571)88886666转801", ["(0571)88886666转801"]),
        ("0571-88886666,801", ["0571-88886666,801"]),
        ("12000000001/12000000002", ["12000000001", "12000000002"]),
        ("12000000001、12000000002；12000000003", ["12000000001", "12000000002", "12000000003"]),
        ("12000000001 12000000002", ["12000000001", "12000000002"]),
        ("+86 120 0000 0001", ["+86 120 0000 0001"]),
        ("12000000001、12000000002;+86 13000000003", ["12000000001", "12000000002", "+86 13000000003"]),
        ("１２００００００００１，12000000002", ["12000000001", "12000000002"]),
        ("12000000001\n12000000001", ["12000000001"]),
    ],
)
def test_several_numbers_in_a_cell_are_several_contacts_of_one_person(cell: str, phones: list[str]) -> None:
    more: list[ContactRow] = []
    row, notes = read_several("contacts", more, {"phone": cell})
    assert [row.phone, *(one.phone for one in more)] == phones
    assert {one.person_name for one in more} <= {row.person_name}
    assert (row.address, {one.address for one in more} - {None}, notes) == ("示例街1号", set(), [])


@pytest.mark.parametrize(
    ("word", "relation", "role", "taken"),
    [
        ("紧急联系人", "self", "contact", "self"), ("配偶", "", "contact", "配偶"), ("配偶", "丈夫", "contact", "丈夫"),
        ("共同还款人", "", "co_borrower", None), ("连带责任保证人", "", "guarantor", None),
    ],
)  # fmt: skip
def test_words_for_a_role_that_branches_use_are_understood(
    word: str, relation: str, role: str, taken: str | None
) -> None:
    row, notes = read("contacts", role=word, relation=relation)
    assert (row.role, row.relation, notes) == (role, taken, [])


@pytest.mark.parametrize(
    "cell",
    ["2024-05-31", "2024/05/31", "2024/5/31", "2024.5.31", "20240531", "2024年5月31日", "45443", "２０２４-05-31",
     "2024-05-31 00:00", "2024-05-31T00:00:00", "2024/5/31 0:00"],
)  # fmt: skip
def test_a_day_that_can_be_read_in_one_way_is_taken(cell: str) -> None:
    assert read("overdue", oldest_due_date=cell)[0] == read("overdue")[0]


@pytest.mark.parametrize(
    "cell",
    ["1000.00", "1000", "1,000.00", "1,000", "￥1000.00", "¥1,000.0", "１０００．００", "1000元", "CNY 1,000"],
)
def test_an_amount_that_can_be_read_in_one_way_is_taken(cell: str) -> None:
    assert read("overdue", overdue_principal=cell)[0] == read("overdue")[0]


@pytest.mark.parametrize("word", ["次级", "次级类", "substandard"])
def test_a_risk_class_is_known_with_and_without_its_last_word(word: str) -> None:
    assert read("loans", risk_class=word)[0].risk_class == "substandard"


def test_every_row_with_an_odd_code_is_warned_about_though_the_text_recurs() -> None:
    columns = [column.name for column in COLUMNS["loans"]]
    notes: list[CellNote] = []
    parse = loan_parser({name: index for index, name in enumerate(columns)}, len(columns), AS_OF, notes)
    for _ in range(3):
        parse([{**GOOD["loans"], "owner_staff_no": "甲、乙", "team": "T" * 99}[name] for name in columns])
    assert notes == [CellNote("owner_staff_no", "owner_unreadable"), CellNote("team", "code_unreadable")] * 3


def test_every_reason_has_a_text_in_both_languages() -> None:
    assert {code for *_, code in CORRUPT} <= TEXTS.keys()
    assert all(zh and en and not zh.isascii() and en.isascii() for zh, en in TEXTS.values())


def test_a_contact_without_phone_and_address_reaches_nobody() -> None:
    assert read("contacts", phone="")[0].address == "示例街1号"
    with pytest.raises(BadCell, match="missing_value"):
        read("contacts", phone="", address="")


def test_surrounding_blanks_do_not_make_another_loan() -> None:
    row, _ = read("overdue", loan_id=" D000001 ", oldest_due_date=" 2024-05-31", overdue_principal=" 1000.00 ")
    assert row == read("overdue")[0]


@pytest.mark.parametrize("amount", ["12.30", "-12.30", "(12.30)", "￥-12.30"])
def test_a_reversal_has_its_amount_without_a_sign(amount: str) -> None:
    row, _ = read("repayments", amount=amount, reverses="P0")
    assert (row.amount_fen, row.reverses) == (1_230, "P0")


@pytest.mark.parametrize(("stated", "warned"), [("1", False), ("", False), ("2", True), ("soon", True)])
def test_reported_days_past_due_that_disagree_are_a_warning_only(stated: str, *, warned: bool) -> None:
    row, notes = read("overdue", days_past_due=stated)
    assert row == read("overdue")[0]
    assert notes == ([CellNote("days_past_due", "days_past_due_differs")] if warned else [])


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("", None), ("on_book", "on_book"), ("正常", "on_book"), ("在账", "on_book"), ("核销", "written_off"),
        ("已核销", "written_off"), ("已转让", "transferred"), (" CLOSED ", "closed"), ("已结清", "closed"),
    ],
)  # fmt: skip
def test_the_status_of_a_loan_is_read_in_both_languages(cell: str, status: str | None) -> None:
    row, notes = read("loans", status=cell)
    assert (row.status, notes) == (status, [])


def test_an_unknown_risk_class_is_unknown_and_warned_about() -> None:
    row, notes = read("loans", risk_class="gold")
    assert (row.risk_class, notes) == (None, [CellNote("risk_class", "unknown_risk_class")])


@given(st.integers(0, 10**15 - 1))
def test_an_amount_written_is_the_amount_read(amount_fen: int) -> None:
    assert fen(yuan_text(amount_fen)) == amount_fen


@given(st.text(alphabet="0123456789.-+ e_,", max_size=20) | st.text(max_size=20))
def test_the_short_path_takes_no_amount_that_the_long_one_refuses(text: str) -> None:
    try:
        short = fen(text)
    except ValueError:
        return
    assert short == fen_from_yuan(text.strip())
    assert text.isascii()


@given(
    st.dates(AS_OF - timedelta(days=4000), AS_OF - timedelta(days=1)),
    st.lists(st.integers(0, 10**14), min_size=4, max_size=4),
)
def test_an_overdue_row_written_is_the_row_read(due: date, amounts: list[int]) -> None:
    columns = ("overdue_principal", "overdue_interest", "overdue_penalty", "outstanding_principal")
    texts = {column: yuan_text(amount) for column, amount in zip(columns, amounts, strict=True)}
    row, _ = read("overdue", oldest_due_date=due.isoformat(), days_past_due="", **texts)
    assert row == OverdueRow("D000001", due, *amounts)
