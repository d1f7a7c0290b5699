"""The connections of one process: how many there may be, how long each is waited for, and who goes when it is full.

uvicorn waits for ever for the rest of a header or a body, and takes connections until no file can be opened any more.
Here each connection has its time, a process keeps some files for what is no connection, and where all places are taken
those go that nothing is being done for, strangers first and the oldest of them first.
"""

import asyncio
import socket
from collections import Counter
from functools import partial
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.connection_limits import ConnectionLimits, Phase
from api.logs import log
from api.metrics import Metrics
from api.problems import MEDIA_TYPE, problem_body, status_of

SPARE: Final = 16
"""Connections above the bound, in which nothing but health is answered."""
SWEEP_S: Final = 1.0
TELL_EVERY_S: Final = 10.0
MAX_HEAD_BYTES: Final = 65_536
MAX_HEADERS: Final = 256
MAX_PIPELINED: Final = 8
SEND_BUFFER_BYTES: Final = 262_144
"""What the system takes of an answer ahead of its reader; by itself it takes megabytes, for every stranger who reads
none."""
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_HEALTH: Final = frozenset({"/health/live", "/health/ready"})
_AT_ONCE: Final = 32  # one in so many is dropped at once: making room costs a look at all of them


class Connections:
    """All of them; owned by the event loop's thread."""

    def __init__(self, limits: ConnectionLimits, metrics: Metrics) -> None:
        self.limits = limits
        self._metrics = metrics
        self._open: set[Connection] = set()
        self._dropped = Counter[str]()
        self._tell_at = 0.0
        self._sweeping: asyncio.TimerHandle | None = None

    def enter(self, one: "Connection") -> None:
        """One more. Where there is no room for it others go, or it is a spare one, or it goes itself."""
        self._open.add(one)
        self._metrics.connections.set(len(self._open))
        if self._sweeping is None:
            self._sweeping = one.loop.call_later(SWEEP_S, self._sweep, one.loop)
        if len(self._open) > self.limits.connections:
            self._make_room(one)

    def leave(self, one: "Connection") -> None:
        """One fewer."""
        self._open.discard(one)
        self._metrics.connections.set(len(self._open))

    @property
    def are_full(self) -> bool:
        """Whether there are more than there are ordinary places."""
        return len(self._open) > self.limits.connections

    def count(self, why: str) -> None:
        """One was dropped."""
        self._dropped[why] += 1
        self._metrics.dropped.labels(why).inc()

    def _make_room(self, newest: "Connection") -> None:
        waiting = [one for one in self._open if one is not newest and one.waits]
        strangers = sorted((one for one in waiting if not one.is_known), key=Connection.waiting_since)
        if strangers:
            going = strangers[: max(1, len(self._open) // _AT_ONCE)]
        else:
            going = sorted(waiting, key=Connection.waiting_since)[:1]
        for one in going:
            one.drop("crowded", "overloaded")
        if not going:
            newest.is_spare = True
            if len(self._open) > self.limits.connections + SPARE:
                newest.drop("crowded", "overloaded")

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        present = loop.time()
        for one in list(self._open):
            one.look(present)
        if self._dropped and present >= self._tell_at:
            log().warning("connections_dropped", open=len(self._open), **self._dropped)
            self._dropped.clear()
            self._tell_at = present + TELL_EVERY_S
        more = bool(self._open or self._dropped)
        self._sweeping = loop.call_later(SWEEP_S, self._sweep, loop) if more else None


class _Refused(Exception):
    """Leaves the parser: the request goes no further."""


class _Joined:
    """The transport as one answer writes to it: its head waits for the first of its body and goes with it, one packet.

    uvicorn writes the two apart, a system call and a packet each, however short the answer is.
    """

    __slots__ = ("_head", "_started", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._started = False

    def write(self, data: bytes) -> None:
        """The head, which waits; or what follows it, or "go on", which does not."""
        if self._head is not None:
            head, self._head = self._head, None
            self._transport.writelines((head, data))
        elif self._started or data == _GO_ON:
            self._transport.write(data)
        else:
            self._started, self._head = True, data

    def flush(self) -> None:
        """Nothing follows any more: the answer to HEAD has no body."""
        if self._head is not None:
            self.write(b"")

    def close(self) -> None:
        """As the transport's own; what was written goes first."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """As the transport's own."""
        return self._transport.is_closing()


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with an end to its patience. Its `app` is the application of `api.app`."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, server_state, app_state, _loop)
        self._all: Connections = config.loaded_app.state["serving"].connections
        self._ordinary: ASGIApp = self.app
        self._only_health: ASGIApp = partial(_only_health, self.app)
        self.is_spare = False
        self._in_head = self._in_body = self._has_begun = False
        self._since = 0.0
        self._other_bytes = self._body_bytes = self._body_before = 0
        self._unsent_since: float | None = None
        self._unsent_before = 0
        self._code = "malformed_request"
        self._joined = _Joined(self.transport)
        self._served: RequestResponseCycle | None = None  # the newest that was begun; others may wait behind it

    # ── what it is at ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _newest(self) -> RequestResponseCycle | None:
        """The newest request whose headers were whole."""
        return self.cycle  # none at first, whatever its type says

    @property
    def _unanswered(self) -> RequestResponseCycle | None:
        newest = self._newest
        return None if newest is None or newest.response_complete else newest

    @property
    def phase(self) -> Phase:
        """What it is at."""
        if self._in_body:
            return Phase.REST if self._unanswered is None else Phase.BODY
        if self._unanswered is not None:
            return Phase.SERVED
        return Phase.HEAD if self._in_head or self._newest is None else Phase.IDLE

    @property
    def waits(self) -> bool:
        """Whether nothing is being done for it but waiting for its client."""
        return self.phase is not Phase.SERVED or self.flow.write_paused

    @property
    def is_known(self) -> bool:
        """Whether the newest request that was served came with a token that is good."""
        return self._served is not None and self._served.scope.get("auth") is not None

    def waiting_since(self) -> float:
        """The moment from which it is at its phase."""
        return self._since

    # ── what is done about it ───────────────────────────────────────────────────────────────────────────────────────

    def look(self, present: float) -> None:
        """End it if its time is over."""
        self._look_at_answer(present)
        limits, phase = self._all.limits, self.phase
        if self.transport.is_closing() or present - self._since <= limits.allowed_s(phase):
            return
        # More time for a body that comes on, and for one that it is we who do not read.
        if phase is Phase.BODY and (self.flow.read_paused or limits.is_enough(self._body_bytes - self._body_before)):
            self._since, self._body_before = present, self._body_bytes
        elif phase is Phase.BODY or self._in_head:
            self._all.count(phase.value)
            self._refuse("request_timeout")
        else:
            self.transport.close()

    def _look_at_answer(self, present: float) -> None:
        unsent, limits = self.transport.get_write_buffer_size(), self._all.limits
        if unsent == 0:
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since, self._unsent_before = present, unsent
        elif present - self._unsent_since > limits.body_s:
            if limits.is_enough(self._unsent_before - unsent):
                self._unsent_since, self._unsent_before = present, unsent
            else:
                self.drop("unread", "broken_off")

    def drop(self, why: str, code: str) -> None:
        """End it without a word; whatever waits for its body learns that it will not come, and is logged as `code`."""
        self._all.count(why)
        self._all.leave(self)
        self._part(code)
        self.transport.abort()

    def _part(self, code: str) -> None:
        for open_ in (self._served, self._unanswered):
            if open_ is not None and not open_.response_complete:
                open_.scope["state"].setdefault("left", code)
                open_.disconnected = True
                open_.message_event.set()

    def _refuse(self, code: str) -> None:
        """Answer with a problem where it is the answer that the client waits for, and close."""
        open_ = self._unanswered
        may_answer = not self.pipeline and (open_ is None or (self._in_body and not open_.response_started))
        self._part(code)
        if may_answer and self.phase is not Phase.REST:
            self.transport.write(_answer(code))
            self.transport.close()
        else:
            self.transport.abort()

    # ── what the transport and the parser tell ──────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin, if there is room."""
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._since = self.loop.time()
        self._all.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Over."""
        self._all.leave(self)
        self._part("broken_off")  # uvicorn tells it the newest request alone, which may wait behind one that is served
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The client reads on."""
        self._unsent_since = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Some more of a request; what is no body of it has a bound."""
        before, self._has_begun = self._body_bytes, False
        super().data_received(data)
        if self._has_begun or not (self._in_head or self._in_body):
            self._other_bytes = 0
            return
        self._other_bytes += len(data) - (self._body_bytes - before)
        # The framing of chunks is no body either: of the smallest ones it is some bytes to each byte.
        if self._other_bytes > MAX_HEAD_BYTES + 8 * self._body_bytes and not self.transport.is_closing():
            self._all.count("too_large")
            self._refuse("headers_too_large")

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own text; ours is a problem
        """What uvicorn answers when the parser gives up."""
        if not self.transport.is_closing():
            self._refuse(self._code)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._has_begun = self._in_head = True
        self._body_bytes = self._body_before = 0
        self._since = self.loop.time()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; what stands behind a body (trailers) is nobody's."""
        if self._in_body:
            return
        if len(self.headers) >= MAX_HEADERS:
            self._code = "headers_too_large"
            raise _Refused
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request can be served, its body may follow."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _Refused
        self._in_head, self._in_body = False, True
        self._since = self.loop.time()
        self.is_spare = self.is_spare and self._all.are_full
        self.app = self._only_health if self.is_spare else self._ordinary
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._served = cycle
        self._joined = _Joined(self.transport)
        cycle.transport = self._joined  # type: ignore[assignment]  # all of a transport that a cycle asks for
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._in_body = False
        self._since = self.loop.time()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered."""
        self._joined.flush()
        self._since = self.loop.time()
        super().on_response_complete()


def _answer(code: str) -> bytes:
    body = problem_body(code, request_id="-")
    head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return STATUS_LINE[status_of(code)] + head.encode() + body


async def _only_health(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """What is served in a spare connection: the service can say that it lives, and that it has no room."""
    if scope["path"] in _HEALTH:
        await app(scope, receive, send)
        return
    body = problem_body("overloaded", request_id="-")
    headers = [
        (b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"), (b"connection", b"close"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": status_of("overloaded"), "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


__all__ = ["Connection", "Connections"]
