"""The small servers of tests are quiet about clients that break off, and loud about bugs of their own."""

import socket
import socketserver
import struct
import threading
import time

import pytest

from tests.small_server import SmallServer

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: the close is a reset


@pytest.mark.parametrize(("bug", "told"), [(False, ""), (True, "ZeroDivisionError")])
def test_a_client_that_breaks_off_is_no_traceback_in_another_tests_stderr(
    bug: bool, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    met = threading.Event()

    class Answers(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                if bug:
                    raise ZeroDivisionError
                while True:
                    self.request.sendall(b"a" * 65_536)
            finally:
                met.set()

    with SmallServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        with socket.create_connection(("127.0.0.1", server.server_address[1])) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        assert met.wait(10)
        time.sleep(0.1)  # the server tells of it after the handler
        server.shutdown()
        thread.join()
    assert told in capsys.readouterr().err if told else capsys.readouterr().err == ""
