"""A server that takes a request and never comes to the end of its headers."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.small_server import SmallServer

GIVES_UP_S = 10.0  # so that a client without a limit fails its test and does not hang it


class _Drips(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(65_536)
        until = time.monotonic() + GIVES_UP_S
        try:
            self.request.sendall(b"HTTP/1.1 200 OK\r\nx-drip: ")
            while time.monotonic() < until:
                self.request.sendall(b"a")
                time.sleep(0.02)
        except OSError:
            return  # the client had enough


@contextmanager
def dripping_headers() -> Iterator[str]:
    """Its address."""
    with SmallServer(("127.0.0.1", 0), _Drips) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
