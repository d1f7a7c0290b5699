"""Each wait for a client has its end, and what he sends its bounds; who is slow but goes on is served."""

import itertools
import json
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api.connection_limits import LEAST_BYTES_PER_S, LINGER_S, ConnectionLimits, Phase
from api.connections import MAX_HEAD_BYTES, MAX_HEADERS
from casework.settings import Settings
from tests.api.conftest import Furnished
from tests.api.server import ServerProcess, serving
from tests.api.strangers import BODY, HEADERS, IDLE, REST, SILENT, UNREAD

HEADER_S, BODY_S, IDLE_S = 2, 3, 4
LATEST_S = 6.0  # how much later than its time a connection may end on a busy machine


@pytest.fixture(scope="module")
def server(
    furnished: Callable[[str], Furnished], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:  # fmt: skip
    """With short times, on a database of its own: what is said in a connection is no matter of the database."""
    place, source = tmp_path_factory.mktemp("slow"), furnished("sqlite")
    shutil.copyfile(source.source, place / "casework.db")
    shutil.copytree(source.keys_dir, place / "keys")
    settings = Settings(database_url=f"sqlite:///{place / 'casework.db'}", keys_dir=place / "keys")
    times: dict[str, Any] = {
        "CASEWORK_HEADER_TIMEOUT_S": f"{HEADER_S}", "CASEWORK_BODY_TIMEOUT_S": f"{BODY_S}",
        "CASEWORK_IDLE_TIMEOUT_S": f"{IDLE_S}",
    }  # fmt: skip
    with serving(settings, place, **times) as running:
        yield running


def until_it_ends(client: socket.socket, drip: bytes = b"") -> tuple[float, bytes]:
    """How long the service keeps a connection, and what it says in it; meanwhile some byte goes on coming."""
    began, got = time.monotonic(), b""
    client.settimeout(0.2)
    while time.monotonic() - began < 30:
        try:
            if not (piece := client.recv(65_536)):
                break
            got += piece
        except TimeoutError:
            try:
                client.sendall(drip)
            except OSError:
                break
        except ConnectionError:
            break
    return time.monotonic() - began, got


def code_of(answer: bytes) -> str:
    """The code of the last problem."""
    return str(json.loads(b"{" + answer.rpartition(b"\r\n\r\n{")[2])["code"])


WAITS = {
    "silent": (SILENT, b"", HEADER_S, ""),
    "blank lines": (b"\r\n", b"\r\n", HEADER_S, ""),
    "headers": (HEADERS, b"", HEADER_S, "request_timeout"),
    "headers that drip": (HEADERS, b"a", HEADER_S, "request_timeout"),
    "a second request's headers": (IDLE + HEADERS, b"a", HEADER_S, "request_timeout"),
    "a body": (BODY, b"", BODY_S, "request_timeout"),
    "a body that drips": (BODY, b" ", BODY_S, "request_timeout"),
    "the rest of a body that is answered": (REST, b" ", LINGER_S, "not_authenticated"),
    "nothing more": (IDLE, b"", IDLE_S, ""),
    "blank lines after an answer": (IDLE, b"\r\n", IDLE_S, ""),
}


def test_each_wait_has_its_end(server: ServerProcess) -> None:
    """No byte now and then makes it longer."""

    def kept(what: str) -> tuple[float, bytes]:
        sends, drip, _, _ = WAITS[what]
        with server.connected() as client:
            client.sendall(sends)
            return until_it_ends(client, drip)

    with ThreadPoolExecutor(len(WAITS)) as clients:
        found = dict(zip(WAITS, clients.map(kept, WAITS), strict=True))
    for what, (_, _, seconds, code) in WAITS.items():
        took, answer = found[what]
        assert seconds - 0.5 <= took <= seconds + LATEST_S, what
        assert (code_of(answer) if code else "") == code, what
        if code == "request_timeout":
            assert b"HTTP/1.1 408" in answer
            assert b"connection: close" in answer


def test_an_answer_that_nobody_reads_is_given_up(server: ServerProcess) -> None:
    def held() -> int:
        return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))

    with server.connected() as other:  # what it costs to answer the first time is no part of the waiting
        other.sendall(IDLE)
        other.recv(10_000)
        before = held()
    clients = [server.connected() for _ in range(5)]
    for client in clients:
        client.sendall(UNREAD)
    time.sleep(2)
    assert held() >= before + len(clients) - 1
    deadline = time.monotonic() + 60
    while held() > before and time.monotonic() < deadline:
        time.sleep(0.2)
    for client in clients:
        client.close()
    assert held() <= before


