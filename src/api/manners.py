"""What HTTP lets every reader expect, in one place around all routes: HEAD, OPTIONS, 304, gzip, `Link`.

Requests that change something pass by untouched. Which answers are compressed, and why no others: docs/decisions.
"""

import asyncio
import gzip
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.exceptions import SerializationException
from litestar.serialization import decode_json
from litestar.types import ASGIApp, Message, Receive, Send

from api.auth import is_asset, is_description, is_page
from casework.people.staff.permission_table import plain_route

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LEAST_BYTES: Final = 4_096
"""Below it, compressing saves a packet or two and costs more time than a short answer takes to make."""
_IN_A_THREAD_BYTES: Final = 32_768
_LEVEL: Final = 5
_TEXT: Final = re.compile(
    rb"(?:application/(?:json|yaml|vnd\.oai\.openapi(?:\+[a-z]+)?)|text/(?:csv|plain|html|css|javascript|vnd\.mermaid)|image/svg\+xml)"
    rb"(?: *;.*)?"
)
_OF_304: Final = frozenset({b"etag", b"cache-control", b"vary", b"link", b"content-location"})
_VERSION: Final = re.compile(rb'"[1-9][0-9]*"')
_TAG: Final = re.compile(rb'(?:W/)?("[^"]*")')
_ZIPPED: Final = b"-gz"
CURSORS: Final = ("cursor", "after", "before")
"""Parameters that take the `next` of a page."""
_KEPT: Final = 256
"""Pages of the description and assets, compressed: some 20 kB each."""

Headers = list[tuple[bytes, bytes]]


class _Page(msgspec.Struct):
    next: str | int | None = None


class Manners:
    """An ASGI application around the routes; within the edge, so that whoever is answered is known."""

    def __init__(self, routes: ASGIApp) -> None:
        self._routes = routes
        self._kept: dict[bytes, bytes] = {}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request; the scope's method is as it came, before and after."""
        if scope["type"] != ScopeType.HTTP or scope["method"] not in _READING:
            await self._routes(scope, receive, send)
            return
        asked = scope["method"]
        answer = _Answer(scope, send, self._kept, without_body=asked == "HEAD")
        if asked == "HEAD":
            scope["method"] = "GET"
        try:
            await self._routes(scope, receive, answer)
        finally:
            scope["method"] = asked


