"""One JSON line per event on stdout: never a body, a query string, a header or the message of an exception."""

import atexit
import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from typing import Any, BinaryIO

import msgspec
import structlog

from casework.clock import now

_encode = msgspec.json.Encoder(enc_hook=str).encode


class LogLines:
    """Where log lines go, several at once: a system call per line would let the interpreter's lock go each time.

    What waits is written after `HELD_S`, when `HELD_LINES` wait, at once for errors, and at exit.
    """

    HELD_S = 0.1
    HELD_LINES = 200

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._timer: threading.Timer | None = None
        _OPEN.append(self)

    def msg(self, line: bytes) -> None:
        """Take one line."""
        with self._lock:
            self._lines.append(line + b"\n")
            full = len(self._lines) >= self.HELD_LINES
            if self._timer is None and not full:
                self._timer = threading.Timer(self.HELD_S, self.drain)
                self._timer.daemon = True
                self._timer.start()
        if full or b'"level":"error"' in line:
            self.drain()

    debug = info = warning = error = critical = msg

    def drain(self) -> None:
        """Write what waits."""
        with self._lock:
            lines, self._lines = self._lines, []
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if lines:
                self._stream.write(b"".join(lines))
                self._stream.flush()


_OPEN: list[LogLines] = []


def _stamped(_logger: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["level"] = level
    event["at"] = now().isoformat(timespec="milliseconds")
    return event


def _rendered(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> bytes:
    return _encode(event)


def configure(level: str = "INFO") -> None:
    """Set up structlog, and lead what uvicorn says through the same form."""
    number = logging.getLevelNamesMapping()[level]
    lines = LogLines(sys.stdout.buffer)
    structlog.configure(
        processors=[_stamped, _rendered],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLine())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], name != "uvicorn.access"
    logging.getLogger("uvicorn").setLevel(max(number, logging.INFO))


class FailedRequest(Exception):  # it is what happened, and the log has its place already
    """A bug that was logged where it happened."""


class _JsonLine(logging.Formatter):
    """A record of the standard library as a JSON line; of an exception only its type."""

    def format(self, record: logging.LogRecord) -> str:
        """`event` is the message; exceptions lose their text."""
        line: dict[str, Any] = {"event": record.getMessage(), "logger": record.name, "level": record.levelname.lower()}
        if record.exc_info and record.exc_info[0] is not None:
            line |= {"event": "error", "error": record.exc_info[0].__name__}
        line["at"] = now().isoformat(timespec="milliseconds")
        return _encode(line).decode()


def drain() -> None:
    """Write the lines that wait: a worker process ends without running what is registered for exit."""
    for lines in _OPEN:
        lines.drain()


atexit.register(drain)


def log() -> Any:
    """The logger, as configured now."""
    return structlog.get_logger()


def log_bug(request_id: str, error: BaseException) -> None:
    """An error of ours: its type and the places it came through. Its message stays out: it may quote a value."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames]
    cause = error.__cause__ or error.__context__
    log().error("bug", request_id=request_id, error=type(error).__name__, where=where,
                cause=type(cause).__name__ if cause else None)  # fmt: skip
