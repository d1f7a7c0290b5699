"""The outermost layer: gives each request its id, asks who it is, and logs and measures what was answered.

It wraps the whole application, so that 404 and 405 are seen too, and unknown paths tell nothing to strangers.
"""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import is_nothing, is_page, is_public
from api.console.frame import cookies
from api.logs import log, log_bug
from api.prefer import sealed_wait_s
from api.problems import MEDIA_TYPE, problem_body, status_of
from api.receipts import headers_of
from api.serving import Serving
from casework.codes import texts_of
from casework.errors import TryAgain

Headers = list[tuple[bytes, bytes]]
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_UNKNOWN_ROUTE = "(none)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    """An ASGI application around the routes."""

    def __init__(self, routes: ASGIApp, serving: Serving) -> None:
        self._routes = routes
        self._serving = serving
        self._log = log().bind()
        self._ids = itertools.count(1)
        # Random per process, then counted: a random number per request costs a system call each.
        self._id_prefix = secrets.token_hex(6).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; an exception never leaves."""
        if scope["type"] != ScopeType.HTTP:
            await self._routes(scope, receive, send)
            return
        began = perf_counter()
        authorization: bytes | None = None
        repeated = False
        request_id = b""
        preferred: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"authorization":
                repeated, authorization = repeated or authorization is not None, value
            elif name == b"x-request-id" and _SANE_ID.fullmatch(value):
                request_id = value
            elif name == b"prefer":
                preferred.append(value)
        request_id = request_id or b"%s-%x" % (self._id_prefix, next(self._ids))
        scope["state"]["request_id"] = request_id.decode()
        answer = _Answer(send, request_id, partial(
            headers_of, scope["state"], self._serving.receipts, self._serving.awaiting,
            sealed_wait_s(preferred) if preferred else None,
        ), as_page=is_page(scope["path"]))  # fmt: skip
        try:
            if repeated:  # a proxy may have looked at the other one
                scope["user"] = scope["auth"] = None
                await answer.problem("malformed_header")
            else:
                await self._serve(scope, _noticing(receive, scope["state"]), answer, authorization)
        except TryAgain as failure:
            await answer.problem(failure.code, (b"retry-after", str(failure.retry_after_s).encode()))
        except Exception as error:  # noqa: BLE001  # the last place that can answer at all
            log_bug(request_id.decode(), error)
            await answer.problem("internal_error")
        finally:
            self._tell(scope, answer, perf_counter() - began)

    async def _serve(self, scope: Any, receive: Receive, answer: "_Answer", authorization: bytes | None) -> None:
        scope["user"] = scope["auth"] = None
        if is_page(scope["path"]):
            scope["query_string"] = cookies.without_blanks(scope["query_string"])
            scope["user"], scope["auth"] = await self._of_page(scope)
            if scope["auth"] is None and not is_public(scope["method"], scope["path"]):
                await answer.elsewhere(cookies.log_in_place(scope))
                return
        elif not is_public(scope["method"], scope["path"]):
            holder = await self._serving.tokens.holder(authorization)
            if holder is None:
                await answer.problem("not_authenticated", (b"www-authenticate", b"Bearer"))
                return
            scope["user"], scope["auth"] = holder.actor, holder
        if is_nothing(scope["path"]):
            await answer.problem("not_found")
            return
        await self._routes(scope, receive, answer)

    async def _of_page(self, scope: Any) -> tuple[Any, Any]:
        """Who looks at a page, by their cookie alone; while they do, their log-in goes on."""
        serving = self._serving
        holder = await serving.tokens.page_holder(cookies.token_of(scope, serving.settings.trusted_proxies))
        if holder is None:
            return None, None
        await cookies.prolong(serving, scope, holder)
        return holder.actor, holder

    def _tell(self, scope: Any, answer: "_Answer", seconds: float) -> None:
        route = scope.get("path_template") or _UNKNOWN_ROUTE
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._serving.metrics.request(method, route, answer.status, seconds)
        actor = scope.get("user")
        self._log.info(
            "request", request_id=answer.request_id.decode(), method=method, route=route, status=answer.status,
            ms=round(seconds * 1000, 2), actor=actor.id if actor else None,
        )  # fmt: skip


def _noticing(receive: Receive, state: dict[str, Any]) -> Receive:
    """`receive` that remembers in `state` that no more will come, and why: what was `left` is no bug of ours."""

    async def noticing() -> Any:
        message = await receive()
        if message["type"] == "http.disconnect":
            state.setdefault("left", "broken_off")  # unless it was we who broke off (`api.connections`)
        return message

    return noticing


class _Answer:
    """`send` that remembers the status and adds the headers every answer carries."""

    __slots__ = ("_as_page", "_recorded", "_send", "_started", "request_id", "status")

    def __init__(
        self, send: Send, request_id: bytes, recorded: Callable[[], Awaitable[Headers]], *, as_page: bool
    ) -> None:
        """`recorded` gives the headers that tell of what the request has changed; it may take its time.

        `as_page`: whoever asks reads HTML.
        """
        self._as_page = as_page
        self._send = send
        self._recorded = recorded
        self._started = False
        self.request_id = request_id
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            given = message["headers"]
            message["headers"] = [
                *given, *await self._recorded(),
                (b"x-request-id", self.request_id), (b"x-content-type-options", b"nosniff"),
                *([] if any(name == b"cache-control" for name, _ in given) else [(b"cache-control", b"no-store")]),
            ]  # fmt: skip
        await self._send(message)

    async def elsewhere(self, place: str) -> None:
        """Send whoever looks at a page to another."""
        headers = [(b"location", place.encode()), (b"content-length", b"0")]
        await self({"type": "http.response.start", "status": 303, "headers": headers})
        await self({"type": "http.response.body", "body": b"", "more_body": False})

    async def problem(self, code: str, *headers: tuple[bytes, bytes]) -> None:
        """Answer with a problem, if nothing was answered yet."""
        if self._started:
            return
        kind, body = MEDIA_TYPE, problem_body(code, request_id=self.request_id.decode())
        if self._as_page:  # no template: what failed may be all that they need
            kind = "text/html; charset=utf-8"
            zh, en = texts_of(code)
            body = f"<!doctype html><title>{zh}</title><p>{zh}<p>{en}<p>{self.request_id.decode()}".encode()
        fixed = ((b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()))
        await self({"type": "http.response.start", "status": status_of(code), "headers": [*fixed, *headers]})
        await self({"type": "http.response.body", "body": body, "more_body": False})
