"""What of a noun is within somebody's reach, whether their cases are few, and find it, or many, and are asked by it."""

from collections.abc import Iterator

import pytest

from casework.lifecycle.kept import Kept
from casework.people.staff.permissions import EVERYTHING, Reach
from casework.storage.database import reading
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import PROMISES
from casework.work.cases.shown import ShownWanted, page_of
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_holds import take as take_holds
from tests.work.test_promises import day, row, take


def _furnish(bank: Bank) -> None:
    """Three loans of two people, in two teams; a promise and a hold for each."""
    bank.staff("B9", "basic_risk_manager")
    bank.staff("V1", "business_rep")
    bank.staff("V2", "business_rep")
    books = [loan(n, owner_staff_no="V1" if n < 3 else "V2", team=f"T{n % 2}") for n in (1, 2, 3)]
    bank.send(DAY, [arrears(n) for n in (1, 2, 3)], loans=books)
    take(bank, *(row(f"P{n}", n, 0, 3, "500.00") for n in (1, 2, 3)))
    take_holds(bank, *(f"L{n},dispute,{DAY},{day(9)}" for n in (1, 2, 3)))


@pytest.fixture
def agreed(bank_after: BankAfter) -> Iterator[Bank]:
    """The log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _listed(bank: Bank, noun: Kept, within: Reach) -> list[int]:
    """By loan, walked one at a time."""
    found, cursor = list[int](), None
    with reading(bank.started.engine) as conn:
        while True:
            asked = (conn, bank.started.branch, noun, within, ShownWanted())
            page, cursor = page_of(*asked, limit=1, cursor=cursor)
            found += [int(one.loan_id.removeprefix("L")) for one in page]
            if cursor is None:
                return found


@pytest.mark.parametrize("sorted_at_most", [0, 1, 4_000])
@pytest.mark.parametrize("noun", [PROMISES, HOLDS], ids=["promises", "holds"])
@pytest.mark.parametrize(
    ("within", "loans"),
    [
        (EVERYTHING, [1, 2, 3]),
        (Reach(), []),
        (Reach(people=frozenset({"V1"})), [1, 2]),
        (Reach(people=frozenset({"V2"}), teams=frozenset({"T0"})), [2, 3]),
        (Reach(people=frozenset({"B9"})), []),
    ],
    ids=["all", "none", "own", "own and a team's", "nothing of theirs"],
)
def test_a_list_holds_what_is_within_reach_however_many_cases_that_are(
    agreed: Bank, monkeypatch: pytest.MonkeyPatch, noun: Kept, within: Reach, loans: list[int], sorted_at_most: int
) -> None:
    monkeypatch.setattr("casework.work.cases.reached.SORTED_AT_MOST", sorted_at_most)
    assert _listed(agreed, noun, within) == loans


@pytest.mark.parametrize("noun", [PROMISES, HOLDS], ids=["promises", "holds"])
@pytest.mark.parametrize(
    ("wanted", "loans"),
    [(ShownWanted(case_id=1), {"L1"}), (ShownWanted(loan_id="L2"), {"L2"})],
    ids=["of a case", "of a loan"],
)
def test_what_is_asked_of_one_case_or_loan_does_not_look_through_the_cases_of_a_reach(
    agreed: Bank, monkeypatch: pytest.MonkeyPatch, noun: Kept, wanted: ShownWanted, loans: set[str]
) -> None:
    """A collector's page of a case asks it of each noun, whoever has a hundred thousand cases too."""

    def looked_through(*_: object) -> None:
        raise AssertionError("the cases of the reach were looked for")

    monkeypatch.setattr("casework.work.cases.shown.cases_within", looked_through)
    within = Reach(people=frozenset({"V1"}))
    with reading(agreed.started.engine) as conn:
        page, _ = page_of(conn, agreed.started.branch, noun, within, wanted, limit=5, cursor=None)
        assert {one.loan_id for one in page} >= loans
        with pytest.raises(AssertionError):
            page_of(conn, agreed.started.branch, noun, within, ShownWanted(), limit=5, cursor=None)
