"""One-time codes and new passwords: who gives one, how often it may be tried, and what ends with it."""

import pytest
from msgspec.structs import replace

from casework.errors import CallerError
from casework.people.identity import keys, log_in, resetting
from casework.people.identity.passwords import password_of
from casework.people.identity.resetting import Code
from casework.people.identity.second_factor import is_confirmed
from casework.people.identity.tables import reset_codes
from casework.people.staff import register
from casework.people.staff.actor import Actor, system
from casework.people.staff.tokens import Issued
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


# ── an administrator who came in once ───────────────────────────────────────────────────────────────────────────────


def key_in(world: World, staff_no: str, session_id: int | None) -> Issued:
    actor = world.actor(staff_no)
    return world.do(
        lambda conn, trail: keys.issue_key(
            conn, trail, actor, {"case.read"}, label="x", days=300, session_id=session_id
        )
    )


def test_keys_end_with_a_reset_and_stay_when_one_changes_the_password_oneself(world: World) -> None:
    key = key_in(world, "R1", None)
    attempt = world.do(lambda conn, trail: log_in.begin(conn, trail, world.brake("R1"), "R1"))
    assert isinstance(attempt, log_in.Attempt)
    world.do(
        lambda conn, trail: resetting.set_by_password(
            conn, trail, world.started.branch.vault, attempt, is_right=True, otp=None, password_hash="own"
        )
    )
    assert world.holder(key.token) is not None
    code = issued(world).code
    assert world.holder(key.token) is not None  # a code that nobody uses ends nothing
    redeemed(world, code)
    assert world.holder(key.token) is None


def test_no_key_is_made_in_the_first_session_after_a_code_and_one_is_in_the_next(world: World) -> None:
    redeemed(world, issued(world).code)
    first = world.logged_in("R1")
    with pytest.raises(CallerError) as told:
        key_in(world, "R1", first.session_id)
    assert told.value.code == "key_after_code"
    second = world.logged_in("R1")
    assert world.holder(key_in(world, "R1", second.session_id).token) is not None
    assert [data["after_code"] for _, data in world.said("R1", "staff.logged_in")] == [True, False]


def test_the_second_factor_of_who_decides_is_taken_away_by_two_administrators_alone(world: World) -> None:
    world.enrol("V1")
    first, second = world.actor("ADM1"), replace(world.actor("ADM1"), id="ADM2")
    assert issued(world, "V1", first, second_factor_too=True).awaits_second_administrator
    assert issued(world, "V1", first, second_factor_too=True).awaits_second_administrator  # the same one again
    assert second_factor_of(world, "V1")
    world.wait(hours=25)
    assert issued(world, "V1", second, second_factor_too=True).awaits_second_administrator  # too late
    assert second_factor_of(world, "V1")
    assert not issued(world, "V1", first, second_factor_too=True).awaits_second_administrator
    assert not second_factor_of(world, "V1")
    assert [event for event, _ in world.said("V1")].count("staff.second_factor_removal_asked") == 3


def test_one_administrator_or_the_shell_takes_it_from_who_needs_none(world: World) -> None:
    world.enrol("R1")
    assert not issued(world, "R1", world.actor("ADM1"), second_factor_too=True).awaits_second_administrator
    assert not second_factor_of(world, "R1")
    world.enrol("V1")
    assert not issued(world, "V1", SHELL, second_factor_too=True).awaits_second_administrator
    assert not second_factor_of(world, "V1")


def second_factor_of(world: World, staff_no: str) -> bool:
    return world.do(lambda conn, _: is_confirmed(conn, staff_no))
