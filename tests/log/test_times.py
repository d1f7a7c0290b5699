"""Times of entries against those at which witnesses saw the tree; the pure rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format.times import (
    AHEAD,
    BACK_DATED,
    CLOCKS_DIFFER_S,
    SEALED_WITHIN_S,
    Seen,
    Times,
    instant_text,
)

NOON = 1_780_000_000
BEFORE, LATER = Seen(10, NOON), Seen(20, NOON + 3_600)


def text(at: float) -> str:
    return instant_text(int(at))


@pytest.mark.parametrize(
    ("leaf", "at", "code"),
    [
        (9, NOON - 86_400, None),  # nothing was seen without it
        (9, NOON, None),
        (9, NOON + CLOCKS_DIFFER_S + 1, None),
        (9, NOON + CLOCKS_DIFFER_S + 2, AHEAD),
        (10, NOON - SEALED_WITHIN_S, None),
        (10, NOON - SEALED_WITHIN_S - 1, BACK_DATED),
        (10, NOON + 3_600, None),
        (19, NOON + 3_600 + CLOCKS_DIFFER_S + 2, AHEAD),
        (20, NOON + 3_600 - SEALED_WITHIN_S - 1, BACK_DATED),
        (20, NOON + 10**9, None),  # nothing was seen with it
    ],
)
def test_an_entry_lies_between_the_trees_that_a_witness_saw_without_it_and_with_it(
    leaf: int, at: int, code: str | None
) -> None:
    found = Times([LATER, BEFORE]).check(leaf, [text(at)])
    assert [fault.code for fault in found] == ([code] if code else [])


def test_a_fault_names_the_leaf_and_the_word_that_stands_against_it() -> None:
    recorded = [text(NOON)] * 15
    recorded[12] = text(NOON - 86_400)
    (fault,) = Times([BEFORE]).check(0, recorded)
    assert (fault.leaf_index, fault.recorded_at, fault.seen) == (12, text(NOON - 86_400), BEFORE)


def test_without_a_cosignature_no_time_is_bounded() -> None:
    times = Times([])
    assert not times
    assert times.check(0, ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", None, 7]) == []


def test_a_value_that_is_no_time_is_left_to_other_checks() -> None:
    """SQLite holds no column to its type."""
    assert Times([BEFORE, LATER]).check(10, [None, 5, b"x"]) == []
    assert Times([BEFORE]).check(10, ["～ not a time"]) == []


def test_a_time_beyond_every_calendar_is_taken_at_its_edge() -> None:
    assert instant_text(2**63 - 1) == "9999-12-31T23:59:59.000000Z"
    assert Times([Seen(1, 2**62)]).check(0, [text(NOON)]) == []


points = st.lists(st.builds(Seen, st.integers(0, 30), st.integers(NOON - 5_000, NOON + 5_000)), max_size=6)


@given(points, st.integers(0, 20), st.lists(st.integers(NOON - 9_000, NOON + 9_000), max_size=25))
def test_it_finds_what_asking_every_witness_about_every_entry_finds(
    seen: list[Seen], first: int, recorded: list[int]
) -> None:
    naive = set()
    for index, at in enumerate(recorded, first):
        naive |= {(BACK_DATED, index) for one in seen if one.size <= index and at < one.at - SEALED_WITHIN_S}
        naive |= {(AHEAD, index) for one in seen if one.size > index and at > one.at + CLOCKS_DIFFER_S + 1}
    found = Times(seen).check(first, list(map(text, recorded)))
    assert {(fault.code, fault.leaf_index) for fault in found} == naive
    assert len(found) == len(naive)
