"""The database locked, full, gone or lost in the middle: each told clearly, nothing half done, and healed by itself."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient
from sqlalchemy.engine import Connection

from api import auth, writer
from api.app import Assembled, create_app
from casework.operation.startup import Started
from casework.settings import Settings
from casework.storage.database import commit_with_these, writing
from casework.work.cases.tables import cases
from tests.api.conftest import Running, findings
from tests.api.test_events import FACT, VISIT, problem
from tests.conftest import Database

Furnished = tuple[Started, dict[str, str]]


def fire(running: Running, case_id: int, body: Any = VISIT, version: str = "*", **headers: str) -> Any:
    return running.post(f"/cases/{case_id}/events", json=body, headers={"If-Match": version, **headers})


@pytest.fixture(autouse=True)
def _tokens_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "HELD_S", 60.0)  # what is tested is the write, not the look at the token


@pytest.fixture
def served(
    settings: Settings, branch: Furnished, request: pytest.FixtureRequest, assembled: Assembled
) -> Iterator[Running]:
    """The application with URL options of the test's own (`indirect` parameter)."""
    started, issued = branch
    with TestClient(
        create_app(replace(settings, database_url=settings.database_url + request.param), assembled)
    ) as client:
        running = Running(client, started, issued)
        assert running.get("/nowhere").status_code == 404
        yield running


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("served", ["?busy_timeout_ms=100"], indirect=True)
def test_a_locked_database_is_503_with_a_hint_and_then_it_works(served: Running, settings: Settings) -> None:
    case_id = served.open("L1")[0]
    with writing(served.started.engine):
        answer = fire(served, case_id)
        problem(answer, 503, "database_busy")
        assert int(answer.headers["retry-after"]) >= 1
    assert fire(served, case_id).json()["version"] == 2


@pytest.mark.only("sqlite")
def test_a_full_database_is_507_and_nothing_of_the_batch_is_there(
    settings: Settings, branch: Furnished, database: Database, assembled: Assembled
) -> None:
    started, issued = branch
    plain = Running(None, started, issued)  # type: ignore[arg-type]
    ids = plain.open(*[f"L{number}" for number in range(300)])
    with started.engine.connect() as conn:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
    full = replace(settings, database_url=f"{settings.database_url}?max_page_count={pages + 3}")
    with TestClient(create_app(full, assembled)) as client:
        running = Running(client, started, issued)
        body = {**VISIT, "cases": [{"id": case_id} for case_id in ids]}
        answer = running.post("/cases/events", json=body)
        problem(answer, 507, "database_full")
        assert "retry-after" in answer.headers
        assert running.client.get("/health/live").status_code == 200
    with TestClient(create_app(settings, assembled)) as client:
        assert Running(client, started, issued).post("/cases/events", json=body).json()["by_outcome"] == {"done": 300}
    assert findings(started) == []


@pytest.mark.only("sqlite")
def test_a_database_file_that_was_taken_away_is_503_and_back_again(running: Running, database: Database) -> None:
    case_id = running.open("L1")[0]
    running.started.engine.dispose()
    path = Path(database.url.removeprefix("sqlite:///"))
    away = path.with_name("away.db")
    path.rename(away)
    problem(fire(running, case_id), 503, "database_gone")
    assert running.client.get("/health/ready").status_code == 503
    away.rename(path)
    assert fire(running, case_id).status_code == 200


@pytest.mark.only("postgresql")
@pytest.mark.every_postgres
def test_a_server_that_is_gone_is_503_and_heals_without_a_restart(running: Running, database: Database) -> None:
    case_id = running.open("L1")[0]
    assert fire(running, case_id).status_code == 200
    assert database.server is not None
    name = database.url.split("@/")[1].split("?")[0]
    database.server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", _ending(name))
    answer = fire(running, case_id, {"event": "found"})
    problem(answer, 503, "database_gone")
    assert "retry-after" in answer.headers
    problem(running.client.get("/health/ready"), 503, "not_ready")
    assert running.client.get("/health/live").status_code == 200
    database.server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert fire(running, case_id, {"event": "found"}).status_code == 409


def _ending(name: str) -> str:
    return (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )


@pytest.mark.only("postgresql")
def test_a_server_lost_during_the_commit_says_so_and_the_key_tells_what_became_of_it(
    running: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, other = running.open("L1", "L2")
    assert fire(running, other, **{"Idempotency-Key": "k0"}).status_code == 200  # old keys are forgotten with it
    assert database.server is not None
    name = database.url.split("@/")[1].split("?")[0]
    server = database.server

    once = [_ending(name)]

    def lost(conn: Connection) -> None:
        while once:
            server.execute(once.pop())
        commit_with_these(conn)

    monkeypatch.setattr(writer, "commit_with_these", lost)
    key = {"Idempotency-Key": "k1"}
    body = problem(fire(running, case_id, version='"1"', **key), 503, "outcome_unknown")
    assert "Idempotency-Key" in body["detail"]
    again = fire(running, case_id, version='"1"', **key)
    assert (again.status_code, again.json()["version"]) == (200, 2)
    assert findings(running.started) == []


@pytest.mark.only("postgresql")
def test_a_case_that_is_held_elsewhere_delays_nobody_else(running: Running) -> None:
    held, free = running.open("L1", "L2")
    answers: dict[str, Any] = {}
    with writing(running.started.engine) as conn:
        conn.execute(sa.select(cases).where(cases.c.id == held).with_for_update())
        waiting = threading.Thread(target=lambda: answers.update(held=fire(running, held)))
        waiting.start()
        time.sleep(0.3)
        began = time.monotonic()
        assert fire(running, free).status_code == 200
        assert time.monotonic() - began < 2
        assert waiting.is_alive()
    waiting.join(10)
    assert answers["held"].status_code == 200


@pytest.mark.only("postgresql")
@pytest.mark.parametrize("served", ["&options=-c%20lock_timeout%3D200%20-c%20timezone%3DUTC"], indirect=True)
def test_a_case_that_stays_held_is_503(served: Running) -> None:
    (held,) = served.open("L1")
    with writing(served.started.engine) as conn:
        conn.execute(sa.select(cases).where(cases.c.id == held).with_for_update())
        problem(fire(served, held), 503, "database_busy")
    assert fire(served, held).status_code == 200


def test_a_fact_that_could_not_be_written_leaves_no_trace(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug when all of it was sent and not yet committed."""
    case_id = running.open("L1")[0]
    failures = [RuntimeError("张三 13800000000")]

    def fail(conn: Connection) -> None:
        if failures:
            raise failures.pop()
        commit_with_these(conn)

    monkeypatch.setattr(writer, "commit_with_these", fail)
    body = problem(running.post(f"/cases/{case_id}/facts", "T1", json=FACT), 500, "internal_error")
    assert "张三" not in str(body)
    assert running.post(f"/cases/{case_id}/facts", "T1", json=FACT).json()["version"] == 2
    assert findings(running.started) == []
