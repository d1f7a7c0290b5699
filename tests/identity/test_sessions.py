"""Sessions: what a log-in gives, how long it lasts, and everything that ends it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from casework.errors import CallerError
from casework.people.identity import sessions
from casework.people.identity.sessions import TokensGranted
from casework.people.identity.tables import sessions as session_rows
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.people.staff.tables import tokens
from tests.identity.conftest import World


def refreshed(world: World, token: str) -> TokensGranted | CallerError:
    return world.do(lambda conn, trail: sessions.refresh(conn, trail, world.policy, token))


def go_on(world: World, token: str) -> TokensGranted:
    granted = refreshed(world, token)
    assert isinstance(granted, TokensGranted)
    return granted


def is_over(world: World, token: str) -> bool:
    return isinstance(refreshed(world, token), CallerError)


def test_a_log_in_gives_access_for_a_quarter_of_an_hour(world: World) -> None:
    granted = world.logged_in("R1")
    assert granted.expires_in == 15 * 60
    holder = world.holder(granted.access_token)
    assert holder is not None
    assert (holder.actor.id, holder.actor.posts, holder.session_id) == (
        "R1",
        frozenset({"business_rep"}),
        granted.session_id,
    )
    world.wait(minutes=15)
    assert world.holder(granted.access_token) is None


def test_a_refresh_gives_new_access_and_leaves_the_old_to_run_out(world: World) -> None:
    granted = world.logged_in("R1")
    world.wait(minutes=10)
    fresh = go_on(world, granted.refresh_token)
    assert len({granted.access_token, fresh.access_token, granted.refresh_token, fresh.refresh_token}) == 4
    assert world.holder(granted.access_token) is not None
    world.wait(minutes=10)
    assert world.holder(granted.access_token) is None
    assert world.holder(fresh.access_token) is not None


def test_a_session_ends_after_twelve_hours_however_often_it_was_refreshed(world: World) -> None:
    granted = world.logged_in("R1")
    for _ in range(12):
        world.wait(minutes=59)
        granted = go_on(world, granted.refresh_token)
    world.wait(minutes=7)
    last = go_on(world, granted.refresh_token)
    assert last.expires_in == 5 * 60  # not beyond the session
    world.wait(minutes=5)
    assert world.holder(last.access_token) is None
    assert is_over(world, last.refresh_token)


@pytest.mark.parametrize("ago", [1, 2, 5])
def test_a_refresh_token_that_was_spent_ends_the_session_however_old_it_is(world: World, ago: int) -> None:
    spent = [world.logged_in("R1")]
    for _ in range(ago):
        spent.append(go_on(world, spent[-1].refresh_token))
    assert is_over(world, spent[0].refresh_token)
    assert is_over(world, spent[-1].refresh_token)
    assert all(world.holder(one.access_token) is None for one in spent)
    (ended,) = world.said("R1", "staff.session_ended")
    assert ended[1]["cause"] == "refresh_token_reused"


def test_a_spent_token_ends_no_other_session(world: World) -> None:
    first, other = world.logged_in("R1"), world.logged_in("R1")
    go_on(world, first.refresh_token)
    assert is_over(world, first.refresh_token)
    assert world.holder(other.access_token) is not None
    go_on(world, other.refresh_token)


def test_two_that_refresh_at_one_instant_with_one_token_are_found_out(world: World) -> None:
    """One gets tokens, the other ends the session: a copy exists."""
    granted = world.logged_in("R1")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: refreshed(world, granted.refresh_token), range(2)))
    assert sorted(isinstance(one, TokensGranted) for one in answers) == [False, True]
    winner = next(one for one in answers if isinstance(one, TokensGranted))
    assert is_over(world, winner.refresh_token)


@pytest.mark.parametrize("text", ["", "cwr_", "cwr_" + "A" * 22 + "." + "A" * 43, "x" * 4_000, "cw_" + "A" * 43])
def test_what_is_no_refresh_token_gives_nothing_and_ends_nothing(world: World, text: str) -> None:
    granted = world.logged_in("R1")
    assert is_over(world, text)
    assert world.holder(granted.access_token) is not None


def test_a_log_out_ends_the_session_and_its_access_at_once(world: World) -> None:
    granted, other = world.logged_in("R1"), world.logged_in("R1")
    actor = world.actor("R1")
    world.do(lambda conn, trail: sessions.log_out(conn, trail, actor, granted.session_id))
    assert world.holder(granted.access_token) is None
    assert is_over(world, granted.refresh_token)
    assert world.holder(other.access_token) is not None


def test_nobody_ends_the_session_of_somebody_else(world: World) -> None:
    granted, actor = world.logged_in("R1"), world.actor("T1")
    with pytest.raises(CallerError) as told:
        world.do(lambda conn, trail: sessions.end_session(conn, trail, actor, granted.session_id))
    assert told.value.code == "unknown_session"
    assert world.holder(granted.access_token) is not None


def test_somebody_who_has_left_is_not_refreshed(world: World) -> None:
    granted = world.logged_in("R1")
    world.do(lambda conn, trail: register.leave(conn, trail, system("cli"), staff_no="R1", on=trail.today, cause={}))
    world.wait(days=1, minutes=-14 * 60)
    assert world.holder(granted.access_token) is None
    assert is_over(world, granted.refresh_token)
    assert world.refused("R1") == "log_in_refused"


def test_the_twenty_first_session_ends_the_oldest(world: World) -> None:
    granted = [world.logged_in("R1") for _ in range(sessions.MAX_OPEN + 1)]
    assert world.holder(granted[0].access_token) is None
    assert all(world.holder(one.access_token) is not None for one in granted[1:])


def test_access_tokens_that_have_run_out_are_not_kept(world: World) -> None:
    granted = world.logged_in("R1")
    for _ in range(6):
        world.wait(minutes=16)
        granted = go_on(world, granted.refresh_token)
    assert len([row for row in world.rows(tokens) if row.kind == "access"]) == 1


def test_nothing_that_is_kept_or_logged_gives_a_token_away(world: World) -> None:
    granted = world.logged_in("R1")
    secrets = [granted.access_token.removeprefix("cw_"), *granted.refresh_token.removeprefix("cwr_").split(".")]
    kept = repr([*world.rows(session_rows), *world.rows(tokens), *world.said("R1")])
    assert not any(secret in kept for secret in secrets)


def test_a_log_in_is_an_entry_and_so_is_its_end(world: World) -> None:
    granted, actor = world.logged_in("R1"), world.actor("R1")
    world.do(lambda conn, trail: sessions.log_out(conn, trail, actor, granted.session_id))
    events = world.said("R1", "staff.logged_in", "staff.logged_out")
    assert [(event, data["session"]) for event, data in events] == [
        ("staff.logged_in", granted.session_id), ("staff.logged_out", granted.session_id),
    ]  # fmt: skip
    assert granted.session_expires_at == world.at + timedelta(hours=12)


def test_sessions_long_over_are_forgotten_with_their_tokens_and_younger_ones_kept(world: World) -> None:
    world.logged_in("R1")
    world.wait(days=20)
    world.logged_in("T1")
    world.wait(days=11)
    assert world.do(lambda conn, _: sessions.purge(conn, world.at)) == 1
    assert [row.staff_no for row in world.rows(session_rows)] == ["T1"]
    assert [row.staff_no for row in world.rows(tokens)] == ["T1"]
