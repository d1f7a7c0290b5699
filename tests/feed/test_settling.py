"""Paid in full: on any day that a loans file says so, whatever a case was opened for; never what is written off."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from casework.intake.feed.last_known import last_known
from casework.lifecycle.commands import Record
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from casework.work.cases.commands import OpenCase
from casework.work.four_eyes import requests
from tests.feed.bank import DAY, Bank, Cells, arrears, loan, paid
from tests.feed.steps import ask_write_off, decide_write_off, do, write_off

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
FOURTH = DAY + timedelta(days=3)
TEN = [loan(number) for number in range(1, 11)]
PAID: list[Any] = [
    pytest.param(TEN[1:], id="omitted"),
    pytest.param([loan(1, outstanding_principal="0.00"), *TEN[1:]], id="nothing outstanding"),
    pytest.param([loan(1, outstanding_principal="0.00", status="正常"), *TEN[1:]], id="on the books with nothing"),
    pytest.param([loan(1, status="已结清"), *TEN[1:]], id="closed"),
]
OWED: list[Any] = [
    pytest.param(None, id="no loans file"),
    pytest.param([loan(1, outstanding_principal=""), *TEN[1:]], id="unknown is not zero"),
    pytest.param([loan(1, outstanding_principal="0.00", status="written_off"), *TEN[1:]], id="written off"),
    pytest.param([loan(1, outstanding_principal="0.00", status="已转让"), *TEN[1:]], id="transferred"),
]


def steady(*without: int) -> list[dict[str, str]]:
    return [arrears(number) for number in range(1, 11) if number not in without]


def misuse(bank: Bank) -> int:
    """A case of loan L1 that is not overdue, opened for misuse of the money."""
    bank.send(DAY, steady(1), loans=TEN)
    manager = bank.staff("B1", "basic_risk_manager")
    with writing(bank.started.engine) as conn:
        known = last_known(conn, bank.started.branch, "L1")
    assert known is not None
    data = {"finding": "doc:1", "recall_demand": "doc:2"}
    do(bank, OpenCase(actor=manager, ground="misuse", loan=known[0], measure=known[1], data=data))
    return int(bank.case(1).id)


def accelerated(bank: Bank) -> int:
    """A case of loan L1 whose debt was accelerated before its arrears were cleared, so that it goes on."""
    bank.send(DAY, steady(), loans=TEN)
    manager, case_id = bank.staff("B1", "basic_risk_manager"), int(bank.case(1).id)
    do(bank, Record(actor=manager, id=case_id, kind="acceleration", on=DAY, evidence="doc:1"))
    bank.send(NEXT, steady(1), loans=TEN)
    assert bank.story(case_id)[-1] == "case.refused.arrears_cleared"
    return case_id


LIVE = [pytest.param(misuse, id="misuse, never overdue"), pytest.param(accelerated, id="accelerated, arrears cleared")]


@pytest.mark.parametrize("begun", LIVE)
@pytest.mark.parametrize("loans", PAID)
def test_a_case_that_is_not_overdue_is_paid_in_full_on_the_day_the_loans_file_says_so(
    bank: Bank, begun: Callable[[Bank], int], loans: list[Cells]
) -> None:
    case_id = begun(bank)
    bank.send(THIRD, steady(1), loans=TEN)
    assert bank.case(1).live, "nothing new was said"
    run = bank.send(FOURTH, steady(1), loans=loans)
    case = bank.case(1)
    assert (case.id, case.state, case.outstanding_principal_fen) == (case_id, "settled", 0)
    assert bank.story(case_id)[-2:] == ["case.measured", "case.step.paid_in_full"]
    assert run.figures["cases_settled"] == 1
    bank.assert_sound()


@pytest.mark.parametrize("begun", LIVE)
@pytest.mark.parametrize("loans", OWED)
def test_without_that_word_it_goes_on(bank: Bank, begun: Callable[[Bank], int], loans: list[Cells] | None) -> None:
    case_id = begun(bank)
    bank.send(FOURTH, steady(1), loans=loans)
    case = bank.case(1)
    assert (case.id, case.live, case.outstanding_principal_fen) == (case_id, True, 5_000_000)
    bank.assert_sound()


def test_the_amounts_and_the_class_of_a_case_that_is_not_overdue_follow_the_books(bank: Bank) -> None:
    case_id = misuse(bank)
    books = [loan(1, outstanding_principal="41000.00"), *TEN[1:]]
    bank.send(NEXT, steady(1), loans=books)
    assert (bank.case(1).outstanding_principal_fen, bank.case(1).oldest_due_date) == (4_100_000, None)
    bank.send(THIRD, steady(1), loans=books)
    assert bank.story(case_id) == ["case.opened", "case.measured"], "the same figures write nothing"
    bank.send(FOURTH, steady(1), loans=[loan(1, outstanding_principal="41000.00", risk_class="loss"), *TEN[1:]])
    assert bank.bodies(f"case:{case_id}")[-1]["data"]["measure"]["risk_class"] == "loss"
    bank.assert_sound()


@pytest.mark.parametrize("loans", PAID)
def test_where_the_files_disagree_the_overdue_snapshot_decides_and_it_is_warned_about(
    bank: Bank, loans: list[Cells]
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    run = bank.send(NEXT, steady(), loans=loans)
    assert bank.case(1).state == "phone_collection"
    omitted = loans == TEN[1:]
    warnings = {code: n for code, n in run.figures["warnings"].items() if code.endswith("yet_overdue")}
    assert warnings == {"omitted_yet_overdue" if omitted else "nothing_outstanding_yet_overdue": 1}


def test_a_loan_called_closed_with_something_outstanding_is_paid_and_warned_about(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    run = bank.send(NEXT, steady(1), loans=[loan(1, status="closed"), *TEN[1:]])
    assert bank.story(bank.case(1).id)[-1] == "case.step.paid_in_full"
    assert run.figures["warnings"]["closed_yet_outstanding"] == 1


def test_a_status_nobody_knows_is_warned_about_and_decides_nothing(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    run = bank.send(NEXT, steady(1), loans=[loan(1, status="冻结"), *TEN[1:]])
    assert bank.story(bank.case(1).id)[-1] == "case.step.arrears_cleared"
    assert run.figures["warnings"]["unknown_loan_status"] == 1


def test_the_reversal_of_a_payment_reopens_a_case_paid_in_full_though_its_loan_is_not_overdue(bank: Bank) -> None:
    misuse(bank)
    bank.send(NEXT, steady(1), loans=TEN[1:], repayments=[paid("P1", 1, NEXT, "50000.00")])
    assert bank.case(1).state == "settled"
    run = bank.send(THIRD, steady(1), loans=TEN, repayments=[paid("R1", 1, THIRD, "50000.00", reverses="P1")])
    (case,) = bank.cases(1)
    assert (case.state, case.outstanding_principal_fen) == ("phone_collection", 5_000_000)
    assert run.figures["cases_reopened"] == 1
    bank.assert_sound()


# ── off the books, unpaid ───────────────────────────────────────────────────────────────────────────────────────────

GONE: list[Any] = [
    pytest.param([loan(1, outstanding_principal="0.00"), *TEN[1:]], id="principal 0"),
    pytest.param(TEN[1:], id="gone from both files"),
    pytest.param([loan(1, status="closed"), *TEN[1:]], id="closed"),
    pytest.param(None, id="no loans file"),
]


@pytest.mark.parametrize("loans", GONE)
def test_a_case_written_off_is_never_settled_by_what_the_files_no_longer_show(
    bank: Bank, loans: list[Cells] | None
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    case_id = write_off(bank, 1)
    before = bank.story(case_id)
    for day in (NEXT, THIRD):
        run = bank.send(day, steady(1), loans=loans)
        assert (run.figures["cases_settled"], run.figures["cases_not_settled"]) == (0, 0)
    case = bank.case(1)
    assert (case.state, case.outstanding_principal_fen, case.overdue_fen) == ("written_off", 5_000_000, 102_100)
    assert bank.story(case_id) == before, "the claim is as it was: what left the books has no figures there"
    bank.assert_sound()


@pytest.mark.parametrize("status", ["written_off", "transferred"])
def test_a_loan_that_the_bank_took_off_its_books_unpaid_is_neither_paid_nor_cleared_and_is_listed(
    bank: Bank, status: str
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    case_id = int(bank.case(1).id)
    off = [loan(1, outstanding_principal="0.00", status=status), *TEN[1:]]
    for day, loans in ((NEXT, off), (THIRD, off), (FOURTH, TEN[1:])):  # at last it is not even named
        run = bank.send(day, steady(1), loans=loans)
        assert (run.figures["left_books_unpaid"], run.figures["left_books_unpaid_cases"]) == (1, [case_id])
    case = bank.case(1)
    assert (case.state, case.overdue_fen, case.oldest_due_date) == (
        "phone_collection", 102_100, DAY - timedelta(days=5),
    )  # fmt: skip
    assert bank.story(case_id) == ["case.opened", "case.fact.left_books"], "said once"
    bank.assert_sound()


def test_what_the_books_last_said_of_a_status_holds_on_a_day_without_a_loans_file(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(), loans=[loan(1, status="written_off"), *TEN[1:]])
    run = bank.send(THIRD, steady(1))
    assert (bank.case(1).state, run.figures["left_books_unpaid"]) == ("phone_collection", 1)


SAYS_NOTHING: list[Any] = [
    pytest.param({"outstanding_principal": "0.00"}, id="a zero without a status"),
    pytest.param({"outstanding_principal": "0.00", "status": ""}, id="a zero with an empty status"),
    pytest.param({"outstanding_principal": "0.00", "status": "冻结"}, id="a zero with an unknown status"),
    pytest.param({"outstanding_principal": ""}, id="no amount"),
]


@pytest.mark.parametrize("cells", SAYS_NOTHING)
def test_a_loan_off_the_books_unpaid_stays_so_when_a_later_file_names_it_and_says_nothing_new(
    bank: Bank, cells: dict[str, str]
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), loans=[loan(1, outstanding_principal="0.00", status="written_off"), *TEN[1:]])
    again = [loan(1, **cells), *TEN[1:]]
    for day, loans in ((THIRD, again), (FOURTH, again), (FOURTH + timedelta(days=1), None)):
        run = bank.send(day, steady(1), loans=loans)
        assert (bank.case(1).state, run.figures["left_books_unpaid"]) == ("phone_collection", 1)
    assert bank.case(1).overdue_fen == 102_100
    bank.assert_sound()


@pytest.mark.parametrize(
    ("back", "event"),
    [
        (TEN, "arrears_cleared"),
        ([loan(1, status="on_book"), *TEN[1:]], "arrears_cleared"),
        ([loan(1, outstanding_principal="0.00", status="closed"), *TEN[1:]], "paid_in_full"),
    ],
)  # fmt: skip
def test_a_loan_that_is_back_on_the_books_and_not_overdue_settles_as_they_now_say(
    bank: Bank, back: list[Cells], event: str
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), loans=[loan(1, status="written_off"), *TEN[1:]])
    bank.send(THIRD, steady(1), loans=back)
    assert bank.story(bank.case(1).id)[-1] == f"case.step.{event}"
    bank.assert_sound()


@pytest.mark.parametrize("loans", [row for row in GONE if row.id in ("principal 0", "gone from both files")])
def test_a_write_off_that_the_bank_books_before_it_is_approved_here_is_not_taken_for_payment(
    bank: Bank, loans: list[Cells]
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    request = ask_write_off(bank, 1)
    case_id = int(bank.case(1).id)
    run = bank.send(NEXT, steady(1), loans=loans)
    assert (bank.case(1).state, run.figures["left_books_unpaid_cases"]) == ("phone_collection", [case_id])
    decide_write_off(bank, request)
    assert bank.case(1).state == "written_off"
    bank.assert_sound()


def test_a_loan_called_closed_is_paid_though_its_write_off_is_asked_for(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    ask_write_off(bank, 1)
    bank.send(NEXT, steady(1), loans=[loan(1, outstanding_principal="0.00", status="closed"), *TEN[1:]])
    assert bank.case(1).state == "settled"
    bank.assert_sound()


def test_a_write_off_that_is_withdrawn_no_longer_keeps_the_case_of_a_paid_loan_open(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    request = ask_write_off(bank, 1)
    bank.send(NEXT, steady(1), loans=TEN[1:])
    with writing(bank.started.engine) as conn:
        keeper = Actor("A1", "staff", "cli", frozenset({"asset_preservation"}))
        withdrawn = requests.withdraw(conn, bank.started.branch, request, actor=keeper)
    assert isinstance(withdrawn, requests.Moved), withdrawn
    bank.send(THIRD, steady(1), loans=TEN[1:])
    assert bank.story(bank.case(1).id)[-1] == "case.step.paid_in_full"
    bank.assert_sound()


def test_another_institution_s_loans_file_says_nothing_of_this_one_s_cases(bank: Bank) -> None:
    misuse(bank)
    bank.know("elsewhere")
    bank.institution = "elsewhere"
    books = [loan(number) for number in range(101, 111)]
    bank.send(DAY, [arrears(101)], loans=books)
    bank.send(NEXT, [arrears(101)], loans=books)
    assert bank.case(1).live
