"""Red flags: what speaks against a request is told to everybody who asks, reviews and approves, and forbids nothing."""

import json

import pytest

from casework.storage.database import reading
from casework.work.four_eyes.listing import OPEN, request_detail, request_list
from casework.work.four_eyes.requests import Asked, Moved
from tests.four_eyes.conftest import World, codes
from tests.four_eyes.test_requests import SUE

FLAG = "limitation_running"


def listed(world: World, who: str, request_id: int) -> list[str]:
    """The flags of the request in the reader's list of open ones, which are those of its page."""
    with reading(world.started.engine) as conn:
        branch, actor = world.started.branch, world.actor(who)
        page = request_list(conn, branch, actor, box=OPEN, clock=world.clock)
        (line,) = [line for line in page.items if line.id == request_id]
        assert request_detail(conn, branch, actor, request_id, clock=world.clock).request == line
    return [flag.code for flag in line.flags]


def flags_of(told: Asked | Moved) -> list[str]:
    return [flag.code for flag in told.flags]


def on_record(world: World, case_id: int, event: str) -> list[str]:
    """The flags in the entry of this event."""
    entries = map(json.loads, world.bodies_of(f"case:{case_id}").splitlines())
    (entry,) = [entry for entry in entries if entry["event"] == event]
    return [flag["code"] for flag in entry["data"].get("flags", [])]


@pytest.mark.parametrize(("ends_on", "flags"), [("2026-02-28", [FLAG]), ("2026-03-01", [])])
def test_a_suit_after_limitation_is_flagged_to_everybody_and_goes_its_way(
    world: World, ends_on: str, flags: list[str]
) -> None:
    """The business date is 1 March: what ends that day is not over yet (twin: nothing is flagged)."""
    case_id = world.suable(limitation_ends_on=ends_on)
    asked = world.ask("A1", case_id, "sue", **SUE)
    assert isinstance(asked, Asked)
    assert flags_of(asked) == flags
    assert [listed(world, who, asked.request_id) for who in ("A1", "B1", "V1")] == [flags] * 3
    for act, who in (("review", "B1"), ("approve", "V1")):
        told = world.turn(act, who, asked.request_id)
        assert isinstance(told, Moved), told
        assert flags_of(told) == flags
    assert world.case(case_id).state == "litigation"
    assert [on_record(world, case_id, event) for event in ("case.asked.sue", "case.step.sue")] == [flags] * 2
    assert world.findings() == []


def test_what_comes_up_between_asking_and_approving_is_flagged_to_the_approver(world: World) -> None:
    case_id = world.suable(limitation_ends_on="2026-03-05")
    number = world.asked("A1", case_id, "sue", **SUE)
    assert listed(world, "B1", number) == []
    world.turn("review", "B1", number)
    world.business_date("2026-03-06")
    assert listed(world, "V1", number) == [FLAG]
    told = world.turn("approve", "V1", number)
    assert isinstance(told, Moved)
    assert flags_of(told) == [FLAG]
    assert on_record(world, case_id, "case.asked.sue") == []
    assert on_record(world, case_id, "case.step.sue") == [FLAG]
    assert world.findings() == []


def test_limitation_that_nobody_checked_is_no_flag_but_a_refusal_of_its_own_words(world: World) -> None:
    case_id = world.open()
    world.record(case_id, "P1", "disposal_form")
    told = world.ask("A1", case_id, "sue", **SUE)
    assert codes(told) == ["limitation_checked"]
    assert [(one.zh, one.en) for one in getattr(told, "reasons", ())] == [
        ("未核查诉讼时效", "limitation has not been checked")
    ]


def test_a_flag_says_in_both_languages_what_it_is(world: World) -> None:
    asked = world.ask("A1", world.suable(limitation_ends_on="2026-02-28"), "sue", **SUE)
    assert isinstance(asked, Asked)
    (flag,) = asked.flags
    assert flag.zh == "诉讼时效已于2026-02-28届满，债务人可据此抗辩"
    assert flag.en == "limitation ended on 2026-02-28: the debtor may plead it"
    assert flag.rules == ("CC188", "CC193")
