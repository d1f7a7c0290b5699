"""The second factor: codes of now, each once, asked of those whose posts ask for it."""

import base64
from datetime import UTC, date, datetime

import pytest

from casework.clock import utc_text
from casework.errors import CallerError
from casework.people.identity import second_factor, sessions
from casework.people.identity.sessions import TokensGranted
from casework.people.identity.tables import second_factors
from casework.people.staff import absence
from casework.people.staff.actor import system
from casework.people.staff.permissions import ENROL_ONLY
from casework.personal import DoesNotOpen
from tests.identity.conftest import Phone, World


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
     (2000000000, "69279037"), (20000000000, "65353130")],
)  # fmt: skip
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B, SHA-1; the RFC shows eight digits, of which ours are the last six."""
    key = b"12345678901234567890"
    assert second_factor._step_of(key, code[2:], datetime.fromtimestamp(seconds, UTC)) == seconds // 30


def test_a_secret_has_160_bits_and_the_uri_an_authenticator_reads(world: World) -> None:
    actor = world.actor("R1")
    made = world.do(
        lambda conn, _: second_factor.enrol(conn, world.started.branch.mac_key, world.started.branch.vault, actor)
    )
    assert len(base64.b32decode(made.secret)) == 20
    assert made.uri.startswith("otpauth://totp/casework:R1?")
    assert f"secret={made.secret}" in made.uri


def test_the_secret_lies_sealed_and_in_no_entry(world: World) -> None:
    phone = world.enrol("R1")
    kept = repr([*world.rows(second_factors), *world.said("R1")])
    assert phone.secret not in kept


def test_a_factor_counts_only_once_it_was_confirmed(world: World) -> None:
    actor = world.actor("R1")
    world.do(lambda conn, _: second_factor.enrol(conn, world.started.branch.mac_key, world.started.branch.vault, actor))
    world.logged_in("R1")
    phone = world.enrol("R1")  # the one begun is replaced
    assert world.refused("R1") == "log_in_refused"
    world.logged_in("R1", otp=phone.shows(world.at))


def test_a_wrong_code_is_told_like_a_wrong_password_and_counts(world: World) -> None:
    phone = world.enrol("R1")
    wrong = "000000" if phone.shows(world.at) != "000000" else "000001"
    assert [world.refused("R1", otp=wrong) for _ in range(5)] == ["log_in_refused"] * 5
    assert world.refused("R1", otp=phone.shows(world.at)) == "locked_out"


@pytest.mark.parametrize("right", [True, False])
def test_without_the_code_a_right_password_is_told_and_counted_as_a_wrong_one_is(world: World, right: bool) -> None:
    phone = world.enrol("R1")
    assert [world.refused("R1", right=right) for _ in range(6)] == ["log_in_refused"] * 5 + ["locked_out"]
    assert world.refused("R1", otp=phone.shows(world.at)) == "locked_out"


def test_a_code_that_was_forgotten_once_keeps_nobody_out(world: World) -> None:
    phone = world.enrol("R1")
    assert world.refused("R1") == "log_in_refused"
    world.logged_in("R1", otp=phone.shows(world.at))


def test_a_wrong_password_with_the_right_code_does_not_use_the_code(world: World) -> None:
    phone = world.enrol("R1")
    assert world.refused("R1", right=False, otp=phone.shows(world.at)) == "log_in_refused"
    world.logged_in("R1", otp=phone.shows(world.at))


def test_a_code_works_once(world: World) -> None:
    phone = world.enrol("R1")
    code = phone.shows(world.at)
    world.logged_in("R1", otp=code)
    assert world.refused("R1", otp=code) == "log_in_refused"
    world.wait(seconds=30)
    world.logged_in("R1", otp=phone.shows(world.at))


def test_a_code_of_before_the_last_one_used_does_not_work_either(world: World) -> None:
    phone = world.enrol("R1")
    world.wait(seconds=60)
    world.logged_in("R1", otp=phone.shows(world.at))
    assert world.refused("R1", otp=phone.shows(world.at, -1)) == "log_in_refused"


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_phone_may_be_half_a_minute_off_and_no_more(world: World, steps: int, taken: bool) -> None:
    phone = world.enrol("R1")
    world.wait(minutes=10)
    assert isinstance(world.log_in("R1", otp=phone.shows(world.at, steps)), TokensGranted) is taken


def test_the_code_that_confirmed_does_not_log_in_again(world: World) -> None:
    actor, vault = world.actor("R1"), world.started.branch.vault
    phone = Phone(
        world.do(lambda conn, _: second_factor.enrol(conn, world.started.branch.mac_key, vault, actor)).secret
    )
    code = phone.shows(world.at)
    world.do(lambda conn, trail: second_factor.confirm(conn, trail, vault, actor, code, session_id=None))
    assert world.refused("R1", otp=code) == "log_in_refused"


@pytest.mark.parametrize("staff_no", ["V1", "ADM1"])
def test_approvers_and_administrators_without_a_factor_may_only_set_one_up(world: World, staff_no: str) -> None:
    granted = world.logged_in(staff_no)
    holder = world.holder(granted.access_token)
    assert granted.must_enrol
    assert holder is not None
    assert holder.actor.commands == ENROL_ONLY
    world.enrol(staff_no, granted.session_id)
    fresh = world.do(lambda conn, trail: sessions.refresh(conn, trail, world.policy, granted.refresh_token))
    assert isinstance(fresh, TokensGranted)
    whole = world.holder(fresh.access_token)
    assert whole is not None
    assert whole.actor.commands is None


def test_another_session_of_before_the_factor_stays_narrow(world: World) -> None:
    """Whoever opened it knew the password alone."""
    early, later = world.logged_in("V1"), world.logged_in("V1")
    world.enrol("V1", later.session_id)
    holder = world.holder(early.access_token)
    assert holder is not None
    assert holder.actor.commands == ENROL_ONLY


def test_those_without_such_a_post_need_none(world: World) -> None:
    granted = world.logged_in("R1")
    holder = world.holder(granted.access_token)
    assert not granted.must_enrol
    assert holder is not None
    assert holder.actor.commands is None


def test_a_deputy_of_an_approver_acts_for_him_only_with_a_second_factor(world: World) -> None:
    """Without it he keeps his own work, and sees none of the other's."""
    permissions = world.started.branch.rulebook.permissions
    away = {"from_on": world.today, "until_on": date(2026, 3, 20), "reason": "leave", "deputy": "R1"}
    world.do(lambda conn, trail: absence.absent(conn, trail, system("cli"), permissions, staff_no="V1", **away))  # type: ignore[arg-type]  # a table of them
    plain = world.holder(world.logged_in("R1").access_token)
    phone = world.enrol("R1")
    shown = world.holder(world.logged_in("R1", otp=phone.shows(world.at)).access_token)
    assert plain is not None
    assert shown is not None
    assert plain.actor.people == {"R1"}
    assert plain.actor.commands is None
    assert shown.actor.people == {"R1", "V1"}


