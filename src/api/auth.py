"""Who asks: a bearer token names an active member of staff; nothing but health and the docs answers without one.

Found holders are kept for `HELD_S` seconds, so a revoked token works at most that much longer and a busy client costs
one query per interval, not one per request.
"""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from sqlalchemy.engine import Engine

from casework.clock import Clock, now
from casework.database import reading
from casework.errors import CallerError
from casework.staff.actor import Actor
from casework.staff.register import AUDITOR
from casework.staff.tokens import holder_of, is_shaped

HELD_S = 2.0
MAX_HELD = 4_096
_DESCRIPTION = frozenset({"/schema", "/schema/", "/schema/openapi.json", "/schema/openapi.yaml"})
_PUBLIC = frozenset({"/health/live", "/health/ready"}) | _DESCRIPTION


def is_public(path: str) -> bool:
    """Whether this path answers without a token: health and the API's own description."""
    return path in _PUBLIC


def is_nothing(path: str) -> bool:
    """Whether this path below the description leads nowhere: the framework would answer it with a page of its own."""
    return path.startswith("/schema/") and path not in _DESCRIPTION


class Tokens:
    """The holders of tokens, looked up in worker threads and held for a moment; owned by the event loop's thread."""

    def __init__(self, engine: Engine, *, clock: Clock = now) -> None:
        self._engine = engine
        self._clock = clock
        self._held: dict[bytes, tuple[float, Actor | None]] = {}
        self._asking: dict[bytes, asyncio.Future[Actor | None]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="casework-tokens")

    async def actor(self, authorization: bytes | None) -> Actor | None:
        """Whom an Authorization header names, or none; TryAgain when the database cannot say."""
        if authorization is None or authorization[:7].lower() != b"bearer ":
            return None
        token = authorization[7:].decode("latin-1").strip()
        if not is_shaped(token):
            return None
        digest = hashlib.sha256(token.encode()).digest()
        held = self._held.get(digest)
        if held is not None and held[0] > monotonic():
            return held[1]
        return await self._ask(digest)

    async def _ask(self, digest: bytes) -> Actor | None:
        """One query however many requests wait for it."""
        waiting = self._asking.get(digest)
        if waiting is None:
            loop = asyncio.get_running_loop()
            waiting = asyncio.ensure_future(loop.run_in_executor(self._threads, self._look_up, digest))
            self._asking[digest] = waiting
            waiting.add_done_callback(lambda done: self._keep(digest, done))
        return await asyncio.shield(waiting)

    def _look_up(self, digest: bytes) -> Actor | None:
        with reading(self._engine) as conn:
            holder = holder_of(conn, digest, self._clock())
        return None if holder is None else Actor(holder.staff_no, "staff", "api", holder.posts)

    def _keep(self, digest: bytes, done: "asyncio.Future[Actor | None]") -> None:
        self._asking.pop(digest, None)
        if done.cancelled() or done.exception() is not None:
            return
        if len(self._held) >= MAX_HELD:
            self._make_room()
        self._held[digest] = (monotonic() + HELD_S, done.result())

    def _make_room(self) -> None:
        present = monotonic()
        self._held = {digest: held for digest, held in self._held.items() if held[0] > present}
        for digest in list(self._held)[: max(0, len(self._held) - MAX_HELD // 2)]:
            del self._held[digest]  # oldest first: a flood of made-up tokens cannot grow it

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def actor_of(request: Request[Any, Any, Any] | ASGIConnection[Any, Any, Any, Any]) -> Actor:
    """Who asks (the edge has seen to it that somebody does)."""
    actor: Actor = request.scope["user"]
    return actor


def may_change(actor: Actor) -> Actor:
    """The actor, unless he may only read: an auditor changes nothing (rule 1.1.4)."""
    if AUDITOR in actor.posts or not actor.posts:
        raise _forbidden(actor, [])
    return actor


def require(actor: Actor, *posts: str) -> Actor:
    """The actor, if he holds one of `posts`; CallerError `post_not_permitted` (403) otherwise."""
    if not actor.posts & set(posts):
        raise _forbidden(actor, sorted(posts))
    return actor


def _forbidden(actor: Actor, wanted: list[str]) -> CallerError:
    reason = {
        "code": "post_not_permitted", "rules": ["1.1.4"], "saw": {"posts": sorted(actor.posts)},
        "needs": {"any_of_posts": wanted} if wanted else {"none_of_posts": [AUDITOR]},
        "zh": "您的岗位无权执行此操作", "en": "none of your posts may do this", "opens_on": None,
    }  # fmt: skip
    return CallerError("post_not_permitted", reason["zh"], reason["en"], reasons=[reason])  # type: ignore[arg-type]  # both are texts
