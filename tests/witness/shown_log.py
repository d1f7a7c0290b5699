"""A log as a branch shows it, without a branch: leaves, checkpoints, proofs made by hand; a server that shows it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from casework.log.format.checkpoint import Checkpoint
from casework.log.format.note import LogSigner
from casework.log.format.proof import encode_hashes
from casework.log.format.tree import Node, prove_consistency, root_of
from tests.small_server import SmallHTTPServer

ORIGIN = "log.example/branch"
KEY = LogSigner(ORIGIN, b"\x01" * 32)


def leaf(number: int, salt: int = 0) -> bytes:
    return bytes([salt, *number.to_bytes(31, "big")])


@dataclass
class ShownLog:
    """What an operator with the real key can show; `hashes` may be rewritten at will."""

    hashes: list[bytes] = field(default_factory=lambda: [leaf(number) for number in range(5)])
    signers: tuple[LogSigner, ...] = (KEY,)
    origin: str = ORIGIN

    def grow(self, count: int) -> None:
        """More leaves."""
        self.hashes += [leaf(number) for number in range(len(self.hashes), len(self.hashes) + count)]

    @property
    def tip(self) -> Checkpoint:
        """The newest checkpoint."""
        return Checkpoint(self.origin, len(self.hashes), root_of(self.hashes))

    def note(self) -> bytes:
        """It, signed."""
        return self.tip.signed(*self.signers)

    def proof(self, old: int, new: int) -> bytes:
        """As `casework audit consistency` prints it."""

        def hash_of(node: Node) -> bytes:
            return root_of(self.hashes[node.number << node.height : (node.number + 1) << node.height])

        return encode_hashes(prove_consistency(old, new, hash_of))


@dataclass
class Server:
    """Shows a log over HTTP; `handed_in` is what witnesses posted. `on_post` may keep one waiting."""

    log: ShownLog
    handed_in: list[bytes] = field(default_factory=list)
    on_post: Callable[[], None] = lambda: None
    status: int = 200
    answer: bytes | None = None
    url: str = ""


@contextmanager
def shown(log: ShownLog) -> Iterator[Server]:
    """A real server on this machine."""
    server = Server(log)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/log/checkpoint":
                self._say(server.answer if server.answer is not None else server.log.note())
            else:
                old, new = map(int, self.path.rsplit("/", 2)[1:])
                self._say(server.log.proof(old, new))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            server.on_post()
            server.handed_in.append(body)
            self._say(b"{}")

        def _say(self, data: bytes) -> None:
            self.send_response(server.status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    with SmallHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
