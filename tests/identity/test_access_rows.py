"""Access by one row: what a writer of rows adds, widens or sets back lets nobody in, and verification tells of it.

The live side; `test_replay` tells the same of rows and entries. Each attack has its twin, which lets them in.
"""

import hashlib
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from casework.errors import CallerError
from casework.people.identity import (
    ending,
    log_in,
    resetting,
    sessions,
)
from casework.people.identity.sessions import TokensGranted
from casework.people.identity.tables import reset_codes, second_factors
from casework.people.identity.tables import sessions as session_rows
from casework.people.staff.tables import tokens
from casework.people.staff.tokens import hash_of
from tests.identity.conftest import World
from tests.identity.test_replay import findings
from tests.identity.test_resetting import SHELL

CODE = "2345-6789-ABCD-EFGH"


def redeemed(world: World, staff_no: str, code: str) -> CallerError | None:
    attempt = world.do(lambda conn, trail: log_in.begin(conn, trail, world.brake(staff_no), staff_no))
    assert isinstance(attempt, log_in.Attempt)
    return world.do(lambda conn, trail: resetting.set_by_code(conn, trail, attempt, code=code, password_hash="hash"))


def issued(world: World, staff_no: str) -> str:
    return world.do(lambda conn, trail: resetting.issue_code(conn, trail, world.policy, SHELL, staff_no=staff_no)).code


def rows_of(world: World, table: sa.Table) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in world.rows(table)]


def test_a_code_that_was_never_issued_is_refused_and_found(world: World) -> None:
    digest = hashlib.sha256(CODE.replace("-", "").encode()).digest()
    row = {"staff_no": "V1", "code_hash": digest, "expires_at": world.at + timedelta(days=999), "failures": 0,
           "mac": b"\x01" * 32}  # fmt: skip
    world.do(lambda conn, _: conn.execute(reset_codes.insert().values(row)))
    refused = redeemed(world, "V1", CODE)
    assert refused is not None
    assert refused.code == "log_in_refused"
    assert ("row_differs", "staff:V1", "reset_codes") in findings(world)
    assert redeemed(world, "V1", issued(world, "V1")) is None  # its twin, which was issued


def test_a_code_for_one_person_is_none_for_another(world: World) -> None:
    code = issued(world, "R1")
    world.do(lambda conn, _: conn.execute(reset_codes.update().values(staff_no="V1")))
    assert redeemed(world, "V1", code) is not None


def test_a_code_of_before_that_is_put_back_is_found(world: World) -> None:
    issued(world, "R1")
    (before,) = rows_of(world, reset_codes)
    issued(world, "R1")
    world.do(lambda conn, _: conn.execute(reset_codes.update().values(before)))
    assert ("row_differs", "staff:R1", "reset_codes") in findings(world)


def test_an_access_token_beside_a_session_that_is_over_or_never_was_lets_nobody_in(world: World) -> None:
    granted = world.logged_in("R1")
    assert world.holder(granted.access_token) is not None  # the twin of all that follows
    (genuine,) = [row for row in rows_of(world, tokens) if row["session_id"] == granted.session_id]
    other = "cw_" + "x" * 43
    changes: list[dict[str, Any]] = [
        {"expires_at": world.at + timedelta(days=999)}, {"session_id": 999}, {"session_id": None}, {"kind": "key"},
        {"staff_no": "V1"}, {"commands": "case.read"}, {"token_hash": hash_of(other)},
    ]  # fmt: skip
    for change in changes:
        changing = tokens.update().where(tokens.c.id == genuine["id"]).values(genuine | change)
        world.do(lambda conn, _, changing=changing: conn.execute(changing))  # type: ignore[misc]  # bound now
        assert world.holder(granted.access_token) is None, change
        assert world.holder(other) is None, change
    world.do(lambda conn, _: conn.execute(tokens.update().where(tokens.c.id == genuine["id"]).values(genuine)))
    assert world.holder(granted.access_token) is not None
    world.do(lambda conn, trail: sessions.log_out(conn, trail, world.actor("R1"), granted.session_id))
    world.do(lambda conn, _: conn.execute(tokens.update().values(revoked_at=None)))
    assert world.holder(granted.access_token) is None


def test_a_session_that_no_log_in_opened_or_that_was_widened_gives_no_tokens(world: World) -> None:
    granted = world.logged_in("R1")
    (genuine,) = rows_of(world, session_rows)
    known = hashlib.sha256(b"y" * 43).digest()
    family = granted.refresh_token.partition(".")[0]
    for change, token in (
        ({"refresh_hash": known}, f"{family}.{'y' * 43}"),
        ({"staff_no": "V1"}, granted.refresh_token),
        ({"second_factor": True}, granted.refresh_token),
        ({"expires_at": world.at + timedelta(days=999)}, granted.refresh_token),
    ):
        world.do(lambda conn, _, change=change: conn.execute(session_rows.update().values(genuine | change)))  # type: ignore[misc]  # bound now
        refreshed = world.do(
            lambda conn, trail, token=token: sessions.refresh(conn, trail, world.policy, token)  # type: ignore[misc]  # bound now
        )
        assert isinstance(refreshed, CallerError), change
        assert world.holder(granted.access_token) is None, change
    world.do(lambda conn, _: conn.execute(session_rows.update().values(genuine)))
    assert isinstance(
        world.do(lambda conn, trail: sessions.refresh(conn, trail, world.policy, granted.refresh_token)), TokensGranted
    )


def test_a_last_step_that_was_set_back_takes_no_code_and_is_found(world: World) -> None:
    granted = world.logged_in("R1")
    phone = world.enrol("R1", granted.session_id)
    (before,) = rows_of(world, second_factors)
    code = phone.shows(world.at)
    world.logged_in("R1", otp=code)
    (after,) = rows_of(world, second_factors)
    world.do(lambda conn, _: conn.execute(second_factors.update().values(last_step=0)))
    assert world.refused("R1", otp=code) == "log_in_refused"
    assert ("row_differs", "staff:R1", "second_factors") in findings(world)
    world.do(lambda conn, _: conn.execute(second_factors.update().values(before)))  # a row of before, MAC and all
    assert ("row_differs", "staff:R1", "second_factors") in findings(world)
    world.do(lambda conn, _: conn.execute(second_factors.update().values(after)))
    assert findings(world) & {("row_differs", "staff:R1", "second_factors")} == set()
    world.wait(seconds=60)
    world.logged_in("R1", otp=phone.shows(world.at))


def test_a_hash_of_a_password_that_somebody_knows_lets_nobody_in(world: World) -> None:
    world.do(lambda conn, trail: ending.revoke_tokens(conn, trail, SHELL, staff_no="R1"))
    world.logged_in("R1")
    world.do(lambda conn, _: conn.execute(sa.text("UPDATE passwords SET password_hash = 'known'")))
    assert world.refused("R1") == "log_in_refused"
