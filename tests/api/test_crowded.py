"""Strangers who take every connection: the service goes on, health and the sealer too."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.connections import SPARE
from casework.file_limit import FILES_KEPT, LEAST_CONNECTIONS
from casework.operation.startup import Started
from casework.settings import Settings
from casework.storage.database import open_engine
from tests.api.conftest import Running
from tests.api.server import CASEWORK, ServerProcess, environment, serving
from tests.api.strangers import BODY, HEADERS, IDLE, REST, SILENT, UNREAD, strangers
from tests.conftest import LONGER
from tests.contacted import repair

Furnished = tuple[Started, dict[str, str]]
FACT = repair("2026-01-10")
KINDS = {"silent": SILENT, "headers": HEADERS, "body": BODY, "rest": REST, "unread": UNREAD, "idle": IDLE}


def opened(branch: Furnished, number: int) -> list[int]:
    started, tokens = branch
    return Running(None, started, tokens).open(*[f"L{n}" for n in range(number)])  # type: ignore[arg-type]


@dataclass
class Took:
    """Seconds that each change took, and each look at health."""

    changes: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        both = [sorted(one)[len(one) * 99 // 100] * 1e3 for one in (self.changes, self.health)]
        return f"{len(self.changes)} changes, p99 {both[0]:.0f} ms; health, each time anew: p99 {both[1]:.0f} ms"


@contextmanager
def asked(server: ServerProcess, path: str, token: str = "") -> Iterator[HTTPResponse]:
    """The answer to a GET in a connection of its own."""
    with closing(HTTPConnection(server.url.removeprefix("http://"), timeout=20)) as asking:
        asking.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})
        yield asking.getresponse()


def work(server: ServerProcess, token: str, ids: list[int], *, seconds: float) -> Took:
    """Changes over one connection and health each time over a new one, all of which must go well."""
    took, until = Took(), time.monotonic() + seconds
    with server.client(token) as client:
        while time.monotonic() < until:
            began = time.perf_counter()
            changed = client.post(f"/cases/{ids[len(took.changes) % len(ids)]}/facts", json=FACT)
            took.changes.append(time.perf_counter() - began)
            assert changed.status_code == 200
            began = time.perf_counter()
            with asked(server, "/health/ready") as health:
                assert health.status == 200
            took.health.append(time.perf_counter() - began)
    return took


def dropped(server: ServerProcess, token: str) -> float:
    with asked(server, "/metrics", token) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("casework_connections_dropped_total"))


@pytest.mark.only("sqlite")  # who may connect is no matter of the database
@pytest.mark.parametrize("number", [60, *([1_100] if LONGER > 1 else [])])
def test_strangers_who_take_every_connection_keep_nobody_from_being_served(
    branch: Furnished, settings: Settings, tmp_path: Path, number: int
) -> None:
    """The sealer goes on too: the service is ready only while it does.

    1,100 is the attack as it was told, within the 1,024 files that Debian lets a process open.
    """
    ids, token, before = opened(branch, 4), branch[1]["T1"], 0.0
    few: dict[str, Any] = {"CASEWORK_CONNECTIONS": "32"} if number < 100 else {}
    with serving(settings, tmp_path, files=1_024, **few) as server:
        print(f"\nalone: {work(server, token, ids, seconds=0.5 if few else 10)}")
        for kind, sends in KINDS.items():
            with strangers(server.url, number, sends):
                print(f"{number} {kind}: {work(server, token, ids, seconds=0.5 if few else 20)}")
                assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) < 1_024 - 128
            now = dropped(server, token)
            assert now > before, kind
            before = now
        server.stop()
        log = server.log()
    assert [line for line in log if line["event"] == "connections_dropped"]
    assert not [line for line in log if line["level"] == "error"]


@contextmanager
def nothing_is_written(url: str) -> Iterator[None]:
    """The database's one lock is somebody else's."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.only("sqlite")
