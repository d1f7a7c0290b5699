"""A compromise is settled by money that the feed brought since the agreement, and by nothing else (5.6)."""

from datetime import date, timedelta
from typing import Any

import pytest

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Mistaken, Record, Refused
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.case import from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases
from casework.work.four_eyes import requests
from tests.feed.bank import DAY, Bank, Cells, arrears, loan, paid

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
DAY_LONG = timedelta(days=1)
FOURTH = DAY + timedelta(days=3)
TEN = [loan(number) for number in range(1, 11)]
STEADY: list[Cells] = [arrears(number) for number in range(1, 11)]
AGREED_FEN = 1_000_000


@pytest.fixture
def keeper(bank: Bank) -> Actor:
    """Asset preservation, and who reviews and approves; ten loans are in arrears."""
    bank.staff("B9", "basic_risk_manager")
    bank.staff("V1", "approver")
    bank.send(DAY, STEADY, loans=TEN)
    return bank.staff("A1", "asset_preservation")


def fact(bank: Bank, who: Actor, kind: str, on: date = DAY, **data: Any) -> Any:
    """What the door says to a fact about the case of loan 1."""
    record = Record(actor=who, id=bank.case(1).id, kind=kind, on=on, evidence="doc:1", data=data)
    with writing(bank.started.engine) as conn:
        return advance(conn, [record], bank.started.branch)[0]


def compromise(bank: Bank, keeper: Actor) -> str | None:
    return decided(bank, keeper, "compromise")


def decided(bank: Bank, keeper: Actor, what: str, **data: Any) -> str | None:
    """Asked, reviewed, approved: the code of what it was refused for, none if it happened."""
    with writing(bank.started.engine) as conn:
        branch, subject = bank.started.branch, f"case:{bank.case(1).id}"
        told = requests.ask(conn, branch, actor=keeper, kind="event", subject=subject, what=what, data=data)
        if isinstance(told, requests.Refused):
            return told.reasons[0].code
        for act, who, post in (
            (requests.review, "B9", "basic_risk_manager"),
            (requests.approve, "V1", "approver"),
        ):
            moved = act(conn, branch, told.request_id, actor=Actor(who, "staff", "cli", frozenset({post})))
            assert isinstance(moved, requests.Moved), moved
    return None


def received_fen(bank: Bank) -> int:
    with reading(bank.started.engine) as conn:
        row = conn.execute(CASE_ROWS.where(cases.c.id == bank.case(1).id)).one()
    return sum(from_row(row).facts.received_fen.values())


@pytest.mark.parametrize(
    ("amounts", "refused_for"),
    [
        pytest.param(["10000.00"], None, id="the agreed sum"),
        pytest.param(["4000.00", "6000.00"], None, id="in two instalments"),
        pytest.param(["9999.99"], "agreed_sum_received", id="a cent short"),
        pytest.param([], "agreed_sum_received", id="nothing paid"),
    ],
)
def test_the_agreed_sum_settles_once_the_feed_has_brought_all_of_it(
    bank: Bank, keeper: Actor, amounts: list[str], refused_for: str | None
) -> None:
    assert isinstance(fact(bank, keeper, "agreement", agreed_fen=AGREED_FEN), Done)
    bank.send(NEXT, STEADY, repayments=[paid(f"P{n}", 1, NEXT, amount) for n, amount in enumerate(amounts)])
    assert compromise(bank, keeper) == refused_for
    assert bank.case(1).state == ("phone_collection" if refused_for else "settled")
    bank.assert_sound()


def test_without_an_agreement_there_is_no_compromise_whatever_was_paid(bank: Bank, keeper: Actor) -> None:
    bank.send(NEXT, STEADY, repayments=[paid("P1", 1, NEXT, "10000.00")])
    assert compromise(bank, keeper) == "agreement_filed"
    assert received_fen(bank) == 0


def test_a_payment_that_somebody_types_is_refused(bank: Bank, keeper: Actor) -> None:
    fact(bank, keeper, "agreement", agreed_fen=1)
    told = fact(bank, keeper, "payment", payment="pay:made-up", amount_fen=1)
    assert isinstance(told, Refused)
    assert (told.forbidden, received_fen(bank)) == (True, 0)


