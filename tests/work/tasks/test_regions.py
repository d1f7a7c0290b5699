"""A post's list, seen and begun by holders of two regions: each has the cases that they reach, and no others."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from casework.work.tasks.own import list_of, tasks_of
from casework.work.tasks.pulling import take_next
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.tasks.test_lists import close, listed
from tests.work.test_promises import at, day

POST = "post_loan_officer"
LOANS = {"R1": ["L1", "L3"], "R2": ["L2", "L4"]}


@pytest.fixture
def two_regions(bank_after: BankAfter) -> Iterator[Bank]:
    """Four large cases of a collector, two in each region; their visits are owed by the post. The lists are made."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("B9", "basic_risk_manager")
    bank.staff("S1", "phone_collector")
    for region in LOANS:
        bank.staff(f"P{region}", POST, region=region)
    books = [loan(int(one[1:]), region=region, team="") for region, loans in LOANS.items() for one in loans]
    bank.send(DAY, [arrears(number, 28) for number in (1, 2, 3, 4)], loans=books)
    close(bank, 0)
    listed(bank, 1)


def officer(region: str | None) -> Actor:
    return replace(Actor(f"P{region}", "staff", "cli", frozenset({POST})), region=region)


@pytest.mark.parametrize(("region", "theirs"), [*LOANS.items(), ("R3", []), (None, [])])
def test_a_holder_sees_of_the_posts_list_the_cases_of_their_region(
    two_regions: Bank, region: str | None, theirs: list[str]
) -> None:
    started = two_regions.started
    with writing(started.engine) as conn:
        whole = sorted(one.loan_id for one in list_of(conn, day(1), POST))
        seen = sorted(one.loan_id for one in tasks_of(conn, started.branch, day(1), officer(region)))
    assert whole == ["L1", "L2", "L3", "L4"], "the list itself is one, of all regions"
    assert seen == theirs


@pytest.mark.parametrize("region", list(LOANS))
def test_next_hands_out_of_the_posts_list_the_cases_of_ones_region_and_then_none(
    two_regions: Bank, region: str
) -> None:
    started = two_regions.started
    with writing(started.engine) as conn:
        begun = [take_next(conn, started.branch, officer(region), at(day(1))()).loan_id for _ in LOANS[region]]
        with pytest.raises(CallerError) as nothing:
            take_next(conn, started.branch, officer(region), at(day(1))())
    assert (sorted(begun), nothing.value.code) == (LOANS[region], "nothing_left")
