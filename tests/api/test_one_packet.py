"""A short answer is one packet: its head does not travel alone, and nothing waits that nothing follows."""

import socket

import pytest

from api.connections import _Joined
from tests.api.server import ServerProcess
from tests.api.test_slow_clients import server

__all__ = ["server"]

LIVE = b"%s /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
BODY = b'{"staff_no":"T1"}'


def first_of(client: socket.socket) -> bytes:
    """What one look at the connection finds of an answer."""
    client.settimeout(20)
    return client.recv(65_536)


def test_a_short_answer_comes_whole(server: ServerProcess) -> None:
    with server.connected() as client:
        for _ in range(5):
            client.sendall(LIVE % b"GET")
            head, _, body = first_of(client).partition(b"\r\n\r\n")
            assert f"content-length: {len(body)}".encode() in head
            assert body


def test_an_answer_without_a_body_does_not_wait_for_one(server: ServerProcess) -> None:
    with server.connected() as client:
        for _ in range(3):
            client.sendall(LIVE % b"HEAD")
            assert first_of(client).startswith(b"HTTP/1.1 200")


def test_who_asks_whether_to_go_on_is_told_at_once(server: ServerProcess) -> None:
    head = b"POST /session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n"
    with server.connected() as client:
        client.sendall(head + b"content-length: %d\r\n\r\n" % len(BODY))
        assert first_of(client) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        assert first_of(client).startswith(b"HTTP/1.1 422")


class Noting:
    """A transport that notes what reaches it."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.told.append(parts)

    def close(self) -> None:
        self.told.append("close")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ([b"head", b"body", b"more"], [(b"head", b"body"), b"more", "close"]),
        ([b"head"], [(b"head", b""), "close"]),
        ([], ["close"]),
    ],
)
def test_a_head_goes_with_what_comes_next_be_it_the_end(written: list[bytes], told: list[object]) -> None:
    transport = Noting()
    joined = _Joined(transport)  # type: ignore[arg-type]  # of a transport only what is written
    for data in written:
        joined.write(data)
    joined.close()
    assert transport.told == told