@pytest.mark.parametrize(("agreed_fen", "done"), [(0, False), (1, True)])
def test_an_agreed_sum_is_more_than_nothing(bank: Bank, keeper: Actor, agreed_fen: int, done: bool) -> None:
    told = fact(bank, keeper, "agreement", agreed_fen=agreed_fen)
    assert isinstance(told, Done) is done
    if isinstance(told, Mistaken):
        (fault,) = told.faults
        assert (fault.field, fault.code, fault.zh) == ("agreed_fen", "out_of_range", "协议金额须大于零")


def test_what_was_paid_before_the_agreement_or_on_another_loan_does_not_count(bank: Bank, keeper: Actor) -> None:
    bank.send(NEXT, STEADY, repayments=[paid("P0", 1, DAY, "10000.00")])
    fact(bank, keeper, "agreement", NEXT, agreed_fen=AGREED_FEN)
    bank.send(THIRD, STEADY, repayments=[paid("P1", 2, THIRD, "10000.00"), paid("P2", 1, DAY, "10000.00")])
    assert received_fen(bank) == 0
    bank.assert_sound()


@pytest.mark.parametrize("days", [-1, 0])
def test_an_agreement_from_before_the_case_is_refused_so_that_old_instalments_do_not_pay_it(
    bank: Bank, keeper: Actor, days: int
) -> None:
    on = DAY + timedelta(days=days)
    told = fact(bank, keeper, "agreement", on, agreed_fen=1)
    bank.send(NEXT, STEADY, repayments=[paid("P0", 1, on, "100.00")])
    if days < 0:
        assert isinstance(told, Refused)
        assert [reason.code for reason in told.reasons] == ["dated_since_opening"]
    assert (received_fen(bank), compromise(bank, keeper)) == ((0, "agreement_filed") if days < 0 else (10_000, None))
    bank.assert_sound()


def test_an_agreement_that_is_entered_after_its_payment_came_counts_it_with_the_next_feed(
    bank: Bank, keeper: Actor
) -> None:
    bank.send(NEXT, STEADY, repayments=[paid("P1", 1, NEXT, "10000.00")])
    fact(bank, keeper, "agreement", NEXT, agreed_fen=AGREED_FEN)
    assert compromise(bank, keeper) == "agreed_sum_received"
    bank.send(THIRD, STEADY)
    assert received_fen(bank) == AGREED_FEN
    assert bank.story(bank.case(1).id).count("case.fact.payment") == 1
    bank.send(FOURTH, STEADY)
    assert bank.story(bank.case(1).id).count("case.fact.payment") == 1, "it counts once"
    assert compromise(bank, keeper) is None
    bank.assert_sound()


def test_a_payment_that_a_correction_of_an_older_day_brings_counts_with_the_next_feed(
    bank: Bank, keeper: Actor
) -> None:
    fact(bank, keeper, "agreement", agreed_fen=AGREED_FEN)
    bank.send(NEXT, STEADY)
    bank.send(THIRD, STEADY)
    bank.send(NEXT, STEADY, repayments=[paid("P1", 1, NEXT, "10000.00")], correction=True)
    bank.send(FOURTH, STEADY)
    assert received_fen(bank) == AGREED_FEN
    bank.assert_sound()


def test_a_payment_that_bounces_before_the_settlement_counts_no_more(bank: Bank, keeper: Actor) -> None:
    fact(bank, keeper, "agreement", agreed_fen=AGREED_FEN)
    bank.send(NEXT, STEADY, repayments=[paid("P1", 1, NEXT, "10000.00"), paid("P2", 1, NEXT, "1.00")])
    bank.send(THIRD, STEADY, repayments=[paid("P3", 1, THIRD, "10000.00", reverses="P1")])
    assert received_fen(bank) == 100
    assert compromise(bank, keeper) == "agreed_sum_received"
    bank.send(FOURTH, STEADY, repayments=[paid("P4", 1, FOURTH, "9999.00")])
    assert compromise(bank, keeper) is None
    bank.assert_sound()


def test_a_payment_that_comes_and_bounces_in_one_feed_never_counts(bank: Bank, keeper: Actor) -> None:
    fact(bank, keeper, "agreement", agreed_fen=AGREED_FEN)
    both = [paid("P1", 1, NEXT, "10000.00"), paid("P2", 1, NEXT, "10000.00", reverses="P1")]
    bank.send(NEXT, STEADY, repayments=both)
    assert received_fen(bank) == 0
    assert "case.fact.payment" not in bank.story(bank.case(1).id)


