"""Who asks: a bearer token names an active member of staff; without one, health, docs and logging in answer.

Found holders are kept for `HELD_S` seconds, so that a busy client costs one query per interval and not one per
request. A revoked token reads at most that much longer; it changes nothing any more: what writes asks again when the
register has another version (`still_holds`, `still_valid`).
"""

import asyncio
import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from sqlalchemy.engine import Connection, Engine

from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.people.identity import holding, keys, outside_token
from casework.people.identity.holding import Holder
from casework.people.identity.issuer import Issuer
from casework.people.identity.sessions import not_authenticated
from casework.people.staff.acting import version_of
from casework.people.staff.actor import Actor
from casework.people.staff.tokens import hash_of, is_page_shaped, is_shaped
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch

HELD_S = 2.0
MAX_HELD = 4_096
MAX_ASKING = 1_024
NOTED_EVERY_S = 60.0
_PROBLEMS = "/problems"
"""What the `type` of a problem leads to: a stranger's 401 has one too."""
_DESCRIPTION = frozenset({"/schema", "/schema/", "/schema/openapi.json", "/schema/openapi.yaml"})
_PUBLIC = frozenset({"/health/live", "/health/ready", _PROBLEMS}) | _DESCRIPTION
_LOGGING_IN = frozenset({"/session", "/session/refresh", "/session/password"})
_PAGES = "/console"
_PUBLIC_PAGES = frozenset({"/", "/console/log-in", "/console/password", "/console/language"})
_ASSETS = "/console/assets/"


def is_public(method: str, path: str) -> bool:
    """Whether this answers strangers: health, the API's own description, what gives a token, the way into the pages."""
    if path in _PUBLIC or path in _PUBLIC_PAGES or path.startswith((_ASSETS, f"{_PROBLEMS}/")):
        return True
    return method in ("POST", "OPTIONS") and path in _LOGGING_IN


def is_asset(path: str) -> bool:
    """Whether this is a style, script or picture of the pages, the same to everybody."""
    return path.startswith(_ASSETS)


def is_description(path: str) -> bool:
    """Whether this is the API's own description, the same to everybody."""
    return path in _DESCRIPTION or path == _PROBLEMS or path.startswith(f"{_PROBLEMS}/")


def is_page(path: str) -> bool:
    """Whether this is for people: it takes the cookie of a log-in there, and nothing else does."""
    return path in ("/", _PAGES) or path.startswith(f"{_PAGES}/")


def is_nothing(path: str) -> bool:
    """Whether this path below the description leads nowhere: the framework would answer it with a page of its own."""
    return path.startswith("/schema/") and path not in _DESCRIPTION


