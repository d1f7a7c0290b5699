"""Who works on a case, given out each morning: by rule, territory and load; one debtor one caller; owners stay."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from casework.clock import now
from casework.errors import CallerError
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done
from casework.operation.distributing import distribute as carry_out
from casework.operation.sweeping import sweep
from casework.people.shifts.answering import Answer
from casework.people.shifts.entering import ShiftGiven, enter_shifts
from casework.people.staff import register
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.commands import Assign
from casework.work.cases.distribution import Distribution, plan
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import at, day

PEOPLE = {
    "P1": ("phone_collector", "R1", 2), "P2": ("phone_collector", "R2", 9), "O1": ("operations_collector", "R1", 9),
    "B9": ("basic_risk_manager", None, 9),
}  # fmt: skip
BOOKS = [
    loan(1), loan(2, borrower_id="B1", region="R2"), loan(3, region="R2"), loan(4, product="haihua"), loan(5),
]  # fmt: skip
SNAPSHOT = [arrears(1), arrears(2), arrears(3), arrears(4), arrears(5, 31)]
MANAGER = Actor("B9", "staff", "cli", frozenset({"basic_risk_manager"}))


@pytest.fixture
def house(bank_after: BankAfter) -> Iterator[Bank]:
    """Loans 1 and 2 are one debtor's, in two regions; 4 is Haihua, 5 past M1; the rep S1 owns all but Haihua's."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    branch = bank.started.branch
    with writing(bank.started.engine) as conn:
        trail = branch.trail(now())
        for staff_no, (post, region, capacity) in PEOPLE.items():
            register.add(
                conn, trail, system("cli"), branch.rulebook.permissions, staff_no=staff_no, name="某员工",
                posts=(post,), region=region, capacity=capacity,
            )  # fmt: skip
        trail.write(conn)
    bank.send(DAY, SNAPSHOT, loans=BOOKS)


def planned(bank: Bank, on: date = DAY) -> Distribution:
    with reading(bank.started.engine, snapshot=True) as conn:
        return plan(conn, bank.started.branch, on)


def distribute(bank: Bank, on: date = DAY) -> int:
    """How many moved."""
    made = planned(bank, on)
    with writing(bank.started.engine) as conn:
        outcomes = advance(conn, list(made.commands(system("cli"))), bank.started.branch)
    assert all(isinstance(one, Done) for one in outcomes), outcomes
    return len(made.moves)


def handlers(bank: Bank) -> dict[str, tuple[str, str]]:
    found = {f"L{number}": bank.case(number) for number in range(1, 6)}
    return {loan_id: (case.owner, case.handler) for loan_id, case in found.items()}


def give(bank: Bank, number: int, handler: str) -> Any:
    case = bank.case(number)
    command = Assign(actor=MANAGER, id=case.id, owner=case.owner, handler=handler, reason="workload")
    with writing(bank.started.engine) as conn:
        return advance(conn, [command], bank.started.branch)[0]


def test_in_m1_the_phone_post_calls_near_the_debtor_and_the_owner_stays_the_owner(house: Bank) -> None:
    """Haihua is phoned by operations; who is past M1 is worked by the owner; a debtor has one caller."""
    distribute(house)
    assert handlers(house) == {
        "L1": ("S1", "P1"), "L2": ("S1", "P1"), "L3": ("S1", "P2"), "L4": ("O1", "O1"), "L5": ("S1", "S1"),
    }  # fmt: skip
    assert house.story(house.case(1).id)[-1] == "case.assigned"


def test_the_next_morning_moves_nobody_again_and_a_case_past_m1_goes_back_to_its_owner(house: Bank) -> None:
    distribute(house)
    assert distribute(house) == 0
    house.send(day(1), [arrears(1), arrears(2), arrears(3, 31), arrears(4), arrears(5, 32)])
    assert [(move.case.loan_id, move.handler, move.post) for move in planned(house, day(1)).moves] == [
        ("L3", "S1", None)
    ]


def test_the_same_cases_register_and_rules_give_the_same_people(house: Bank) -> None:
    more = range(6, 12)
    house.send(day(1), [*SNAPSHOT, *(arrears(one) for one in more)], loans=[*BOOKS, *(loan(one) for one in more)])
    first, second = planned(house, day(1)), planned(house, day(1))
    assert first.moves == second.moves != []
    assert (first.after, first.unplaced) == (second.after, second.unplaced)


