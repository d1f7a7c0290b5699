"""What an erasure entry covers, for any number of erasures: the pure part, which a verifier without a database uses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format.entry import (
    MAX_BODY_BYTES,
    Entry,
    MalformedEntry,
    SignedActor,
    encode,
)
from casework.log.format.erasure import (
    ERASED,
    STREAMS_AT_ONCE,
    Erased,
    as_data,
    covered_by,
    parts_of,
)


def entry(covers: object, seq: int = 2, event: str = ERASED, stream: str = "borrower:B1") -> Entry:
    at = "2026-01-01T00:00:00.000000Z"
    return Entry(
        actor=SignedActor("S1", "staff", "cli"), chart=None, data={"covers": covers}, entry_id=f"{stream}:{seq}",
        event=event, from_=None, occurred_at=at, personal={}, policy=None, prev="0" * 64, reason_code=None,
        recorded_at=at, rules=(), stream=stream, stream_seq=seq, to=None,
    )  # fmt: skip


def test_a_stream_is_covered_up_to_its_last_number_and_no_further() -> None:
    erased = Erased()
    erased.add(entry([["case:17", 9], ["borrower:B1", 4], ["request:3", 0]], seq=5))
    assert erased.by("case:17", 9) == erased.by("case:17", 1) == "borrower:B1:5"
    assert [erased.by("case:17", 10), erased.by("case:18", 1), erased.by("request:3", 1)] == [None] * 3
    assert (erased.by("borrower:B1", 4), erased.by("borrower:B1", 5)) == ("borrower:B1:5", None)


def test_a_later_erasure_covers_what_came_after_the_first() -> None:
    erased = Erased()
    erased.add(entry([["case:17", 9], ["borrower:B1", 1]], seq=2))
    erased.add(entry([["case:17", 12], ["borrower:B1", 7]], seq=8))
    assert [erased.by("case:17", seq) for seq in (9, 10, 12, 13)] == [
        "borrower:B1:2",
        "borrower:B1:8",
        "borrower:B1:8",
        None,
    ]
    assert [erased.by("borrower:B1", seq) for seq in (1, 2, 8)] == ["borrower:B1:2", "borrower:B1:8", None]


@pytest.mark.parametrize("name", ["case:017", "case:17x", "case:٣", "case:", "case:99999999999999999999"])
def test_a_stream_that_is_no_number_is_another_stream(name: str) -> None:
    erased = Erased()
    erased.add(entry([[name, 9]]))
    assert (erased.by(name, 9), erased.by("case:17", 1), erased.by("case:3", 1)) == ("borrower:B1:2", None, None)


@pytest.mark.parametrize(
    "covers", [None, {}, [["case:17"]], [["case:17", -1]], [["case:17", True]], [[17, 1]], ["case:17"], [["a", 1, 2]]]
)
def test_an_erasure_that_does_not_say_what_it_covers_is_malformed(covers: object) -> None:
    with pytest.raises(MalformedEntry, match="malformed_erasure"):
        covered_by(entry(covers))


def test_no_other_entry_erases_anything() -> None:
    with pytest.raises(MalformedEntry, match="not_an_erasure"):
        Erased().add(entry([["case:17", 9]], event="privacy.hold_placed"))


def test_the_largest_part_fits_into_an_entry() -> None:
    names = [(f"case:{2**53 - number}", 2**40) for number in range(STREAMS_AT_ONCE * 2 + 1)]
    parts = parts_of([*names, ("borrower:" + "b" * 64, 2**40)])
    assert [len(part) for part in parts] == [STREAMS_AT_ONCE, STREAMS_AT_ONCE, 2]
    for part in parts:
        assert len(encode(entry(as_data(part)["covers"]))) < MAX_BODY_BYTES - 4_000


def test_an_erasure_of_nothing_is_still_one_entry() -> None:
    assert parts_of([]) == [[]]


PLACES = st.lists(
    st.tuples(st.sampled_from(["case:1", "case:2", "case:30", "request:1", "borrower:B1"]), st.integers(0, 6)),
    max_size=6,
)


@given(st.lists(PLACES, max_size=4))
def test_it_agrees_with_looking_at_every_erasure(erasures: list[list[tuple[str, int]]]) -> None:
    erased = Erased()
    for number, places in enumerate(erasures, 2):
        erased.add(entry([list(place) for place in places], seq=number))
    for stream in ("case:1", "case:2", "case:30", "request:1", "borrower:B1"):
        for seq in range(1, 8):
            naive = any(name == stream and seq <= last for places in erasures for name, last in places)
            assert (erased.by(stream, seq) is not None) == naive
