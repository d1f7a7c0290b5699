"""Work that runs behind outlasts who asked for it: every process tells the same of it, and a killed one is told of."""

import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.behind import Came, Kind
from api.importing import FEED, as_they_are
from casework.clock import now
from casework.intake.feed import run as runs
from casework.operation.closing import close
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage import jobs
from casework.storage.database import reading, writing
from tests.api.conftest import BUSINESS_DATE, Running, findings
from tests.api.server import ServerProcess, serving
from tests.api.test_contact_files import BAD, GOOD, HEADER
from tests.api.test_contacts import begins, case, logged
from tests.api.test_events import problem

__all__ = ["begins", "case"]  # fixtures

ROWS = 60_000
"""Enough for some slices; the process is killed in the middle of them."""
COUNTED = Kind("counted", outcome=int)
Body = dict[str, Any]


def many() -> bytes:
    called = (f"k{number},S1,L1,debtor,12000000001,call,2026-01-09T10:00:00+08:00,busy," for number in range(ROWS))
    return "\n".join([HEADER, *called, ""]).encode()


def until(found: Callable[[], Body], fits: Callable[[Body], bool], within_s: float = 120) -> Body:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if fits(body := found()):
            return body
        time.sleep(0.1)
    raise AssertionError(found())


@pytest.fixture
def other(running: Running, settings: Settings, tmp_path: Path) -> Iterator[ServerProcess]:
    """Another process that serves the same branch."""
    place = tmp_path / "other"
    place.mkdir()
    with serving(settings, place) as server:
        yield server


def elsewhere(other: ServerProcess, running: Running) -> httpx.Client:
    return other.client(running.tokens["B1"])


def here(running: Running) -> Body:
    body: Body = running.get("/contact-files", "B1").json()
    return body


