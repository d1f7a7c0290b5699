"""A loan that comes under its number without its capitals or zeros in front has neither left nor is it another one."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from casework.intake.feed.respelled import respelled
from tests.feed.bank import DAY, Bank, Cells, arrears, loan
from tests.feed.test_load import refused

NEXT = DAY + timedelta(days=1)


def books(*numbers: str) -> Sequence[Cells]:
    """The first loan under each of these numbers, and thirty others."""
    return [*(loan(1, loan_id=number) for number in numbers), *map(loan, range(2, 31))]


def open_(*numbers: str) -> Sequence[Cells]:
    return [*(arrears(1, loan_id=number) for number in numbers), *map(arrears, range(2, 31))]


@pytest.mark.parametrize(("was", "is_now"), [("HT1", "ht1"), ("0012", "12"), ("12", "0012"), ("0a1", "A1")])
def test_a_loan_under_another_spelling_waits_until_somebody_says_that_it_is_another(
    bank: Bank, was: str, is_now: str
) -> None:
    bank.send(DAY, open_(was), loans=books(was))
    both = refused(bank, "loans_respelled", lambda: bank.send(NEXT, open_(is_now), loans=books(is_now)))
    assert both.facts["loans"] == {"overdue": 1, "loans": 1}
    in_loans = refused(bank, "loans_respelled", lambda: bank.send(NEXT, open_(was), loans=books(is_now)))
    assert in_loans.facts["loans"] == {"loans": 1}
    # Without a loans file nobody knows the number; its row is set aside, and the loan would be gone.
    alone = refused(bank, "loans_respelled", lambda: bank.send(NEXT, open_(is_now)))
    assert alone.facts["loans"] == {"overdue": 1}
    assert [case.state for case in bank.cases(was)] == ["phone_collection"]
    confirmed = bank.send(NEXT, open_(is_now), loans=books(is_now), confirm=True)
    assert (confirmed.figures["opened"], confirmed.figures["gone"]) == (1, 1)


def test_two_loans_whose_numbers_differ_in_capitals_are_two_loans(bank: Bank) -> None:
    bank.send(DAY, open_("HT1", "ht1"), loans=books("HT1", "ht1"))
    assert bank.send(NEXT, open_("ht1"), loans=books("HT1", "ht1")).figures["gone"] == 1
    assert bank.case("ht1").state == "phone_collection"


@pytest.mark.parametrize(
    ("missing", "came", "number"),
    [(["L1"], ["L1"], 1), (["L1", "L2"], ["l2", "L3"], 1), (["0012"], ["1200", "112"], 0), (["L01"], ["L1"], 0),
     ([], ["l1"], 0), (["L1"], [], 0)],
)  # fmt: skip
def test_capitals_and_zeros_in_front_alone_make_no_other_number(
    missing: list[str], came: list[str], number: int
) -> None:
    assert respelled(missing, came) == number