def test_who_must_have_a_factor_cannot_give_it_up_and_others_need_a_code(world: World) -> None:
    vault = world.started.branch.vault
    needed, free = world.actor("V1"), world.actor("R1")
    theirs, mine = world.enrol("V1"), world.enrol("R1")
    code = theirs.shows(world.at)
    with pytest.raises(CallerError) as told:
        world.do(lambda conn, trail: second_factor.remove(conn, trail, vault, world.policy, needed, code))
    assert told.value.code == "second_factor_required"
    wrong = world.do(lambda conn, trail: second_factor.remove(conn, trail, vault, world.policy, free, "abcdef"))
    assert wrong is not None
    assert wrong.code == "second_factor_wrong"
    code = mine.shows(world.at)
    assert world.do(lambda conn, trail: second_factor.remove(conn, trail, vault, world.policy, free, code)) is None
    world.logged_in("R1")
    assert [event for event, _ in world.said("R1")][-2:] == ["staff.second_factor_removed", "staff.logged_in"]


def test_a_second_one_is_refused_while_one_is_in_force(world: World) -> None:
    world.enrol("R1")
    actor = world.actor("R1")
    with pytest.raises(CallerError) as told:
        world.do(
            lambda conn, _: second_factor.enrol(conn, world.started.branch.mac_key, world.started.branch.vault, actor)
        )
    assert told.value.code == "second_factor_exists"


def test_a_secret_moved_to_another_person_by_sql_lets_nobody_in_and_opens_nothing(world: World) -> None:
    phone = world.enrol("R1")
    world.enrol("T1")
    (row,) = [row for row in world.rows(second_factors) if row.staff_no == "R1"]
    world.do(
        lambda conn, _: conn.execute(
            second_factors.update().where(second_factors.c.staff_no == "T1").values(secret_sealed=row.secret_sealed)
        )
    )
    assert world.refused("T1", otp=phone.shows(world.at)) == "log_in_refused"
    with pytest.raises(DoesNotOpen):
        world.started.branch.vault.open(second_factor._secret_cell("T1"), bytes(row.secret_sealed))


def test_setting_up_is_an_entry_of_its_own_time(world: World) -> None:
    world.enrol("R1")
    (row,) = world.rows(second_factors)
    assert [event for event, _ in world.said("R1")][-1] == "staff.second_factor_enrolled"
    assert utc_text(row.confirmed_at) == utc_text(world.at.replace(second=0))
