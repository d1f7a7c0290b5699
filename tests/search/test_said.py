"""What an entry is filed under, and sets of entries as bytes: nothing that matches is ever left out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.evidence.search import bits, times
from casework.evidence.search.said import (
    Said,
    families_of,
    range_terms,
    step_of,
    terms_of,
)
from casework.log.format.entry import MAX_INT

AMOUNT = st.one_of(st.integers(0, 5_000), st.integers(0, 10**8), st.integers(0, MAX_INT))
OFFSETS = st.sets(st.integers(0, bits.WIDTH - 1), max_size=600)


@given(AMOUNT, AMOUNT, AMOUNT)
def test_an_amount_within_a_range_is_filed_under_a_term_of_each_of_its_lists(one: int, two: int, three: int) -> None:
    low, amount, high = sorted((one, two, three))
    filed = set(terms_of(Said("case.noted", "S1", (), (), None, (amount,))))
    for terms in range_terms(low, high):
        assert filed & set(terms)


@given(AMOUNT, AMOUNT)
def test_larger_amounts_have_no_smaller_steps_and_a_step_is_a_quarter_at_most(one: int, two: int) -> None:
    low, high = sorted((one, two))
    assert step_of(low) <= step_of(high)
    if low > 0 and step_of(low) == step_of(high):
        assert high <= low * 1.25


def test_a_wide_range_is_asked_for_with_few_terms() -> None:
    assert max(len(terms) for terms in range_terms(1, MAX_INT)) < 20
    assert [len(terms) for terms in range_terms(1_234_567, 1_234_567)] == [1, 1]


def test_what_was_tampered_with_never_makes_a_term_that_the_index_cannot_hold() -> None:
    said = Said("case." + "x" * 200, "a\x00b", ("r" * 99,), ("\n",), "p" * 97, (-5,))
    assert list(terms_of(said)) == [("any", ""), ("family", "case.")]


def test_families_end_at_dots() -> None:
    assert families_of("case.step.place") == ["case.", "case.step."]


@given(OFFSETS)
def test_a_set_comes_back_from_its_bytes(members: set[int]) -> None:
    held = bits.from_offsets(members)
    data = bits.with_more(b"", bits.offsets_of(held))
    assert len(data) <= bits.WIDTH // 8
    assert bits.unpack(data) == held
    assert list(bits.offsets_of(held)) == sorted(members)
    assert list(bits.offsets_of(held, descending=True)) == sorted(members, reverse=True)


@given(st.binary(max_size=700))
def test_bytes_that_nobody_packed_make_some_set(data: bytes) -> None:
    assert 0 <= bits.unpack(data) <= bits.ALL


@given(
    st.lists(st.tuples(st.integers(0, bits.WIDTH - 1), st.integers(0, 10_000)), min_size=1, max_size=80),
    st.integers(0, 10_000), st.integers(0, 3_000),
)  # fmt: skip
def test_a_period_rules_out_no_entry_that_lies_in_it(more: list[tuple[int, int]], begin: int, length: int) -> None:
    """In two steps, as they are filed."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    dated = [(offset, times.seconds(epoch + timedelta(seconds=at, milliseconds=900))) for offset, at in more]
    first, last, held = times.with_more(times.NONE, dated[:40])
    if dated[40:]:
        first, last, held = times.with_more(held, dated[40:])
    assert first <= min(at for _, at in more)
    assert last > max(at for _, at in more)
    found = times.within(held, begin, begin + length)
    for offset, at in more:
        if begin <= at <= begin + length:
            assert found >> offset & 1


@pytest.mark.parametrize("data", [b"", b"\x00" * 3])
def test_times_of_another_form_rule_out_nothing(data: bytes) -> None:
    assert times.within(data, 5, 6) == bits.ALL
