"""How a suit ends (5.6): by which rulings, of which suit; what is sued for or written off is what the books show."""

from typing import Any

import pytest

from casework.rules.statechart.decide import Step, unmet
from casework.work.cases.case import Case
from casework.work.cases.situation import CaseSituation
from tests.cases.journeys import in_state, perform, stepped
from tests.cases.worlds import CHART, POLICY, dpd, fire, reasons, record

WITHDRAW: tuple[str, dict[str, Any]] = ("withdraw", {"reason": "agreement"})
END: tuple[str, dict[str, Any]] = ("end_unrecovered", {"reason": "no_assets"})


def ruled(case: Case, *outcomes: str, on: int = 50) -> None:
    for outcome in outcomes:
        record(case, "ruling", dpd(on), outcome=outcome)


# rulings since the suit → why it cannot be withdrawn, why it has not ended unrecovered (nothing: it happens)
RULINGS: list[tuple[list[str], list[str], list[str]]] = [
    ([], ["ruling_on_record"], ["ruling_on_record"]),
    (["withdrawal_allowed"], [], ["ruling_on_record"]),
    (["judgment"], ["ruling_on_record", "no_judgment"], ["ruling_on_record"]),
    (["withdrawal_allowed", "judgment"], ["no_judgment"], ["ruling_on_record"]),
    (["judgment", "withdrawal_allowed"], ["no_judgment"], ["ruling_on_record"]),
    (["dismissed"], ["ruling_on_record"], []),
    (["judgment", "enforcement_suspended"], ["ruling_on_record", "no_judgment"], []),
    (["judgment", "enforcement_ended"], ["ruling_on_record", "no_judgment"], []),
]


@pytest.mark.parametrize(("rulings", "not_withdrawn", "not_ended"), RULINGS)
def test_a_suit_ends_by_the_ruling_that_ends_it_and_is_withdrawn_before_judgment_only(
    rulings: list[str], not_withdrawn: list[str], not_ended: list[str]
) -> None:
    for (event, data), expected in ((WITHDRAW, not_withdrawn), (END, not_ended)):
        case = in_state("litigation")
        ruled(case, *rulings)
        assert reasons(fire(case, event, dpd(60), **data)) == expected
        assert (case.state == "litigation") is bool(expected)


def test_the_judgment_of_one_suit_does_not_bind_the_next() -> None:
    case = in_state("litigation")
    ruled(case, "judgment", "dismissed")
    stepped(case, END[0], dpd(60), **END[1])
    perform(case, "sue", dpd(70))
    assert reasons(fire(case, END[0], dpd(80), **END[1])) == ["ruling_on_record"], (
        "the dismissal was of the suit before"
    )
    ruled(case, "withdrawal_allowed", on=80)
    assert isinstance(fire(case, WITHDRAW[0], dpd(81), **WITHDRAW[1]), Step)


def test_a_ruling_of_the_suit_before_is_refused_for_the_next_though_it_is_entered_later() -> None:
    case = in_state("litigation")
    ruled(case, "dismissed")
    stepped(case, END[0], dpd(60), **END[1])
    perform(case, "sue", dpd(70))
    late = CaseSituation(case, dpd(80), POLICY, "A1", {"outcome": "dismissed"}, on=dpd(55))
    assert [reason.code for reason in unmet(CHART.facts["ruling"].guards, late)] == ["dated_since_suit"]
    of_this_suit = CaseSituation(case, dpd(80), POLICY, "A1", {"outcome": "dismissed"}, on=dpd(70))
    assert unmet(CHART.facts["ruling"].guards, of_this_suit) == ()


def test_a_judgment_still_stands_when_a_bounced_payment_brings_the_case_back_to_litigation() -> None:
    case = in_state("litigation")
    ruled(case, "judgment")
    perform(case, "arrears_cleared", dpd(60))
    perform(case, "reverse_payment", dpd(61))
    assert case.state == "litigation"
    ruled(case, "withdrawal_allowed", on=62)
    assert reasons(fire(case, WITHDRAW[0], dpd(63), **WITHDRAW[1])) == ["no_judgment"]


@pytest.mark.parametrize(("ends_on", "today"), [(40, 40), (40, 41), (40, 400)])
def test_a_suit_is_possible_before_and_after_limitation_ends_once_somebody_has_looked(ends_on: int, today: int) -> None:
    case = in_state("phone_collection")
    record(case, "disposal_form", dpd(35))
    assert reasons(fire(case, "sue", dpd(today), claim_fen=100)) == ["limitation_checked"]
    record(case, "limitation_check", dpd(35), ends_on=dpd(ends_on).isoformat())
    assert reasons(fire(case, "sue", dpd(today), claim_fen=100)) == []


# days past due, criterion, principal and interest asked for → the reasons; the books: 3,000,000 and 2,100 fen
WRITE_OFFS: list[tuple[int, str, int, int, list[str]]] = [
    (5, "other", 400_000_000, 0, ["fit_to_write_off", "whole_principal"]),
    (5, "other", 1, 0, ["fit_to_write_off", "whole_principal"]),
    (5, "other", 3_000_000, 2_100, ["fit_to_write_off"]),
    (5, "death", 3_000_000, 2_100, []),
    (5, "bankruptcy", 3_000_000, 0, []),
    (5, "fraud", 3_000_000, 2_101, ["interest_within_books"]),
    (90, "long_overdue", 3_000_000, 0, ["fit_to_write_off"]),
    (91, "long_overdue", 3_000_000, 0, []),
    (91, "long_overdue", 0, 2_100, ["whole_principal"]),
]


@pytest.mark.parametrize(("days", "criterion", "principal_fen", "interest_fen", "expected"), WRITE_OFFS)
def test_what_is_written_off_is_the_whole_principal_of_a_loan_that_may_be(
    days: int, criterion: str, principal_fen: int, interest_fen: int, expected: list[str]
) -> None:
    case = in_state("phone_collection")
    data: dict[str, Any] = {
        "criterion": criterion,
        "evidence": "doc:1",
        "principal_fen": principal_fen,
        "interest_fen": interest_fen,
    }
    assert reasons(fire(case, "write_off", dpd(days), **data)) == expected
    assert (case.state == "written_off") is not bool(expected)
