"""Verification of access: whatever lets somebody in has its entry, and what was given by SQL shows."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.evidence.verifying import verify
from casework.people.identity import (
    ending,
    keys,
    log_in,
    resetting,
    sessions,
)
from casework.people.identity.sessions import TokensGranted
from casework.people.identity.tables import passwords, reset_codes, second_factors
from casework.people.identity.tables import sessions as session_rows
from casework.people.staff.actor import system
from casework.people.staff.tables import tokens
from casework.settings import load_keys
from casework.storage.database import reading
from tests.identity.conftest import START, World


def findings(world: World) -> set[tuple[str, str | None, Any]]:
    mac_key = load_keys(world.started.settings.keys_dir).mac
    with reading(world.started.engine, snapshot=True) as conn:
        report = verify(conn, mac_key, world.started.branch.vault)
    return {(found.code, found.stream, found.detail.get("table")) for found in report.findings}


def with_code(world: World, staff_no: str) -> None:
    """A password, properly set."""
    code = world.do(
        lambda conn, trail: resetting.issue_code(conn, trail, world.policy, system("cli"), staff_no=staff_no)
    ).code
    attempt = world.do(lambda conn, trail: log_in.begin(conn, trail, world.brake(staff_no), staff_no))
    assert isinstance(attempt, log_in.Attempt)
    world.do(lambda conn, trail: resetting.set_by_code(conn, trail, attempt, code=code, password_hash="hash"))


@pytest.fixture
def full(world: World) -> World:
    """Every way in, of some begun, of some ended; two narrow keys."""
    world.do(lambda conn, _: conn.execute(passwords.delete()))
    for staff_no in ("R1", "V1"):
        with_code(world, staff_no)
    granted = world.logged_in("V1")
    phone = world.enrol("V1", granted.session_id)
    for staff_no, otp in (("R1", None), ("R1", None), ("V1", phone.shows(world.at))):
        again = world.logged_in(staff_no, otp=otp)
        refreshed = world.do(
            lambda conn, trail, again=again: sessions.refresh(conn, trail, world.policy, again.refresh_token)  # type: ignore[misc]  # bound now
        )
        assert isinstance(refreshed, TokensGranted)
    actor = world.actor("R1")
    world.do(lambda conn, trail: sessions.end_session(conn, trail, actor, again.session_id - 1))
    for _ in range(2):
        made = world.do(
            lambda conn, trail: keys.issue_key(
                conn, trail, actor, {"case.read"}, label="x", days=9, commands=["case.read"]
            )
        )
    world.do(lambda conn, trail: keys.revoke_key(conn, trail, actor, made.id))
    return world


def test_what_was_given_properly_is_sound_and_so_is_what_was_ended(full: World) -> None:
    assert findings(full) == set()
    full.do(lambda conn, trail: ending.revoke_tokens(conn, trail, system("cli"), staff_no="R1"))
    assert findings(full) == set()
    full.do(lambda conn, trail: ending.end_access(conn, trail, system("cli"), staff_no="V1"))
    assert findings(full) == set()


ATTACKS: list[tuple[str, sa.Table, Any]] = [
    ("V1", tokens, tokens.insert().values(
        token_hash=b"x" * 32, staff_no="V1", kind="key", created_at=START, expires_at=START, mac=b"")),
    ("V1", tokens, tokens.update().where(tokens.c.kind == "key").values(staff_no="V1")),
    ("R1", tokens, tokens.update().where(tokens.c.kind == "key").values(commands=None)),
    ("R1", tokens, tokens.update().where(tokens.c.kind == "key").values(commands="case.read case.fire")),
    ("R1", tokens, tokens.update().where(tokens.c.kind == "key").values(expires_at=START.replace(year=2030))),
    ("R1", tokens, tokens.update().where(tokens.c.kind == "key").values(revoked_at=None)),
    ("V1", tokens, tokens.insert().values(
        token_hash=b"y" * 32, staff_no="V1", kind="access", session_id=999, created_at=START, expires_at=START,
        mac=b"")),
    ("T1", session_rows, session_rows.insert().values(
        staff_no="T1", family_hash=b"f", refresh_hash=b"r", second_factor=True, after_code=False, created_at=START,
        refreshed_at=START, expires_at=START, mac=b"")),
    ("R1", session_rows, session_rows.update().where(session_rows.c.staff_no == "R1").values(second_factor=True)),
    ("R1", session_rows, session_rows.update().where(session_rows.c.staff_no == "R1").values(ended_at=None)),
    ("R1", session_rows, session_rows.update().where(session_rows.c.staff_no == "R1").values(
        expires_at=START.replace(year=2030))),
    ("T1", passwords, passwords.insert().values(
        staff_no="T1", password_hash="x", changed_at=START, by_code=False, mac=b"")),
    ("R1", second_factors, second_factors.insert().values(
        staff_no="R1", secret_sealed=b"x", confirmed_at=START, last_step=0, mac=b"")),
    ("V1", second_factors, second_factors.delete()),
    ("V1", second_factors, second_factors.update().values(last_step=0)),
    ("V1", passwords, passwords.update().where(passwords.c.staff_no == "V1").values(password_hash="known")),
    ("T1", reset_codes, reset_codes.insert().values(
        staff_no="T1", code_hash=b"c" * 32, expires_at=START.replace(year=2030), failures=0, mac=b"")),
    ("V1", session_rows, session_rows.update().where(session_rows.c.staff_no == "V1", session_rows.c.second_factor)
        .values(refresh_hash=b"r" * 32)),
    ("V1", tokens, tokens.update().where(tokens.c.staff_no == "V1", tokens.c.id == (
        sa.select(sa.func.max(tokens.c.id)).where(tokens.c.staff_no == "V1").scalar_subquery()))
        .values(expires_at=START.replace(year=2030))),
    ("V1", second_factors, second_factors.update().values(confirmed_at=None)),
]  # fmt: skip


@pytest.mark.parametrize(("staff_no", "table", "attack"), ATTACKS, ids=range(len(ATTACKS)))
def test_what_sql_gave_shows(full: World, staff_no: str, table: sa.Table, attack: Any) -> None:
    full.do(lambda conn, _: conn.execute(attack))
    assert findings(full) == {("row_differs", f"staff:{staff_no}", table.name)}


@pytest.mark.only("sqlite")
def test_values_of_a_wrong_type_convict_the_row_and_stop_nothing(full: World) -> None:
    newest = "(SELECT max(id) FROM tokens WHERE kind = 'access')"
    for attack in (
        "UPDATE tokens SET expires_at = 7 WHERE kind = 'key'",
        f"UPDATE tokens SET token_hash = 'x' WHERE id = {newest}",
        "UPDATE sessions SET second_factor = 'yes'", "UPDATE passwords SET password_hash = 7",
    ):  # fmt: skip
        full.do(lambda conn, _, attack=attack: conn.execute(sa.text(attack)))  # type: ignore[misc]  # bound now
    assert ("row_differs", "staff:R1", "tokens") in findings(full)