def test_a_compromise_whose_payment_bounces_is_open_again_with_the_figures_of_the_day(
    bank: Bank, keeper: Actor
) -> None:
    fact(bank, keeper, "agreement", agreed_fen=AGREED_FEN)
    bank.send(NEXT, STEADY, repayments=[paid("P1", 1, NEXT, "10000.00")])
    assert compromise(bank, keeper) is None
    bank.send(THIRD, [arrears(1, overdue_interest="33.00"), *STEADY[1:]])
    assert bank.case(1).state == "settled"
    run = bank.send(
        FOURTH, [arrears(1, overdue_interest="33.00"), *STEADY[1:]],
        repayments=[paid("P2", 1, FOURTH, "10000.00", reverses="P1")],
    )  # fmt: skip
    (case,) = bank.cases(1)
    assert (case.state, case.overdue_interest_fen, run.figures["cases_reopened"]) == ("phone_collection", 3_300, 1)
    assert compromise(bank, keeper) == "agreed_sum_received"
    bank.assert_sound()


def test_a_claim_written_off_that_a_compromise_settled_is_written_off_again_when_the_payment_bounces(
    bank: Bank, keeper: Actor
) -> None:
    """The same money is a recovery and counts towards the agreement; neither once it is undone."""
    books = {"criterion": "death", "evidence": "doc:1", "principal_fen": 5_000_000, "interest_fen": 2_100}
    assert decided(bank, keeper, "write_off", **books) is None
    fact(bank, keeper, "agreement", agreed_fen=AGREED_FEN)
    bank.send(NEXT, STEADY, repayments=[paid("P1", 1, NEXT, "10000.00")])
    assert compromise(bank, keeper) is None
    bank.send(THIRD, STEADY)
    assert bank.case(1).state == "settled"
    bank.send(FOURTH, STEADY, repayments=[paid("P2", 1, FOURTH, "10000.00", reverses="P1")])
    (case,) = bank.cases(1)
    assert (case.state, received_fen(bank)) == ("written_off", 0)
    assert bank.story(case.id).count("case.step.recovery_reversed") == 1
    assert compromise(bank, keeper) == "agreed_sum_received"
    bank.assert_sound()


def test_a_case_that_cleared_its_arrears_did_not_rest_on_what_counted_towards_its_agreement(
    bank: Bank, keeper: Actor
) -> None:
    """The bounce of an instalment alone opens nothing (twin: once the loan is back, its case goes on without it)."""
    fact(bank, keeper, "agreement", agreed_fen=AGREED_FEN)
    bank.send(NEXT, STEADY, repayments=[paid("P1", 1, NEXT, "5000.00")])
    bank.send(THIRD, STEADY[1:], repayments=[paid("P2", 1, THIRD, "1021.00")])
    undone = [paid("P3", 1, FOURTH, "5000.00", reverses="P1")]
    bank.send(FOURTH, STEADY[1:], repayments=undone)
    assert (bank.case(1).state, bank.story(bank.case(1).id)[-1]) == ("settled", "case.step.arrears_cleared")
    later = FOURTH + DAY_LONG
    bank.send(later, STEADY, repayments=[paid("P4", 1, later, "1021.00", reverses="P2")])
    bank.send(later + DAY_LONG, STEADY)
    (case,) = bank.cases(1)
    assert (case.state, received_fen(bank)) == ("phone_collection", 0)
    bank.assert_sound()


def test_a_compromise_stays_settled_when_a_payment_of_before_the_agreement_bounces(bank: Bank, keeper: Actor) -> None:
    bank.send(NEXT, STEADY, repayments=[paid("P0", 1, DAY, "5.00"), paid("P1", 1, NEXT, "10000.00")])
    fact(bank, keeper, "agreement", NEXT, agreed_fen=AGREED_FEN)
    bank.send(THIRD, STEADY)
    assert compromise(bank, keeper) is None
    bank.send(FOURTH, STEADY, repayments=[paid("P2", 1, FOURTH, "5.00", reverses="P0")])
    assert bank.case(1).state == "settled"
    bank.assert_sound()
