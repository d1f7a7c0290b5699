"""Tokens of an outside issuer: one good one per algorithm, and beside each every way in which it may be bad."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from casework.people.identity import outside_token
from casework.people.identity.outside_token import (
    OutsidePerson,
    TokenWanted,
    header_of,
    public_keys,
)

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
WANTED = TokenWanted("https://login.bank.example", "casework", "preferred_username")
RSA_KEY = rsa.generate_private_key(65_537, 2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
OTHER = rsa.generate_private_key(65_537, 2_048)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def rsa_jwk(key: rsa.RSAPrivateKey, **more: Any) -> dict[str, Any]:
    public = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": "rsa", "n": number(public.n), "e": number(public.e), **more}


def ec_jwk(**more: Any) -> dict[str, Any]:
    public = EC_KEY.public_key().public_numbers()
    point = {"x": b64(public.x.to_bytes(32, "big")), "y": b64(public.y.to_bytes(32, "big"))}
    return {"kty": "EC", "crv": "P-256", "kid": "ec", **point, **more}


def ed_jwk(**more: Any) -> dict[str, Any]:
    raw = ED_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(raw), **more}


def signed(algorithm: str, message: bytes, key: Any) -> Any:
    """Signed by `cryptography` itself, so that the library under test does not agree with itself."""
    if algorithm == "RS256":
        return key.sign(message, padding.PKCS1v15(), SHA256())
    if algorithm == "PS256":
        return key.sign(message, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    if algorithm == "ES256":
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return key.sign(message)


KEYS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "RS256": ("rsa", RSA_KEY, rsa_jwk(RSA_KEY)), "PS256": ("rsa", RSA_KEY, rsa_jwk(RSA_KEY)),
    "ES256": ("ec", EC_KEY, ec_jwk()), "EdDSA": ("ed", ED_KEY, ed_jwk()), "Ed25519": ("ed", ED_KEY, ed_jwk()),
}  # fmt: skip
GOOD: dict[str, Any] = {
    "iss": WANTED.issuer, "aud": WANTED.audience, "exp": SECONDS + 300, "nbf": SECONDS - 5, "iat": SECONDS - 5,
    "preferred_username": "R1",
}  # fmt: skip


def token(
    algorithm: str = "RS256", *, header: dict[str, Any] | None = None, drop: tuple[str, ...] = (), key: Any = None,
    **claims: Any,
) -> str:  # fmt: skip
    kid, own, _ = KEYS[algorithm]
    head = {"alg": algorithm, "kid": kid, "typ": "JWT", **(header or {})}
    said = {name: value for name, value in {**GOOD, **claims}.items() if name not in drop}
    message = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(said).encode())}"
    return f"{message}.{b64(signed(algorithm, message.encode(), key or own))}"


def read(text: str, jwk: dict[str, Any] | None = None) -> OutsidePerson | None:
    header = header_of(text) if outside_token.is_shaped(text) else None
    if header is None:
        return None
    ((_, key),) = public_keys({"keys": [jwk or KEYS[header.algorithm][2]]})
    return outside_token.read(text, header, key, WANTED, NOW)


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_a_good_token_says_who_and_until_when(algorithm: str) -> None:
    said = read(token(algorithm))
    assert said == OutsidePerson("R1", datetime.fromtimestamp(SECONDS + 330, UTC), shown_factor=False)


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_any_change_of_a_character_makes_it_no_token(algorithm: str) -> None:
    text = token(algorithm)
    for place in range(0, len(text) - 1, 7):  # the last character may hold bits that count for nothing
        other = "A" if text[place] != "A" else "B"
        assert read(text[:place] + other + text[place + 1 :]) is None, place


BAD_CLAIMS: list[tuple[str, dict[str, Any]]] = [
    ("expired", {"exp": SECONDS - 31}),
    ("another issuer", {"iss": "https://login.bank.example.evil.example"}),
    ("the issuer with a slash", {"iss": WANTED.issuer + "/"}),
    ("another audience", {"aud": "another"}),
    ("an audience that only begins like ours", {"aud": "casework-admin"}),
    ("other audiences", {"aud": ["a", "b"]}),
    ("no audiences", {"aud": []}),
    ("not yet", {"nbf": SECONDS + 31}),
    ("issued in the future", {"iat": SECONDS + 31}),
    ("an expiry of words", {"exp": "tomorrow"}),
    ("an expiry that is true", {"exp": True}),
    ("an endless expiry", {"exp": 10**15}),
    ("a beginning of words", {"nbf": "now"}),
    ("nobody", {"preferred_username": ""}),
    ("a number for a name", {"preferred_username": 1}),
    ("a list of names", {"preferred_username": ["R1"]}),
    ("a path for a name", {"preferred_username": "../R1"}),
    ("a name with a line", {"preferred_username": "R1\n"}),
    ("a name that the service keeps for itself", {"preferred_username": "System"}),
]


@pytest.mark.parametrize(("what", "claims"), BAD_CLAIMS, ids=[what for what, _ in BAD_CLAIMS])
def test_a_token_with_a_bad_claim_is_not_believed(what: str, claims: dict[str, Any]) -> None:
    assert read(token(**claims)) is None


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "preferred_username"])
def test_a_token_without_a_claim_that_matters_is_not_believed(missing: str) -> None:
    assert read(token(drop=(missing,))) is None


@pytest.mark.parametrize(
    "claims",
    [{"exp": SECONDS - 29}, {"nbf": SECONDS + 29}, {"iat": SECONDS + 29}, {"aud": ["another", "casework"]},
     {"exp": SECONDS + 300.5}],
)  # fmt: skip
def test_clocks_may_be_half_a_minute_apart_and_audiences_several(claims: dict[str, Any]) -> None:
    assert read(token(**claims)) is not None


def test_what_may_be_left_out_may_be_left_out() -> None:
    assert read(token(drop=("nbf", "iat"))) is not None


def test_a_token_of_nobodys_key_is_forged() -> None:
    assert read(token(key=OTHER)) is None


@pytest.mark.parametrize("name", ["none", "None", "NONE", "", None, 0])
def test_alg_none_is_refused_however_it_is_written(name: Any) -> None:
    head, body, _ = token().split(".")
    head = b64(json.dumps({"alg": name, "kid": "rsa"}).encode())
    for text in (f"{head}.{body}.", f"{head}.{body}.AAAA", f"{head}.{body}"):
        assert read(text) is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_shared_secret(algorithm: str) -> None:
    """The classical confusion: HMAC with the issuer's public key, in every form it may be written in."""
    public = RSA_KEY.public_key()
    forms = [
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        json.dumps(rsa_jwk(RSA_KEY)).encode(),
        rsa_jwk(RSA_KEY)["n"].encode(),
    ]
    for secret in forms:
        head = b64(json.dumps({"alg": algorithm, "kid": "rsa"}).encode())
        body = b64(json.dumps(GOOD).encode())
        digest = hmac.digest(secret, f"{head}.{body}".encode(), getattr(hashlib, f"sha{algorithm[2:]}"))
        assert read(f"{head}.{body}.{b64(digest)}", rsa_jwk(RSA_KEY)) is None


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"]}, {"b64": False}, {"crit": ["b64"], "b64": False}, {"typ": "logout+jwt"}, {"typ": 7},
     {"kid": 7}, {"alg": "RS384"}, {"alg": "rs256"}, {"alg": ["RS256"]}, {"typ": "secevent+jwt"}],
)  # fmt: skip
def test_a_header_that_asks_for_something_else_is_refused(header: dict[str, Any]) -> None:
    assert read(token(header=header), rsa_jwk(RSA_KEY)) is None


