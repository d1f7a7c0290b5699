"""Money on what was written off: counted once, uncounted when it bounces, and when it is all there the case settles."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from casework.work.cases.case import Facts
from tests.feed.bank import DAY, Bank, arrears, loan, paid
from tests.feed.steps import write_off
from tests.feed.test_daytime import take

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
FOURTH = DAY + timedelta(days=3)
TEN = [loan(number, outstanding_principal="100.00") for number in range(1, 11)]


def steady(*without: int) -> list[dict[str, str]]:
    rows = [arrears(number, outstanding_principal="100.00") for number in range(1, 11) if number not in without]
    return [row | {"overdue_principal": "50.00"} for row in rows]


def facts(bank: Bank) -> Facts:
    return msgspec.json.decode(bytes(bank.case(1).facts), type=Facts)


def written_off(bank: Bank) -> int:
    """The case of loan L1, ¥100.00 and ¥10.00 written off on DAY."""
    bank.send(DAY, steady(), loans=TEN)
    return write_off(bank, 1, principal_fen=10_000, interest_fen=1_000)


def test_a_recovery_whose_payment_bounces_is_uncounted_with_an_entry(bank: Bank) -> None:
    case_id = written_off(bank)
    bank.send(NEXT, steady(), repayments=[paid("P1", 1, NEXT, "10.00"), paid("P2", 1, NEXT, "20.00")])
    assert facts(bank).recovered_fen == 3_000
    run = bank.send(THIRD, steady(), repayments=[paid("R1", 1, THIRD, "10.00", reverses="P1")])
    assert (facts(bank).recovered_fen, facts(bank).recoveries) == (2_000, ["pay:P2"])
    last = bank.bodies(f"case:{case_id}")[-1]
    assert (last["event"], last["data"]["given"]) == (
        "case.step.recovery_reversed", {"payment": "pay:P1", "reversal": "pay:R1", "amount_fen": 1_000},
    )  # fmt: skip
    assert (run.figures["recoveries"], run.figures["recoveries_reversed"]) == (0, 1)
    bank.assert_sound()


def test_a_recovery_and_its_reversal_in_one_feed_count_for_nothing_and_are_both_on_record(bank: Bank) -> None:
    case_id = written_off(bank)
    both = [paid("R1", 1, NEXT, "110.00", reverses="P1"), paid("P1", 1, NEXT, "110.00")]
    bank.send(NEXT, steady(), repayments=both)
    assert (bank.case(1).state, facts(bank).recovered_fen) == ("written_off", 0)
    assert bank.story(case_id)[-2:] == ["case.step.recover", "case.step.recovery_reversed"]
    bank.assert_sound()


@pytest.mark.parametrize("reversed_too", [False, True])
def test_a_correction_of_an_older_day_counts_the_money_and_the_reversals_that_it_brings(
    bank: Bank, reversed_too: bool
) -> None:
    written_off(bank)
    bank.send(NEXT, steady(), repayments=[paid("P1", 1, NEXT, "10.00")])
    bank.send(THIRD, steady())
    brought = [paid("P1", 1, NEXT, "10.00"), paid("P2", 1, NEXT, "7.00")]
    brought += [paid("R1", 1, NEXT, "10.00", reverses="P1")] if reversed_too else []
    run = bank.send(NEXT, steady(), repayments=brought, correction=True)
    assert (run.figures["restates_only"], run.figures["recoveries"]) == (True, 1)
    assert facts(bank).recovered_fen == (700 if reversed_too else 1_700)
    bank.assert_sound()


@pytest.mark.parametrize(
    ("amount", "paid_on", "days", "state"),
    [
        ("110.00", NEXT, 1, "settled"),
        ("109.99", NEXT, 1, "written_off"),
        ("110.00", DAY, 1, "settled"),
        ("110.00", DAY - timedelta(days=1), 0, "written_off"),
    ],
    ids=["all of it", "a fen less", "on the day of the write-off", "before the write-off"],
)
def test_a_case_written_off_settles_when_the_money_received_since_reaches_what_was_written_off(
    bank: Bank, amount: str, paid_on: Any, days: int, state: str
) -> None:
    case_id = written_off(bank)
    run = bank.send(NEXT, steady(), repayments=[paid("P1", 1, paid_on, amount)])
    assert (bank.case(1).state, run.figures["recoveries"]) == (state, days)
    assert (bank.story(case_id)[-1] == "case.step.paid_in_full") is (state == "settled")
    bank.assert_sound()


def test_it_settles_by_the_last_of_several_payments_whatever_the_files_show_of_the_loan(bank: Bank) -> None:
    written_off(bank)
    bank.send(NEXT, steady(1), loans=TEN[1:], repayments=[paid("P1", 1, NEXT, "60.00")])
    assert bank.case(1).state == "written_off"
    bank.send(THIRD, steady(1), repayments=[paid("P2", 1, THIRD, "60.00")])
    assert bank.case(1).state == "settled"
    bank.assert_sound()


@pytest.mark.parametrize(("undone", "state"), [("P1", "written_off"), ("P3", "settled")])
def test_the_reversal_of_a_recovery_reopens_the_claim_if_what_is_left_falls_short(
    bank: Bank, undone: str, state: str
) -> None:
    case_id = written_off(bank)
    bank.send(NEXT, steady(1), repayments=[paid("P1", 1, NEXT, "60.00")])
    both = [paid("P2", 1, THIRD, "50.00"), paid("P3", 1, THIRD, "5.00")]
    bank.send(THIRD, steady(1), repayments=both)
    assert bank.case(1).state == "settled"
    amount = "60.00" if undone == "P1" else "5.00"
    bank.send(FOURTH, steady(1), repayments=[paid("R1", 1, FOURTH, amount, reverses=undone)])
    case = bank.case(1)
    assert (case.id, case.state, facts(bank).recovered_fen) == (case_id, state, 11_500 - round(float(amount) * 100))
    assert bank.story(case_id)[-1] == f"case.step.{'reverse_payment' if undone == 'P1' else 'recovery_reversed'}"
    bank.send(FOURTH + timedelta(days=1), steady(1), repayments=[paid("P4", 1, FOURTH, "60.00")])
    assert bank.case(1).state == "settled"
    bank.assert_sound()


def test_the_reversal_of_a_payment_from_before_the_write_off_uncounts_nothing(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN, repayments=[paid("P0", 1, DAY, "10.00")])
    case_id = write_off(bank, 1, principal_fen=10_000, interest_fen=1_000)
    bank.send(NEXT, steady(), repayments=[paid("P1", 1, NEXT, "20.00")])
    story = bank.story(case_id)
    bank.send(THIRD, steady(), repayments=[paid("R0", 1, THIRD, "10.00", reverses="P0")])
    assert (facts(bank).recovered_fen, bank.story(case_id)) == (2_000, story)
    bank.assert_sound()


def test_money_beyond_what_was_owed_counts_when_another_payment_bounces(bank: Bank) -> None:
    """A claim that P1 settled is still settled without it if P2, which came after, reaches what was written off."""
    written_off(bank)
    bank.send(NEXT, steady(1), repayments=[paid("P1", 1, NEXT, "110.00")])
    run = bank.send(THIRD, steady(1), repayments=[paid("P2", 1, THIRD, "110.00"), paid("P3", 1, THIRD, "1.00")])
    assert (bank.case(1).state, run.figures["recoveries"], facts(bank).recovered_fen) == ("settled", 2, 22_100)
    bank.send(FOURTH, steady(1), repayments=[paid("R1", 1, FOURTH, "110.00", reverses="P1")])
    assert (bank.case(1).state, facts(bank).recoveries) == ("settled", ["pay:P2", "pay:P3"])
    later = FOURTH + timedelta(days=1)
    bank.send(later, steady(1), repayments=[paid("R2", 1, later, "110.00", reverses="P2")])
    assert (bank.case(1).state, facts(bank).recovered_fen) == ("written_off", 100)
    bank.assert_sound()


def test_a_payment_on_a_case_that_was_settled_without_a_write_off_is_no_recovery(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), loans=TEN[1:], repayments=[paid("P1", 1, NEXT, "100.00")])
    run = bank.send(THIRD, steady(1), repayments=[paid("P2", 1, THIRD, "5.00")])
    assert (bank.case(1).state, run.figures["recoveries"], facts(bank).recoveries) == ("settled", 0, [])
    bank.assert_sound()


def test_money_of_the_day_is_recovered_at_once_and_the_feed_that_repeats_it_counts_nothing_more(
    bank: Bank,
) -> None:
    written_off(bank)
    assert take(bank, f"P1,L1,{NEXT},10.00,").stored == 1
    assert facts(bank).recovered_fen == 1_000
    run = bank.send(NEXT, steady(), repayments=[paid("P1", 1, NEXT, "10.00")])
    assert (facts(bank).recovered_fen, run.figures["recoveries"]) == (1_000, 0)
    assert take(bank, f"R1,L1,{THIRD},10.00,P1", on=2).stored == 1
    assert facts(bank).recovered_fen == 0
    assert take(bank, f"P2,L1,{THIRD},110.00,", on=2).stored == 1
    assert bank.case(1).state == "settled"
    bank.send(THIRD, steady(), repayments=[paid("R1", 1, THIRD, "10.00", "P1"), paid("P2", 1, THIRD, "110.00")])
    assert (bank.case(1).state, facts(bank).recovered_fen) == ("settled", 11_000)
    bank.assert_sound()
