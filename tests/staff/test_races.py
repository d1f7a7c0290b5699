"""Two administrators at the same instant: exactly one wins, the other is told, and nothing is lost or doubled."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from casework.errors import CallerError, TryAgain
from casework.people.shifts.entering import ShiftGiven, enter_shifts, shifts_between
from casework.people.staff import absence, register
from casework.storage.database import reading, writing
from tests.staff.conftest import TODAY, Register

DAY = timedelta(days=1)
Work = Callable[[Register], Any]


def together(branch: Register, *works: Work) -> list[str]:
    """What became of each, all begun at once: done, or the code of the mistake."""
    barrier = Barrier(len(works))

    def one(work: Work) -> str:
        barrier.wait()
        try:
            work(branch)
        except (CallerError, TryAgain) as refused:  # of two that wait for each other the database ends one
            return refused.code
        return "done"

    with ThreadPoolExecutor(len(works)) as threads:
        return sorted(threads.map(one, works))


@pytest.mark.parametrize("turn", range(3))
def test_a_number_is_given_once(branch: Register, turn: int) -> None:
    """The first of both makes the person, whoever that is."""
    outcomes = together(branch, lambda held: held.add("S1", "approver"), lambda held: held.add("S1", "business_rep"))
    assert outcomes == ["done", "staff_exists"]
    assert len(branch.person("S1").posts) == 1
    assert branch.report().findings == []


@pytest.mark.parametrize("turn", range(3))
def test_conflicting_posts_granted_at_once_are_never_both_held(branch: Register, turn: int) -> None:
    branch.add("S1")
    outcomes = together(
        branch, lambda held: held.grant("S1", "approver"), lambda held: held.grant("S1", "asset_preservation")
    )
    assert outcomes == ["done", "posts_conflict"]
    assert len(branch.person("S1").posts) == 1
    assert branch.report().findings == []


@pytest.mark.parametrize("turn", range(3))
def test_two_who_name_each_other_as_deputy_at_once_are_never_both_away(branch: Register, turn: int) -> None:
    branch.add("S1", "business_rep")
    branch.add("S2", "business_rep")

    def away(staff_no: str, deputy: str) -> Work:
        return lambda held: held.do(
            absence.absent, held.permissions, staff_no=staff_no, from_on=TODAY, until_on=TODAY + DAY, reason="leave",
            deputy=deputy,
        )  # fmt: skip

    outcomes = together(branch, away("S1", "S2"), away("S2", "S1"))
    assert outcomes in (["deputises_then", "done"], ["deputy_away", "done"])
    assert len(branch.person("S1").absences) + len(branch.person("S2").absences) == 1
    assert branch.report().findings == []


@pytest.mark.parametrize("turn", range(3))
def test_two_who_enter_a_shift_of_one_day_leave_the_roster_as_the_later_entry_says(branch: Register, turn: int) -> None:
    branch.add("S1", "business_rep")
    rules = branch.started.branch.rulebook.shifts

    def enters(shift: str) -> Work:
        return lambda held: held.do(enter_shifts, rules, [ShiftGiven(TODAY, "S1", shift)], closed=None)

    assert together(branch, enters("day"), enters("rest"), enters("late")) == ["done", "done", "done"]
    with reading(branch.started.engine) as conn:
        assert len(shifts_between(conn, TODAY, TODAY)) == 1
    assert branch.report().findings == []


@pytest.mark.parametrize("turn", range(3))
def test_a_deputy_who_leaves_at_the_same_instant_deputises_for_nobody(branch: Register, turn: int) -> None:
    branch.add("S1", "business_rep")
    branch.add("S2", "business_rep")
    outcomes = together(
        branch,
        lambda held: held.do(register.leave, staff_no="S2", on=TODAY, cause={}),
        lambda held: held.do(
            absence.absent, held.permissions, staff_no="S1", from_on=TODAY + DAY, until_on=TODAY + 5 * DAY,
            reason="leave", deputy="S2",
        ),
    )  # fmt: skip
    assert "done" in outcomes
    gone = branch.person("S2").status == "left"
    assert gone or "database_busy" in outcomes
    if gone:
        assert [one.deputy for one in branch.person("S1").absences if one.until_on > TODAY] in ([], [None])
    assert branch.report().findings == []


def test_what_was_rolled_back_leaves_neither_rows_nor_entries(branch: Register) -> None:
    branch.add("S1")
    with pytest.raises(RuntimeError), writing(branch.started.engine) as conn:
        trail = branch.started.branch.trail(branch.clock())
        register.leave(conn, trail, branch.actor, staff_no="S1", on=TODAY, cause={})
        trail.write(conn)
        raise RuntimeError
    assert branch.person("S1").status == "active"
    assert branch.report().findings == []
