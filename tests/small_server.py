"""Small servers for what a program of ours asks elsewhere: an issuer, a witness, a list of advisories."""

import socketserver
import sys
from http.server import ThreadingHTTPServer
from typing import Any


class _Bears(socketserver.ThreadingMixIn):
    """A client that breaks off is no error of the server: its traceback would lie in another test's `stderr`."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[misc]  # the mixed-in server has it


class SmallServer(_Bears, socketserver.TCPServer):
    """Answers each connection in a thread."""


class SmallHTTPServer(_Bears, ThreadingHTTPServer):
    """The same for HTTP."""