class Tokens:
    """The holders of tokens, looked up in worker threads and held for a moment; owned by the event loop's thread."""

    def __init__(self, engine: Engine, branch: Branch, issuer: Issuer | None = None) -> None:
        self._engine = engine
        self._branch = branch
        self._issuer = issuer
        self._held: dict[bytes, tuple[float, Holder | None]] = {}
        self._asking: dict[bytes, asyncio.Future[Holder | None]] = {}
        self._used: set[bytes] = set()
        self._noted: set[bytes] = set()
        self._noted_hour: datetime | None = None
        self._note_at = monotonic() + NOTED_EVERY_S
        self._noting: Future[None] | None = None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="casework-tokens")
        # An issuer that hangs must not keep our own tokens waiting.
        self._outside = ThreadPoolExecutor(1, thread_name_prefix="casework-issuer")

    async def holder(self, authorization: bytes | None) -> Holder | None:
        """Whom an Authorization header names, or none; TryAgain when the database or the issuer cannot say."""
        if authorization is None or authorization[:7].lower() != b"bearer ":
            return None
        token = authorization[7:].decode("latin-1").strip()
        ours = is_shaped(token)
        if not ours and (self._issuer is None or not outside_token.is_shaped(token)):
            return None
        digest = hash_of(token) if ours else hashlib.sha256(b"outside" + token.encode()).digest()
        holder = await self._of(digest, token, ours=ours)
        if holder is not None and holder.kind == holding.KEY:
            self._note(digest)
        return holder

    async def page_holder(self, cookie: str) -> Holder | None:
        """Whom the cookie of a page names, or none."""
        return await self._of(hash_of(cookie), cookie, ours=True) if is_page_shaped(cookie) else None

    def forget(self, digest: bytes) -> None:
        """Look this token up anew when it is next shown: what it is good for has just changed."""
        self._held.pop(digest, None)

    async def _of(self, digest: bytes, token: str, *, ours: bool) -> Holder | None:
        held = self._held.get(digest)
        return held[1] if held is not None and held[0] > monotonic() else await self._ask(digest, token, ours=ours)

    async def _ask(self, digest: bytes, token: str, *, ours: bool) -> Holder | None:
        """One query however many requests wait for it."""
        waiting = self._asking.get(digest)
        if waiting is None:
            if len(self._asking) >= MAX_ASKING:
                raise TryAgain("overloaded", "too many tokens are being looked up")
            loop = asyncio.get_running_loop()
            if ours:
                asked = loop.run_in_executor(self._threads, self._look_up, digest)
            else:
                asked = loop.run_in_executor(self._outside, self._look_outside, token)
            waiting = asyncio.ensure_future(asked)
            self._asking[digest] = waiting
            waiting.add_done_callback(lambda done: self._keep(digest, done))
        return await asyncio.shield(waiting)

    def _look_up(self, digest: bytes) -> Holder | None:
        moment = now()
        today, policy = _rules(self._branch, moment)
        with reading(self._engine) as conn:
            return holding.holder_of(
                conn, digest, moment, self._branch.mac_key, today=today, policy=policy,
                answering=self._branch.answering,
            )  # fmt: skip

    def _look_outside(self, token: str) -> Holder | None:
        said = None if self._issuer is None else self._issuer.read(token)
        if said is None:
            return None
        today, policy = _rules(self._branch, now())
        with reading(self._engine) as conn:
            return holding.outside_holder(
                conn, said.staff_no, said.expires_at, shown_factor=said.shown_factor, today=today, policy=policy,
                answering=self._branch.answering,
            )  # fmt: skip

    def _keep(self, digest: bytes, done: "asyncio.Future[Holder | None]") -> None:
        self._asking.pop(digest, None)
        if done.cancelled() or done.exception() is not None:
            return
        if len(self._held) >= MAX_HELD:
            self._make_room()
        holder = done.result()
        left = HELD_S if holder is None else min(HELD_S, (holder.expires_at - now()).total_seconds())
        self._held[digest] = (monotonic() + left, holder)

    def _make_room(self) -> None:
        present = monotonic()
        self._held = {digest: held for digest, held in self._held.items() if held[0] > present}
        for digest in list(self._held)[: max(0, len(self._held) - MAX_HELD // 2)]:
            del self._held[digest]  # oldest first: a flood of made-up tokens cannot grow it

    # ── when a key was last used: to the hour, many at once, never while its request waits ──────────────────────────

    def _note(self, digest: bytes) -> None:
        if digest not in self._noted:
            self._used.add(digest)
        if monotonic() >= self._note_at and (self._noting is None or self._noting.done()):
            self._note_at = monotonic() + NOTED_EVERY_S
            self._begin_noting()

    def _begin_noting(self) -> None:
        moment = now()
        if self._noted_hour is None or moment.replace(minute=0, second=0, microsecond=0) != self._noted_hour:
            self._noted_hour = moment.replace(minute=0, second=0, microsecond=0)
            self._used |= self._noted & self._held.keys()
            self._noted = set()
        if self._used:
            used, self._used = self._used, set()
            self._noted |= used
            self._noting = self._threads.submit(self._record, used, moment)

    def _record(self, used: set[bytes], moment: datetime) -> None:
        with suppress(TryAgain), writing(self._engine) as conn:  # the next hour tells it then
            keys.record_use(conn, used, moment)

    def close(self) -> None:
        """Note what was used, and end the threads."""
        self._begin_noting()
        if self._noting is not None:
            self._noting.result()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._outside.shutdown(wait=False, cancel_futures=True)


def _rules(branch: Branch, moment: datetime) -> Any:
    today = branch.today(moment)
    return today, branch.rulebook.policies.at(today)


def still_holds(conn: Connection, holder: Holder, moment: datetime, branch: Branch) -> Holder | None:
    """The holder as the register has them now, in this transaction; None when token or person have gone."""
    today, policy = _rules(branch, moment)
    return holding.still_holds(
        conn, holder, moment, branch.mac_key, today=today, policy=policy, answering=branch.answering
    )


def still_valid(conn: Connection, request: Request[Any, Any, Any]) -> Actor:
    """Who asks, in a transaction that is to change something; CallerError when they may no more.

    `not_authenticated` (401): their token has died; `post_not_permitted` (403): the post that allowed it has ended.
    One statement, and the token looked up again only when the register has changed since. Call it once the rows that
    are to change are locked, or first of all where nothing is.
    """
    holder: Holder = request.scope["auth"]
    if version_of(conn) == holder.actor.register_version:
        return holder.actor
    branch: Branch = request.app.state["serving"].branch
    found = still_holds(conn, holder, now(), branch)
    if found is None:
        raise not_authenticated()
    command: Any = request.scope["state"].get("command")
    if command is not None:  # what the guard allowed a moment ago, their posts may not allow any more
        branch.rulebook.permissions.require(found.actor, command)
    return found.actor


def actor_of(request: Request[Any, Any, Any] | ASGIConnection[Any, Any, Any, Any]) -> Actor:
    """Who asks (the edge has seen to it that somebody does)."""
    actor: Actor = request.scope["user"]
    return actor


def holder_of(request: Request[Any, Any, Any]) -> Holder:
    """With what the caller came in."""
    holder: Holder = request.scope["auth"]
    return holder


def session_of(request: Request[Any, Any, Any]) -> int:
    """The session they came in with; CallerError `session_needed` (403) for a key or an outside token.

    A key makes no keys and touches no second factor: whoever finds one must not be able to stay.
    """
    holder = holder_of(request)
    if holder.session_id is None:
        raise CallerError("session_needed")
    return holder.session_id
