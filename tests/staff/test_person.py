"""Whatever is done to people, in any order: the rows are the fold of the entries, and dated rows never overlap."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.people.staff import absence, register
from casework.people.staff.person import Person, overlapping
from tests.staff.conftest import TODAY, Register

DAY = timedelta(days=1)
_examples = itertools.count(1)
_WHO = st.integers(0, 2)
_DAYS = st.integers(-3, 12)
_POSTS = st.sampled_from(["business_rep", "approver", "asset_preservation", "auditor", "administrator"])
_TEAMS = st.sampled_from([None, "T1", "T2"])

Change = Callable[[Register, Callable[[int], str]], Any]


def _add(who: int, posts: list[str], team: str | None) -> Change:
    return lambda branch, number: branch.add(number(who), *posts, team=team)


def _grant(who: int, post: str, first: int, length: int | None) -> Change:
    def change(branch: Register, number: Callable[[int], str]) -> Any:
        from_on = branch.today + first * DAY
        return branch.grant(
            number(who), post, from_on=from_on, until_on=None if length is None else from_on + length * DAY
        )

    return change


def _end(who: int, post: str, day: int) -> Change:
    return lambda branch, number: branch.do(
        register.end_post, staff_no=number(who), post=post, on=branch.today + day * DAY
    )


def _move(who: int, team: str | None, day: int) -> Change:
    return lambda branch, number: branch.do(
        register.move, staff_no=number(who), team=team, region=None, from_on=branch.today + day * DAY, cause={}
    )


def _absent(who: int, first: int, length: int, deputy: int | None) -> Change:
    return lambda branch, number: branch.do(
        absence.absent, branch.permissions, staff_no=number(who), from_on=branch.today + first * DAY,
        until_on=branch.today + (first + length) * DAY, reason="leave",
        deputy=None if deputy is None else number(deputy),
    )  # fmt: skip


def _back(who: int, first: int, day: int) -> Change:
    return lambda branch, number: branch.do(
        absence.end_absence, staff_no=number(who), from_on=branch.today + first * DAY, on=branch.today + day * DAY
    )


def _leave(who: int) -> Change:
    return lambda branch, number: branch.do(register.leave, staff_no=number(who), on=branch.today, cause={})


def _return(who: int, team: str | None) -> Change:
    return lambda branch, number: branch.do(register.come_back, staff_no=number(who), team=team)


def _later(days: int) -> Change:
    return lambda branch, _number: branch.later(days)


CHANGES = st.lists(
    st.one_of(
        st.builds(_add, _WHO, st.lists(_POSTS, max_size=2), _TEAMS),
        st.builds(_grant, _WHO, _POSTS, _DAYS, st.none() | st.integers(-1, 6)),
        st.builds(_end, _WHO, _POSTS, _DAYS), st.builds(_move, _WHO, _TEAMS, _DAYS),
        st.builds(_absent, _WHO, _DAYS, st.integers(-1, 6), st.none() | _WHO), st.builds(_back, _WHO, _DAYS, _DAYS),
        st.builds(_leave, _WHO), st.builds(_return, _WHO, _TEAMS), st.builds(_later, st.integers(1, 4)),
    ),
    min_size=4,
    max_size=30,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_any_sequence_of_changes_leaves_rows_that_are_the_fold_and_never_overlap(
    branch: Register, changes: list[Change]
) -> None:
    example, branch.today = next(_examples), TODAY

    def number(who: int) -> str:
        return f"E{example}-S{who}"

    for who in range(3):  # somebody to begin with, or most changes would find nobody
        branch.add(number(who), "business_rep", team="T1")
    for change in changes:
        try:
            done = change(branch, number)
        except CallerError:
            continue
        if isinstance(done, Person):
            assert done == branch.person(done.staff_no)
            _sound(done)
    people = {staff_no: branch.person(staff_no) for staff_no in map(number, range(3))}
    for one in people.values():
        _lent_once(one, people)
        _no_conflict(branch, one)
    assert branch.report().findings == []


def _sound(person: Person) -> None:
    """Every row has its days in order, and no two of a kind hold on the same day."""
    for rows in (person.posts, person.homes, person.absences):
        assert all(row.until_on is None or row.from_on <= row.until_on for row in rows)
    for kind in (person.homes, person.absences, *_by_post(person)):
        for one, other in itertools.combinations(kind, 2):
            assert not overlapping(one, other.from_on, other.until_on)
    if person.status == "left":
        assert person.left_on is not None
        assert not person.held_on(person.left_on + DAY)
        assert person.home_on(person.left_on + DAY) is None


def _by_post(person: Person) -> list[list[Any]]:
    return [[held for held in person.posts if held.post == post] for post in {held.post for held in person.posts}]


def _lent_once(person: Person, people: dict[str, Person]) -> None:
    """Whoever deputises is there, not away himself, and nobody deputises for himself."""
    for leave in person.absences:
        if leave.deputy is None:
            continue
        deputy = people[leave.deputy]
        assert deputy is not person
        assert not any(overlapping(own, leave.from_on, leave.until_on) for own in deputy.absences)
        if deputy.status == "left" and deputy.left_on is not None and deputy.returned_on is None:
            assert leave.until_on <= deputy.left_on


def _no_conflict(branch: Register, person: Person) -> None:
    for one, other in itertools.combinations(person.posts, 2):
        if overlapping(one, other.from_on, other.until_on) and one.post != other.post:
            assert not branch.permissions.conflicts_of(frozenset({one.post, other.post}))
