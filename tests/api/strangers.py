"""Strangers who send half of something and wait: a process of their own, so that a test's clock is not theirs.

`python -m tests.api.strangers HOST PORT NUMBER PER_SECOND`, with what each sends on stdin. It says "here" on stdout
when each has connected once, opens again what the service ends, so many a second, and ends when it is told to.
"""

import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEADERS = b"GET /cases HTTP/1.1\r\nhost: x\r\nx-half: "
SILENT = b""
BODY = b"POST /session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
REST = b"POST /cases HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
UNREAD = b"GET /schema/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 8
IDLE = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"


@contextmanager
def strangers(url: str, number: int, sends: bytes, *, per_second: int = 100) -> Iterator[None]:
    """So many of them at once, from the moment when all have come."""
    host, port = url.removeprefix("http://").split(":")
    command = [sys.executable, "-m", "tests.api.strangers", host, port, str(number), str(per_second)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(sends)
            process.stdin.close()
            assert process.stdout.readline() == b"here\n"
            yield
            assert process.poll() is None, "they must have been there to the end"
        finally:
            process.kill()


def _stay(host: str, port: int, number: int, per_second: int, sends: bytes) -> None:
    held: dict[int, socket.socket] = {}
    poll = select.poll()
    told, due = False, time.monotonic()
    while True:
        for _ in range(number - len(held)):
            if told and time.monotonic() < due:
                break
            due = max(due, time.monotonic() - 1) + 1 / per_second
            try:
                one = socket.create_connection((host, port), timeout=10)
                one.sendall(sends)
            except OSError:  # it was dropped at once: the next one tries
                continue
            one.setblocking(False)
            held[one.fileno()] = one
            # Who reads nothing is not woken by what there is to read.
            poll.register(one, 0 if sends == UNREAD else select.POLLIN)
        if not told:
            print("here", flush=True)
            told = True
        for place, _ in poll.poll(10):
            one = held[place]
            try:
                if sends != UNREAD and one.recv(65_536):
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            poll.unregister(place)
            one.close()
            del held[place]


if __name__ == "__main__":
    _stay(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.stdin.buffer.read())
