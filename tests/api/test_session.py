"""Logging in over HTTP: real passwords, real tokens, and what a stranger learns (nothing)."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from api import auth
from casework.clock import now
from casework.log.tables import entries
from casework.people.identity import keys, resetting
from casework.people.identity.tables import passwords, second_factors
from casework.people.staff.access_mac import changed
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from tests.api.conftest import Running, findings

pytestmark = pytest.mark.usefixtures("quick_passwords")
PASSWORD = "four plain words here"
OTHER = "five other plain words here"


def code_for(running: Running, staff_no: str) -> str:
    """A one-time code, as `casework staff reset` issues it."""
    branch = running.started.branch
    with writing(running.started.engine) as conn:
        trail = branch.trail(now())
        policy = branch.rulebook.policies.at(trail.today)
        issued = resetting.issue_code(conn, trail, policy, system("cli"), staff_no=staff_no)
        trail.write(conn)
    return issued.code


def ask(running: Running, path: str, token: str | None = None, **body: Any) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return running.client.post(path, json=body, headers=headers)


def set_password(running: Running, staff_no: str = "R1", password: str = PASSWORD) -> None:
    answer = ask(running, "/session/password", staff_no=staff_no, code=code_for(running, staff_no),
                 new_password=password)  # fmt: skip
    assert answer.status_code == 204, answer.text


def log_in(running: Running, staff_no: str = "R1", password: str = PASSWORD, **more: Any) -> dict[str, Any]:
    answer = ask(running, "/session", staff_no=staff_no, password=password, **more)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def status(running: Running, token: str, path: str = "/me/sessions") -> int:
    return int(running.client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code)


def enrol(running: Running, token: str) -> TOTP:
    """Set up a second factor over the API."""
    made = ask(running, "/me/second-factor", token)
    assert made.status_code == 201, made.text
    phone = TOTP(base64.b32decode(made.json()["secret"]), 6, SHA1(), 30)
    confirmed = ask(running, "/me/second-factor/confirm", token, otp=phone.generate(int(time.time())).decode())
    assert confirmed.status_code == 204, confirmed.text
    return phone


def forget_steps(running: Running) -> None:
    """As if half a minute had passed since the last code."""
    with writing(running.started.engine) as conn:
        mac_key = running.started.branch.mac_key
        for row in conn.execute(sa.select(second_factors)).all():
            fresh = changed(mac_key, second_factors.name, row, last_step=0)
            conn.execute(second_factors.update().where(second_factors.c.staff_no == row.staff_no).values(fresh))


def test_a_day_at_work(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A code from the administrator, a password, a log-in, work, a refresh, a log-out; and the log is sound."""
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    set_password(running)
    granted = log_in(running)
    assert (granted["token_type"], granted["expires_in"], granted["must_enrol"]) == ("Bearer", 900, False)
    assert status(running, granted["access_token"], "/me/cases") == 200
    fresh = ask(running, "/session/refresh", refresh_token=granted["refresh_token"]).json()
    assert status(running, fresh["access_token"]) == 200
    out = running.client.delete("/session", headers={"Authorization": f"Bearer {fresh['access_token']}"})
    assert out.status_code == 204
    assert {status(running, one["access_token"]) for one in (granted, fresh)} == {401}
    assert ask(running, "/session/refresh", refresh_token=fresh["refresh_token"]).status_code == 401
    assert findings(running.started) == []


