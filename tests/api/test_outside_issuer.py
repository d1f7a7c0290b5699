"""Bearer tokens of an outside issuer: a real one, as a process of its own, and everything that is not its token."""

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from litestar.testing import TestClient

from api import auth
from api.app import create_app
from casework.clock import now
from casework.operation.startup import Started
from casework.people.identity import issuer as issuers
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.people.staff.tables import staff
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.conftest import Running, assembled_once
from tests.identity.test_outside_token import OTHER, b64, token

CLIENT = "casework"
BACK = "http://127.0.0.1/back"


@dataclass
class Provider:
    """`oidc-provider-mock` in its own process; a restart on the same port rotates its key."""

    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        people = [("R1", {}), ("P1", {}), ("V1", {}), ("V2", {"amr": ["pwd", "otp"]}), ("GHOST", {})]
        users = [
            text
            for name, more in people
            for text in ("--user-claims", json.dumps({"sub": name, "preferred_username": name, **more}))
        ]
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "oidc_provider_mock",
            "--port",
            str(self.port),
            *users,
            *options,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/jwks", timeout=2, trust_env=False)
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError("the provider did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def token(self, person: str, audience: str = CLIENT) -> str:
        """An ID token, got as a client would: authorise, come back with a code, exchange it."""
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False) as client:
            asked = {"client_id": audience, "redirect_uri": BACK, "response_type": "code", "scope": "openid profile",
                     "state": "s"}  # fmt: skip
            sent = client.post("/oauth2/authorize", params=asked, data={"sub": person})
            code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
            given = client.post(
                "/oauth2/token", auth=(audience, "any"),
                data={"grant_type": "authorization_code", "code": code, "redirect_uri": BACK},
            )  # fmt: skip
        found: str = given.json()["id_token"]
        return found


@contextmanager
def provided(*options: str) -> Iterator[Provider]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        provider = Provider(probe.getsockname()[1])
    try:
        provider.start(*options)
        yield provider
    finally:
        provider.stop()


@pytest.fixture(scope="module")
def lasting() -> Iterator[Provider]:
    with provided() as provider:
        yield provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    """One that the test may restart or kill."""
    with provided() as made:
        yield made


@contextmanager
def trusting(
    settings: Settings, branch: tuple[Started, dict[str, str]], provider: Provider, **changes: Any
) -> Iterator[Running]:
    """The application, taking tokens of that issuer."""
    outside = {"oidc_issuer": provider.url, "oidc_audience": CLIENT, **changes}
    with TestClient(create_app(replace(settings, **outside), assembled_once(settings.feed_upload_mib))) as client:
        yield Running(client, *branch)


@pytest.fixture
def running(
    settings: Settings, branch: tuple[Started, dict[str, str]], lasting: Provider, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Running]:
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    with trusting(settings, branch, lasting) as made:
        yield made


def ask(running: Running, text: str, path: str = "/me/cases") -> Any:
    return running.client.get(path, headers={"Authorization": f"Bearer {text}"})


def told(running: Running, text: str, path: str = "/me/cases") -> tuple[int, str | None]:
    answer = ask(running, text, path)
    return answer.status_code, None if answer.status_code == 200 else answer.json()["code"]


def with_claims(text: str, **claims: Any) -> str:
    """The same token with other claims under the old signature."""
    head, body, signature = text.split(".")
    said = {**json.loads(base64.urlsafe_b64decode(body + "==")), **claims}
    return f"{head}.{b64(json.dumps(said).encode())}.{signature}"


def test_a_good_token_gives_the_posts_of_the_register_and_nothing_that_it_says_itself(
    running: Running, lasting: Provider
) -> None:
    assert told(running, lasting.token("R1")) == (200, None)
    assert told(running, lasting.token("R1"), "/audit/entries") == (403, "post_not_permitted")
    assert told(running, running.tokens["R1"]) == (200, None)  # our own go on working beside it


def test_somebody_whom_the_register_does_not_know_is_nobody(running: Running, lasting: Provider) -> None:
    assert told(running, lasting.token("GHOST")) == (401, "not_authenticated")


@pytest.mark.parametrize("status", ["unverified", "left"])
def test_somebody_who_is_not_active_is_nobody(running: Running, lasting: Provider, status: str) -> None:
    with writing(running.started.engine) as conn:
        conn.execute(staff.update().where(staff.c.staff_no == "R1").values(status=status))
    assert told(running, lasting.token("R1")) == (401, "not_authenticated")


def test_the_token_of_another_audience_is_not_for_us(running: Running, lasting: Provider) -> None:
    assert told(running, lasting.token("R1", "another-application")) == (401, "not_authenticated")