def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    for header in ({"jwk": rsa_jwk(OTHER)}, {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example/c"}):
        assert read(token(header=header, key=OTHER)) is None


@pytest.mark.parametrize(
    ("algorithm", "jwk"),
    [("RS256", ec_jwk()), ("ES256", rsa_jwk(RSA_KEY)), ("EdDSA", rsa_jwk(RSA_KEY)), ("ES256", ed_jwk()),
     ("RS256", rsa_jwk(RSA_KEY, alg="PS256")), ("PS256", rsa_jwk(RSA_KEY, alg="RS256"))],
)  # fmt: skip
def test_a_key_serves_its_own_algorithm_and_no_other(algorithm: str, jwk: dict[str, Any]) -> None:
    assert read(token(algorithm), jwk) is None


def test_keys_that_may_not_sign_or_are_too_weak_are_left_out() -> None:
    weak = rsa.generate_private_key(65_537, 1_024)
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    document = {"keys": [
        rsa_jwk(RSA_KEY, use="enc"), rsa_jwk(RSA_KEY, key_ops=["encrypt"]), rsa_jwk(weak), rsa_jwk(RSA_KEY, d="AQAB"),
        {"kty": "oct", "kid": "shared", "k": b64(b"x" * 32)}, {"kty": "RSA", "kid": "half", "n": "AQAB"}, "no key",
        None, {"kid": "x"}, rsa_jwk(RSA_KEY, kid=7), {"kty": ["RSA"]},
    ]}  # fmt: skip
    assert public_keys(document) == []
    for document in ({}, {"keys": None}, {"keys": {}}, [], None, "keys"):  # type: ignore[assignment]  # outside data
        assert public_keys(document) == []
    ((_, key),) = public_keys({"keys": [
        {"kty": "EC", "crv": "P-384", "kid": "p384", "x": b64(p384.x.to_bytes(48, "big")),
         "y": b64(p384.y.to_bytes(48, "big"))}
    ]})  # fmt: skip
    header = header_of(token("ES256"))
    assert header is not None
    assert outside_token.read(token("ES256"), header, key, WANTED, NOW) is None


@pytest.mark.parametrize(
    ("methods", "shown"),
    [(["pwd", "otp"], True), (["mfa"], True), (["hwk"], True), (["pwd"], False), ([], False), ("mfa", False),
     (None, False), ([7, ["mfa"]], False)],
)  # fmt: skip
def test_the_second_factor_is_believed_only_where_the_issuer_says_which(methods: Any, shown: bool) -> None:
    said = read(token(amr=methods))
    assert said is not None
    assert said.shown_factor is shown


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "a.b", "a.b.c.d.e", "eyJ9.eyJ9.", "é.é.é", "A" * 9_000 + ".A.A",
             b64(b"[]") + ".e30.AA", b64(b"[" * 6_000) + ".e30.AA"]
)  # fmt: skip
def test_what_is_no_token_is_no_token(text: str) -> None:
    assert read(text) is None


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=80))
def test_nothing_made_up_is_believed_or_breaks_the_reader(head: bytes, body: bytes, signature: bytes) -> None:
    assert read(f"{b64(head)}.{b64(body)}.{b64(signature)}", rsa_jwk(RSA_KEY)) is None


@given(st.dictionaries(st.sampled_from([*GOOD, "amr", "x"]), st.none() | st.booleans() | st.integers() | st.text()))
def test_whatever_a_signed_body_says_the_reader_answers(claims: dict[str, Any]) -> None:
    said = read(token("EdDSA", **claims))
    assert said is None or (said.staff_no == claims.get("preferred_username", "R1") and said.expires_at > NOW)


def test_reading_is_quick_enough_for_a_flood() -> None:
    """A forged token costs less than a millisecond of one core."""
    text = token(key=OTHER)
    began = time.perf_counter()
    for _ in range(200):
        assert read(text) is None
    assert (time.perf_counter() - began) / 200 < 0.005
