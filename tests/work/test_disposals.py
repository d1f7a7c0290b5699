"""Judicial disposal forms: drawn up with what the case knows, reviewed by another; no suit without one accepted."""

from collections.abc import Iterator
from typing import Any

import pytest

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Outcome, Refused
from casework.lifecycle.listing import every
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.lifecycles import DISPOSALS
from casework.work.disposals import Disposal
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import at, day
from tests.work.test_visits import case_of, codes, rep

BOOKS = [loan(1, owner_staff_no="V1"), loan(2, owner_staff_no="V1")]
V1, A1, A2 = rep("V1"), rep("A1", "asset_preservation"), rep("A2", "asset_preservation")
FORM: dict[str, Any] = {
    "proposal": "suit", "contract_no": "HT-2024-001", "overdue_since": day(-5).isoformat(), "principal_fen": 100_000,
    "interest_fen": 2_000, "penalty_fen": 100, "security": "none", "has_contract": True, "has_disbursement": True,
    "has_statement": True, "has_demand": False, "service_address": "文三路1号", "service_agreed": True,
    "jurisdiction": "lender_seat", "limitation_ends_on": day(900).isoformat(), "calls": 6, "visits": 0,
    "promises_broken": 0, "assets": "车辆",
}  # fmt: skip


@pytest.fixture
def owed(bank_after: BankAfter) -> Iterator[Bank]:
    """Two debtors of a rep; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("V1", "business_rep")
    bank.staff("A1", "asset_preservation")
    bank.send(DAY, [arrears(number) for number in (1, 2)], loans=BOOKS)


def do(bank: Bank, command: Any) -> Outcome:
    with writing(bank.started.engine) as conn:
        return advance(conn, [command], bank.started.branch, clock=at(day(0)))[0]


def draw_up(bank: Bank, number: int = 1, actor: Actor = V1, **more: Any) -> Outcome:
    data = {name: value for name, value in {**FORM, **more}.items() if value is not None}
    return do(bank, Open(actor=actor, noun="disposal", ground="drawn_up", of=bank.case(number).id, data=data))


def fire(bank: Bank, event: str, actor: Actor = V1, number: int = 1, **data: Any) -> Outcome:
    return do(bank, Fire(actor=actor, noun="disposal", id=number, event=event, data=data))


def why_not_sued(bank: Bank) -> set[str]:
    sued = do(bank, Fire(actor=A1, id=bank.case(1).id, event="sue", data={"claim_fen": 1}))
    assert isinstance(sued, Refused)
    return {one.code for one in sued.reasons}


def forms(bank: Bank) -> list[Disposal]:
    with reading(bank.started.engine) as conn:
        return every(conn, DISPOSALS, live_only=False)


def test_a_form_is_filed_returned_corrected_and_accepted_by_another_and_only_then_carries_a_suit(owed: Bank) -> None:
    assert isinstance(draw_up(owed), Done)
    assert (case_of(owed).facts.disposal_form_on, case_of(owed).facts.disposal_form) == (day(0), "filed")
    assert "disposal_form_filed" in why_not_sued(owed)
    assert codes(fire(owed, "accept")) == {"post_not_permitted"}
    assert isinstance(fire(owed, "send_back", A1, reason="limitation"), Done)
    assert "disposal_form_filed" in why_not_sued(owed)
    again = day(800).isoformat()
    assert isinstance(fire(owed, "correct", limitation_ends_on=again, proposal="payment_order"), Done)
    assert isinstance(fire(owed, "accept", A1), Done)
    (one,) = forms(owed)
    assert (one.state, one.proposal, one.limitation_ends_on, one.reviewed_by, one.has_demand) == (
        "accepted", "payment_order", day(800), "A1", False,
    )  # fmt: skip
    assert case_of(owed).facts.disposal_form == "accepted"
    assert "disposal_form_filed" not in why_not_sued(owed)


def test_a_form_that_is_withdrawn_is_none(owed: Bank) -> None:
    draw_up(owed)
    assert isinstance(fire(owed, "withdraw", reason="paid"), Done)
    assert (case_of(owed).facts.disposal_form_on, case_of(owed).facts.disposal_form) == (None, None)
    assert isinstance(draw_up(owed), Done)


def test_who_drew_it_up_does_not_review_it_and_a_case_has_one_at_a_time(owed: Bank) -> None:
    draw_up(owed, actor=A1)
    assert codes(fire(owed, "accept", A1)) == {"by_another"}
    assert codes(draw_up(owed)) == {"no_form_under_way"}
    assert isinstance(fire(owed, "accept", A2), Done)


# (what is wrong, changes to the form, the reasons or faulty fields)
BAD: list[tuple[str, dict[str, Any], set[str]]] = [
    ("more than is owed", {"interest_fen": 10**9}, {"owed_as_the_books_say"}),
    ("no address for service", {"service_address": None}, {"service_address"}),
    ("no end of limitation", {"limitation_ends_on": None}, {"limitation_ends_on"}),
    ("overdue from tomorrow", {"overdue_since": day(900).isoformat()}, {"overdue_since"}),
    ("a proposal that is none", {"proposal": "wait"}, {"proposal"}),
    ("an amount in yuan", {"principal_fen": 1000.5}, {"principal_fen"}),
]  # fmt: skip


def test_a_form_with_a_fault_says_which_field_and_is_not_filed(owed: Bank) -> None:
    for what, changes, wanted in BAD:
        outcome = draw_up(owed, **changes)
        told = {one.field for one in outcome.faults} if isinstance(outcome, Mistaken) else codes(outcome)
        assert told == wanted, what
    assert forms(owed) == []


def test_a_form_of_a_case_that_is_over_is_neither_corrected_nor_accepted_only_withdrawn(owed: Bank) -> None:
    draw_up(owed)
    owed.send(DAY.replace(day=DAY.day + 1), [arrears(2)], confirm=True)
    assert case_of(owed).state == "settled"
    assert codes(fire(owed, "accept", A1)) == {"case_may_be_disposed"}
    assert isinstance(fire(owed, "withdraw", reason="paid"), Done)