class _Answer:
    """`send` that waits for the body of an answer that comes whole, and then knows what to say about it."""

    __slots__ = ("_kept", "_scope", "_send", "_start", "_without_body")

    def __init__(self, scope: Any, send: Send, kept: dict[bytes, bytes], *, without_body: bool) -> None:
        self._scope = scope
        self._send = send
        self._kept = kept
        self._without_body = without_body
        self._start: Any = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._without_body:
                self._scope["method"] = "HEAD"  # who carries the answer must know that its body does not come
            if message["status"] == 204 and self._scope["method"] == "OPTIONS":
                message["headers"] = _with(list(message["headers"]), b"allow", self._allowed())
            if message["status"] == 200:
                self._start = message
            else:
                await self._send(message)
            return
        if message["type"] == "http.response.body":
            if self._start is not None:
                start, self._start = self._start, None
                if message.get("more_body"):  # a stream goes as it comes
                    await self._send(start)
                else:
                    message["body"] = await self._whole(start, message.get("body", b""))
                    await self._send(start)
            if self._without_body:
                message["body"] = b""
        await self._send(message)

    async def _whole(self, start: Any, body: bytes) -> bytes:
        headers: Headers = list(start["headers"])
        kind = _named(headers, b"content-type")
        headers, tag = self._tagged(headers, body)
        headers += self._link(kind, body)
        is_zipped = False
        if self._may_be_zipped(kind, headers):
            headers = _with(headers, b"vary", b"Accept-Encoding")
            is_zipped = len(body) >= _LEAST_BYTES and _takes_gzip(self._asked(b"accept-encoding"))
        if is_zipped and tag:  # another encoding is another representation (RFC 9110, 8.8.3.3)
            headers = _with(headers, b"etag", tag[:-1] + _ZIPPED + b'"')
        if tag and _is_among(tag, self._asked(b"if-none-match")):
            start["status"] = 304
            start["headers"] = [one for one in headers if one[0] in _OF_304]
            return b""
        if is_zipped:
            body = await self._zipped(tag, body)
            headers = _with(headers, b"content-encoding", b"gzip")
            headers = _with(headers, b"content-length", str(len(body)).encode())
        start["headers"] = headers
        return body

    def _tagged(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        """With an entity tag that another content has not: of one version tells the day, and who asks, differently."""
        tag = _named(headers, b"etag")
        if is_description(self._scope["path"]):
            tag = b'"' + _digest(body) + b'"'
            headers = _with(headers, b"cache-control", b"no-cache")
        elif _VERSION.fullmatch(tag):
            tag = tag[:-1] + b"-" + _digest(body) + b'"'
        return (_with(headers, b"etag", tag) if tag else headers), tag

    def _link(self, kind: bytes, body: bytes) -> Headers:
        """The page after a page (RFC 8288), with every other parameter as it was asked for."""
        handler = self._scope.get("route_handler")
        cursor = _cursor_of(handler) if handler is not None and kind.startswith(b"application/json") else None
        if cursor is None:
            return []
        try:
            following = decode_json(body, _Page).next
        except SerializationException:
            return []
        if following is None:
            return []
        asked = parse_qsl(self._scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = urlencode([*(one for one in asked if one[0] != cursor), (cursor, following)])
        return [(b"link", f'<{self._scope["path"]}?{query}>; rel="next"'.encode())]

    def _may_be_zipped(self, kind: bytes, headers: Headers) -> bool:
        path = self._scope["path"]
        is_secret = (is_page(path) and not is_asset(path)) or any(one[0] == b"set-cookie" for one in headers)
        return not is_secret and _TEXT.fullmatch(kind) is not None and not _named(headers, b"content-encoding")

    async def _zipped(self, tag: bytes, body: bytes) -> bytes:
        is_kept = is_description(self._scope["path"])  # the same for everybody, and large: compressed once
        if not tag and is_asset(self._scope["path"]):
            is_kept, tag = True, _digest(body)
        if is_kept and tag in self._kept:
            return self._kept[tag]
        if len(body) < _IN_A_THREAD_BYTES and not is_kept:
            return gzip.compress(body, _LEVEL, mtime=0)
        made = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
        if is_kept and len(self._kept) < _KEPT:
            self._kept[tag] = made
        return made

    def _allowed(self) -> bytes:
        """What a place takes; the framework tells of one of its routes, and a place may have several."""
        found = _methods_by_place(self._scope["litestar_app"])
        return told_allowed(",".join(found.get(self._scope["path_template"], ()))).encode()

    def _asked(self, header: bytes) -> list[bytes]:
        return [value for name, value in self._scope["headers"] if name == header]


def told_allowed(allow: str) -> str:
    """The methods of an `Allow`, with HEAD wherever there is GET."""
    found = {one.strip() for one in allow.split(",") if one.strip()}
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))


@lru_cache(2)
def _methods_by_place(app: Litestar) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for route in app.routes:
        found.setdefault(plain_route(route.path), set()).update(getattr(route, "methods", ()))
    return found


@lru_cache(1_024)
def _cursor_of(handler: Any) -> str | None:
    """By which parameter a route takes the `next` of its last page; None where it has no pages."""
    parameters = handler.parsed_fn_signature.parameters
    return next((name for name in CURSORS if name in parameters), None)


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=8).hexdigest().encode()


def _named(headers: Headers, name: bytes) -> bytes:
    return next((value for one, value in headers if one == name), b"")


def _with(headers: Headers, name: bytes, value: bytes) -> Headers:
    return [*(one for one in headers if one[0] != name), (name, value)]


def _is_among(tag: bytes, given: Iterable[bytes]) -> bool:
    """Whether If-None-Match names it, by weak comparison (RFC 9110, 13.1.2)."""
    for value in given:
        if value.strip() == b"*":
            return True
        if any(one[:-1].removesuffix(_ZIPPED) + b'"' == tag for one in _TAG.findall(value)):
            return True
    return False


def _takes_gzip(accepted: Iterable[bytes]) -> bool:
    for value in accepted:
        for part in value.lower().split(b","):
            coding, _, weight = part.partition(b";")
            if coding.strip() in (b"gzip", b"x-gzip"):
                return not re.fullmatch(rb"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