def test_what_a_manager_moved_by_hand_stays_and_takes_the_debtors_other_cases_along(house: Bank) -> None:
    distribute(house)
    assert isinstance(give(house, 1, "P2"), Done)
    made = planned(house)
    assert made.by_hand == [house.case(1).id]
    distribute(house)
    assert handlers(house)["L1"] == ("S1", "P2")
    assert distribute(house) == 0


def test_a_manager_who_gives_a_case_back_to_its_owner_by_hand_is_not_overruled_the_next_morning(house: Bank) -> None:
    """Who is given a case to own is not thereby named to phone it: the phone post does."""
    distribute(house)
    assert isinstance(give(house, 3, "S1"), Done)
    assert handlers(house)["L3"] == ("S1", "S1")
    made = planned(house)
    assert (made.by_hand, made.moves) == ([house.case(3).id], [])
    owned = Assign(actor=MANAGER, id=house.case(3).id, owner="P1", reason="workload", keep_capacity=False)
    with writing(house.started.engine) as conn:
        assert isinstance(advance(conn, [owned], house.started.branch)[0], Done)
    assert planned(house).by_hand == []


def test_a_post_whose_people_may_have_nothing_gets_nothing_and_it_is_said(house: Bank) -> None:
    branch = house.started.branch
    with writing(house.started.engine) as conn:
        trail = branch.trail(now())
        for staff_no in ("P1", "P2"):
            register.change(conn, trail, system("cli"), staff_no=staff_no, figures={"capacity": 0})
        trail.write(conn)
    made = planned(house)
    assert {(one.post, one.code) for one in made.unplaced} == {("phone_collector", "no_capacity")}
    assert [move.case.loan_id for move in made.moves] == []


def test_where_everybody_is_full_the_owner_goes_on_and_it_is_said(house: Bank) -> None:
    """P1 may have two cases, P2 nine, and thirteen debtors are in M1."""
    more = range(6, 16)
    house.send(day(1), [*SNAPSHOT, *(arrears(one) for one in more)], loans=[*BOOKS, *(loan(one) for one in more)])
    made = planned(house, day(1))
    assert {who: made.after[who] for who in ("P1", "P2", "O1")} == {"P1": 2, "P2": 9, "O1": 1}
    assert {one.code for one in made.unplaced} == {"all_full"}
    assert len(made.unplaced) == 13 - 11
    distribute(house, day(1))
    assert {house.case(one.case.loan_id).handler for one in made.unplaced} == {"S1"}


def test_who_is_off_by_the_roster_gets_a_case_only_where_nobody_else_has_room_and_it_is_said_who_answers(
    house: Bank,
) -> None:
    """P1 of region R1 is off: region R2's P2, who is there, comes first; what P1 has already stays with them."""
    distribute(house)
    branch = house.started.branch
    with writing(house.started.engine) as conn:
        trail = branch.trail(now())
        enter_shifts(
            conn, trail, system("cli"), branch.rulebook.shifts, [ShiftGiven(day(1), "P1", "rest", "B9")], closed=None
        )
        trail.write(conn)
    house.send(day(1), [*SNAPSHOT, arrears(6)], loans=[*BOOKS, loan(6)])
    made = planned(house, day(1))
    assert [(move.case.loan_id, move.handler) for move in made.moves] == [("L6", "P2")]
    assert made.answers == {"P1": Answer("B9", "stand_in")}


def test_a_morning_after_tomorrow_is_only_tried(house: Bank) -> None:
    engine, branch = house.started.engine, house.started.branch
    ahead = branch.today(now()) + timedelta(days=2)
    assert carry_out(engine, branch, ahead, actor=MANAGER, dry_run=True).cases
    before = handlers(house)
    with pytest.raises(CallerError, match="after tomorrow") as refused:
        carry_out(engine, branch, ahead, actor=MANAGER)
    assert (refused.value.code, handlers(house)) == ("day_to_come", before)


def test_a_morning_that_is_over_is_only_tried(house: Bank) -> None:
    """Over is a day before the last that was closed; the morning after the last close is given out whenever that is."""
    engine, branch = house.started.engine, house.started.branch
    house.send(day(1), SNAPSHOT)
    sweep(engine, branch, DAY, clock=at(day(1)))
    sweep(engine, branch, day(1), clock=at(day(2)))
    assert carry_out(engine, branch, DAY, actor=MANAGER, dry_run=True).moves
    before = handlers(house)
    with pytest.raises(CallerError, match="can only be tried") as refused:
        carry_out(engine, branch, DAY, actor=MANAGER)
    assert (refused.value.code, refused.value.facts["closed"], handlers(house)) == (
        "day_given_out",
        str(day(1)),
        before,
    )
    assert carry_out(engine, branch, day(2), actor=MANAGER).moves