def test_what_one_process_takes_in_the_other_tells_of_and_when_it_is_killed_says_so(
    running: Running, case: int, other: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with elsewhere(other, running) as client:
        assert client.post("/contact-files", files={"file": ("calls.csv", many())}).status_code == 202
    seen = until(lambda: here(running), lambda body: body["done"] > 0)
    assert (seen["status"], seen["file"]) == ("running", "calls.csv")
    again = running.post("/contact-files", "B1", files={"file": ("x.csv", b"x")})
    problem(again, 409, "import_running")
    other.stop(signal.SIGKILL)
    assert here(running)["status"] == "running", "nobody knows yet"
    monkeypatch.setattr(jobs, "SILENT_S", 1.0)
    seen = until(lambda: here(running), lambda body: body["status"] != "running")
    assert (seen["status"], seen["code"]) == ("interrupted", "work_interrupted")
    assert "重新开始" in seen["zh"]
    assert "begin it again" in seen["en"]
    assert logged(running) == [], "nothing of it went in"
    content = f"{HEADER}\n{GOOD}\n".encode()
    assert running.post("/contact-files", "B1", files={"file": ("calls.csv", content)}).status_code == 202
    assert until(lambda: here(running), lambda body: body["status"] == "done")["stored"] == 1
    with reading(running.started.engine) as conn:
        states = conn.execute(sa.select(jobs.jobs.c.state).order_by(jobs.jobs.c.id)).scalars().all()
    assert states == ["interrupted", "done"]
    assert findings(running.started) == []


def test_what_came_of_it_is_found_in_every_process_with_the_rows_to_mend(
    running: Running, case: int, other: ServerProcess
) -> None:
    with elsewhere(other, running) as client:
        content = f"{HEADER}\n{GOOD}\n{BAD}\n".encode()
        assert client.post("/contact-files", files={"file": ("calls.csv", content)}).status_code == 202
        there = until(lambda: client.get("/contact-files").json(), lambda body: body["status"] != "running")
        to_mend = client.get("/contact-files/set-aside.csv").content
    assert (there["status"], there["stored"], there["set_aside_in_all"]) == ("done", 1, 1)
    assert here(running) == there
    other.stop()
    assert running.get("/contact-files/set-aside.csv", "B1").content == to_mend
    assert b"12000000001" in to_mend
    with reading(running.started.engine) as conn:
        row = conn.execute(sa.select(jobs.jobs)).one()
    stored = [bytes(one) for one in row if isinstance(one, bytes)]
    assert len(stored) == 3, "about, outcome, rows to mend"
    assert not any(b"12000000001" in one for one in stored), "no number lies there in plain text"
    assert not Path(f"{running.started.engine.url.database}.job-{row.id}").exists()


def test_the_service_that_ends_interrupts_what_it_runs_and_says_so_at_once(running: Running) -> None:
    behind = running.client.app.state["serving"].behind

    def endless(went: Callable[[int], None]) -> Came:
        while True:
            went(1)
            time.sleep(0.01)

    assert behind.begin(COUNTED, "", "B1", "r1", endless)
    assert not behind.begin(COUNTED, "", "V1", "r2", endless), "one of a name runs"
    assert behind.begin(COUNTED, "V1", "V1", "r3", lambda _: Came(7))
    behind.stop()
    found = behind.find(COUNTED)
    assert (found.state, found.by, found.mistake.code) == ("interrupted", "B1", "work_interrupted")
    assert (behind.find(COUNTED, "V1").state, behind.find(COUNTED, "V1").outcome) == ("done", 7)
    assert behind.find(COUNTED, "nobody").state == "none"


def test_outcomes_are_found_for_the_policys_days_and_then_swept(running: Running) -> None:
    behind, started = running.client.app.state["serving"].behind, running.started
    for whose in ("old", "new"):
        assert behind.begin(COUNTED, whose, "B1", "r1", lambda _: Came(1))
    behind.stop()
    with writing(started.engine) as conn:
        old = jobs.jobs.update().where(jobs.jobs.c.name == "counted:old")
        conn.execute(old.values(began_at=now() - timedelta(days=14, minutes=1)))
    close(started.engine, started.branch, BUSINESS_DATE)
    assert [behind.find(COUNTED, whose).state for whose in ("old", "new")] == ["none", "done"]


def test_an_erasure_takes_the_rows_to_mend_of_every_run(running: Running) -> None:
    started = running.started
    with writing(started.engine) as conn:
        number = jobs.begin(conn, "contact_file:B1", "B1", b"null")
        assert number is not None
        jobs.end(conn, number, jobs.DONE, file="电话,12000000001".encode(), vault=started.branch.vault)
        assert jobs.file_of(conn, started.branch.vault, number) == "电话,12000000001".encode()
        (sealed,) = jobs.empty_files(conn)
        assert b"12000000001" not in sealed
        assert jobs.file_of(conn, started.branch.vault, number) == b""
        found = jobs.newest(conn, "contact_file:B1")
    assert found is not None
    assert (found.state, found.has_file) == ("done", False)


def test_a_feed_whose_process_died_is_told_as_interrupted_and_one_that_lives_by_how_far_it_is(running: Running) -> None:
    with writing(running.started.engine) as conn:
        numbers = []
        for silent_s in (0, 31):
            numbers.append(runs.begin(conn, system("api"), correction=False))
            at = now() - timedelta(seconds=silent_s)
            assert jobs.begin(conn, FEED.named(str(numbers[-1])), "B1", b"null", at=at) is not None
        found, going = as_they_are(conn, [run for one in numbers if (run := runs.one_run(conn, one))])
    assert [(one.status, one.id in going) for one in found] == [("running", True), ("interrupted", False)]
    assert [running.get(f"/feeds/{one}", "B1").json()["status"] for one in numbers] == ["running", "interrupted"]
    listed = running.get("/feeds", "B1").json()["items"]
    assert [one["status"] for one in listed[:2]] == ["interrupted", "running"]
