"""A feed folder goes in whole or not at all, and every run is on record."""

from datetime import date, timedelta

import pytest

from casework.errors import CallerError
from tests.feed.bank import DAY, Bank, arrears, loan


def test_the_first_feed_opens_one_case_for_each_loan_in_arrears(bank: Bank) -> None:
    run = bank.send(DAY, [arrears(1), arrears(2, 40)], loans=[loan(1), loan(2), loan(3)])
    assert run.status == "applied"
    assert run.figures["cases_opened"] == run.figures["opened"] == 2
    assert [case.bucket for case in (bank.case(1), bank.case(2))] == ["M1", "M2"]
    assert bank.cases(3) == []
    bank.assert_sound()
