"""What a second process makes ahead: in order, errors as they are, and it is gone when it is no longer needed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from casework.errors import CallerError, TryAgain
from casework.storage.forked import ForkEnded, made_ahead, places_of


def counting(to: int, then: object = None) -> Iterator[int]:
    yield from range(to)
    if callable(then):
        then()


def failing(error: Exception) -> None:
    raise error


def children() -> list[str]:
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()


def test_values_come_in_order_and_are_made_elsewhere() -> None:
    with made_ahead((number, os.getpid()) for number in range(1_000)) as made:
        came = list(made)
    assert [number for number, _ in came] == list(range(1_000))
    (other,) = {pid for _, pid in came}
    assert other != os.getpid()


def test_what_is_larger_than_the_pipe_comes_whole() -> None:
    with made_ahead(bytes([number]) * (3 << 20) for number in range(3)) as made:
        assert [(one[:1], len(one)) for one in made] == [(bytes([number]), 3 << 20) for number in range(3)]


ERRORS = [
    CallerError("loan_elsewhere", loans=3),
    TryAgain("database_busy", "soon", retry_after_s=4),
    ValueError("as it was"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_is_raised_there_is_raised_here_with_all_that_it_tells(error: Exception) -> None:
    with pytest.raises(type(error)) as told, made_ahead(counting(2, lambda: failing(error))) as made:
        assert [next(made), next(made)] == [0, 1]
        next(made)
    assert told.value.args == error.args
    assert {name: value for name, value in vars(told.value).items() if name != "casework_places"} == vars(error)
    if not isinstance(error, MemoryError):
        assert any(place.endswith(":failing") for place in places_of(told.value))


def test_an_error_that_cannot_be_handed_over_is_told_by_its_kind_without_its_words() -> None:
    held = counting(0, lambda: failing(ValueError("张伟明", lambda: None)))
    with pytest.raises(RuntimeError) as told, made_ahead(held) as made:
        next(made)
    assert told.value.args == ("ValueError",)


ENDS: dict[int, Callable[[], object]] = {
    -signal.SIGKILL: lambda: os.kill(os.getpid(), signal.SIGKILL), 3: lambda: os._exit(3),
}  # fmt: skip


@pytest.mark.parametrize("code", ENDS)
def test_one_that_ends_without_a_word_is_told_with_its_code(code: int) -> None:
    with pytest.raises(ForkEnded) as told, made_ahead(counting(1, ENDS[code])) as made:
        assert next(made) == 0
        next(made)
    assert told.value.code == code


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the children of a process are read from /proc")
def test_whoever_leaves_early_leaves_no_process_behind() -> None:
    before, began = children(), time.monotonic()
    with pytest.raises(KeyError), made_ahead(counting(1, lambda: time.sleep(600))) as made:
        next(made)
        raise KeyError
    assert children() == before
    assert time.monotonic() - began < 300
