"""One-time codes and new passwords: who gives one, how often it may be tried, and what ends with it."""

import pytest

from casework.errors import CallerError
from casework.identity import log_in, resetting
from casework.identity.passwords import password_of
from casework.identity.resetting import Code
from casework.identity.tables import reset_codes
from casework.staff import register
from casework.staff.actor import Actor, system
from tests.identity.conftest import World

SHELL = system("cli")


def issued(world: World, staff_no: str = "R1", by: Actor = SHELL, *, second_factor_too: bool = False) -> Code:
    return world.do(
        lambda conn, trail: resetting.issue_code(
            conn, trail, world.policy, by, staff_no=staff_no, second_factor_too=second_factor_too
        )
    )


def redeemed(world: World, code: str, staff_no: str = "R1", address: str = "10.0.0.1") -> str | None:
    attempt = world.do(lambda conn, trail: log_in.begin(conn, trail, world.brake(staff_no, address), staff_no))
    if isinstance(attempt, CallerError):
        return attempt.code
    wrong = world.do(
        lambda conn, trail: resetting.set_by_code(conn, trail, attempt, code=code, password_hash="new hash")
    )
    return None if wrong is None else wrong.code


def stored(world: World, staff_no: str = "R1") -> str | None:
    return world.do(lambda conn, trail: password_of(conn, trail, staff_no))


def test_a_code_sets_a_password_once(world: World) -> None:
    code = issued(world).code
    assert redeemed(world, code) is None
    assert stored(world) == "new hash"
    assert redeemed(world, code) == "log_in_refused"


@pytest.mark.parametrize("written", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "])
def test_a_code_may_be_typed_as_people_type(world: World, written: object) -> None:
    assert callable(written)
    assert redeemed(world, written(issued(world).code)) is None


def test_a_code_has_78_bits_and_no_letter_that_reads_as_another(world: World) -> None:
    codes = {issued(world).code for _ in range(50)}
    letters = set("".join(codes)) - {"-"}
    assert len(codes) == 50
    assert all(len(code.replace("-", "")) == 16 for code in codes)
    assert not letters & set("01OIL")


def test_a_code_dies_after_a_day(world: World) -> None:
    code = issued(world).code
    world.wait(hours=24)
    assert redeemed(world, code) == "log_in_refused"
    assert stored(world) == "hash of R1"


def test_a_new_code_ends_the_one_of_before(world: World) -> None:
    first, second = issued(world).code, issued(world).code
    assert redeemed(world, first) == "log_in_refused"
    assert redeemed(world, second) is None


def test_five_wrong_tries_kill_a_code_wherever_they_come_from(world: World) -> None:
    code = issued(world).code
    for number in range(resetting.MAX_TRIES):
        assert redeemed(world, "2222-2222-2222-2222", address=f"10.0.{number}.1") == "log_in_refused"
    assert world.rows(reset_codes) == []
    world.wait(minutes=16)
    assert redeemed(world, code) == "log_in_refused"


def test_a_code_is_for_one_person(world: World) -> None:
    code = issued(world, "T1").code
    issued(world, "R1")
    assert redeemed(world, code, "R1") == "log_in_refused"
    assert redeemed(world, code, "GHOST") == "log_in_refused"
    assert redeemed(world, code, "T1") is None


def test_a_code_frees_somebody_who_is_locked(world: World) -> None:
    for _ in range(5):
        world.refused("R1", right=False)
    assert world.refused("R1") == "locked_out"
    assert redeemed(world, issued(world).code, address="10.0.0.9") is None


def test_a_new_password_ends_every_session_of_before(world: World) -> None:
    granted = [world.logged_in("R1") for _ in range(3)]
    redeemed(world, issued(world).code)
    assert all(world.holder(one.access_token) is None for one in granted)
    world.logged_in("R1")


def test_a_code_leaves_the_second_factor_alone_unless_the_phone_is_gone(world: World) -> None:
    world.enrol("R1")
    redeemed(world, issued(world).code)
    assert world.refused("R1") == "log_in_refused"
    redeemed(world, issued(world, second_factor_too=True).code)
    world.logged_in("R1")
    assert "staff.second_factor_removed" in [event for event, _ in world.said("R1")]


def test_nobody_issues_a_code_for_himself(world: World) -> None:
    with pytest.raises(CallerError) as told:
        issued(world, "ADM1", world.actor("ADM1"))
    assert told.value.code == "own_reset"
    assert issued(world, "R1", world.actor("ADM1")).staff_no == "R1"


def test_only_those_who_are_there_get_one(world: World) -> None:
    world.do(lambda conn, trail: register.leave(conn, trail, SHELL, staff_no="R1", on=trail.today, cause={}))
    for staff_no, code in (("R1", "staff_left"), ("GHOST", "unknown_staff")):
        with pytest.raises(CallerError) as told:
            issued(world, staff_no)
        assert told.value.code == code


def test_the_code_is_kept_nowhere_and_its_issue_names_who_gave_it(world: World) -> None:
    code = issued(world, "R1", world.actor("ADM1")).code
    plain = code.replace("-", "")
    kept = repr([*world.rows(reset_codes), *world.said("R1")])
    assert code not in kept
    assert plain not in kept
    assert [event for event, _ in world.said("R1")][-1] == "staff.reset_code_issued"


def change(world: World, *, right: bool, otp: str | None = None) -> str | None:
    attempt = world.do(lambda conn, trail: log_in.begin(conn, trail, world.brake("R1"), "R1"))
    if isinstance(attempt, CallerError):
        return attempt.code
    vault = world.started.branch.vault
    wrong = world.do(
        lambda conn, trail: resetting.set_by_password(
            conn, trail, vault, attempt, is_right=right, otp=otp, password_hash="new hash"
        )
    )
    return None if wrong is None else wrong.code


def test_a_password_is_changed_with_the_old_one_and_the_second_factor(world: World) -> None:
    phone = world.enrol("R1")
    assert change(world, right=False, otp=phone.shows(world.at)) == "log_in_refused"
    assert change(world, right=True) == "log_in_refused"
    assert stored(world) == "hash of R1"
    assert change(world, right=True, otp=phone.shows(world.at)) is None
    assert stored(world) == "new hash"


def test_wrong_old_passwords_lock_like_wrong_log_ins(world: World) -> None:
    assert [change(world, right=False) for _ in range(6)] == ["log_in_refused"] * 5 + ["locked_out"]


def test_a_password_that_was_set_while_another_was_compared_wins(world: World) -> None:
    """A log-in that compared with the old hash is not let in after the change."""
    attempt = world.do(lambda conn, trail: log_in.begin(conn, trail, world.brake("R1"), "R1"))
    assert not isinstance(attempt, CallerError)
    redeemed(world, issued(world).code)
    vault, policy = world.started.branch.vault, world.policy
    late = world.do(lambda conn, trail: log_in.finish(conn, trail, vault, policy, attempt, is_right=True, otp=None))
    assert isinstance(late, CallerError)
