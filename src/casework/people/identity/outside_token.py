"""A bearer token of an outside issuer (JWT, RFC 7519): what it must be before anything in it is believed. Pure.

The list of algorithms is ours, never the token's; a key serves one kind of algorithm; every check fails closed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from casework.people.staff.person import fault_of_staff_no

ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
LEEWAY_S = 30
"""How far the clocks of two machines may be apart."""
MAX_TOKEN_CHARS = 8_192
MIN_RSA_BITS = 2_048
SECOND_FACTOR_METHODS = frozenset({"mfa", "otp", "hwk"})  # RFC 8176: what `amr` says of a second factor
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_TYPES = (None, "jwt", "at+jwt", "application/at+jwt")

PublicKey = RSAKey | ECKey | OKPKey


class _Registry(jws.JWSRegistry):
    def get_alg(self, name: str) -> Any:
        """EdDSA is the older name of what Ed25519 says exactly (RFC 9864): the library warns of it at each use."""
        return super().get_alg(_exact(name))


_REGISTRY = _Registry(algorithms=[name for name in ALGORITHMS if name != "EdDSA"])


def _exact(algorithm: str) -> str:
    return "Ed25519" if algorithm == "EdDSA" else algorithm


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """Whose tokens are taken, made for whom, and the claim that holds the staff number."""

    issuer: str
    audience: str
    claim: str


@dataclass(frozen=True, slots=True)
class OutsidePerson:
    """What a good token says: who, until when, and whether they showed a second factor there."""

    staff_no: str
    expires_at: datetime
    shown_factor: bool


@dataclass(frozen=True, slots=True)
class TokenHeader:
    """The two words of a token's header that choose how it is checked; nothing in it is believed yet."""

    algorithm: str
    kid: str | None


def is_shaped(text: str) -> bool:
    """Whether this could be such a token at all (our own are `cw_…` and have no dots)."""
    return len(text) <= MAX_TOKEN_CHARS and _SHAPE.fullmatch(text) is not None


def header_of(token: str) -> TokenHeader | None:
    """The header, if its algorithm is one of `ALGORITHMS` and it asks for nothing that we do not know."""
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, RecursionError):
        return None
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    if algorithm not in ALGORITHMS or "crit" in header or "b64" in header:
        return None
    if not (kid is None or isinstance(kid, str)) or not (kind is None or isinstance(kind, str)):
        return None
    return TokenHeader(algorithm, kid) if (kind and kind.lower()) in _TYPES else None


def public_keys(document: Any) -> list[tuple[str | None, PublicKey]]:
    """The signing keys of a JWK set that can be used, with their ids; keys of other kinds or too short are left out."""
    found = document.get("keys") if isinstance(document, dict) else None
    keys: list[tuple[str | None, PublicKey]] = []
    for raw in found[:100] if isinstance(found, list) else []:
        key = _public_key(raw)
        if key is not None:
            keys.append((raw.get("kid"), key))
    return keys


def read(token: str, header: TokenHeader, key: PublicKey, wanted: TokenWanted, now: datetime) -> OutsidePerson | None:
    """What the token says, if `key` signed it and it is for us, of our issuer, and of this hour; else None."""
    if not _serves(key, header.algorithm):
        return None
    try:
        signed = jws.deserialize_compact(token.encode(), key, registry=_REGISTRY)
        claims = msgspec.json.decode(signed.payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError):
        return None
    return _said(claims, wanted, now) if isinstance(claims, dict) else None


def _said(claims: Mapping[str, Any], wanted: TokenWanted, now: datetime) -> OutsidePerson | None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    seconds = now.timestamp()
    expires, begins, issued = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
    if claims.get("iss") != wanted.issuer or wanted.audience not in audiences:
        return None
    if expires is None or expires + LEEWAY_S <= seconds:
        return None
    if any(moment is not None and moment - LEEWAY_S > seconds for moment in (begins, issued)):
        return None
    if any(name in claims and _moment(claims, name) is None for name in ("nbf", "iat")):
        return None
    staff_no = claims.get(wanted.claim)
    if not isinstance(staff_no, str) or fault_of_staff_no(staff_no) is not None:
        return None
    methods = claims.get("amr")
    shown = isinstance(methods, list) and any(method in SECOND_FACTOR_METHODS for method in methods if _is_text(method))
    return OutsidePerson(staff_no, datetime.fromtimestamp(expires + LEEWAY_S, UTC), shown)


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate of this millennium, or None."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 32_503_680_000:
        return None
    return float(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _public_key(raw: Any) -> PublicKey | None:
    if not isinstance(raw, dict) or raw.get("use", "sig") != "sig" or "d" in raw or not _named_well(raw):
        return None
    if "verify" not in raw.get("key_ops", ["verify"]):
        return None
    kinds: dict[Any, type[PublicKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    kind = kinds.get(raw.get("kty"))
    if kind is None or (kind is RSAKey and len(str(raw.get("n"))) * 6 < MIN_RSA_BITS):  # the library would warn of it
        return None
    try:
        key = kind.import_key({name: value for name, value in raw.items() if isinstance(value, str)})
        if isinstance(key, RSAKey) and key.public_key.key_size < MIN_RSA_BITS:
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key


def _named_well(raw: Mapping[str, Any]) -> bool:
    """Whether its id is a text and its kind and algorithm are words."""
    return all(isinstance(raw[name], str) for name in ("kid", "kty", "alg") if name in raw)


def _serves(key: PublicKey, algorithm: str) -> bool:
    """Whether the key is of the algorithm's kind, and says nothing else of itself."""
    if _exact(str(key.get("alg", algorithm))) != _exact(algorithm):
        return False
    if isinstance(key, RSAKey):
        return algorithm in ("RS256", "PS256")
    if isinstance(key, ECKey):
        return algorithm == "ES256" and key.get("crv") == "P-256"
    return _exact(algorithm) == "Ed25519" and key.get("crv") == "Ed25519"
