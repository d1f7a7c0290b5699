"""Choosing receivers, pure: whatever people and cases there are, nobody is overloaded and nothing is lost."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casework.people.staff.person import ACTIVE, UNVERIFIED
from casework.people.staff.roster import Colleague, Roster
from casework.work.cases.case import Case
from casework.work.cases.ownership import Loads, capacity_of
from casework.work.handover.moves import (
    Candidates,
    Move,
    choose_moves,
    digest_of,
    pin_of,
)
from tests.cases.worlds import DUE, POLICY, opened
from tests.statechart.small import RULEBOOK

POSTS = ("business_rep", "phone_collector", "post_loan_officer", "basic_risk_manager", "asset_preservation", "auditor")
TEAMS = (None, "T1", "T2")
USUAL = POLICY.capacities


@st.composite
def people(draw: st.DrawFn) -> dict[str, Colleague]:
    """The leaver and up to six others."""
    found = {"S1": Colleague("S1", ACTIVE, frozenset({"business_rep"}), "T1", "R1", None, False, None)}
    for number in range(draw(st.integers(0, 6))):
        staff_no = f"N{number}"
        found[staff_no] = Colleague(
            staff_no, draw(st.sampled_from((ACTIVE, ACTIVE, UNVERIFIED))), frozenset({draw(st.sampled_from(POSTS))}),
            draw(st.sampled_from(TEAMS)), "R1", draw(st.integers(0, 3)), draw(st.booleans()), None,
        )  # fmt: skip
    return found


@st.composite
def cases(draw: st.DrawFn) -> list[Case]:
    """Up to eight cases that the leaver owns or handles, live or settled."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        case = opened(DUE + timedelta(days=draw(st.sampled_from((1, 40, 200)))))
        case.id, case.team = number + 1, draw(st.sampled_from(TEAMS))
        case.owner, case.handler = draw(st.sampled_from((("S1", "S1"), ("S1", "N0"), ("N0", "S1"))))
        case.facts.named = draw(st.sampled_from((None, "S1", "N0", "N1")))
        case.live = draw(st.booleans())
        found.append(case)
    return found


def chosen(roster: Roster, found: list[Case], named: tuple[str, ...] = ()) -> tuple[list[Move], Loads]:
    among = Candidates(
        RULEBOOK.owners, roster, lambda _: POLICY, tuple(roster.colleagues[one] for one in named), frozenset({"S1"})
    )
    loads = Loads()
    return choose_moves(found, "S1", among, loads), loads


@given(people(), cases())
def test_every_case_has_one_move_that_the_door_will_take_or_says_why_not(
    held: dict[str, Colleague], found: list[Case]
) -> None:
    roster = Roster(DUE, held)
    found = [case for case in found if {case.owner, case.handler} <= held.keys()]
    moves, _ = chosen(roster, found)
    given_out: dict[str, int] = {}
    assert [move.case_id for move in moves] == [case.id for case in found]
    for case, move in zip(found, moves, strict=True):
        if move.receiver is None:
            assert move.reason in ("no_holder", "all_full")
            continue
        receiver, handler = held[move.receiver], held[str(move.handler)]
        assert "S1" not in (move.receiver, move.handler)
        assert receiver.status == handler.status == ACTIVE
        assert (move.receiver, move.handler) != (case.owner, case.handler), "something changes"
        if move.receiver != case.owner:
            assert receiver.posts & RULEBOOK.owners.posts
            given_out[move.receiver] = given_out.get(move.receiver, 0) + case.live
    for who, count in given_out.items():
        assert count <= capacity_of(held[who], USUAL)


@given(people(), cases())
def test_the_same_world_gives_the_same_plan(held: dict[str, Colleague], found: list[Case]) -> None:
    found = [case for case in found if {case.owner, case.handler} <= held.keys()]
    first, second = (chosen(Roster(DUE, held), found)[0] for _ in range(2))
    assert first == second
    assert digest_of(b"{}", b"{}", first) == digest_of(b"{}", b"{}", second)


@given(st.integers(1, 40), st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_named_receivers_share_the_load_in_proportion_to_their_capacity(count: int, capacities: list[int]) -> None:
    held = {
        f"N{number}": Colleague(f"N{number}", ACTIVE, frozenset({"phone_collector"}), None, None, capacity, False, None)
        for number, capacity in enumerate(capacities)
    }
    found = []
    for number in range(min(count, sum(capacities))):
        case = opened()
        case.id = number + 1
        found.append(case)
    moves, loads = chosen(Roster(DUE, held), found, tuple(held))
    assert all(move.receiver is not None for move in moves)
    shares = [loads.of(staff_no) / colleague.capacity for staff_no, colleague in held.items() if colleague.capacity]
    smallest = min(capacities)
    assert max(shares) <= 1
    assert max(shares) - min(shares) <= 1 / smallest + 1e-9


def test_any_change_of_a_move_is_another_digest() -> None:
    move = Move(1, 1, True, True, "C1", "C1", "phone_collector", "newly_overdue", "by_rule", 100, "phone_collection")
    digest = digest_of(b"{}", b"{}", [move])
    others = [
        digest_of(b"{}", b"{}", []),
        digest_of(b"{ }", b"{}", [move]),
        digest_of(b"{}", b"{ }", [move]),
        digest_of(b"{}", b"{}", [move, move]),
        *(digest_of(b"{}", b"{}", [Move(*values)]) for values in _changed(move)),
    ]
    assert len({digest, *others}) == 1 + len(others)
    assert 0 < pin_of(digest) < 2**48


def _changed(move: Move) -> list[list[Any]]:
    values = [getattr(move, name) for name in Move.__struct_fields__]
    other: dict[type, Any] = {int: 7, bool: False, str: "other"}
    return [[*values[:n], other[type(value)], *values[n + 1 :]] for n, value in enumerate(values)]
