"""Whose cases somebody reaches for whom the roster has them answer: theirs, on that day, by posts that it may lend."""

from dataclasses import dataclass
from datetime import date

import pytest

from casework.errors import CallerError
from casework.people.shifts.entering import ShiftGiven, enter_shifts
from casework.people.staff import absence
from casework.people.staff.acting import actor_for
from casework.people.staff.actor import Actor, Principal
from casework.people.staff.permissions import ACTS
from casework.storage.database import reading
from tests.cases.test_queries import Counted
from tests.staff.conftest import TODAY, Register


@dataclass
class Place:
    """A case as a scope sees it."""

    owner: str
    handler: str
    team: str | None = "T8"
    region: str | None = "R8"
    product: str | None = "consumer"


@pytest.fixture
def house(branch: Register) -> Register:
    """Two reps and two phone collectors who have nothing in common, and one of each other post."""
    for staff_no, post, team in (
        ("V1", "business_rep", "T1"), ("V2", "business_rep", "T2"), ("P1", "phone_collector", "T1"),
        ("P2", "phone_collector", "T2"), ("O1", "operations_collector", "T2"), ("B9", "basic_risk_manager", "T1"),
        ("A1", "asset_preservation", "T1"), ("A2", "asset_preservation", "T2"), ("W1", "approver", "T1"),
        ("U1", "auditor", "T1"), ("D1", "administrator", "T1"), ("G1", "agency_post", "T1"),
    ):  # fmt: skip
        branch.add(staff_no, post, team=team, region=f"R{team[-1]}")
    return branch


def rest(house: Register, off: str, stand_in: str | None, on: date = TODAY) -> None:
    given = [ShiftGiven(on, off, "rest", stand_in)]
    house.do(enter_shifts, house.started.branch.rulebook.shifts, given, closed=None)


def actor(house: Register, staff_no: str, on: date = TODAY) -> Actor:
    with reading(house.started.engine) as conn:
        return house.started.branch.actor(conn, staff_no, "api", on)


def acts_for(house: Register, staff_no: str, post: str, case: Place) -> str | None:
    """For whom they may act on the case by a post; `nobody` where they may not."""
    policy = house.started.branch.rulebook.policies.at(TODAY)
    found = house.permissions.authority(actor(house, staff_no), frozenset({post}), case, policy)
    return "nobody" if found is None else found.acting_for


def test_whose_place_somebody_takes_their_cases_they_reach_and_no_others(house: Register) -> None:
    """Neither of the team nor of the region of who is off, though that post reaches them."""
    rest(house, "P2", "V1")
    rest(house, "V2", "P1")
    assert acts_for(house, "V1", "phone_collector", Place("X1", "P2")) == "P2"
    assert acts_for(house, "V1", "phone_collector", Place("X1", "X2", "T2", "R2")) == "nobody"
    assert acts_for(house, "P1", "business_rep", Place("V2", "X1")) == "V2"
    assert acts_for(house, "P1", "business_rep", Place("X1", "X2", "T2", "R2")) == "nobody"
    policy = house.started.branch.rulebook.policies.at(TODAY)
    reach = house.permissions.reach(actor(house, "V1"), frozenset({"phone_collector"}), ACTS, policy)
    assert (reach.everything, reach.people, reach.regions) == (False, frozenset({"P2"}), frozenset())


def test_on_the_day_before_and_after_they_reach_nothing_of_it(house: Register) -> None:
    rest(house, "V2", "P1")
    assert actor(house, "P1").principals == (Principal("V2", frozenset({"business_rep"}), only_own=True),)
    for day in (date(2026, 3, 9), date(2026, 3, 11)):
        assert actor(house, "P1", day).principals == ()


def test_taken_off_the_roster_they_reach_nothing_at_once(house: Register) -> None:
    """Entering a shift is a change of the register's version, by which every process knows its actors to be old."""
    rest(house, "V2", "P1")
    before = actor(house, "P1")
    house.do(enter_shifts, house.started.branch.rulebook.shifts, [ShiftGiven(TODAY, "V2", "day")], closed=None)
    after = actor(house, "P1")
    assert after.principals == ()
    assert after.register_version != before.register_version
    rest(house, "V2", "P1")
    again = actor(house, "P1")
    rest(house, "V2", "P1")
    assert actor(house, "P1").register_version == again.register_version, "the same again is no change"


