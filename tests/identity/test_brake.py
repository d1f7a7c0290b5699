"""The brake on guessing: how many tries, for whom, and that none is lost between processes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.people.identity import brake
from casework.people.identity.sessions import TokensGranted
from casework.people.identity.tables import log_in_failures
from casework.storage.database import open_engine, reading, writing
from tests.identity.conftest import World

TRIES = 5


def test_five_wrong_tries_lock_a_number_for_fifteen_minutes_and_not_a_second_more(world: World) -> None:
    assert [world.refused("R1", right=False) for _ in range(TRIES)] == ["log_in_refused"] * TRIES
    assert world.refused("R1") == "locked_out"
    world.wait(minutes=14, seconds=59)
    assert world.refused("R1") == "locked_out"
    world.wait(seconds=1)
    world.logged_in("R1")


def test_a_number_that_nobody_has_is_locked_just_the_same(world: World) -> None:
    told = [(world.refused("R1", right=False), world.refused("GHOST", right=False)) for _ in range(TRIES + 1)]
    assert all(known == unknown for known, unknown in told)


def test_a_lock_says_how_long_to_wait(world: World) -> None:
    for _ in range(TRIES):
        world.refused("R1", right=False)
    world.wait(minutes=5)
    refused = world.log_in("R1")
    assert isinstance(refused, CallerError)
    assert refused.facts["retry_after_s"] in (600, 601)


def test_a_good_log_in_begins_the_count_anew_and_says_what_came_before(world: World) -> None:
    for _ in range(TRIES - 1):
        world.refused("R1", right=False)
    world.logged_in("R1")
    assert [world.refused("R1", right=False) for _ in range(TRIES - 1)] == ["log_in_refused"] * (TRIES - 1)
    world.logged_in("R1")
    failed = [data["failures"] for _, data in world.said("R1", "staff.log_in_failed")]
    assert failed == [TRIES - 1, TRIES - 1]


def test_tries_far_apart_do_not_add_up(world: World) -> None:
    for _ in range(3 * TRIES):
        assert world.refused("R1", right=False) == "log_in_refused"
        world.wait(minutes=8)


def test_a_lock_of_somebody_known_is_one_entry_however_many_tries_follow(world: World) -> None:
    for _ in range(40):
        world.refused("R1", right=False)
        world.refused("GHOST", right=False, address="10.0.0.2")
    locked = world.said("R1", "staff.locked", "staff.log_in_failed")
    assert [(event, data["failures"]) for event, data in locked] == [("staff.locked", TRIES)]
    assert world.said("GHOST") == []


def test_an_address_is_locked_after_fifty_whichever_numbers_it_tried(world: World) -> None:
    for number in range(50):
        assert world.refused(f"G{number}", right=False) == "log_in_refused"
    assert world.refused("R1") == "locked_out"
    world.logged_in("R1", address="10.0.0.2")


def test_right_log_ins_do_not_use_up_an_address(world: World) -> None:
    for _ in range(60):
        world.logged_in("R1")


def test_addresses_and_numbers_are_counted_without_standing_there_in_clear(world: World) -> None:
    world.refused("R1", right=False, address="203.0.113.9")
    subjects = {row.subject for row in world.rows(log_in_failures)}
    assert "staff:R1" in subjects
    assert not any("203.0.113.9" in subject for subject in subjects)


def test_what_no_longer_counts_is_forgotten_and_what_counts_stays(world: World) -> None:
    world.refused("R1", right=False)
    world.wait(minutes=16)
    world.refused("T1", right=False, address="10.0.0.3")
    assert world.do(lambda conn, _: brake.purge(conn, world.policy, world.at)) == 2
    assert {row.subject for row in world.rows(log_in_failures)} >= {"staff:T1"}
    assert len(world.rows(log_in_failures)) == 2


def test_a_lock_is_not_forgotten_before_its_time(world: World) -> None:
    for _ in range(TRIES):
        world.refused("R1", right=False)
        world.wait(minutes=3)
    world.wait(minutes=5)
    world.do(lambda conn, _: brake.purge(conn, world.policy, world.at))
    assert world.refused("R1") == "locked_out"


def test_of_many_tries_at_one_instant_by_two_processes_only_five_get_as_far_as_the_password(world: World) -> None:
    """Two engines, eight threads, forty tries: each is counted before it is looked at."""
    engines = [open_engine(world.started.settings.database_url) for _ in range(2)]
    counted = world.brake("R1")

    def attempt(number: int) -> bool:
        with writing(engines[number % 2]) as conn:
            return brake.count(conn, counted, world.at) is None

    with ThreadPoolExecutor(8) as pool:
        passed = list(pool.map(attempt, range(40)))
    for engine in engines:
        engine.dispose()
    assert sum(passed) == TRIES


def test_looking_whether_somebody_is_locked_counts_nothing(world: World) -> None:
    for _ in range(20):
        with reading(world.started.engine) as conn:
            assert brake.locked(conn, world.brake("R1"), world.at) is None
    assert world.rows(log_in_failures) == []


@pytest.mark.only("sqlite")
@given(steps=st.lists(st.tuples(st.sampled_from(["wrong", "right", "wait"]), st.integers(1, 20)), max_size=40))
@hypothesis_settings(suppress_health_check=list(HealthCheck))
def test_whatever_is_tried_no_more_than_five_wrong_ones_fit_into_a_quarter_of_an_hour(
    world: World, steps: list[tuple[str, int]]
) -> None:
    """Between two right log-ins, of the tries that reached the password at most five lie within any 15 minutes."""
    world.do(lambda conn, _: conn.execute(log_in_failures.delete()))
    reached: list[datetime] = []
    for what, minutes in steps:
        if what == "wait":
            world.wait(minutes=minutes)
        elif what == "right":
            if isinstance(world.log_in("R1", address=f"10.{minutes}.0.1"), TokensGranted):
                reached.clear()
        elif world.refused("R1", right=False, address=f"10.{minutes}.0.1") == "log_in_refused":
            reached.append(world.at)
        for first, sixth in zip(reached, reached[TRIES:], strict=False):
            assert (sixth - first).total_seconds() >= 15 * 60
