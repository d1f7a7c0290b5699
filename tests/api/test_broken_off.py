"""A client that breaks off is no bug of the service: one line in the log says so."""

import time
from pathlib import Path
from typing import Any

import pytest

from casework.operation.startup import Started
from casework.settings import Settings
from tests.api.conftest import Running
from tests.api.server import ServerProcess, serving

Furnished = tuple[Started, dict[str, str]]
FORM, JSON, IN_CHUNKS = (
    "content-type: multipart/form-data; boundary=b",
    "content-type: application/json",
    "transfer-encoding: chunked",
)
LONG = "content-length: 5000"
HALF = {
    "a note": ("T1", "/cases/1/notes", JSON, LONG),
    "an event in chunks": ("T1", "/cases/1/events", JSON, IN_CHUNKS),
    "a log-in": ("", "/session", JSON, LONG),
    "a feed": ("B1", "/feeds", FORM, LONG),
    "a feed's folder": ("B1", "/feeds", JSON, LONG),
    "a contact file": ("B1", "/contact-files", FORM, LONG),
    "repayments in chunks": ("B1", "/repayments", FORM, IN_CHUNKS),
    "a photo": ("R1", "/visits/1/photos", FORM, LONG),
    "openings": ("R1", "/promises/openings", JSON, LONG),
    "contacts": ("R1", "/contacts", JSON, IN_CHUNKS),
}


def asked(method: str, path: str, token: str = "", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers]
    lines += [f"authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode()


def told(server: ServerProcess, number: int) -> list[dict[str, Any]]:
    """What was logged, but for the health that was asked while it started, once so many requests are in it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = [
            line
            for line in server.log()
            if not str(line.get("route", "")).startswith("/health") and line.get("logger") != "uvicorn.error"
        ]
        if sum(line["event"] == "request" for line in lines) >= number:
            return lines
        time.sleep(0.05)
    raise AssertionError(server.log())


@pytest.mark.only("sqlite")  # what the database is makes no difference to who listens
def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_bug(
    branch: Furnished, settings: Settings, tmp_path: Path
) -> None:
    _, tokens = branch
    with serving(settings, tmp_path) as server:
        for number, (staff_no, path, *headers) in enumerate(HALF.values(), 1):
            with server.connected() as client:
                begun = b"1\r\n{\r\n" if IN_CHUNKS in headers else b"{"
                client.sendall(asked("POST", path, tokens.get(staff_no, ""), *headers) + begun)
                time.sleep(0.2)  # so that it is being read when the client leaves
            told(server, number)
        lines = told(server, len(HALF))
    assert [(line["event"], line["level"], line.get("status")) for line in lines] == [
        ("request", "info", 499) for _ in HALF
    ]


@pytest.mark.only("sqlite")
def test_a_client_that_leaves_before_it_has_read_its_answer_is_no_bug(
    branch: Furnished, settings: Settings, tmp_path: Path
) -> None:
    started, tokens = branch
    Running(None, started, tokens).open(*[f"L{n}" for n in range(300)])  # type: ignore[arg-type]
    paths = ("/cases.csv", "/cases.xlsx", "/cases?limit=200", "/schema/openapi.json")
    with serving(settings, tmp_path) as server:
        for path in paths:
            with server.connected() as client:
                client.sendall(asked("GET", path, tokens["R1"]))
        lines = told(server, len(paths))
        server.stop()
    assert {(line["event"], line["level"]) for line in lines} == {("request", "info")}
    assert "Traceback" not in server.log_path.read_text() + (tmp_path / "serve.err").read_text()
