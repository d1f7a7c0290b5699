"""A contact file: what goes in, what is set aside and why, what a second time changes."""

import gzip
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa
import xlsxwriter

from casework.errors import CallerError
from casework.intake.dialler.importing import Taken, read_bounded
from casework.intake.dialler.recording import Not
from casework.intake.dialler.typed import record_typed
from casework.log.tables import entries, openings
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from casework.storage.driver_errors import again_on_conflict
from tests.conftest import LONGER
from tests.dialler.called import COLUMNS, aside, call, logged, moment, take, text
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter

ROUNDS = 100 if LONGER > 1 else 5
BOOKS = [loan(1), loan(2, borrower_id="B1"), loan(3)]


@pytest.fixture
def called(bank_after: BankAfter) -> Iterator[Bank]:
    """Three cases of two debtors; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(number, 1) for number in (1, 2, 3)], loans=BOOKS)


def test_a_contact_is_the_debtors_whichever_loan_it_was_made_for(called: Bank) -> None:
    taken = take(
        called, call("c1", note="想谈分期", recording="rec-1", ended_at="2024-06-03T10:01:00+08:00"),
        call("c2", 2, at="11:00:00", channel="ai_voice", result="debtor"),
    )  # fmt: skip
    assert (taken.rows, taken.stored, taken.repeated, taken.late, taken.set_aside) == (2, 2, 0, 0, [])
    first, second = logged(called).values()
    assert (first.borrower_id, second.borrower_id) == ("B1", "B1")
    assert (first.outcome, second.outcome, first.recording, first.late) == ("unanswered", "debtor", True, False)
    assert first.started_at == moment(0, "10:00:00")
    assert first.number == called.started.branch.vault.blind("phone", "+86 12000000001")
    body = called.bodies("borrower:demo~B1")[0]
    assert body["event"] == "contact.recorded"
    assert body["data"]["started_at"] == "2024-06-03T10:00:00+08:00"
    assert body["personal"].keys() == {"phone", "note", "recording"}


def test_nothing_personal_of_a_contact_stands_in_an_entry_or_a_row(called: Bank) -> None:
    take(called, call("c1", note="想谈分期", recording="13-12000000001.wav", address="虚构路9号"))
    with reading(called.started.engine) as conn:
        bodies = [bytes(body) for body in conn.execute(sa.select(entries.c.body)).scalars()]
        sealed = [bytes(one) for one in conn.execute(sa.select(openings.c.sealed)).scalars()]
    for secret in ("12000000001", "想谈分期", "虚构路9号"):
        assert not any(secret.encode() in one for one in (*bodies, *sealed))


# (what is wrong, the cells that make it so, the column and the kind)
BAD: list[tuple[str, dict[str, str], str, str]] = [
    ("no reference", {"contact_ref": ""}, "contact_ref", "missing"),
    ("no such loan", {"loan_id": "L999"}, "loan_id", "unknown_loan"),
    ("no loan named", {"loan_id": ""}, "loan_id", "unknown_loan"),
    ("another borrower's loan", {"borrower_id": "B3"}, "borrower_id", "not_the_loans_borrower"),
    ("no such party", {"party": "neighbour"}, "party", "unknown_party"),
    ("no such channel", {"channel": "fax"}, "channel", "unknown_channel"),
    ("no such result", {"result": "answered_by_machine"}, "result", "unknown_result"),
    ("no result", {"result": ""}, "result", "unknown_result"),
    ("a call cannot be delivered", {"result": "delivered"}, "result", "result_not_of_channel"),
    ("no start", {"started_at": ""}, "started_at", "malformed_time"),
    ("a start without offset", {"started_at": "2024-06-03T10:00:00"}, "started_at", "malformed_time"),
    ("a day only", {"started_at": "2024-06-03"}, "started_at", "malformed_time"),
    ("a day that does not exist", {"started_at": "2024-06-31T10:00:00+08:00"}, "started_at", "malformed_time"),
    ("a start after now", {"started_at": "2024-06-23T12:00:01+08:00"}, "started_at", "in_the_future"),
    ("an end that is no time", {"ended_at": "later"}, "ended_at", "malformed_time"),
    ("ended before it began", {"ended_at": "2024-06-03T09:59:59+08:00"}, "ended_at", "ended_before_started"),
    ("neither number nor address", {"phone": ""}, "phone", "no_phone_or_address"),
    ("no phone number", {"phone": "call me"}, "phone", "malformed_phone"),
    ("no staff number", {"staff_no": "王 五"}, "staff_no", "malformed_staff_no"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "cells", "column", "kind"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_row_is_set_aside_with_line_column_and_kind_and_the_others_go_in(
    called: Bank, what: str, cells: dict[str, str], column: str, kind: str
) -> None:
    taken = take(called, call("c1"), call("c2") | cells, call("c3"))
    assert aside(taken) == [(3, column, kind, cells.get("contact_ref", "c2") or None)], what
    assert (taken.rows, taken.stored, sorted(logged(called))) == (3, 2, ["c1", "c3"])
    mended = take(called, call("c2"))
    assert (mended.stored, mended.set_aside) == (1, [])


def test_a_file_fed_twice_changes_nothing_and_another_content_is_set_aside(called: Bank) -> None:
    rows = [call("c1"), call("c2", 3, at="11:00:00", note="晚上再打")]
    take(called, *rows)
    before = len(called.bodies("borrower:demo~B1"))
    again = take(called, *rows, rows[0] | {"started_at": "2024-06-03T02:00:00Z"})
    assert (again.stored, again.repeated, again.set_aside) == (0, 3, []), "the same instant, written in UTC"
    differing = take(
        called, rows[0] | {"result": "busy"}, rows[1] | {"note": ""}, call("c4"), call("c4", at="12:00:00")
    )
    assert (differing.stored, aside(differing)) == (
        1, [(2, "contact_ref", "contact_differs", "c1"), (3, "contact_ref", "contact_differs", "c2"),
            (5, "contact_ref", "contact_differs", "c4")],
    )  # fmt: skip
    assert len(called.bodies("borrower:demo~B1")) == before + 1


def test_what_an_agency_numbers_is_its_own(called: Bank) -> None:
    header = ",".join(COLUMNS).replace("staff_no", "agency")
    taken = take(called, content=text(call("c1", staff_no=""), call("c2", staff_no="甲公司"), header=header).encode())
    assert (taken.stored, logged(called)["c2"].source) == (2, "agency:甲公司")
    assert take(called, call("c2")).stored == 1


def test_late_are_rows_of_a_day_before_the_business_date_and_typed_late_only_what_a_person_typed(called: Bank) -> None:
    called.send(DAY.replace(day=5), [arrears(number, 3, DAY.replace(day=5)) for number in (1, 2, 3)])
    taken = take(called, call("c1", on=1), call("c2", on=2))
    assert (taken.stored, taken.late) == (2, 1)
    typed = take(called, call("s1", on=0), call("s2", on=20, at="11:59:00"), source="sheet")
    assert (typed.stored, [(one.contact_ref, one.late) for one in logged(called).values()]) == (
        2, [("c1", False), ("c2", False), ("s1", True), ("s2", False)],
    )  # fmt: skip


def test_staff_whom_nobody_registered_is_entered_as_unverified_with_a_warning(called: Bank) -> None:
    taken = take(called, call("c1", staff_no="S201"), call("c2", staff_no="S201"), call("c3", staff_no="S1"))
    assert [(one.line, one.column, one.code) for one in taken.warnings] == [(2, "staff_no", "unknown_staff")]
    assert take(called, call("c4", staff_no="S201")).warnings == []


def _chinese() -> str:
    header = "催记编号,工号,借据号,客户号,联系对象,电话,地址,渠道,开始时间,结束时间,结果,录音,备注"
    cells = {"party": "本人", "channel": "电话", "result": "空号", "note": "号码已停用"}
    return text(call("c1") | cells, header=header)


def _workbook(content: str) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate(content.splitlines()):
            for column, cell in enumerate(line.split(",")):
                sheet.write_string(number, column, cell)
    return file.getvalue()


@pytest.mark.parametrize(
    "written",
    [
        lambda content: content.encode(), lambda content: content.encode("utf-8-sig"),
        lambda content: content.encode("gb18030"), _workbook, lambda content: gzip.compress(content.encode()),
    ],
    ids=["utf-8", "utf-8 with BOM", "gb18030", "xlsx", "gzip"],
)  # fmt: skip
def test_a_file_may_be_in_chinese_and_in_any_form_that_feeds_have(
    called: Bank, written: Callable[[str], bytes]
) -> None:
    taken = take(called, content=written(_chinese()))
    assert (taken.stored, taken.set_aside, logged(called)["c1"].outcome) == (1, [], "invalid_number")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (text(call("c1")).replace(",result,", ",outcome,").encode(), "column_missing"),
        (text(call("c1")).replace("phone,address,", "a,b,").encode(), "column_missing"),
        (text(call("c1")).replace("note", "备注,note", 1).encode(), "column_repeated"),
        (text(*(call(f"c{n}") for n in range(9))).encode() + b'"c10,S1,L1', "csv_malformed"),
        (gzip.compress(text(*(call(f"c{n}") for n in range(900))).encode())[:-20], "file_cut"),
        (b"\xff\xfe\x00", "file_unreadable"),
        (b"", "column_missing"),
    ],
    ids=["no result", "no number and no address", "a column twice", "cut in a row", "cut", "no text", "empty"],
)  # fmt: skip
def test_a_file_that_cannot_be_read_to_its_end_changes_nothing(called: Bank, content: bytes, code: str) -> None:
    with pytest.raises(CallerError) as refused:
        take(called, content=content)
    assert (refused.value.code, logged(called)) == (code, {})


def test_a_file_of_two_gigabytes_is_refused_before_it_is_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    huge = tmp_path_factory.mktemp("huge") / "calls.csv"
    with huge.open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(CallerError) as refused:
        read_bounded(huge)
    assert refused.value.code == "file_too_large"


def test_of_two_files_with_the_same_rows_at_once_each_row_is_stored_once_and_both_end_well(called: Bank) -> None:
    files = [[call(f"c{number}", loan=number % 3 + 1) for number in order] for order in (range(40), range(39, -1, -1))]
    together = Barrier(2)

    def feed(file: list[dict[str, str]]) -> Taken:
        together.wait()
        return take(called, *file)

    with ThreadPoolExecutor(2) as pool:
        for turn in range(ROUNDS):
            rows = [[row | {"contact_ref": f"{row['contact_ref']}-{turn}"} for row in file] for file in files]
            both = list(pool.map(feed, rows))
            assert sorted((one.stored, one.repeated, len(one.set_aside)) for one in both) == [(0, 40, 0), (40, 0, 0)]
    assert len(logged(called)) == 40 * ROUNDS


def test_rows_that_are_typed_while_a_file_brings_them_are_stored_once(called: Bank) -> None:
    """Who comes second begins anew, and finds them."""
    engine, branch, at = called.started.engine, called.started.branch, moment(20, "12:00:00")
    together = Barrier(2)

    def typed(row: dict[str, str]) -> str:
        def record() -> str:
            with writing(engine) as conn:
                (told,) = record_typed(conn, branch, [row], system("cli"), at, atomic=False)
            return told.became.kind if isinstance(told.became, Not) else "stored"

        together.wait()
        return again_on_conflict(record)

    def fed(row: dict[str, str]) -> str:
        together.wait()
        taken = again_on_conflict(lambda: take(called, row, source="sheet"))
        return "stored" if taken.stored else "repeated"

    with ThreadPoolExecutor(2) as pool:
        for turn in range(ROUNDS):
            row = call(f"k{turn}")
            became = pool.submit(typed, row), pool.submit(fed, row)
            assert sorted(one.result() for one in became) == ["repeated", "stored"]
    assert len(logged(called)) == ROUNDS
