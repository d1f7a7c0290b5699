"""The issuer's keys over HTTP: a real server that answers well, badly, slowly, or not at all."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from casework.errors import CallerError, TryAgain
from casework.people.identity import issuer as issuers
from casework.people.identity.issuer import Issuer
from casework.people.identity.outside_token import TokenWanted
from casework.settings import Settings, is_safe_address
from tests.dripping import dripping_headers
from tests.identity.test_outside_token import NOW, OTHER, RSA_KEY, rsa_jwk, token
from tests.small_server import SmallHTTPServer


class Bank:
    """An issuer whose answers the test decides."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [rsa_jwk(RSA_KEY)]
        self.asked: list[str] = []
        self.discovery: dict[str, Any] = {}
        self.status = 200
        self.body: bytes | None = None
        self.drip_s = 0.0
        bank = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                bank.answer(self)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = SmallHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        if request.path.startswith("/.well-known"):
            document: Any = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **self.discovery}
        else:
            document = {"keys": self.keys}
        body = self.body if self.body is not None else json.dumps(document).encode()
        request.send_response(self.status)
        if self.status == 302:
            request.send_header("Location", f"{self.url}/elsewhere")
        request.end_headers()
        try:
            for place in range(0, len(body), 1 if self.drip_s else len(body) or 1):
                request.wfile.write(body[place : place + (1 if self.drip_s else len(body))])
                request.wfile.flush()
                time.sleep(self.drip_s)
        except OSError:
            return  # the client had enough

    def down(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def bank() -> Iterator[Bank]:
    made = Bank()
    yield made
    made.down()


@pytest.fixture
def issuer(bank: Bank) -> Issuer:
    return Issuer(TokenWanted(bank.url, "casework", "preferred_username"), clock=lambda: NOW)


def of(bank: Bank, **changes: Any) -> str:
    return token(iss=bank.url, **changes)


def test_a_good_token_is_read_and_the_keys_are_fetched_once(bank: Bank, issuer: Issuer) -> None:
    for _ in range(20):
        said = issuer.read(of(bank))
        assert said is not None
        assert said.staff_no == "R1"
    assert bank.asked == ["/.well-known/openid-configuration", "/jwks"]


def test_what_is_no_token_of_ours_asks_the_issuer_for_nothing(bank: Bank, issuer: Issuer) -> None:
    assert issuer.read(of(bank, header={"alg": "HS256"})) is None
    assert bank.asked == []


def test_a_rotated_key_is_found_and_the_old_one_is_dead(
    bank: Bank, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "RETRY_S", 0.0)
    old = of(bank)
    assert issuer.read(old) is not None
    bank.keys = [rsa_jwk(OTHER, kid="next")]
    assert issuer.read(of(bank, header={"kid": "next"}, key=OTHER)) is not None
    assert issuer.read(old) is None


def test_a_key_that_was_withdrawn_is_believed_for_ten_minutes_at_most(
    bank: Bank, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = of(bank)
    assert issuer.read(old) is not None
    bank.keys = [rsa_jwk(OTHER, kid="next")]
    assert issuer.read(old) is not None
    monkeypatch.setattr(issuers, "FRESH_S", 0.0)
    monkeypatch.setattr(issuers, "RETRY_S", 0.0)
    assert issuer.read(old) is None


def test_a_thousand_unknown_key_ids_are_one_visit(bank: Bank, issuer: Issuer) -> None:
    assert issuer.read(of(bank)) is not None
    for number in range(1_000):
        assert issuer.read(of(bank, header={"kid": f"x{number}"})) is None
    assert len(bank.asked) == 2


def test_a_stranger_with_an_unknown_key_id_makes_nobody_wait_whose_key_is_known(
    bank: Bank, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = of(bank), of(bank, header={"kid": "stranger"})
    assert issuer.read(known) is not None
    monkeypatch.setattr(issuers, "RETRY_S", 0.0)
    bank.drip_s, asked = 0.05, len(bank.asked)  # a visit now takes seconds

    def ask() -> None:
        with pytest.raises(TryAgain):
            issuer.read(unknown)

    stranger = threading.Thread(target=ask, daemon=True)
    monkeypatch.setattr(issuers, "DEADLINE_S", 2.0)
    stranger.start()
    while len(bank.asked) == asked:
        time.sleep(0.005)
    for fresh_s in (issuers.FRESH_S, 0.0):
        monkeypatch.setattr(issuers, "FRESH_S", fresh_s)
        assert issuer.read(known) is not None
        assert stranger.is_alive()
    stranger.join()


def test_an_issuer_that_is_down_is_told_apart_from_a_bad_token(bank: Bank, issuer: Issuer) -> None:
    text = of(bank)
    bank.down()
    with pytest.raises(TryAgain) as told:
        issuer.read(text)
    assert told.value.code == "issuer_unreachable"
    with pytest.raises(TryAgain):  # at once, without another visit
        issuer.read(text)


def test_keys_fetched_before_stay_good_while_it_is_down(
    bank: Bank, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = of(bank), of(bank, header={"kid": "next"})
    assert issuer.read(known) is not None
    bank.down()
    monkeypatch.setattr(issuers, "FRESH_S", 0.0)
    monkeypatch.setattr(issuers, "RETRY_S", 0.0)
    assert issuer.read(known) is not None
    with pytest.raises(TryAgain):
        issuer.read(unknown)
    monkeypatch.setattr(issuers, "STALE_S", 0.0)
    with pytest.raises(TryAgain):
        issuer.read(known)


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("says it is another", {"discovery": {"issuer": "https://other.example"}}),
        ("keeps its keys where nobody may look", {"discovery": {"jwks_uri": "http://keys.example/jwks"}}),
        ("keeps its keys in a file", {"discovery": {"jwks_uri": "file:///etc/passwd"}}),
        ("says nowhere", {"discovery": {"jwks_uri": None}}),
        ("is broken", {"status": 500}),
        ("points elsewhere", {"status": 302}),
        ("talks nonsense", {"body": b"<html>"}),
        ("talks without end", {"body": b" " * (300 * 1024)}),
        ("has no keys", {"keys": []}),
        ("has only weak keys", {"keys": [{"kty": "oct", "k": "AAAA"}]}),
        ("is a list", {"body": b"[]"}),
        ("nests without end", {"body": b"[" * 100_000}),
    ],
)
def test_an_issuer_that_does_not_answer_as_one_is_not_believed(
    bank: Bank, issuer: Issuer, what: str, changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(bank, name, value)
    with pytest.raises(TryAgain):
        issuer.read(of(bank))


def test_an_issuer_that_drips_is_left(bank: Bank, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "DEADLINE_S", 0.3)
    bank.drip_s = 0.05
    began = time.monotonic()
    with pytest.raises(TryAgain):
        issuer.read(of(bank))
    assert time.monotonic() - began < 3


def test_an_issuer_that_drips_headers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "DEADLINE_S", 0.5)
    began = time.monotonic()
    with dripping_headers() as url, pytest.raises(TryAgain):
        Issuer(TokenWanted(url, "casework", "preferred_username"), clock=lambda: NOW).read(token(iss=url))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("url", "safe"),
    [("https://login.bank.example", True), ("https://login.bank.example/realms/x", True),
     ("http://127.0.0.1:9400", True), ("http://localhost:9400", True), ("http://[::1]:9400", True),
     ("http://login.bank.example", False), ("http://127.0.0.1.evil.example", False), ("ftp://127.0.0.1", False),
     ("https://", False), ("https://user@login.bank.example", False), ("https://x.example/?a=b", False),
     ("https://x.example/#f", False), ("", False), ("http://[bad", False), ("//127.0.0.1", False)],
)  # fmt: skip
def test_keys_come_over_https_or_from_this_machine(url: str, safe: bool) -> None:
    assert is_safe_address(url) is safe


@pytest.mark.parametrize(
    ("given", "setting"),
    [({"CASEWORK_OIDC_ISSUER": "http://login.bank.example", "CASEWORK_OIDC_AUDIENCE": "a"}, "CASEWORK_OIDC_ISSUER"),
     ({"CASEWORK_OIDC_ISSUER": "https://login.bank.example"}, "CASEWORK_OIDC_AUDIENCE"),
     ({"CASEWORK_OIDC_AUDIENCE": "a"}, "CASEWORK_OIDC_ISSUER"),
     ({"CASEWORK_OIDC_CLAIM": "sub"}, "CASEWORK_OIDC_ISSUER"),
     ({"CASEWORK_TRUSTED_PROXIES": "10.0.0.0/99"}, "CASEWORK_TRUSTED_PROXIES"),
     ({"CASEWORK_TRUSTED_PROXIES": "proxy.bank.example"}, "CASEWORK_TRUSTED_PROXIES")],
)  # fmt: skip
def test_a_half_or_unsafe_setting_is_refused_at_the_start(given: dict[str, str], setting: str) -> None:
    with pytest.raises(CallerError) as told:
        Settings.from_environment(given)
    assert (told.value.code, told.value.facts["setting"]) == ("setting_malformed", setting)


def test_good_settings_name_the_issuer_and_none_means_none() -> None:
    given = {"CASEWORK_OIDC_ISSUER": "https://login.bank.example", "CASEWORK_OIDC_AUDIENCE": "casework"}
    settings = Settings.from_environment(given)
    assert (settings.oidc_issuer, settings.oidc_claim) == ("https://login.bank.example", "preferred_username")
    assert Issuer.of(settings) is not None
    assert Settings.from_environment({**given, "CASEWORK_OIDC_CLAIM": "sub"}).oidc_claim == "sub"
    assert Issuer.of(Settings.from_environment({})) is None