def test_who_is_slow_but_goes_on_is_served(server: ServerProcess) -> None:
    """A body takes twice its time at twice the least pace."""
    size = 2 * BODY_S * 2 * LEAST_BYTES_PER_S
    with server.connected() as client:
        client.sendall(BODY.partition(b"content-length")[0] + b"content-length: %d\r\n\r\n" % size)
        for _ in range(2 * BODY_S * 4):
            client.sendall(b" " * (size // (2 * BODY_S * 4)))
            time.sleep(0.25)
        _, answer = until_it_ends(client)
    assert code_of(answer) == "malformed_json"


def of_one_line() -> Iterator[bytes]:
    yield b"GET /health/live HTTP/1.1\r\nx: "
    yield from itertools.repeat(b"a" * 8_192)


def of_many_lines() -> Iterator[bytes]:
    yield b"GET /health/live HTTP/1.1\r\n"
    yield b"".join(b"x-%d: a\r\n" % n for n in range(MAX_HEADERS + 1)) + b"\r\n"


def of_a_long_address() -> Iterator[bytes]:
    yield b"GET /"
    yield from itertools.repeat(b"a" * 8_192)


def of_a_trailer() -> Iterator[bytes]:
    yield b"POST /session HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nx: "
    yield from itertools.repeat(b"a" * 8_192)


def test_headers_have_a_size_and_a_number(server: ServerProcess) -> None:
    for sends in (of_one_line, of_many_lines, of_a_long_address, of_a_trailer):
        sent = 0
        with server.connected() as client:
            try:
                for piece in itertools.islice(sends(), 2_000):
                    client.sendall(piece)
                    sent += len(piece)
            except OSError:
                pass  # it had enough
            _, answer = until_it_ends(client)
        # What lies in the buffers of the two ends was sent as well.
        assert sent < MAX_HEAD_BYTES + 10_000_000, sends.__name__
        if answer:  # it is lost where more was under way
            assert code_of(answer) == "headers_too_large", sends.__name__
    with server.connected() as client:
        many = b"".join(b"x-%d: %s\r\n" % (n, b"a" * 200) for n in range(MAX_HEADERS - 1))
        client.sendall(b"GET /health/live HTTP/1.1\r\n" + many + b"\r\n")
        assert client.recv(10_000).startswith(b"HTTP/1.1 200")


def test_requests_sent_ahead_are_answered_in_their_order_as_far_as_there_are_few(server: ServerProcess) -> None:
    with server.connected() as client:
        client.sendall(IDLE * 5 + b"GET /cases HTTP/1.1\r\nhost: x\r\n\r\n" + IDLE)
        _, answer = until_it_ends(client)
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert statuses == [b"200"] * 5 + [b"401"] + [b"200"]
    with server.connected() as client:
        client.sendall(IDLE * 1_000)
        took, answer = until_it_ends(client)
    assert took < LATEST_S
    assert answer.count(b"HTTP/1.1 200") < 20


def test_what_is_no_request_is_answered_with_a_problem(server: ServerProcess) -> None:
    with server.connected() as client:
        client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        _, answer = until_it_ends(client)
    assert answer.startswith(b"HTTP/1.1 400")
    assert code_of(answer) == "malformed_request"


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [(Phase.HEAD, 10), (Phase.BODY, 30), (Phase.REST, LINGER_S), (Phase.IDLE, 75), (Phase.SERVED, float("inf"))],
)
def test_who_is_being_served_is_not_hurried_and_all_others_have_their_time(phase: Phase, seconds: float) -> None:
    limits = ConnectionLimits(1_000, 10, 30, 75)
    assert limits.allowed_s(phase) == seconds
    assert [limits.is_enough(bytes_) for bytes_ in (0, 30 * LEAST_BYTES_PER_S - 1, 30 * LEAST_BYTES_PER_S)] == [
        False, False, True,
    ]  # fmt: skip
