"""Payments: a number counts once, a reversal undoes what was received, and what contradicts that is set aside."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.intake.feed.run import Run
from casework.intake.feed.tables import repayments
from casework.storage.database import reading
from tests.feed.asides import aside_of
from tests.feed.bank import DAY, Bank, Cells, arrears, loan, paid

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
TEN = [loan(number) for number in range(1, 11)]


def steady(*without: int) -> list[dict[str, str]]:
    return [arrears(number) for number in range(1, 11) if number not in without]


def aside(bank: Bank, run: Run) -> list[tuple[str, str]]:
    """What a run set aside of its payments: column and code."""
    with reading(bank.started.engine) as conn:
        return [(row.column, row.code) for row in aside_of(conn, run.id, "repayments")]


def on_books(bank: Bank) -> dict[str, tuple[str, int]]:
    """Payment number → loan and amount."""
    with reading(bank.started.engine) as conn:
        return {row.payment_id: (row.loan_id, row.amount_fen) for row in conn.execute(sa.select(repayments))}


def test_a_payment_that_comes_again_as_it_was_is_ignored(bank: Bank) -> None:
    first = [paid("P1", 1, DAY), paid("P2", 2, DAY)]
    bank.send(DAY, steady(), loans=TEN, repayments=first)
    bank.send(NEXT, steady(), repayments=[paid("R1", 1, NEXT, reverses="P1")])
    run = bank.send(THIRD, steady(), repayments=[*first, paid("R1", 1, NEXT, reverses="P1")])
    assert (run.status, run.figures["set_aside_rows"], len(on_books(bank))) == ("applied", 0, 3)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(paid("P1", 2, DAY), id="another loan"),
        pytest.param(paid("P1", 1, NEXT), id="another day"),
        pytest.param(paid("P1", 1, DAY, "1021.01"), id="another amount"),
        pytest.param(paid("P1", 1, DAY, reverses="P2"), id="a reversal now"),
    ],
)
def test_a_payment_number_that_comes_again_with_other_content_is_set_aside(bank: Bank, other: Cells) -> None:
    bank.send(DAY, steady(), loans=TEN, repayments=[paid("P1", 1, DAY), paid("P2", 1, DAY)])
    before = on_books(bank)
    run = bank.send(NEXT, steady(), repayments=[other])
    assert aside(bank, run) == [("payment_id", "payment_differs")]
    assert on_books(bank) == before


IDLE: list[tuple[str, Sequence[Cells], list[str]]] = [
    ("itself", [paid("S1", 1, THIRD, "5.00", reverses="S1")], ["reversal_of_itself"]),
    ("nothing known", [paid("R1", 1, THIRD, reverses="P99")], ["unknown_payment"]),
    ("another loan's payment", [paid("R1", 1, THIRD, reverses="P2")], ["reversal_of_another_loan"]),
    ("more than was paid", [paid("R1", 1, THIRD, "1021.01", reverses="P1")], ["reversal_amount_differs"]),
    ("less than was paid", [paid("R1", 1, THIRD, "5.00", reverses="P1")], ["reversal_amount_differs"]),
    ("a reversal", [paid("R1", 1, THIRD, reverses="R0")], ["reversal_of_reversal"]),
    ("a payment undone before", [paid("R1", 1, THIRD, reverses="P0")], ["reversed_already"]),
]


@pytest.mark.parametrize(("payments", "codes"), [row[1:] for row in IDLE], ids=[row[0] for row in IDLE])
def test_a_reversal_that_undoes_nothing_is_set_aside_with_its_reason_and_reopens_no_settled_case(
    bank: Bank, payments: Sequence[Cells], codes: list[str]
) -> None:
    bank.send(DAY, steady(), loans=TEN, repayments=[paid("P0", 1, DAY), paid("P2", 2, DAY)])
    undone = [paid("R0", 1, NEXT, reverses="P0"), paid("P1", 1, NEXT)]
    bank.send(NEXT, steady(1), repayments=undone)
    run = bank.send(THIRD, steady(), repayments=payments)
    assert aside(bank, run) == [("reverses", code) for code in codes]
    first, second = bank.cases(1)
    assert (first.state, second.state) == ("settled", "phone_collection")
    bank.assert_sound()


def test_of_two_reversals_of_a_payment_in_one_file_the_right_one_counts_and_reopens_the_case(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), repayments=[paid("P1", 1, NEXT)])
    twice = [
        paid("R1", 1, THIRD, "5.00", reverses="P1"), paid("R2", 1, THIRD, reverses="P1"),
        paid("R3", 1, THIRD, reverses="P1"),
    ]  # fmt: skip
    run = bank.send(THIRD, steady(), repayments=twice)
    assert aside(bank, run) == [("reverses", "reversal_amount_differs"), ("reverses", "reversed_already")]
    (case,) = bank.cases(1)
    assert case.state == "phone_collection"
    bank.assert_sound()


def test_a_file_may_name_a_reversal_before_its_payment(bank: Bank) -> None:
    run = bank.send(DAY, steady(), loans=TEN, repayments=[paid("R1", 1, DAY, reverses="P1"), paid("P1", 1, DAY)])
    assert (aside(bank, run), len(on_books(bank))) == ([], 2)


@pytest.mark.parametrize(("disputed", "refused"), [(10, False), (11, True)])
def test_a_few_disputed_payments_hold_up_no_snapshot_but_numbers_that_begin_anew_do(
    bank: Bank, disputed: int, refused: bool
) -> None:
    numbers = range(1, disputed + 1)
    bank.send(DAY, steady(), loans=TEN, repayments=[paid(f"P{number}", 1, DAY) for number in numbers])
    again = [paid(f"P{number}", 2, NEXT) for number in numbers]
    if refused:
        with pytest.raises(CallerError, match="cannot be used") as told:
            bank.send(NEXT, steady(), repayments=again)
        assert told.value.code == "too_many_set_aside"
    else:
        assert bank.send(NEXT, steady(), repayments=again).figures["set_aside_rows"] == disputed
