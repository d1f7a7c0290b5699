"""A large batch is written slice by slice, on PostgreSQL behind the deciding, and nobody can tell but by the clock."""

from itertools import count
from threading import Event, get_ident
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casework.lifecycle import advance as door
from casework.lifecycle.batch import BatchPart
from casework.lifecycle.commands import Done
from casework.lifecycle.door import Door
from casework.storage import rows
from casework.storage.database import writing
from casework.work.cases.commands import Command
from tests.cases.test_advance import (
    LOANS,
    Branch,
    branch,
    commands,
    normal,
    opening,
    placed,
    repaired,
    two_branches,
)
from tests.conftest import LONGER

__all__ = ["branch", "two_branches"]  # fixtures
_examples = count(1)


@settings(max_examples=25 * LONGER, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(commands, min_size=3, max_size=14), size=st.integers(1, 4))
def test_a_batch_in_slices_equals_the_batch_whole_entry_for_entry(
    two_branches: tuple[Branch, Branch], batch: list[Command], size: int
) -> None:
    sliced, whole = two_branches
    prefix = f"S{next(_examples)}-"
    loans = [f"{prefix}{loan_id}" for loan_id in LOANS]
    here, there = sliced.open(*loans), whole.open(*loans)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "_SLICE", size)
        in_slices = sliced.do(*[placed(command, here, prefix) for command in batch])
    at_once = whole.do(*[placed(command, there, prefix) for command in batch])
    assert [type(outcome) for outcome in in_slices] == [type(outcome) for outcome in at_once]
    assert normal(sliced, prefix) == normal(whole, prefix)


@pytest.mark.only("postgresql")
def test_the_slices_really_are_written_behind_by_another_thread(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_SLICE", 2)
    threads, insert = list[int](), rows.insert_many

    def seen(*args: Any, **kwargs: Any) -> int:
        threads.append(get_ident())
        return insert(*args, **kwargs)

    monkeypatch.setattr(rows, "insert_many", seen)
    done = branch.do(*[opening(f"L{number}") for number in range(5)])
    assert all(isinstance(outcome, Done) for outcome in done)
    assert set(threads).isdisjoint({get_ident()})
    branch.assert_sound()


@pytest.mark.parametrize(("many", "times"), [(2, 0), (3, 1), (9, 1)])
@pytest.mark.only("postgresql")  # on SQLite a second process decides (tests/feed/test_two_processes.py)
def test_what_the_caller_does_meanwhile_is_done_once_of_a_batch_in_slices_and_of_no_other(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, many: int, times: int
) -> None:
    monkeypatch.setattr(door, "_SLICE", 2)
    done = list[int]()
    outcomes = branch.do(*[opening(f"L{number}") for number in range(many)], meanwhile=lambda: done.append(1))
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(done) == times


@pytest.mark.only("postgresql")
def test_the_caller_goes_on_while_slices_wait_to_be_written_and_few_of_them_wait(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_SLICE", 2)
    called, write, waited = Event(), door.write, list[bool]()
    decided = list[bool]()

    def slow(conn: Any, part: Any, *more: Any) -> None:
        waited.append(called.wait(30))
        write(conn, part, *more)

    def seen(self: Door) -> BatchPart:
        decided.append(called.is_set())
        return part_of(self)

    part_of = Door.part
    monkeypatch.setattr(door, "write", slow)
    monkeypatch.setattr(Door, "part", seen)
    outcomes = branch.do(*[opening(f"L{number}") for number in range(13)], meanwhile=called.set)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert waited == [True] * 7  # none was left to wait for what it was waiting for
    assert decided.count(False) <= 3
    branch.assert_sound()


def test_the_first_slices_are_small_and_no_later_one_is_smaller(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_SLICE", 16)
    sizes, write = list[int](), door.write

    def seen(conn: Any, part: Any, *more: Any) -> None:
        sizes.append(sum(len(fresh) for _, fresh in part.fresh))
        write(conn, part, *more)

    monkeypatch.setattr(door, "write", seen)
    branch.do(*[opening(f"L{number}") for number in range(62)])
    assert sizes == [2, 4, 8, 16, 16, 16]


def test_a_slice_that_cannot_be_written_leaves_nothing_of_the_batch(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    (case_id,) = branch.open("L0")
    monkeypatch.setattr(door, "_SLICE", 2)
    before, update = branch.dump(), rows.update_many
    calls = count(1)

    def breaking(*args: Any, **kwargs: Any) -> int:
        if next(calls) == 2:
            raise RuntimeError("the second slice breaks")
        return update(*args, **kwargs)

    monkeypatch.setattr(rows, "update_many", breaking)
    with pytest.raises(RuntimeError, match="second slice"), writing(branch.started.engine) as conn:
        door.advance(conn, [repaired(case_id) for _ in range(7)], branch.started.branch)
    assert branch.dump() == before
