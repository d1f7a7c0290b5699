"""Keys of programs: deny by default, somebody answers for each, one follows another, and none outlives its owner."""

from functools import partial

import pytest

from casework.errors import CallerError
from casework.people.identity import keys, programs
from casework.people.identity.ending import end_access
from casework.people.identity.programs import issue_program_key, program_keys, revoke_program_key
from casework.people.staff.actor import system
from casework.people.staff.tables import tokens
from casework.people.staff.tokens import Issued
from tests.identity.conftest import World


def issued(
    world: World, program: str = "prometheus", owner: str = "R1", *, days: int = 90, may: str = "service.read"
) -> Issued:
    open_to = world.started.branch.rulebook.permissions.for_programs
    return world.do(lambda conn, trail: issue_program_key(
        conn, trail, world.actor("ADM1"), open_to, program=program, owner=owner, days=days, commands=may.split()
    ))  # fmt: skip


def refused(world: World, **how: str) -> CallerError:
    with pytest.raises(CallerError) as told:
        issued(world, **how)  # type: ignore[arg-type]  # texts alone
    return told.value


def test_a_program_comes_as_itself_and_as_nobody_with_its_owner_named(world: World) -> None:
    holder = world.holder(issued(world).token)
    assert holder is not None
    assert (holder.actor.id, holder.actor.kind, holder.actor.via) == ("R1:prometheus", "program", "api")
    assert (holder.actor.posts, holder.actor.principals) == (frozenset(), ())
    assert holder.actor.commands == frozenset({"service.read"})


def test_it_may_what_its_key_names_and_nothing_else(world: World) -> None:
    permissions = world.started.branch.rulebook.permissions
    holder = world.holder(issued(world).token)
    assert holder is not None
    assert permissions.commands_of(holder.actor) == ["service.read"]
    assert all(permissions.view(holder.actor, field) is None for field in permissions.personal)


def test_what_takes_four_eyes_shows_people_or_makes_keys_is_open_to_no_program(world: World) -> None:
    permissions = world.started.branch.rulebook.permissions
    assert permissions.for_programs == {
        "service.read", "branch.health", "rulebook.read", "case.read", "portfolio.read", "feed.read", "feed.import",
        "repayment.import", "log.read", "log.cosign", "log.receipt",
    }  # fmt: skip
    for command in (
        "request.decide",
        "handover.approve",
        "borrower.read",
        "key.own",
        "program.change",
        "case.reveal",
        "*",
    ):
        told = refused(world, may=f"service.read {command}")
        assert (told.code, told.facts["commands"]) == ("command_not_for_programs", [command])
    assert refused(world, may="").code == "command_not_for_programs"


def test_all_that_programs_may_is_told_of_no_program_whose_key_does_not_say_so(world: World) -> None:
    """A table that closes a command closes it to keys that were issued before."""
    permissions = world.started.branch.rulebook.permissions
    holder = world.holder(issued(world, may="case.read log.read").token)
    assert holder is not None
    assert not permissions.may(holder.actor, "service.read")
    policy = world.policy
    assert permissions.within(holder.actor, "case.read", policy).everything
    assert not permissions.within(holder.actor, "portfolio.read", policy).everything


@pytest.mark.parametrize("name", ["", "Prometheus", "9lives", "a b", "a:b", "a" * 32, "ops\n"])
def test_a_programs_name_tells_it_from_its_owner_in_every_entry(world: World, name: str) -> None:
    assert refused(world, program=name).code == "program_name_malformed"


def test_two_keys_overlap_while_one_follows_the_other_and_there_is_no_third(world: World) -> None:
    old = issued(world)
    new = issued(world, owner="T1")
    assert [world.holder(one.token) is not None for one in (old, new)] == [True, True]
    told = refused(world)
    assert (told.code, told.facts["keys"]) == ("too_many_keys", [old.id, new.id])
    world.do(lambda conn, trail: revoke_program_key(
        conn, trail, world.actor("ADM1"), program="prometheus", key_id=old.id
    ))  # fmt: skip
    assert [world.holder(one.token) is not None for one in (old, new)] == [False, True]
    issued(world)


def test_it_stops_when_its_owner_leaves_and_goes_on_where_another_has_a_key_of_it(world: World) -> None:
    old, new = issued(world), issued(world, owner="T1")
    world.do(lambda conn, trail: end_access(conn, trail, system("cli"), staff_no="R1"))
    assert world.holder(old.token) is None
    holder = world.holder(new.token)
    assert holder is not None
    assert holder.actor.id == "T1:prometheus"


def test_it_expires(world: World) -> None:
    key = issued(world, days=2)
    world.wait(days=2)
    assert world.holder(key.token) is None
    assert world.do(lambda conn, _: program_keys(conn, world.at)) == []


def test_a_key_that_was_widened_or_turned_into_a_persons_in_the_database_lets_nobody_in(world: World) -> None:
    for changed in (
        {"commands": "service.read feed.import"},
        {"program": None},
        {"program": "core-bank"},
        {"staff_no": "V1"},
    ):
        key = issued(world)
        assert world.holder(key.token) is not None
        world.do(lambda conn, _: conn.execute(tokens.update().where(tokens.c.id == key.id).values(changed)))  # noqa: B023
        assert world.holder(key.token) is None
        world.do(lambda conn, _: conn.execute(tokens.delete().where(tokens.c.id == key.id)))  # noqa: B023


def test_its_owner_sees_and_ends_it_among_their_own(world: World) -> None:
    key, other = issued(world), issued(world, program="core-bank", owner="T1")
    assert [(one.id, one.program) for one in world.do(lambda conn, _: keys.keys_of(conn, "R1", world.at))] == [
        (key.id, "prometheus")
    ]
    world.do(lambda conn, trail: keys.revoke_key(conn, trail, world.actor("R1"), key.id))
    assert world.holder(key.token) is None
    (left,) = world.do(lambda conn, _: programs.program_keys(conn, world.at))
    assert (left.program, left.owner, left.id, left.commands) == ("core-bank", "T1", other.id, ["service.read"])


def test_a_key_that_is_no_programs_or_another_programs_is_not_revoked_by_its_number(world: World) -> None:
    key = issued(world)
    own = world.do(partial(keys.issue_key, actor=world.actor("R1"), known={"case.read"}, label="mine", days=3))
    for program, key_id in (("core-bank", key.id), ("prometheus", own.id)):
        with pytest.raises(CallerError) as told:
            world.do(partial(revoke_program_key, actor=world.actor("ADM1"), program=program, key_id=key_id))
        assert told.value.code == "unknown_key"
    assert world.holder(key.token) is not None


def test_issuing_and_revoking_name_program_and_owner_in_the_owners_stream(world: World) -> None:
    key = issued(world)
    world.do(partial(revoke_program_key, actor=world.actor("ADM1"), program="prometheus", key_id=key.id))
    said = world.said("R1", "staff.key_issued", "staff.key_revoked")
    assert [(event, data["program"], data["staff_no"]) for event, data in said] == [
        ("staff.key_issued", "prometheus", "R1"), ("staff.key_revoked", "prometheus", "R1"),
    ]  # fmt: skip
    assert key.token.removeprefix("cw_") not in repr(said)
