"""Calls from other sites' pages (CORS): those of the origins that the settings name, with a bearer and no cookie.

The framework's own stands behind the edge, which answers a preflight 401: a browser sends no token with it.
"""

from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Send

from api.auth import is_page

_MAY_ASK: Final = b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-Request-Id"
_MAY_READ: Final = (
    b"Allow, Casework-Cut, Content-Disposition, Deprecation, ETag, Link, Location, Preference-Applied, Receipt, "
    b"Receipt-Omitted, Retry-After, Sealed-In, Sunset, X-Request-Id"
)
_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_KEPT_S: Final = b"600"


def across_origins(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """`app` for pages of these origins too; of none: `app` itself."""
    return _CrossOrigin(app, origins) if origins else app


class _CrossOrigin:
    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._origins = frozenset(one.encode() for one in origins)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """A preflight is answered here, for a stranger; whatever else is asked is answered as ever."""
        if scope["type"] != ScopeType.HTTP or is_page(scope["path"]):  # pages go by a cookie: no other site's business
            await self._app(scope, receive, send)
            return
        asked = dict(scope["headers"])
        origin = asked.get(b"origin")
        known = origin if origin in self._origins else None
        if known is not None and scope["method"] == "OPTIONS" and b"access-control-request-method" in asked:
            headers = [
                *_for(known), (b"access-control-allow-methods", _METHODS), (b"access-control-allow-headers", _MAY_ASK),
                (b"access-control-max-age", _KEPT_S), (b"cache-control", b"no-store"),
            ]  # fmt: skip
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = [(b"vary", b"Origin")] if known is None else _for(known)
                message["headers"] = [*message["headers"], *told]
            await send(message)

        await self._app(scope, receive, telling)


def _for(origin: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _MAY_READ),
        (b"vary", b"Origin"),
    ]