@pytest.mark.parametrize(
    ("off", "stand_in", "lent"),
    [
        ("V2", "P1", {"business_rep"}), ("P2", "V1", {"phone_collector"}), ("O1", "V1", {"operations_collector"}),
        ("V2", "B9", {"business_rep"}), ("A2", "A1", {"asset_preservation"}), ("A2", "V1", set()),
        ("W1", "V1", set()), ("W1", "A1", set()), ("D1", "V1", set()), ("G1", "V1", set()), ("U1", "V1", set()),
        ("B9", "P1", set()), ("V2", "U1", set()), ("V2", "W1", {"business_rep"}),
    ],
)  # fmt: skip
def test_a_post_that_decides_or_reaches_everything_is_lent_to_its_holders_alone(
    house: Register, off: str, stand_in: str, lent: set[str]
) -> None:
    """Nor does one go with a post that nobody may hold beside it: an auditor changes nothing."""
    rest(house, off, stand_in)
    assert {post for one in actor(house, stand_in).principals for post in one.posts} == lent


def test_whoever_answers_by_the_roster_without_being_named_reaches_them_too(house: Register) -> None:
    """Who is on the roster with the same post; where nobody is, its head; a leave without a deputy too."""
    rest(house, "P2", None)
    house.do(enter_shifts, house.started.branch.rulebook.shifts, [ShiftGiven(TODAY, "P1", "day")], closed=None)
    assert acts_for(house, "P1", "phone_collector", Place("X1", "P2")) == "P2"
    house.do(absence.absent, house.permissions, staff_no="V2", from_on=TODAY, until_on=TODAY, reason="leave")
    assert acts_for(house, "B9", "business_rep", Place("V2", "X1")) == "V2"


def test_the_deputy_of_a_leave_has_what_the_leave_lends_and_once(house: Register) -> None:
    house.later(-1)
    house.do(
        absence.absent, house.permissions, staff_no="P2", from_on=TODAY, until_on=TODAY, reason="leave", deputy="P1"
    )
    house.later(1)
    (lent,) = actor(house, "P1").principals
    assert (lent.id, lent.only_own, lent.region) == ("P2", False, "R2")


def test_for_four_eyes_who_answers_and_who_is_off_are_one_that_day(house: Register) -> None:
    rest(house, "V2", "P1")
    assert actor(house, "P1").people == {"P1", "V2"}


def test_what_is_lent_is_not_lent_on(house: Register) -> None:
    rest(house, "V2", "P1")
    rest(house, "V1", "V2")
    assert [one.id for one in actor(house, "V2").principals] == [], "whoever is off stands in for nobody"
    assert {one.id for one in actor(house, "P1").principals} == {"V2"}


def test_it_costs_no_statement_once_the_day_is_known(house: Register) -> None:
    """It does once more after a change of the register."""
    rest(house, "V2", "P1")
    branch = house.started.branch
    with reading(house.started.engine) as conn, Counted(conn) as alone:
        actor_for(conn, "P1", "api", today=TODAY)
    for more in (True, False, True):
        with reading(house.started.engine) as conn, Counted(conn) as statements:
            assert {one.id for one in branch.actor(conn, "P1", "api", TODAY).principals} == {"V2"}
        assert (len(statements) > len(alone)) is more
        if not more:
            assert len(statements) == len(alone)
            rest(house, "P2", "V1")


def test_the_roster_of_a_closed_day_stays_and_the_same_again_is_no_change(house: Register) -> None:
    rest(house, "V2", "P1")
    shifts, same = house.started.branch.rulebook.shifts, ShiftGiven(TODAY, "V2", "rest", "P1")
    morrow = same._replace(day=date(2026, 3, 11))
    with pytest.raises(CallerError) as refused:
        house.do(enter_shifts, shifts, [morrow, same._replace(stand_in="P2"), same._replace(shift=None)], closed=TODAY)
    told = [(one["place"], one["field"], one["code"]) for one in refused.value.facts["faults"]]
    assert (2, "day", "roster_of_closed_day") in told
    assert (1, "day", "roster_of_closed_day") not in told
    assert house.do(enter_shifts, shifts, [same, morrow], closed=TODAY) == [date(2026, 3, 11)]
