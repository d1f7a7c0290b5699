"""At-risk flags: of a customer, whose cases go to asset preservation with owner and handler, until it is lifted."""

from collections.abc import Iterator
from typing import Any

import pytest

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Outcome, Refused
from casework.lifecycle.listing import every
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.case import Facts, from_row
from casework.work.cases.commands import Assign
from casework.work.cases.distribution import plan
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.risks import RISKS
from casework.work.cases.tables import cases
from casework.work.risks import RiskFlag
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import day

# Loans 1 and 2 are one customer's; loan 3 is not in arrears yet, and theirs too; loan 4 is another's.
BOOKS = [loan(1), loan(2, borrower_id="B1"), loan(3, borrower_id="B1"), loan(4)]
STEADY = [arrears(number) for number in (1, 2, 4)]


@pytest.fixture
def house(bank_after: BankAfter) -> Iterator[Bank]:
    """Two people of asset preservation; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    for staff_no, post in (("B9", "basic_risk_manager"), ("A1", "asset_preservation"), ("A2", "asset_preservation"),
                           ("P1", "phone_collector")):  # fmt: skip
        bank.staff(staff_no, post)
    bank.send(DAY, STEADY, loans=BOOKS)


def actor(staff_no: str) -> Actor:
    post = {"B": "basic_risk_manager", "A": "asset_preservation", "P": "phone_collector"}[staff_no[0]]
    return Actor(staff_no, "staff", "api", frozenset({post}), "T1", "R1")


def do(bank: Bank, *commands: Any) -> list[Outcome]:
    with writing(bank.started.engine) as conn:
        return advance(conn, list(commands), bank.started.branch)


def flag(bank: Bank, loan_id: str = "L1", by: str = "B9", **changes: Any) -> Outcome:
    data = {"loan_id": loan_id, "ground": "income_lost", "noticed_on": DAY.isoformat()} | changes
    return do(bank, Open(actor=actor(by), noun="risk", ground="flagged", data=data))[0]


def lift(bank: Bank, number: int, by: str = "A1", **changes: Any) -> Outcome:
    data = {"reason": "recovered"} | changes
    return do(bank, Fire(actor=actor(by), id=number, event="lift", noun="risk", data=data))[0]


def flags(bank: Bank) -> list[RiskFlag]:
    with reading(bank.started.engine) as conn:
        return every(conn, RISKS, live_only=False)


def hands(bank: Bank) -> dict[str, tuple[str, str]]:
    found = {f"L{number}": bank.case(number) for number in (1, 2, 4)}
    return {loan_id: (case.owner, case.handler) for loan_id, case in found.items()}


def on_case(bank: Bank, number: int) -> Facts:
    with reading(bank.started.engine) as conn:
        row = conn.execute(CASE_ROWS.where(cases.c.id == bank.case(number).id)).one()
    facts: Facts = from_row(row).facts
    return facts


def test_a_flag_moves_owner_and_handler_of_every_live_case_of_the_customer_to_one_of_asset_preservation(
    house: Bank,
) -> None:
    """The entry says by which rule; nobody else's cases move."""
    assert isinstance(flag(house), Done)
    assert hands(house) == {"L1": ("A1", "A1"), "L2": ("A1", "A1"), "L4": ("S1", "S1")}
    case = house.case(1)
    assert (on_case(house, 1).at_risk, on_case(house, 1).named) == ("income_lost", "S1")
    assert house.story(case.id) == ["case.opened", "case.fact.at_risk", "case.assigned"]
    assigned = house.bodies(f"case:{case.id}")[-1]["data"]
    assert (assigned["rule"], assigned["owner_post"], assigned["reason"]) == (
        "at_risk", "asset_preservation", "by_rule",
    )  # fmt: skip
    (only,) = flags(house)
    assert (only.opened_by, only.noticed_on, only.ground) == ("B9", DAY, "income_lost")


def test_while_it_is_in_force_distribution_leaves_the_cases_with_asset_preservation(house: Bank) -> None:
    """Without it the phone-collection post would call in M1."""
    with reading(house.started.engine) as conn:
        assert {move.case.loan_id for move in plan(conn, house.started.branch, DAY).moves} == {"L1", "L2", "L4"}
    flag(house)
    with reading(house.started.engine) as conn:
        assert [move.case.loan_id for move in plan(conn, house.started.branch, DAY).moves] == ["L4"]


def test_who_handles_a_case_that_asset_preservation_owns_already_gives_it_up(house: Bank) -> None:
    given = Assign(actor=system("cli"), id=house.case(1).id, owner="A2", handler="P1", reason="skills")
    assert isinstance(do(house, given)[0], Done)
    flag(house)
    assert hands(house) == {"L1": ("A2", "A2"), "L2": ("A2", "A2"), "L4": ("S1", "S1")}


def test_a_case_that_opens_of_a_customer_at_risk_goes_there_at_once(house: Bank) -> None:
    flag(house)
    house.send(day(1), [*STEADY, arrears(3, on=day(1))])
    case = house.case(3)
    assert (case.owner, case.handler) == ("A1", "A1")
    assert house.story(case.id) == ["case.opened", "case.fact.at_risk", "case.assigned"]


def test_lifted_with_its_reason_the_cases_go_back_by_rule(house: Bank) -> None:
    flag(house)
    (only,) = flags(house)
    assert isinstance(lift(house, only.id), Done)
    assert hands(house) == {f"L{number}": ("S1", "S1") for number in (1, 2, 4)}
    assert on_case(house, 1).at_risk is None
    (only,) = flags(house)
    assert (only.state, only.lifted_on) == ("lifted", DAY)
    assert isinstance(flag(house, ground="illness"), Done), "flagged again"


@pytest.mark.parametrize(
    ("by", "changes", "code"),
    [
        ("P1", {}, "post"), ("A1", {"reason": "tired_of_it"}, "faulty_data"), ("A1", {"reason": None}, "faulty_data"),
    ],
)  # fmt: skip
def test_who_may_not_or_gives_no_reason_lifts_nothing(
    house: Bank, by: str, changes: dict[str, Any], code: str
) -> None:  # fmt: skip
    flag(house)
    (only,) = flags(house)
    assert code in str(_codes(lift(house, only.id, by, **changes)))
    assert hands(house)["L1"] == ("A1", "A1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"loan_id": "L2"}, "not_flagged_yet"), ({"loan_id": "L99"}, "unknown_loan"),
        ({"loan_id": "L4", "ground": "bad_luck"}, "faulty_data"),
        ({"loan_id": "L4", "noticed_on": "2999-01-01"}, "faulty_data"),
    ],
)  # fmt: skip
def test_a_flag_with_a_fault_or_a_second_one_of_a_customer_is_none(
    house: Bank, changes: dict[str, Any], code: str
) -> None:
    flag(house)
    assert _codes(flag(house, **changes)) == [code]
    assert len(flags(house)) == 1


def _codes(outcome: Outcome) -> list[str]:
    if isinstance(outcome, Mistaken):
        return [outcome.code]
    assert isinstance(outcome, Refused)
    return [reason.code for reason in outcome.reasons]
