"""The outside issuer's keys: found by discovery over HTTP, bounded in time and size, kept, and fetched anew seldom.

An issuer that does not answer is told apart from a bad token: TryAgain `issuer_unreachable`, and keys fetched before
stay good for a while.
"""

import threading
from http import HTTPStatus
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from casework.bounded_http import NoAnswer, ask
from casework.clock import Clock, now
from casework.errors import TryAgain
from casework.people.identity.outside_token import (
    OutsidePerson,
    PublicKey,
    TokenWanted,
    header_of,
    public_keys,
    read,
)
from casework.settings import Settings, is_safe_address

FRESH_S = 600.0
"""Keys older than this are fetched anew before they are used: one that was withdrawn is believed no longer."""
STALE_S = 3_600.0
"""How long keys stay good while the issuer cannot be reached."""
RETRY_S = 10.0
"""At most one visit in so long, whatever tokens come: an unknown key id must not turn strangers into a flood there."""
MAX_BYTES = 256 * 1024
DEADLINE_S = 5.0


class Issuer:
    """Reads tokens of one issuer; safe to share between threads, and waits for the network: never in the event loop."""

    def __init__(self, wanted: TokenWanted, *, clock: Clock = now) -> None:
        self._wanted = wanted
        self._clock = clock
        self._visiting = threading.Lock()
        self._known = _Known([], float("-inf"))
        self._visited_at = float("-inf")

    @classmethod
    def of(cls, settings: Settings) -> "Issuer | None":
        """The issuer that the settings name, if they name one."""
        if settings.oidc_issuer is None or settings.oidc_audience is None:
            return None
        return cls(TokenWanted(settings.oidc_issuer, settings.oidc_audience, settings.oidc_claim))

    def read(self, token: str) -> OutsidePerson | None:
        """What a token says; None when it is not to be believed, TryAgain when the issuer's keys are not at hand."""
        header = header_of(token)
        if header is None:
            return None
        key = self._key(header.kid)
        return None if key is None else read(token, header, key, self._wanted, self._clock())

    def _key(self, kid: str | None) -> PublicKey | None:
        found = self._known.find(kid, FRESH_S)
        if found is not None:
            return found
        usable = self._known.find(kid, STALE_S)
        # Whose key is known waits for no visit: a stranger's unknown key id may have asked for it.
        if not self._visiting.acquire(blocking=usable is None):
            return usable
        try:
            return self._key_after_visit(kid)
        finally:
            self._visiting.release()

    def _key_after_visit(self, kid: str | None) -> PublicKey | None:
        usable = self._known.find(kid, STALE_S)
        if self._known.find(kid, FRESH_S) is not None:
            return usable  # somebody fetched it meanwhile
        if monotonic() - self._visited_at >= RETRY_S:
            self._visited_at = monotonic()
            try:
                self._known = _Known(fetch_keys(self._wanted.issuer), self._visited_at)
            except _Unreachable as failure:
                if usable is None:
                    raise _try_again() from failure
            else:
                return self._known.find(kid, float("inf"))
        if usable is None and self._known.fetched_at < self._visited_at:
            raise _try_again()  # the last visit failed: whether the key is known there, nobody can say
        return usable


class _Known(NamedTuple):
    """Keys and when they were fetched, replaced together: they are read without a lock."""

    keys: list[tuple[str | None, PublicKey]]
    fetched_at: float

    def find(self, kid: str | None, fresher_than_s: float) -> PublicKey | None:
        if monotonic() - self.fetched_at >= fresher_than_s:
            return None
        if kid is None:
            return self.keys[0][1] if len(self.keys) == 1 else None
        return next((key for name, key in self.keys if name == kid), None)


class _Unreachable(Exception):
    """The issuer does not answer, or not as an issuer does."""


def fetch_keys(issuer: str) -> list[tuple[str | None, PublicKey]]:
    """Discovery (OpenID Connect Discovery 1.0, 4), then the key set; `_Unreachable` for what is not as it must be."""
    found = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise _Unreachable("the discovery document names another issuer")
    place = found.get("jwks_uri")
    if not isinstance(place, str) or not is_safe_address(place):
        raise _Unreachable("the key set has no address that may be used")
    if issuer.startswith("https:") and not place.startswith("https:"):
        raise _Unreachable("the key set is not behind https")
    keys = public_keys(_get(place))
    if not keys:
        raise _Unreachable("the key set has no key that can be used")
    return keys


def _get(url: str) -> Any:
    """The JSON at `url`, at most `MAX_BYTES` of it, within `DEADLINE_S` however slowly it drips."""
    try:
        answer = ask(
            "GET", url, within_s=DEADLINE_S, at_most_bytes=MAX_BYTES, headers={"accept": "application/json"}
        )  # fmt: skip
        if answer.status != HTTPStatus.OK:
            raise _Unreachable(f"status {answer.status}")
        return msgspec.json.decode(answer.body)
    except (NoAnswer, ValueError, RecursionError) as failure:
        raise _Unreachable(str(failure) if isinstance(failure, NoAnswer) else type(failure).__name__) from failure


def _try_again() -> TryAgain:
    return TryAgain("issuer_unreachable", "the outside issuer cannot be reached", retry_after_s=int(RETRY_S))
