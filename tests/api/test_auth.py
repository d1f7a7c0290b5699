"""Tokens: who may ask, until when, and that nobody learns them."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api import auth
from casework.clock import now
from casework.errors import CallerError
from casework.log.tables import entries
from casework.log.write.trail import read_openings
from casework.operation.startup import Started
from casework.people.identity import ending
from casework.people.staff import acting, register, tokens
from casework.people.staff.actor import system
from casework.people.staff.tables import staff
from casework.people.staff.tables import tokens as token_rows
from casework.storage.database import reading, writing
from tests.api.conftest import Running

CLI = system("cli")


def issue(started: Started, staff_no: str, *, days: int = 30, age: timedelta = timedelta()) -> str:
    with writing(started.engine) as conn:
        trail = started.branch.trail(now() - age)
        token = tokens.issue(conn, trail, CLI, staff_no=staff_no, days=days)
        trail.write(conn)
    return token


def add(
    started: Started, staff_no: str = "N1", name: str = "甄不存", posts: tuple[str, ...] = ("business_rep",)
) -> None:
    with writing(started.engine) as conn:
        trail = started.branch.trail(now())
        permissions = started.branch.rulebook.permissions
        register.add(conn, trail, CLI, permissions, staff_no=staff_no, name=name, posts=posts)
        trail.write(conn)


def asked(running: Running, authorization: str | None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    return int(running.client.get("/metrics", headers=headers).status_code)


def test_a_token_names_its_holder_and_the_scheme_is_not_case_sensitive(running: Running) -> None:
    token = running.tokens["R1"]
    assert asked(running, f"Bearer {token}") == asked(running, f"bearer {token}") == 200


def as_sent(running: Running, path: str, *authorizations: str) -> tuple[int, str]:
    """Status and code for headers as they come from the wire: the test's client would make one of two."""
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = [(b"host", b"x"), *((b"authorization", one.encode()) for one in authorizations)]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {}, "extensions": {},
    }  # fmt: skip
    running.client.blocking_portal.call(running.client.app, scope, receive, send)
    body = b"".join(message.get("body", b"") for message in told)
    return told[0]["status"], "" if told[0]["status"] == 200 else json.loads(body)["code"]


@pytest.mark.parametrize("second", ["Bearer ", "bearer ", "Basic dTpw", ""])
@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/nowhere"])
def test_two_authorization_headers_are_refused_whatever_they_hold(running: Running, path: str, second: str) -> None:
    """Who stands before the service may have looked at the other one."""
    good = f"Bearer {running.tokens['R1']}"
    other = second + running.tokens["B1"] if second.lower() == "bearer " else second
    for several in ((good, other), (other, good), (good, good), (good, other, good)):
        assert as_sent(running, path, *several) == (400, "malformed_header")
    assert as_sent(running, "/metrics", good) == (200, "")
    assert as_sent(running, "/health/live") == (200, "")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer cw_", "Bearer cw_" + "A" * 43, "Bearer cw_" + "é" * 43, "Basic dTpw",
     "Token cw_" + "A" * 43, "Bearer " + "A" * 60_000],
)  # fmt: skip
def test_what_is_no_valid_token_answers_401(running: Running, authorization: str | None) -> None:
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    answer = running.client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_token_of_somebody_else_by_one_letter_is_not_his(running: Running) -> None:
    token = running.tokens["R1"]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert asked(running, f"Bearer {other}") == 401


def test_an_expired_token_is_no_token(running: Running) -> None:
    fresh = issue(running.started, "R1", days=1, age=timedelta(hours=23, minutes=59))
    old = issue(running.started, "R1", days=1, age=timedelta(hours=24, minutes=1))
    assert (asked(running, f"Bearer {fresh}"), asked(running, f"Bearer {old}")) == (200, 401)


