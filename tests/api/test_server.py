"""The server as a process: drained, killed, several at once, and what it logs."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from casework.log.tables import entries
from casework.operation.startup import Started
from casework.settings import Settings
from casework.storage.database import MOST_LENT, reading
from tests.api.conftest import Running, findings
from tests.api.server import CASEWORK, environment, is_running, serving
from tests.api.test_events import VISIT
from tests.contacted import repair

Furnished = tuple[Started, dict[str, str]]
NOTE = {"text": "客户张三 13800000000 表示月底还款"}


def opened(branch: Furnished, number: int) -> list[int]:
    started, tokens = branch
    return Running(None, started, tokens).open(*[f"L{n}" for n in range(number)])  # type: ignore[arg-type]


class Hammer(threading.Thread):
    """A client that fires at its own cases until the server is gone."""

    def __init__(self, url: str, token: str, ids: list[int]) -> None:
        super().__init__()
        self.url, self.token, self.ids = url, token, ids
        self.done: dict[int, int] = {}
        self.others: list[int] = []
        self.answered = 0

    def run(self) -> None:
        """Notes on facts: each answered 200 is promised to be in the log."""
        fact = repair("2026-01-10")
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=20) as client:
            while True:
                for case_id in self.ids:
                    try:
                        answer = client.post(f"/cases/{case_id}/facts", json=fact)
                    except httpx.TransportError:
                        return
                    if answer.status_code == 200:
                        self.done[case_id] = answer.json()["version"]
                        self.answered += 1
                    else:
                        self.others.append(answer.status_code)


def hammered(branch: Furnished, settings: Settings, place: Path, sign: int) -> list[Hammer]:
    _, tokens = branch
    ids = opened(branch, 12)
    with serving(settings, place) as server:
        hammers = [Hammer(server.url, tokens["T1"], ids[n::6]) for n in range(6)]
        for hammer in hammers:
            hammer.start()
        deadline = time.monotonic() + 20
        while sum(hammer.answered for hammer in hammers) < 100 and time.monotonic() < deadline:
            time.sleep(0.02)
        server.stop(sign)
        for hammer in hammers:
            hammer.join()
    return hammers


def stored_versions(started: Started, hammers: list[Hammer]) -> dict[int, int]:
    wanted = [f"case:{case_id}" for hammer in hammers for case_id in hammer.done]
    counted = sa.select(entries.c.stream, sa.func.max(entries.c.stream_seq)).where(entries.c.stream.in_(wanted))
    with reading(started.engine) as conn:
        return {int(row[0].removeprefix("case:")): row[1] for row in conn.execute(counted.group_by(entries.c.stream))}


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_answered_is_kept_and_nothing_is_half_done_when_the_server_ends(
    branch: Furnished, settings: Settings, tmp_path: Path, sign: int
) -> None:
    hammers = hammered(branch, settings, tmp_path, sign)
    promised = {case_id: version for hammer in hammers for case_id, version in hammer.done.items()}
    assert sum(hammer.answered for hammer in hammers) >= 100, "the server must have been busy"
    assert not [status for hammer in hammers for status in hammer.others]
    stored = stored_versions(branch[0], hammers)
    for case_id, version in promised.items():
        # At most one more was committed and its answer lost on the way; a drained server loses none.
        assert stored[case_id] - version in ((0, 1) if sign == signal.SIGKILL else (0,))
    assert findings(branch[0]) == []


@pytest.mark.only("sqlite")  # what is looked at are its own files and its exit code
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_is_told_to_end_does_so_with_0_and_leaves_no_file_behind(
    settings: Settings, tmp_path: Path, workers: str
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(settings, tmp_path, "--workers", workers, TMPDIR=str(temporary)) as server:
        (shared,) = temporary.glob("casework-*")
        assert bool(list(shared.glob("*.db"))) == (workers == "2")
        assert server.stop() == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.only("sqlite")  # processes are looked at, not what they write
@pytest.mark.parametrize("number", ["1", "2"])
def test_workers_and_sealer_end_when_the_process_that_began_them_is_killed(
    settings: Settings, tmp_path: Path, number: str
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(settings, tmp_path, "--workers", number, TMPDIR=str(temporary)) as server:
        workers = server.workers()
        assert len(workers) >= (3 if number == "2" else 1)
        assert len(server.sealers()) == 1
        server.stop(signal.SIGKILL)
        deadline = time.monotonic() + 20
        while any(map(is_running, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        left = [worker for worker in workers if is_running(worker)]
        for worker in left:
            os.kill(worker, signal.SIGKILL)
        assert left == []
        assert list(temporary.iterdir()) == []
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/health/live", timeout=5)


def test_two_processes_on_one_database_share_cases_without_a_lost_update(
    branch: Furnished, settings: Settings, tmp_path: Path
) -> None:
    started, tokens = branch
    (case_id,) = opened(branch, 1)
    won: list[int] = []
    with serving(settings, tmp_path, "--workers", "2") as server:

        def race(staff_no: str) -> None:
            with server.client(tokens[staff_no]) as client:
                for _ in range(15):
                    answer = client.post(f"/cases/{case_id}/events", json=VISIT, headers={"If-Match": '"1"'})
                    won.append(answer.status_code)

        racers = [threading.Thread(target=race, args=(staff_no,)) for staff_no in ("R1", "P1", "R1", "P1")]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        with server.client(tokens["R1"]) as client:
            metrics = client.get("/metrics").text
    assert sorted(set(won)) == [200, 412]
    assert won.count(200) == 1
    posted = [
        line
        for line in metrics.splitlines()
        if line.startswith("casework_http_request_seconds_count") and "events" in line
    ]
    assert sum(float(line.rsplit(" ", 1)[1]) for line in posted) == 60, "a scrape answers for all workers"
    assert f'casework_pool_size{{pool="writing"}} {2.0 * MOST_LENT}' in metrics
    assert "process_resident_memory_bytes" in metrics
    assert findings(started) == []


def test_logs_are_json_with_a_request_id_and_no_personal_data(
    branch: Furnished, settings: Settings, tmp_path: Path
) -> None:
    _, tokens = branch
    (case_id,) = opened(branch, 1)
    with serving(settings, tmp_path) as server:
        with server.client(tokens["T1"]) as client:
            client.post(f"/cases/{case_id}/notes", json=NOTE, headers={"X-Request-Id": "req-1"})
            client.get("/nowhere", params={"name": "张三"})
        server.stop()
        lines = server.log()
        text = server.log_path.read_text()
    told = [line for line in lines if line["event"] == "request" and line["route"] != "/health/ready"]
    assert [(line["method"], line["route"], line["status"], line["actor"]) for line in told] == [
        ("POST", "/cases/{case_id}/notes", 200, "T1"), ("GET", "(none)", 404, "T1"),
    ]  # fmt: skip
    assert [line["request_id"] == "req-1" for line in told] == [True, False]
    assert all({"at", "level", "ms"} <= set(line) for line in told)
    for secret in ("张三", "13800000000", tokens["T1"], "%E5%BC%A0"):
        assert secret not in text


@pytest.mark.only("postgresql")
def test_it_refuses_to_serve_with_the_owners_rights_unless_told(
    branch: Furnished, settings: Settings, tmp_path: Path, owner_url: str
) -> None:
    command = [*CASEWORK, "serve", "--port", "0"]
    given = environment(settings, CASEWORK_DATABASE_URL=owner_url)
    refused: Any = subprocess.run(
        command, env=given, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert refused.returncode == 1
    assert "owner_rights" in refused.stderr
    assert "Traceback" not in refused.stderr
    with serving(settings, tmp_path, CASEWORK_DATABASE_URL=owner_url, CASEWORK_ALLOW_OWNER="1") as server:
        assert httpx.get(f"{server.url}/health/live").status_code == 200


def test_a_database_that_is_not_there_is_told_in_one_line(settings: Settings, tmp_path: Path) -> None:
    command = [*CASEWORK, "serve"]
    given = environment(settings, CASEWORK_DATABASE_URL=f"sqlite:///{tmp_path / 'none.db'}")
    refused: Any = subprocess.run(
        command, env=given, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("database_gone")
    assert "Traceback" not in refused.stderr
