"""The end of somebody's access: everything at once, in the transaction of whoever asks for it."""

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.people.identity import (
    ending,
    keys,
    resetting,
    sessions,
)
from casework.people.identity.tables import passwords, reset_codes, second_factors
from casework.people.staff.actor import system
from casework.people.staff.tables import staff
from tests.identity.conftest import World

SHELL = system("cli")


def furnish(world: World, staff_no: str = "R1") -> list[str]:
    """A session, a key, a second factor and a code; the tokens."""
    granted, actor = world.logged_in(staff_no), world.actor(staff_no)
    key = world.do(lambda conn, trail: keys.issue_key(conn, trail, actor, set(), label="x", days=3))
    world.enrol(staff_no, granted.session_id)
    world.do(lambda conn, trail: resetting.issue_code(conn, trail, world.policy, SHELL, staff_no=staff_no))
    return [granted.access_token, key.token, granted.refresh_token]


def end(world: World, staff_no: str = "R1") -> int:
    return world.do(lambda conn, trail: ending.end_access(conn, trail, SHELL, staff_no=staff_no))


def test_everything_he_could_come_in_with_is_gone(world: World) -> None:
    access, key, refresh = furnish(world)
    assert end(world) == 6  # access token, key, session, code, password, factor
    assert world.holder(access) is None
    assert world.holder(key) is None
    gone = world.do(lambda conn, trail: sessions.refresh(conn, trail, world.policy, refresh))
    assert isinstance(gone, CallerError)
    assert all("R1" not in {row.staff_no for row in world.rows(table)} for table in (reset_codes, second_factors))
    assert world.refused("R1") == "log_in_refused"


def test_what_others_have_is_untouched(world: World) -> None:
    furnish(world, "R1")
    access, key, _ = furnish(world, "T1")
    end(world, "R1")
    assert world.holder(access) is not None
    assert world.holder(key) is not None
    assert "T1" in {row.staff_no for row in world.rows(passwords)}


def test_it_is_one_entry_and_the_second_time_none(world: World) -> None:
    furnish(world)
    end(world)
    assert end(world) == 0
    ((_, data),) = world.said("R1", "staff.access_ended")
    assert (len(data["tokens"]), len(data["sessions"]), data["passwords"]) == (2, 1, 1)


def test_it_goes_with_the_transaction_it_was_asked_in(world: World) -> None:
    access, key, _ = furnish(world)

    def fails(conn: sa.Connection, trail: object) -> None:
        ending.end_access(conn, trail, SHELL, staff_no="R1")  # type: ignore[arg-type]  # a trail
        raise RuntimeError

    with pytest.raises(RuntimeError):
        world.do(fails)
    assert world.holder(access) is not None
    assert world.holder(key) is not None


def test_nobody_unknown_is_ended(world: World) -> None:
    with pytest.raises(CallerError) as told:
        end(world, "GHOST")
    assert told.value.code == "unknown_staff"


def test_revoking_his_tokens_ends_the_sessions_too_and_leaves_the_password(world: World) -> None:
    access, key, refresh = furnish(world)
    revoked = world.do(lambda conn, trail: ending.revoke_tokens(conn, trail, SHELL, staff_no="R1"))
    assert revoked == 2
    assert world.holder(access) is None
    assert world.holder(key) is None
    assert isinstance(world.do(lambda conn, trail: sessions.refresh(conn, trail, world.policy, refresh)), CallerError)
    assert world.refused("R1") == "log_in_refused"


@pytest.mark.parametrize("status", ["left", "merged", "unverified"])
def test_a_token_dies_with_the_status_of_its_holder(world: World, status: str) -> None:
    """Even if somebody wrote the status by hand and forgot the tokens."""
    access, key, _ = furnish(world)
    world.do(lambda conn, _: conn.execute(staff.update().where(staff.c.staff_no == "R1").values(status=status)))
    assert world.holder(access) is None
    assert world.holder(key) is None
