"""The register: what may be said of a person, what is refused and why; the rows are the fold of the entries."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.people.staff import absence, places, register
from casework.people.staff.listing import StaffWanted, member, members
from casework.people.staff.person import Absence, Held, Home
from casework.people.staff.tables import register_version
from casework.storage.database import reading
from tests.staff.conftest import TODAY, Register

DAY = timedelta(days=1)
NO_CAUSE: dict[str, Any] = {}


def test_who_is_added_holds_his_posts_from_that_day_on(branch: Register) -> None:
    added = branch.add("S1", "business_rep", team="T1", region="R1", capacity=50)
    assert added == branch.person("S1")
    assert added.posts == (Held("business_rep", TODAY, None, "system", None),)
    assert added.homes == (Home(TODAY, None, "T1", "R1"),)
    assert (added.status, added.capacity, added.joined_on) == ("active", 50, TODAY)
    assert added.held_on(TODAY - DAY) == ()
    assert branch.report().findings == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"staff_no": "S 2"}, "staff_no_malformed"), ({"staff_no": "system"}, "staff_no_malformed"),
     ({"staff_no": "SYSTEM"}, "staff_no_malformed"), ({"staff_no": "Null"}, "staff_no_malformed"),
     ({"staff_no": "S" * 32 + "1"}, "staff_no_malformed"), ({"staff_no": "S1"}, "staff_exists"),
     ({"staff_no": "Ｓ１"}, "staff_exists"), ({"staff_no": "合计"}, "staff_no_malformed"),
     ({"staff_no": "1234567890123456.0"}, "staff_no_malformed"), ({"staff_no": "1.5E15"}, "staff_no_malformed"),
     ({"staff_no": "12.50"}, "staff_no_malformed"), ({"staff_no": "张1"}, "staff_no_malformed"),
     ({"name": ""}, "staff_malformed"), ({"name": "甲" * 65}, "staff_malformed"),
     ({"name": "a\u202eb"}, "staff_malformed"),
     ({"team": ""}, "staff_malformed"), ({"region": "R" * 65}, "staff_malformed"),
     ({"posts": ["emperor"]}, "unknown_post"), ({"posts": ["auditor", "approver"]}, "posts_conflict"),
     ({"posts": ["administrator", "approver"]}, "posts_conflict"),
     ({"capacity": -1}, "capacity_out_of_range"), ({"capacity": 100_001}, "capacity_out_of_range"),
     ({"joined_on": TODAY + DAY}, "day_in_future"), ({"leaves_on": TODAY - DAY}, "day_in_past"),
     ({"leaves_on": date(2999, 1, 1)}, "day_out_of_range")],
)  # fmt: skip
def test_whoever_cannot_be_added_is_refused_with_the_reason(
    branch: Register, changes: dict[str, Any], code: str
) -> None:
    branch.add("S1", "business_rep")
    good: dict[str, Any] = {"staff_no": "S2", "name": "李四", "posts": ["business_rep"], "capacity": 0}
    assert branch.mistake(register.add, branch.permissions, **{**good, **changes}) == code
    assert branch.do(register.add, branch.permissions, **good).staff_no == "S2"


def test_a_team_in_full_width_is_the_team(branch: Register) -> None:
    branch.do(places.set_region, code="Ｒ１", name="某区")
    branch.do(places.set_team, code="Ｔ１（外拓）", name="某团队", region="R1")
    assert branch.add("S1", "business_rep", team="T1(外拓)").homes == (Home(TODAY, None, "T1(外拓)", "R1"),)
    assert branch.add("S2", "business_rep", team="Ｔ１(外拓)").homes == branch.person("S1").homes
    assert branch.mistake(register.add, branch.permissions, staff_no="S3", name="某", team="T2") == "unknown_team"


def test_no_door_makes_a_person_of_a_reserved_name(branch: Register) -> None:
    for name in ("system", "Feed", "NULL"):
        assert branch.mistake(register.named_by_feed, {"U1", name}) == "staff_no_malformed"
    assert branch.do(register.named_by_feed, {"U1", "system1"}) == ["U1", "system1"], "only the very names are reserved"


def test_a_post_is_granted_for_days_and_ends_by_itself(branch: Register) -> None:
    branch.add("S1")
    granted = branch.grant("S1", "approver", from_on=TODAY + DAY, until_on=TODAY + 3 * DAY, request_id=7)
    assert granted.posts == (Held("approver", TODAY + DAY, TODAY + 3 * DAY, "system", 7),)
    assert [bool(granted.held_on(TODAY + n * DAY)) for n in range(5)] == [False, True, True, True, False]


def test_authority_never_counts_backwards(branch: Register) -> None:
    """A post asked for last week and approved today begins today, and so does a move."""
    branch.add("S1", team="T1")
    assert branch.grant("S1", "approver", from_on=TODAY - 7 * DAY).posts[0].from_on == TODAY
    branch.later(5)
    moved = branch.do(register.move, staff_no="S1", team="T2", region=None, from_on=TODAY, cause={"handover": 3})
    assert moved.homes == (Home(TODAY, TODAY + 4 * DAY, "T1", None), Home(TODAY + 5 * DAY, None, "T2", None))


@pytest.mark.parametrize(
    ("staff_no", "post", "more", "code"),
    [("S9", "approver", {}, "unknown_staff"), ("U1", "approver", {}, "wrong_status"),
     ("S1", "emperor", {}, "unknown_post"), ("S1", "system", {}, "unknown_post"),
     ("S1", "business_rep", {}, "post_held_already"),
     ("S1", "business_rep", {"from_on": TODAY + 90 * DAY}, "post_held_already"),
     ("S1", "auditor", {}, "posts_conflict"), ("S2", "business_rep", {}, "posts_conflict"),
     ("S1", "approver", {"until_on": TODAY - DAY}, "dates_out_of_order"),
     ("S1", "approver", {"until_on": date(2999, 1, 1)}, "day_out_of_range")],
)  # fmt: skip
def test_a_post_that_cannot_be_granted_is_refused(
    branch: Register, staff_no: str, post: str, more: dict[str, Any], code: str
) -> None:
    branch.add("S1", "business_rep")
    branch.add("S2", "auditor")
    branch.do(register.named_by_feed, {"U1"})
    assert branch.cannot_grant(staff_no, post, **more) == code
    assert branch.grant("S1", "approver").staff_no == "S1"


def test_posts_conflict_only_on_days_on_which_both_would_be_held(branch: Register) -> None:
    branch.add("S1", "approver")
    assert branch.cannot_grant("S1", "asset_preservation") == "posts_conflict"
    branch.do(register.end_post, staff_no="S1", post="approver", on=TODAY + 5 * DAY)
    assert branch.cannot_grant("S1", "asset_preservation", from_on=TODAY + 5 * DAY) == "posts_conflict"
    branch.grant("S1", "asset_preservation", from_on=TODAY + 6 * DAY)
    assert branch.cannot_grant("S1", "administrator", until_on=TODAY) == "posts_conflict"


def test_a_post_ends_on_its_last_day_or_at_once(branch: Register) -> None:
    branch.add("S1", "business_rep", "approver")
    branch.later(1)
    assert branch.mistake(register.end_post, staff_no="S1", post="auditor", on=branch.today) == "post_not_held"
    assert branch.mistake(register.end_post, staff_no="S1", post="approver", on=TODAY - DAY) == "day_in_past"
    ended = branch.do(register.end_post, staff_no="S1", post="approver", on=TODAY)
    assert [held.post for held in ended.held_on(branch.today)] == ["business_rep"]
    assert branch.mistake(register.end_post, staff_no="S1", post="approver", on=TODAY) == "post_not_held"
    assert branch.grant("S1", "approver").held_on(branch.today)[0].post == "approver"


def test_a_move_ends_the_membership_of_before_and_replaces_a_later_one(branch: Register) -> None:
    branch.add("S1", team="T1", region="R1")
    move: dict[str, Any] = {"staff_no": "S1", "cause": NO_CAUSE}
    assert branch.mistake(register.move, **move, team="T1", region="R1", from_on=TODAY) == "nothing_changes"
    branch.do(register.move, **move, team="T2", region="R1", from_on=TODAY + 10 * DAY)
    moved = branch.do(register.move, **move, team="T3", region=None, from_on=TODAY + 5 * DAY)
    assert moved.homes == (Home(TODAY, TODAY + 4 * DAY, "T1", "R1"), Home(TODAY + 5 * DAY, None, "T3", None))
    gone = branch.do(register.move, **move, team=None, region=None, from_on=TODAY)
    assert gone.homes == ()
    assert branch.report().findings == []


def test_who_leaves_loses_posts_membership_leave_and_those_he_deputises_for(branch: Register) -> None:
    branch.add("S1", "business_rep", team="T1")
    branch.add("S2", "business_rep")
    branch.do(
        absence.absent, branch.permissions, staff_no="S2", from_on=TODAY - DAY, until_on=TODAY + 9 * DAY,
        reason="leave", deputy="S1",
    )  # fmt: skip
    branch.grant("S1", "post_loan_officer", from_on=TODAY + 20 * DAY)
    branch.do(register.change, staff_no="S1", figures={"leaves_on": TODAY + 30 * DAY})
    left = branch.do(register.leave, staff_no="S1", on=TODAY, cause={"handover": 3})
    assert (left.status, left.left_on, left.leaves_on) == ("left", TODAY, None)
    assert left.posts == (Held("business_rep", TODAY, TODAY, "system", None),)
    assert left.homes == (Home(TODAY, TODAY, "T1", None),)
    assert branch.person("S2").absences == (
        Absence(TODAY - DAY, TODAY, "leave", "S1"), Absence(TODAY + DAY, TODAY + 9 * DAY, "leave", None),
    )  # fmt: skip
    assert branch.mistake(register.leave, staff_no="S1", on=TODAY, cause=NO_CAUSE) == "wrong_status"
    assert branch.report().findings == []


def test_a_departure_is_neither_ahead_of_its_day_nor_before_the_first(branch: Register) -> None:
    branch.add("S1")
    assert branch.mistake(register.leave, staff_no="S1", on=TODAY + DAY, cause=NO_CAUSE) == "day_in_future"
    assert branch.mistake(register.leave, staff_no="S1", on=TODAY - DAY, cause=NO_CAUSE) == "dates_out_of_order"
    assert branch.do(register.leave, staff_no="S1", on=TODAY, cause=NO_CAUSE).status == "left"


def test_who_comes_back_has_neither_posts_nor_what_he_left(branch: Register) -> None:
    branch.add("S1", "business_rep", team="T1")
    assert branch.mistake(register.come_back, staff_no="S1") == "wrong_status"
    branch.do(register.leave, staff_no="S1", on=TODAY, cause=NO_CAUSE)
    branch.later(30)
    back = branch.do(register.come_back, staff_no="S1", team="T2")
    assert (back.status, back.returned_on, back.left_on) == ("active", branch.today, TODAY)
    assert back.held_on(branch.today) == ()
    assert back.home_on(branch.today) == Home(branch.today, None, "T2", None)
    assert branch.report().findings == []


def test_who_comes_back_on_the_day_he_left_belongs_to_where_he_came_back(branch: Register) -> None:
    branch.add("S1", team="T1")
    branch.later(3)
    branch.do(register.leave, staff_no="S1", on=branch.today, cause=NO_CAUSE)
    back = branch.do(register.come_back, staff_no="S1", team="T2")
    assert back.homes == (Home(TODAY, TODAY + 2 * DAY, "T1", None), Home(branch.today, None, "T2", None))
    assert branch.report().findings == []


def test_particulars_change_and_what_is_so_already_is_told(branch: Register) -> None:
    branch.add("S1", capacity=10)
    changed = branch.do(
        register.change, staff_no="S1", name="新名", joined_on=TODAY - 400 * DAY,
        figures={"capacity": None, "leaves_on": TODAY + DAY},
    )  # fmt: skip
    assert (changed.capacity, changed.leaves_on, changed.joined_on) == (None, TODAY + DAY, TODAY - 400 * DAY)
    with reading(branch.started.engine) as conn:
        assert member(conn, "S1", TODAY)[0].name == "新名"
    again: dict[str, Any] = {"name": "新名", "figures": {"capacity": None, "leaves_on": TODAY + DAY}}
    assert branch.mistake(register.change, staff_no="S1", **again) == "nothing_changes"
    assert branch.do(register.change, staff_no="S1", figures={"leaves_on": None}).leaves_on is None
    assert branch.report().findings == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"figures": {"capacity": 100_001}}, "capacity_out_of_range"), ({"name": " "}, "staff_malformed"),
     ({"figures": {"leaves_on": TODAY - DAY}}, "day_in_past"), ({"joined_on": TODAY + DAY}, "day_in_future"),
     ({}, "nothing_changes")],
)  # fmt: skip
def test_particulars_that_cannot_be_are_refused(branch: Register, changes: dict[str, Any], code: str) -> None:
    branch.add("S1")
    assert branch.mistake(register.change, staff_no="S1", **changes) == code


def test_whom_a_feed_named_is_unverified_until_confirmed(branch: Register) -> None:
    branch.add("S1")
    assert branch.do(register.named_by_feed, {"U1", "S1", "U2"}) == ["U1", "U2"]
    assert branch.do(register.named_by_feed, {"U1", "S1", "U2"}) == []
    assert branch.person("U1").status == "unverified"
    confirmed = branch.do(register.confirm, staff_no="U1", name="王五", team="T1", capacity=9)
    assert (confirmed.status, confirmed.posts, confirmed.capacity) == ("active", (), 9)
    assert branch.mistake(register.confirm, staff_no="U1", name="王五") == "wrong_status"
    assert branch.mistake(register.confirm, staff_no="U9", name="王五") == "unknown_staff"
    assert (
        branch.do(register.add, branch.permissions, staff_no="U2", name="赵六", posts=["approver"]).status == "active"
    )
    assert branch.report().findings == []


@pytest.mark.parametrize(
    ("staff_no", "into", "code"),
    [("U1", "U1", "merged_into_himself"), ("U9", "S1", "unknown_staff"), ("U1", "S9", "unknown_staff"),
     ("S1", "S2", "wrong_status"), ("U1", "U2", "wrong_status")],
)  # fmt: skip
def test_only_an_unverified_one_is_merged_and_only_into_somebody_active(
    branch: Register, staff_no: str, into: str, code: str
) -> None:
    branch.add("S1")
    branch.add("S2")
    branch.do(register.named_by_feed, {"U1", "U2"})
    assert branch.mistake(register.merged, staff_no=staff_no, into=into) == code
    merged = branch.do(register.merged, staff_no="U1", into="S1")
    assert (merged.status, merged.merged_into) == ("merged", "S1")
    assert branch.report().findings == []


def test_every_change_gives_the_register_another_version(branch: Register) -> None:
    def version() -> int:
        with reading(branch.started.engine) as conn:
            return int(conn.execute(sa.select(register_version.c.version)).scalar_one())

    seen = [version()]
    changes: list[Callable[[], Any]] = [
        lambda: branch.add("S1"), lambda: branch.grant("S1", "approver"),
        lambda: branch.do(register.change, staff_no="S1", figures={"capacity": 5}),
        lambda: branch.do(register.move, staff_no="S1", team="T2", region=None, from_on=TODAY, cause=NO_CAUSE),
        lambda: branch.do(
            absence.absent, branch.permissions, staff_no="S1", from_on=TODAY, until_on=TODAY, reason="sick"
        ),
        lambda: branch.do(register.leave, staff_no="S1", on=TODAY, cause=NO_CAUSE),
    ]  # fmt: skip
    for change in changes:
        change()
        seen.append(version())
    assert len(set(seen)) == len(seen)


def test_a_registered_team_has_its_region_and_others_are_then_unknown(branch: Register) -> None:
    branch.add("S1", team="whatever a feed says", region="anywhere")
    branch.do(places.set_region, code="R1", name="武汉")
    branch.do(places.set_region, code="R2", name="宜昌")
    branch.do(places.set_team, code="一组", name="第一组", region="R1")
    branch.do(places.set_team, code="T2", name="第二组", region=None)
    good: dict[str, Any] = {"staff_no": "S2", "name": "李四"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"team": "T9"}, "unknown_team"), ({"region": "R9"}, "unknown_region"),
        ({"team": "一组", "region": "R2"}, "region_differs"),
    ]  # fmt: skip
    for home, code in wrong:
        assert branch.mistake(register.add, branch.permissions, **good, **home) == code
    assert branch.add("S2", team="一组").homes == (Home(TODAY, None, "一组", "R1"),)
    assert branch.add("S3", team="T2", region="R2").homes == (Home(TODAY, None, "T2", "R2"),)
    assert branch.report().findings == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"code": ""}, "place_malformed"), ({"code": " T1"}, "place_malformed"), ({"code": "T" * 65}, "place_malformed"),
     ({"name": "\n"}, "place_malformed"), ({"region": "R9"}, "unknown_region")],
)  # fmt: skip
def test_a_team_that_cannot_be_is_refused(branch: Register, changes: dict[str, Any], code: str) -> None:
    branch.do(places.set_region, code="R1", name="武汉")
    good: dict[str, Any] = {"code": "T1", "name": "第一组", "region": "R1"}
    assert branch.mistake(places.set_team, **{**good, **changes}) == code
    assert branch.do(places.set_team, **good) == places.Team("T1", "第一组", "R1")


def test_the_list_is_filtered_paged_and_as_of_a_day(branch: Register) -> None:
    branch.add("S1", "business_rep", team="T1", region="R1")
    branch.add("S2", "business_rep", team="T2", region="R1")
    branch.add("S3", "approver")
    branch.do(register.named_by_feed, {"U1"})
    branch.do(
        absence.absent, branch.permissions, staff_no="S1", from_on=TODAY, until_on=TODAY + 2 * DAY, reason="leave",
        deputy="S2",
    )  # fmt: skip
    branch.grant("S3", "business_rep", from_on=TODAY + DAY, request_id=4)

    def listed(on: date = TODAY, after: str = "", limit: int | None = None, **wanted: str) -> list[str]:
        with reading(branch.started.engine) as conn:
            return [one.staff_no for one in members(conn, on, StaffWanted(**wanted), after=after, limit=limit)]

    assert listed() == ["S1", "S2", "S3", "U1"]
    assert listed(post="business_rep") == ["S1", "S2"]
    assert listed(TODAY + DAY, post="business_rep") == ["S1", "S2", "S3"]
    assert listed(TODAY - DAY, post="business_rep") == []
    assert (listed(team="T1"), listed(region="R1"), listed(status="unverified")) == (["S1"], ["S1", "S2"], ["U1"])
    assert listed(limit=2) == ["S1", "S2"]
    assert listed(after="S2", limit=2) == ["S3", "U1"]
    with reading(branch.started.engine) as conn:
        first, third = member(conn, "S1", TODAY)[0], member(conn, "S3", TODAY + DAY)[0]
    assert (first.away_until, first.deputy, first.shell_posts) == (TODAY + 2 * DAY, "S2", ("business_rep",))
    assert (third.posts, third.shell_posts) == (("approver", "business_rep"), ("approver",))


def test_a_staff_number_is_registered_folded(branch: Register) -> None:
    assert branch.add("Ｓ１.2x", "business_rep").staff_no == "S1.2x"


def test_a_spoilt_staff_number_is_told_with_its_fault_and_what_is_allowed(branch: Register) -> None:
    with pytest.raises(CallerError) as told:
        branch.add("10001.0", "business_rep")
    assert (told.value.facts["field"], told.value.facts["fault"]) == ("staff_no", "id_decimal")
    assert "at least one digit" in told.value.facts["needs"]
