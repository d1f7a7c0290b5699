"""API keys: made and revoked by their holder, narrow, expiring, and seen when they are used."""

from functools import partial

import pytest
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Trail
from casework.people.identity import keys
from casework.people.staff import tokens as texts
from casework.people.staff.actor import Actor, system
from casework.people.staff.tables import register_version
from casework.people.staff.tables import tokens as token_rows
from casework.people.staff.tokens import Issued, hash_of
from tests.identity.conftest import World

KNOWN = {"case.read", "case.fire", "rulebook.read"}


def made(world: World, staff_no: str = "R1", *, days: int = 30, commands: list[str] | None = None) -> Issued:
    actor = world.actor(staff_no)
    return world.do(
        lambda conn, trail: keys.issue_key(conn, trail, actor, KNOWN, label="reports", days=days, commands=commands)
    )


def test_a_key_names_its_holder_until_it_expires(world: World) -> None:
    key = made(world, days=2)
    holder = world.holder(key.token)
    assert holder is not None
    assert (holder.actor.id, holder.actor.commands, holder.session_id) == ("R1", None, None)
    world.wait(days=2)
    assert world.holder(key.token) is None


def test_a_key_is_for_the_commands_it_names(world: World) -> None:
    holder = world.holder(made(world, commands=["rulebook.read", "case.read"]).token)
    assert holder is not None
    assert holder.actor.commands == frozenset({"case.read", "rulebook.read"})


@pytest.mark.parametrize("commands", [["case.reed"], [], ["case.read", "*"]])
def test_a_key_for_nothing_or_for_something_unknown_is_not_made(world: World, commands: list[str]) -> None:
    with pytest.raises(CallerError) as told:
        made(world, commands=commands)
    assert told.value.code == "unknown_command"


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_key_lives_for_a_bounded_time(world: World, days: int) -> None:
    with pytest.raises(CallerError) as told:
        made(world, days=days)
    assert told.value.code == "days_out_of_range"


def test_one_person_has_at_most_fifty(world: World) -> None:
    for _ in range(keys.MAX_KEYS):
        made(world)
    with pytest.raises(CallerError) as told:
        made(world)
    assert told.value.code == "too_many_keys"


def test_a_revoked_key_is_dead_and_the_register_says_that_something_changed(world: World) -> None:
    key, other, actor = made(world), made(world), world.actor("R1")
    before = world.rows(register_version)
    world.do(lambda conn, trail: keys.revoke_key(conn, trail, actor, key.id))
    assert world.holder(key.token) is None
    assert world.holder(other.token) is not None
    assert world.rows(register_version) != before
    with pytest.raises(CallerError) as told:
        world.do(lambda conn, trail: keys.revoke_key(conn, trail, actor, key.id))
    assert told.value.code == "unknown_key"


def test_nobody_revokes_the_key_of_somebody_else_or_an_access_token(world: World) -> None:
    key, actor = made(world), world.actor("T1")
    granted = world.logged_in("T1")
    (access,) = [row for row in world.rows(token_rows) if row.kind == "access"]
    for key_id in (key.id, access.id):
        with pytest.raises(CallerError) as told:
            world.do(partial(_revoke, actor, key_id))
        assert told.value.code == "unknown_key"
    assert world.holder(granted.access_token) is not None


def _revoke(actor: Actor, key_id: int, conn: Connection, trail: Trail) -> None:
    keys.revoke_key(conn, trail, actor, key_id)


def test_a_token_of_the_shell_is_a_key_like_the_others(world: World) -> None:
    world.do(lambda conn, trail: texts.issue(conn, trail, system("cli"), staff_no="R1"))
    made(world)
    found = world.do(lambda conn, _: keys.keys_of(conn, "R1", world.at))
    assert [(key.label, key.commands) for key in found] == [(None, None), ("reports", None)]


def test_use_is_noted_to_the_hour_and_for_keys_only_where_it_was(world: World) -> None:
    used, unused = made(world), made(world)
    world.wait(minutes=25, seconds=13)
    world.do(lambda conn, _: keys.record_use(conn, [hash_of(used.token)], world.at))
    found = {key.id: key.last_used_at for key in world.do(lambda conn, _: keys.keys_of(conn, "R1", world.at))}
    assert found == {used.id: world.at.replace(minute=0, second=0), unused.id: None}


def test_making_and_revoking_are_entries_without_label_or_text(world: World) -> None:
    key, actor = made(world, commands=["case.read"]), world.actor("R1")
    world.do(lambda conn, trail: keys.revoke_key(conn, trail, actor, key.id))
    said = world.said("R1", "staff.key_issued", "staff.key_revoked")
    assert [event for event, _ in said] == ["staff.key_issued", "staff.key_revoked"]
    assert said[0][1]["commands"] == ["case.read"]
    assert "reports" not in repr(said)
    assert key.token.removeprefix("cw_") not in repr([*said, *world.rows(token_rows)])