def test_a_stranger_learns_nothing_from_the_answer(running: Running) -> None:
    """Nobody, somebody without a password, one who has left or was never verified, a wrong password: one answer."""
    set_password(running)
    asked = [("R1", OTHER), ("GHOST", PASSWORD), ("T1", PASSWORD), ("system", PASSWORD)]
    answers = [ask(running, "/session", staff_no=staff_no, password=password) for staff_no, password in asked]
    told = [{**answer.json(), "instance": None} for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert all(one == told[0] for one in told)
    assert told[0]["code"] == "log_in_refused"
    assert answers[0].headers["www-authenticate"] == "Bearer"


def test_too_many_tries_answer_429_with_the_seconds_to_wait(running: Running) -> None:
    set_password(running)
    for staff_no in ("R1", "GHOST"):
        statuses = [ask(running, "/session", staff_no=staff_no, password=OTHER).status_code for _ in range(6)]
        assert statuses == [401] * 5 + [429]
    locked = ask(running, "/session", staff_no="R1", password=PASSWORD)
    assert (locked.status_code, locked.json()["code"]) == (429, "locked_out")
    assert 890 <= int(locked.headers["retry-after"]) <= 901


def test_a_flood_of_log_ins_is_turned_away_quickly_and_leaves_the_rest_alone(running: Running) -> None:
    """Sixty at once: some are compared, the others get 503 or 429; meanwhile work goes on, with its own token."""

    def attempt(number: int) -> int:
        return int(ask(running, "/session", staff_no=f"G{number}", password=OTHER).status_code)

    with ThreadPoolExecutor(40) as pool:
        flood = [pool.submit(attempt, number) for number in range(60)]
        slowest = 0.0
        for _ in range(10):
            began = time.perf_counter()
            assert running.get("/me/cases").status_code == 200
            slowest = max(slowest, time.perf_counter() - began)
        statuses = {one.result() for one in flood}
    assert statuses <= {401, 429, 503}
    assert 503 in statuses
    assert slowest < 3


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"new_password": "short"}, "password_too_short"),
        ({"new_password": "my number R1 in it"}, "password_too_easy"),
        ({"new_password": "x" * 100 + "abcdefgh" * 4}, "password_too_long"),
        ({"old_password": "x"}, "code_or_password"), ({"code": None}, "code_or_password"),
        ({"staff_no": "a b"}, "invalid_request"),
        ({"otp": "12345"}, "invalid_request"), ({"admin": True}, "invalid_request"),
        ({"new_password": "y" * 300}, "invalid_request"),
    ],
)  # fmt: skip
def test_a_password_that_will_not_do_is_told_before_anything_is_tried(
    running: Running, body: dict[str, Any], code: str
) -> None:
    given = {"staff_no": "R1", "code": code_for(running, "R1"), "new_password": PASSWORD, **body}
    answer = ask(running, "/session/password", **{name: value for name, value in given.items() if value is not None})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    with reading(running.started.engine) as conn:
        assert conn.execute(sa.select(passwords)).all() == []