def test_forged_tokens_are_nothing(running: Running, lasting: Provider) -> None:
    """Other claims under the signature, another key under its id, no signature, none wanted, a shared secret."""
    good = lasting.token("R1")
    head, body, signature = good.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    kid = {"kid": header.get("kid")} if "kid" in header else {}
    (key,) = httpx.get(f"{lasting.url}/jwks", trust_env=False).json()["keys"]
    none = b64(json.dumps({"alg": "none", **kid}).encode())
    shared = b64(json.dumps({"alg": "HS256", **kid}).encode())
    mac = hmac.digest(key["n"].encode(), f"{shared}.{body}".encode(), hashlib.sha256)
    forged = [
        with_claims(good, preferred_username="V1"), with_claims(good, exp=int(time.time()) + 10**6),
        token(header=kid, key=OTHER, iss=lasting.url, exp=int(time.time()) + 300, nbf=0, iat=0),
        f"{head}.{body}.", f"{none}.{body}.", f"{none}.{body}.{signature}", f"{shared}.{body}.{b64(mac)}",
        f"{head}.{body}.{signature}A", f"{head}.{body}",
    ]  # fmt: skip
    assert [told(running, text) for text in forged] == [(401, "not_authenticated")] * len(forged)
    assert told(running, good) == (200, None)


def test_an_expired_token_is_nothing(
    settings: Settings, branch: tuple[Started, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("casework.people.identity.outside_token.LEEWAY_S", 0)
    with provided("--token-max-age", "1") as brief, trusting(settings, branch, brief) as running:
        text = brief.token("R1")
        time.sleep(2.1)
        assert told(running, text) == (401, "not_authenticated")


def test_a_token_of_another_issuer_is_nothing(running: Running) -> None:
    with provided() as other:
        assert told(running, other.token("R1")) == (401, "not_authenticated")


def test_an_issuer_that_rotated_its_key_is_followed_and_old_tokens_are_dead(
    settings: Settings, branch: tuple[Started, dict[str, str]], provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "HELD_S", 0.0)
    monkeypatch.setattr(issuers, "RETRY_S", 0.0)
    monkeypatch.setattr(issuers, "FRESH_S", 0.0)
    with trusting(settings, branch, provider) as running:
        old = provider.token("R1")
        assert told(running, old) == (200, None)
        provider.stop()
        provider.start()
        assert told(running, provider.token("R1")) == (200, None)
        assert told(running, old) == (401, "not_authenticated")


def test_an_issuer_that_is_down_is_503_and_a_bad_token_still_401(
    settings: Settings, branch: tuple[Started, dict[str, str]], provider: Provider
) -> None:
    good = provider.token("R1")
    provider.stop()
    with trusting(settings, branch, provider) as running:
        answer = ask(running, good)
        assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unreachable")
        assert int(answer.headers["retry-after"]) > 0
        assert told(running, "not.a.token") == (401, "not_authenticated")
        assert told(running, running.tokens["R1"]) == (200, None)


def test_without_configuration_no_outside_token_is_looked_at(
    settings: Settings, branch: tuple[Started, dict[str, str]], lasting: Provider
) -> None:
    with TestClient(create_app(settings, assembled_once(settings.feed_upload_mib))) as client:
        assert told(Running(client, *branch), lasting.token("R1")) == (401, "not_authenticated")


def test_an_approver_needs_a_second_factor_there_as_well(running: Running, lasting: Provider) -> None:
    assert told(running, lasting.token("V1")) == (403, "second_factor_pending")
    assert told(running, lasting.token("V2")) == (200, None)


def test_another_claim_may_hold_the_staff_number(
    settings: Settings, branch: tuple[Started, dict[str, str]], lasting: Provider
) -> None:
    with trusting(settings, branch, lasting, oidc_claim="sub") as running:
        assert told(running, lasting.token("R1")) == (200, None)
    with trusting(settings, branch, lasting, oidc_claim="employee") as running:
        assert told(running, lasting.token("R1")) == (401, "not_authenticated")


def test_somebody_who_left_a_moment_ago_changes_nothing_with_a_token_that_is_still_good(
    settings: Settings, branch: tuple[Started, dict[str, str]], lasting: Provider
) -> None:
    with trusting(settings, branch, lasting) as running:
        (case_id,) = running.open("L1", owner="T1")
        headers = {"Authorization": f"Bearer {lasting.token('P1')}", "If-Match": "*"}
        note = {"text": "said nothing"}
        assert running.client.post(f"/cases/{case_id}/notes", json=note, headers=headers).status_code == 200
        with writing(running.started.engine) as conn:
            trail = running.started.branch.trail(now())
            register.leave(conn, trail, system("cli"), staff_no="P1", on=trail.today, cause={})
            trail.write(conn)
        answer = running.client.post(f"/cases/{case_id}/notes", json=note, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