def test_a_revoked_token_is_forgotten_within_the_time_it_is_held(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    token = issue(running.started, "T1")
    assert asked(running, f"Bearer {token}") == 200
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(now())
        assert ending.revoke_tokens(conn, trail, CLI, staff_no="T1") == 2
        trail.write(conn)
    assert asked(running, f"Bearer {token}") == 401


def test_a_held_token_costs_no_query(running: Running) -> None:
    asked_for = []

    def count(*_: object) -> None:
        asked_for.append(1)

    token = running.tokens["R1"]
    assert asked(running, f"Bearer {token}") == 200
    engine = running.client.app.state["serving"].engine
    sa.event.listen(engine, "before_cursor_execute", count)
    for _ in range(5):
        assert running.client.get("/nowhere", headers={"Authorization": f"Bearer {token}"}).status_code == 404
    assert not asked_for


def test_made_up_tokens_do_not_grow_what_is_held(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_HELD", 8)
    for number in range(20):
        assert asked(running, f"Bearer cw_{number:043}") == 401
    assert len(running.client.app.state["serving"].tokens._held) <= 8


def test_only_the_hash_of_a_token_is_kept(branch: tuple[Started, dict[str, str]]) -> None:
    started, issued = branch
    with reading(started.engine) as conn:
        hashes = {bytes(found) for found in conn.execute(sa.select(token_rows.c.token_hash)).scalars()}
        bodies = b"".join(bytes(body) for body in conn.execute(sa.select(entries.c.body)).scalars())
    for token in issued.values():
        assert tokens.hash_of(token) in hashes
        assert token.encode() not in bodies


def test_adding_somebody_is_an_entry_that_commits_to_his_name_without_holding_it(
    branch: tuple[Started, dict[str, str]],
) -> None:
    started, _ = branch
    add(started)
    with reading(started.engine) as conn:
        body = bytes(conn.execute(sa.select(entries.c.body).where(entries.c.stream == "staff:N1")).scalar_one())
        assert "甄不存".encode() not in body
        assert read_openings(conn, started.branch.vault, "staff:N1", [1]) == {(1, "name"): "甄不存"}


def test_somebody_only_a_feed_has_named_cannot_act_until_he_is_added(branch: tuple[Started, dict[str, str]]) -> None:
    started, _ = branch
    with writing(started.engine) as conn:
        conn.execute(staff.insert().values(staff_no="N1", name="N1", status="unverified", added_at=now()))
    with pytest.raises(CallerError) as told:
        issue(started, "N1")
    assert told.value.code == "staff_unverified"
    add(started)
    assert issue(started, "N1").startswith("cw_")
    with reading(started.engine) as conn:
        assert acting.actor_for(conn, "N1", "cli", today=started.branch.today(now())).posts == {"business_rep"}


@pytest.mark.parametrize(
    ("staff_no", "name", "posts", "code"),
    [("R1", "x", ("business_rep",), "staff_exists"), ("a b", "x", ("business_rep",), "staff_no_malformed"),
     ("system", "x", ("business_rep",), "staff_no_malformed"), ("N1", "", ("business_rep",), "staff_malformed"),
     ("N1", "a\nb", ("business_rep",), "staff_malformed"), ("N1", "x", ("",), "unknown_post"),
     ("N1", "x", ("emperor",), "unknown_post"), ("N1", "x", ("system",), "unknown_post"),
     ("N1", "x", ("auditor", "approver"), "posts_conflict")],
)  # fmt: skip
def test_whoever_cannot_be_added_is_told_why(
    branch: tuple[Started, dict[str, str]], staff_no: str, name: str, posts: tuple[str, ...], code: str
) -> None:
    with pytest.raises(CallerError) as told:
        add(branch[0], staff_no, name, posts)
    assert told.value.code == code


@pytest.mark.parametrize(
    ("staff_no", "days", "code"),
    [("N9", 30, "unknown_staff"), ("R1", 0, "days_out_of_range"), ("R1", 367, "days_out_of_range")],
)
def test_a_token_is_for_known_staff_and_a_bounded_time(
    branch: tuple[Started, dict[str, str]], staff_no: str, days: int, code: str
) -> None:
    with pytest.raises(CallerError) as told:
        issue(branch[0], staff_no, days=days)
    assert told.value.code == code
