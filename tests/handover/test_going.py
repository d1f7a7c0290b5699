"""Whoever hands over today, or has the last day today, gets no cases any more; and the approved plan still applies."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from casework.lifecycle.commands import Done, Refused
from casework.storage.database import reading
from casework.work.cases.commands import Assign
from casework.work.cases.reassign import MoveWanted
from casework.work.cases.reassign import plan as plan_assignment
from casework.work.handover.applying import Applied
from casework.work.handover.replanning import Replanned
from tests.handover.house import House, at
from tests.handover.test_departure import assert_sound

DAY = timedelta(days=1)


def approved(house: House, staff_no: str = "R1", days: int = 0) -> int:
    handover = house.plan(staff_no, on=house.today + days * DAY)
    house.approve(handover)
    return handover


def planned(house: House) -> None:
    house.plan("R1", on=house.today)


def withdrawn(house: House) -> None:
    house.withdraw(approved(house))


@pytest.mark.every_postgres
def test_a_new_case_of_a_leavers_customer_goes_to_the_pool_and_the_approved_plan_applies(house: House) -> None:
    old = house.open("L1", "L2")
    handover = approved(house)
    new = house.open("L3")
    assert house.owners()[new[0]] == ("C1", "C1"), "a leaver's new arrear is the phone post's (1.4.1)"
    applied = house.apply(handover)
    assert isinstance(applied, Applied)
    assert applied.cases == len(old)
    assert_sound(house)


# what is known of the leaver → whether new cases still come
STILL: list[tuple[str, Callable[[House], object], str]] = [
    ("the last day is today", lambda house: house.change("R1", leaves_on=house.today), "C1"),
    ("the last day is tomorrow", lambda house: house.change("R1", leaves_on=house.today + DAY), "R1"),
    ("a departure approved for today", approved, "C1"),
    ("a departure approved for tomorrow", lambda house: approved(house, days=1), "R1"),
    ("a departure that nobody has approved", planned, "R1"),
    ("a departure that was approved and taken back", withdrawn, "R1"),
    ("a colleague's departure", lambda house: approved(house, "R2"), "R1"),
]


@pytest.mark.parametrize(("what", "happens", "owner"), STILL, ids=[row[0] for row in STILL])
def test_new_cases_come_to_a_rep_until_the_day_of_leaving(
    house: House, what: str, happens: Callable[[House], object], owner: str
) -> None:
    house.open("L1")
    happens(house)
    (new,) = house.open("L2")
    assert house.owners()[new][0] == owner, what
    assert_sound(house)


def test_a_leaver_who_holds_the_pools_post_gets_nothing_from_the_pool_nor_by_hand(house: House) -> None:
    house.open("L1", owner=None)
    (given,) = house.open("L2", owner="R1")
    approved(house, "C1")
    (new,) = house.open("L3", owner=None)
    assert house.owners()[new][0] == "C2"
    (refused,) = house.do(Assign(actor=house.who("B1"), id=given, owner="C1", reason="workload"))
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["receiver_leaving"]
    (done,) = house.do(Assign(actor=house.who("B1"), id=given, owner="C2", reason="workload"))
    assert isinstance(done, Done)
    with reading(house.started.engine, snapshot=True) as conn:
        made = plan_assignment(conn, house.started.branch, house.who("B1"), [(new, None)], MoveWanted())
    assert {command.owner for command in made.commands} <= {"C2", "C3"}
    assert_sound(house)


def test_where_nobody_else_is_there_a_new_case_has_the_leaver_rather_than_nobody(house: House) -> None:
    for staff_no in ("C1", "C2", "C3", "P1", "A1", "A2", "B1", "B2"):
        house.change(staff_no, leaves_on=house.today)
    house.change("R1", leaves_on=house.today)
    (new,) = house.open("L1", owner=None)
    assert house.owners()[new][0] == "C1"
    assert_sound(house)


def test_a_case_that_came_before_the_day_still_makes_another_plan(house: House) -> None:
    house.open("L1")
    handover = approved(house, days=1)
    house.open("L2")
    assert house.owners()[2][0] == "R1"
    assert isinstance(house.apply(handover, clock=at(house.today + DAY)), Replanned)