def test_where_everybody_is_being_served_health_is_and_others_are_told_when_to_come_back(
    branch: Furnished, settings: Settings, tmp_path: Path
) -> None:
    """Nobody is sent away for a newcomer whose work is under way: here, changes that wait for the database."""
    ids, token, served = opened(branch, LEAST_CONNECTIONS), branch[1]["T1"], list[int]()
    patient = replace(settings, database_url=f"{settings.database_url}?busy_timeout_ms=60000")
    given: dict[str, Any] = {"CASEWORK_CONNECTIONS": str(LEAST_CONNECTIONS), "CASEWORK_SEAL": "0"}

    def status_of(path: str) -> int:
        with asked(server, path, token) as answer:
            assert (answer.getheader("retry-after") == "1") is (answer.status == 503)
            return answer.status

    def change(case_id: int) -> None:
        status = 503  # who meets the look at /cases in the last place comes back, as it is told to
        while status == 503:
            # Who has not said a word yet may be cut off, in whichever way the client learns of it.
            with server.client(token) as client, suppress(httpx.RemoteProtocolError, httpx.NetworkError):
                status = client.post(f"/cases/{case_id}/facts", json=FACT, timeout=60).status_code
            time.sleep(0.05)
        served.append(status)

    changing = [threading.Thread(target=change, args=(case_id,)) for case_id in ids]
    with serving(patient, tmp_path, **given) as server:
        assert server.workers() == [], "with CASEWORK_SEAL=0 nobody seals"
        with nothing_is_written(settings.database_url), ExitStack() as stack:
            for one in changing:
                one.start()
            deadline = time.monotonic() + 45
            while status_of("/cases") == 200:
                assert time.monotonic() < deadline
            for _ in range(2 * SPARE):
                stack.enter_context(server.connected())  # who says nothing keeps no place from the next
            for path, status in (("/health/live", 200), ("/cases", 503), ("/health/ready", 200), ("/session", 503)):
                assert status_of(path) == status, path
            assert served == []
        for one in changing:
            one.join()
        assert served == [200] * len(ids)
        with server.client(token) as client:
            recorded = [client.get(f"/cases/{case_id}").json()["version"] for case_id in ids]
        assert recorded == [2] * len(ids), "a change that was cut off has happened, and then once more"
        assert status_of("/cases") == 200


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_is_kept_for_the_rest_is_enough_for_both_pools_and_every_thread(settings: Settings) -> None:
    """Thirty-two connections to the database, two files for each of forty threads, and what a server begins with."""
    engine = open_engine(settings.database_url)
    before = files()
    with ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(engine.connect())
        of_one_pool = files() - before
    engine.dispose()
    assert of_one_pool >= 16
    assert 2 * of_one_pool + 40 * 2 + 40 + SPARE <= FILES_KEPT


@pytest.mark.parametrize(
    ("limit", "connections", "room"),
    [((5_000, 5_000), 1_024, 1_024), ((1_024, 1_024), 1_024, 768), ((1_024, 1_100), 1_024, 844),
     ((1_024, 4_000), 1_024, 1_024), ((FILES_KEPT + LEAST_CONNECTIONS,) * 2, 1_024, LEAST_CONNECTIONS),
     ((1_024, 1_024), 20, 20)],
)  # fmt: skip
def test_as_many_connections_as_the_limit_on_files_leaves_room_for(
    limit: tuple[int, int], connections: int, room: int
) -> None:
    """The limit is raised where it may be; a process of its own tries it."""
    assert _in_a_process(limit, connections) == f"{room}\n"


def test_with_no_room_for_any_connection_the_service_does_not_start(
    branch: Furnished, settings: Settings, tmp_path: Path
) -> None:
    least = FILES_KEPT + LEAST_CONNECTIONS
    assert _in_a_process((least - 1,) * 2, 1_024) == f"file_limit_low {least}\n"
    refused: Any = subprocess.run(
        ["bash", "-c", 'ulimit -n 200; exec "$@"', "-", *CASEWORK, "serve", "--port", "0"],
        env=environment(settings), capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr.startswith("file_limit_low")
    assert "Traceback" not in refused.stderr


_TRY = """
import resource, sys
from casework.errors import CallerError
from casework.file_limit import raise_file_limit, room_for
soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
raise_file_limit(connections)
try:
    print(room_for(connections))
except CallerError as mistake:
    print(mistake.code, mistake.facts["at_least"])
"""


def _in_a_process(limit: tuple[int, int], connections: int) -> str:
    command = [sys.executable, "-c", _TRY, *map(str, (*limit, connections))]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