def test_a_password_is_changed_with_the_old_one_and_old_sessions_end(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    set_password(running)
    granted = log_in(running)
    changed = ask(running, "/session/password", staff_no="R1", old_password=PASSWORD, new_password=OTHER)
    assert changed.status_code == 204
    assert status(running, granted["access_token"]) == 401
    assert ask(running, "/session", staff_no="R1", password=PASSWORD).status_code == 401
    log_in(running, password=OTHER)


def test_an_approver_sets_up_his_second_factor_first(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    set_password(running, "V1")
    granted = log_in(running, "V1")
    token = granted["access_token"]
    assert granted["must_enrol"] is True
    assert [status(running, token, path) for path in ("/me/cases", "/cases", "/me/keys", "/me/sessions")] == [
        403, 403, 403, 200,
    ]  # fmt: skip
    phone = enrol(running, token)
    fresh = ask(running, "/session/refresh", refresh_token=granted["refresh_token"]).json()
    assert fresh["must_enrol"] is False
    assert status(running, fresh["access_token"], "/me/cases") == 200
    needed = ask(running, "/session", staff_no="V1", password=PASSWORD)
    assert (needed.status_code, needed.json()["code"]) == (401, "log_in_refused")
    forget_steps(running)
    code = phone.generate(int(time.time())).decode()  # once: half a minute later it would be another
    log_in(running, "V1", otp=code)
    replayed = ask(running, "/session", staff_no="V1", password=PASSWORD, otp=code)
    assert (replayed.status_code, replayed.json()["code"]) == (401, "log_in_refused")


def test_a_stolen_token_gets_five_tries_at_the_code_that_gives_the_factor_up(running: Running) -> None:
    set_password(running)
    token = log_in(running)["access_token"]
    enrol(running, token)
    told = [ask(running, "/me/second-factor/remove", token, otp=f"00000{n}").json()["code"] for n in range(6)]
    assert told[:5] == ["second_factor_wrong"] * 5
    assert told[5] == "locked_out"


def test_my_sessions_show_where_i_am_logged_in_and_end_there(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    set_password(running)
    set_password(running, "T1")
    here, there, other = log_in(running), log_in(running), log_in(running, "T1")
    mine = {"Authorization": f"Bearer {here['access_token']}"}
    listed = running.client.get("/me/sessions", headers=mine).json()["items"]
    assert [(one["id"], one["current"]) for one in listed] == [(here["session_id"], True), (there["session_id"], False)]
    assert running.client.delete(f"/me/sessions/{other['session_id']}", headers=mine).status_code == 404
    assert running.client.delete(f"/me/sessions/{there['session_id']}", headers=mine).status_code == 204
    assert [status(running, one["access_token"]) for one in (here, there, other)] == [200, 401, 200]


def test_a_key_is_made_in_a_session_and_works_for_what_it_names(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    set_password(running)
    first, token = (log_in(running)["access_token"] for _ in range(2))
    at_first = ask(running, "/me/keys", first, label="夜间报表", days=7)
    assert (at_first.status_code, at_first.json()["code"]) == (403, "key_after_code")
    made = ask(running, "/me/keys", token, label="夜间报表", days=7, commands=["case.read"])
    assert made.status_code == 201, made.text
    key = made.json()["key"]
    assert status(running, key, "/cases") == 200
    refused = running.client.get("/charts", headers={"Authorization": f"Bearer {key}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "key_not_permitted")
    headers = {"Authorization": f"Bearer {token}"}
    listed = {one["id"]: one for one in running.client.get("/me/keys", headers=headers).json()["items"]}
    assert (listed[made.json()["id"]]["label"], listed[made.json()["id"]]["commands"]) == ("夜间报表", ["case.read"])
    assert running.client.delete(f"/me/keys/{made.json()['id']}", headers=headers).status_code == 204
    assert status(running, key, "/cases") == 401


def test_a_key_makes_no_key_and_touches_no_second_factor(running: Running) -> None:
    key = running.tokens["R1"]
    for path, body in (("/me/keys", {"label": "x", "days": 1}), ("/me/second-factor", {}),
                       ("/me/second-factor/confirm", {"otp": "123456"}),
                       ("/me/second-factor/remove", {"otp": "123456"})):  # fmt: skip
        answer = ask(running, path, key, **body)
        assert (answer.status_code, answer.json()["code"]) == (403, "session_needed"), path
    out = running.client.delete("/session", headers=running.as_("R1"))
    assert (out.status_code, out.json()["code"]) == (403, "session_needed")


def test_the_last_use_of_a_key_is_noted_when_the_service_ends(running: Running) -> None:
    assert running.get("/me/cases").status_code == 200
    running.client.app.state["serving"].tokens._begin_noting()
    running.client.app.state["serving"].tokens._noting.result(10)
    (key,) = running.get("/me/keys").json()["items"]
    assert key["last_used_at"].endswith(":00:00Z") or key["last_used_at"].endswith(":00:00.000000Z")


def test_an_hour_of_use_by_many_is_noted_in_one_statement(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[int] = []
    record = keys.record_use

    def counting(conn: Any, hashes: Any, moment: Any) -> None:
        noted.append(len(hashes))
        record(conn, hashes, moment)

    monkeypatch.setattr(keys, "record_use", counting)
    tokens = running.client.app.state["serving"].tokens
    for _ in range(3):
        for staff_no in ("R1", "T1", "P1"):
            assert running.get("/me/cases", staff_no).status_code == 200
        assert noted in ([], [3])  # none of these requests waited for it
        tokens._begin_noting()
        tokens._noting.result(10)
    assert noted == [3]


def test_an_administrator_issues_a_code_and_nobody_else(running: Running) -> None:
    answer = running.post("/staff/R1/reset-code", "ADM1", json={})
    assert answer.status_code == 201
    code = answer.json()["code"]
    assert ask(running, "/session/password", staff_no="R1", code=code, new_password=PASSWORD).status_code == 204
    for staff_no in ("B1", "V1", "AUD1", "P1"):
        assert running.post("/staff/R1/reset-code", staff_no, json={}).status_code == 403
    assert running.post("/staff/R1/reset-code", "R1", json={}).status_code == 401  # their key ended with the reset
    own = running.post("/staff/ADM1/reset-code", "ADM1", json={})
    assert (own.status_code, own.json()["code"]) == (403, "own_reset")
    assert running.post("/staff/GHOST/reset-code", "ADM1", json={}).status_code == 404


def test_an_administrator_ends_all_that_somebody_has(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    set_password(running)
    first, token = (log_in(running)["access_token"] for _ in range(2))
    key = ask(running, "/me/keys", token, label="x", days=7).json()["key"]
    assert {status(running, one) for one in (first, token, key)} == {200}
    answer = running.client.delete("/staff/R1/tokens", headers=running.as_("ADM1"))
    assert answer.json() == {"staff_no": "R1", "revoked": 3}
    assert {status(running, one) for one in (first, token, key)} == {401}
    log_in(running)


def test_no_password_code_or_token_stands_in_the_log_or_the_service_log(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    code = code_for(running, "R1")
    assert ask(running, "/session/password", staff_no="R1", code=code, new_password=PASSWORD).status_code == 204
    granted = log_in(running)
    ask(running, "/session", staff_no="R1", password=OTHER)
    with reading(running.started.engine) as conn:
        kept = b"".join(bytes(body) for body in conn.execute(sa.select(entries.c.body)).scalars()).decode()
    for text in (kept, capsys.readouterr().out):
        assert not any(secret in text for secret in (code, PASSWORD, OTHER, granted["access_token"], "cwr_"))


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/session"), ("PUT", "/session"), ("POST", "/session/"), ("GET", "/session/refresh"),
     ("DELETE", "/session"), ("POST", "/session/other")],
)  # fmt: skip
def test_only_the_three_ways_in_are_open_to_strangers(running: Running, method: str, path: str) -> None:
    assert running.client.request(method, path).status_code == 401
