"""A correction of the day takes back what the wrong feed settled: the case is again as it was, and no new one opens."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.lifecycle.commands import Fire
from casework.storage.database import reading
from casework.work.cases.case import Facts
from casework.work.cases.tables import cases
from tests.contacted import contact_day
from tests.feed.bank import DAY, Bank, Cells, arrears, loan, paid
from tests.feed.steps import do
from tests.promised import hold, promise

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
TEN = [loan(number) for number in range(1, 11)]
PAID = [loan(1, outstanding_principal="0.00"), *TEN[1:]]


def steady(*without: int) -> list[dict[str, str]]:
    return [arrears(number) for number in range(1, 11) if number not in without]


def facts(bank: Bank, case_id: int) -> dict[str, Any]:
    """Every column of a case that a settlement and its undoing must leave as they were."""
    with reading(bank.started.engine) as conn:
        row = conn.execute(sa.select(cases).where(cases.c.id == case_id)).one()._asdict()
    for moving in ("version", "last_entry_at", "audit_seq", "audit_head"):
        del row[moving]
    known = msgspec.json.decode(bytes(row["facts"]), type=Facts)
    known.material_version = 0  # it rises: what was asked for before is asked for anew
    return row | {"facts": known}


def worked_on(bank: Bank) -> int:
    """A case of loan L1 with calls, a promise and a hold for death, on a visit."""
    bank.send(DAY, steady(), loans=TEN)
    manager, rep = bank.staff("B1", "basic_risk_manager"), bank.staff("S1", "business_rep")
    case_id = int(bank.case(1).id)
    visit = {"address_kind": "home", "address": "虚构路1号", "visit_on": NEXT.isoformat()}
    do(
        bank,
        contact_day(case_id, DAY, connected=True),
        promise(rep, case_id, amount_fen=100_000, made_on=DAY, pay_by=THIRD),
        Fire(actor=rep, id=case_id, event="start_visit", data=visit),
        hold(manager, "L1", "death", on=DAY, review_by=THIRD),
    )  # fmt: skip
    return case_id


@pytest.mark.parametrize(
    ("wrong", "event"), [(None, "arrears_cleared"), (PAID, "paid_in_full")], ids=["cleared", "paid in full"]
)
def test_a_correction_that_shows_the_loan_still_in_arrears_reopens_the_settled_case_as_it_was(
    bank: Bank, wrong: Sequence[Cells] | None, event: str
) -> None:
    case_id = worked_on(bank)
    before = facts(bank, case_id)
    assert (before["facts"].holds, before["facts"].promise_pay_by) == (["death"], THIRD)
    bank.send(NEXT, steady(1), loans=wrong)
    assert f"case.step.{event}" in bank.story(case_id)
    run = bank.send(NEXT, steady(), loans=TEN if wrong else None, correction=True)
    assert [case.id for case in bank.cases(1)] == [case_id]
    assert facts(bank, case_id) == before
    assert bank.story(case_id)[-4:] == [
        "case.step.settlement_corrected", "case.measured", "promise.step.reopen", "case.fact.promise",
    ]  # fmt: skip
    assert (run.figures["settlements_corrected"], run.figures["cases_reopened"], run.figures["cases_opened"]) == (
        1, 1, 0,
    )  # fmt: skip
    bank.assert_sound()


def test_a_correction_that_confirms_the_settlement_leaves_it(bank: Bank) -> None:
    case_id = worked_on(bank)
    bank.send(NEXT, steady(1), loans=PAID)
    story = bank.story(case_id)
    run = bank.send(NEXT, [*steady(1, 2), arrears(2, overdue_interest="77.00")], loans=PAID, correction=True)
    assert (bank.story(case_id), run.figures["settlements_corrected"]) == (story, 0)
    bank.assert_sound()


def test_a_loan_that_falls_overdue_again_on_a_later_day_opens_a_new_case(bank: Bank) -> None:
    case_id = worked_on(bank)
    bank.send(NEXT, steady(1))
    bank.send(THIRD, steady(1))
    run = bank.send(THIRD, steady(), correction=True)
    first, second = bank.cases(1)
    assert (first.id, first.state, second.state) == (case_id, "settled", "phone_collection")
    assert (run.figures["settlements_corrected"], run.figures["cases_opened"]) == (0, 1)
    bank.assert_sound()


def test_a_correction_that_comes_after_the_new_case_leaves_the_old_one_settled(bank: Bank) -> None:
    case_id = worked_on(bank)
    bank.send(NEXT, steady(1))
    bank.send(THIRD, steady())
    bank.send(NEXT, steady(), correction=True)
    assert [case.state for case in bank.cases(1)] == ["settled", "phone_collection"]
    steps = [event for event in bank.story(case_id) if event.startswith("case.step.")]
    assert steps[-1] == "case.step.arrears_cleared"
    bank.assert_sound()


def test_a_correction_that_shows_a_paid_loan_outstanding_clears_its_arrears_alone(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), loans=TEN[1:])
    bank.send(NEXT, steady(1), loans=TEN, correction=True)
    (case,) = bank.cases(1)
    assert bank.story(case.id)[-3:] == [
        "case.step.settlement_corrected", "case.measured", "case.step.arrears_cleared",
    ]  # fmt: skip
    assert case.outstanding_principal_fen == 5_000_000
    bank.assert_sound()


def test_a_correction_that_says_a_loan_left_the_books_unpaid_reopens_its_case_with_what_was_owed(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    before = facts(bank, bank.case(1).id)
    bank.send(NEXT, steady(1), loans=TEN[1:])
    written_off = loan(1, outstanding_principal="0.00", status="written_off")
    run = bank.send(NEXT, steady(1), loans=[written_off, *TEN[1:]], correction=True)
    after = facts(bank, bank.case(1).id)
    before["facts"].left_books = "written_off"
    assert (after, run.figures["left_books_unpaid"]) == (before, 1)
    bank.assert_sound()


def test_a_correction_whose_row_of_the_loan_is_set_aside_reopens_the_case_with_what_was_owed(bank: Bank) -> None:
    many = [loan(number) for number in range(1, 41)]
    rows = [arrears(number) for number in range(1, 41)]
    bank.send(DAY, rows, loans=many)
    before = facts(bank, bank.case(1).id)
    bank.send(NEXT, rows[1:], loans=many)
    run = bank.send(NEXT, [*rows[1:], arrears(1, overdue_interest="abc")], loans=many[1:] + many[:1], correction=True)
    assert (facts(bank, bank.case(1).id), run.figures["set_aside"]) == (before, 1)
    assert bank.send(THIRD, rows).figures["without_case"] == 0
    bank.assert_sound()


def test_a_settlement_taken_back_can_be_settled_again_on_the_same_day_and_its_payment_reversed_later(
    bank: Bank,
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), repayments=[paid("P1", 1, NEXT)])
    bank.send(NEXT, steady(), correction=True)
    bank.send(NEXT, steady(1), loans=TEN, correction=True)
    assert bank.case(1).state == "settled"
    bank.send(THIRD, steady(), repayments=[paid("R1", 1, THIRD, reverses="P1")])
    (case,) = bank.cases(1)
    assert case.state == "phone_collection"
    bank.assert_sound()
