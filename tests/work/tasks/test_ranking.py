"""The order of a list, whatever order the tasks were found in; and how many of them it has."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from casework.settings import shipped
from casework.work.cases.rulebook import load_rulebook
from casework.work.cases.task_rules import chances_of, room_of
from casework.work.tasks.ranking import FIRST, WHYS, Figures, Found, ranked

ON = date(2026, 3, 10)
CHANCES = {"M1": 60, "M2": 25}
CASES = {
    1: Figures(ON - timedelta(days=9), 100_000, "M1"), 2: Figures(ON - timedelta(days=9), 200_000, "M1"),
    3: Figures(ON - timedelta(days=40), 400_000, "M2"), 4: Figures(ON - timedelta(days=400), 900_000, "M9"),
}  # fmt: skip
FOUND = st.builds(
    Found, st.sampled_from(["S1", "S2"]), st.sampled_from(["dial", "visit"]), st.sampled_from(WHYS), st.just("L"),
    st.sampled_from([*CASES, None]), st.just(ON), st.sampled_from(["", "1"]),
)  # fmt: skip


def order(found: list[Found], room: int | None = None) -> list[tuple[str, int, Found, bool]]:
    placed = ranked(found, CASES, CHANCES, lambda one: one.owed_by, lambda _: room)
    return [(one.list_of, one.rank, one.found, one.held_back) for one in placed]


def test_the_overdue_amount_times_its_chance_decides_and_ties_go_by_case() -> None:
    """¥2,000 × 60 before ¥4,000 × 25 before ¥1,000 × 60; a bucket without a chance comes last."""
    found = [Found("S1", "dial", "due_today", f"L{number}", number, ON) for number in (1, 3, 2, 4)]
    assert [one.case_id for _, _, one, _ in order(found)] == [2, 3, 1, 4]
    same = [Found("S1", task, "due_today", "L1", 1, ON) for task in ("visit", "dial")]
    assert [one.task for _, _, one, _ in order(same)] == ["dial", "visit"]


def test_what_is_overdue_comes_first_then_broken_promises_then_call_backs_whatever_the_amounts() -> None:
    found = [
        Found("S1", "dial", why, "L", number, ON)
        for why, number in zip(reversed(WHYS), (4, 3, 2, 1, 4, 3, 2), strict=True)
    ]
    assert [one.why for _, _, one, _ in order(found)][:3] == list(FIRST)


@given(
    found=st.lists(FOUND, unique_by=lambda one: (one.owed_by, one.identity, one.case_id), max_size=12),
    turned=st.permutations(range(12)), room=st.integers(0, 5),
)  # fmt: skip
def test_the_same_tasks_make_the_same_lists_in_whatever_order_they_are_found(
    found: list[Found], turned: list[int], room: int
) -> None:  # fmt: skip
    """Each list is numbered from 1, and has as many as there is room for; nothing is lost."""
    shuffled = [found[place] for place in turned if place < len(found)]
    made = order(found, room)
    assert order(shuffled, room) == made
    assert {one for _, _, one, _ in made} == set(found)
    for whose in ("S1", "S2"):
        theirs = [(rank, held_back) for list_of, rank, _, held_back in made if list_of == whose]
        assert [rank for rank, _ in theirs] == list(range(1, len(theirs) + 1))
        assert [rank for rank, held_back in theirs if not held_back] == list(range(1, min(room, len(theirs)) + 1))


def test_a_list_has_room_by_post_and_else_as_the_policy_says_of_everybody() -> None:
    policy = load_rulebook(shipped("statecharts")).policies.all[0]
    assert room_of(["phone_collector"], policy) == policy.figure("task.lines_per_day") == 200
    rows = [{"post": "phone_collector", "tasks": 0}, {"post": "business_rep", "tasks": 30}]
    tight = replace(policy, figures={**policy.figures, "task.lines_by_post": rows})
    posts: tuple[list[str], ...] = (["phone_collector"], ["phone_collector", "business_rep"], [])
    assert [room_of(held, tight) for held in posts] == [0, 30, 200]
    assert chances_of(policy)["M1"] == 60
