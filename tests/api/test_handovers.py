"""Departures over HTTP: the whole way, who may do what, and what is told when the world has moved."""

import signal
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.operation.startup import Started
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.people.staff.tables import staff
from casework.settings import Settings
from casework.storage.database import reading, writing
from casework.work.cases.tables import cases
from casework.work.handover.orphans import orphans
from tests.api.conftest import Running, findings
from tests.api.server import serving
from tests.conftest import LONGER


def planned(running: Running, **more: Any) -> Any:
    answer = running.post("/handovers", "B1", json={"staff_no": "R1", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_departure_from_plan_to_receipt(running: Running) -> None:
    ids = running.open("L1", "L2")
    plan = planned(running)
    path = f"/handovers/{plan['id']}"
    assert (plan["status"], plan["preview"]["cases"], plan["request"]["state"]) == ("planned", 2, "asked")
    assert running.get(path, "V1").json()["preview"] == plan["preview"]
    assert running.post(f"{path}/approve", "V1", json={"remark": "同意"}).status_code == 200
    applied = running.post(f"{path}/apply", "B1", json={})
    assert (applied.status_code, applied.json()["receivers"]) == (200, {"T1": 2})
    receipts = running.get(f"{path}/moves", "AUD1", params={"limit": 1}).json()
    assert (receipts["items"][0]["case_id"], receipts["next"]) == (ids[0], ids[0])
    assert running.get(f"{path}/moves", "AUD1", params={"after": ids[0]}).json()["items"][0]["case_id"] == ids[1]
    sheet = running.get(f"{path}/sheets/T1.xlsx", "T1")
    assert (sheet.status_code, sheet.content[:2]) == (200, b"PK")
    assert [one["id"] for one in running.get("/handovers", "B1", params={"status": "applied"}).json()["items"]] == [
        plan["id"]
    ]
    twice = running.post(f"{path}/apply", "B1", json={})
    assert (twice.status_code, twice.json()["code"]) == (409, "handover_applied")
    assert findings(running.started) == []


def test_the_token_of_a_leaver_dies_with_his_departure(running: Running) -> None:
    (case_id,) = running.open("L1")
    assert running.get(f"/cases/{case_id}", "R1").status_code == 200
    plan = planned(running)
    running.post(f"/handovers/{plan['id']}/approve", "V1", json={})
    running.post(f"/handovers/{plan['id']}/apply", "B1", json={})
    note = running.post(f"/cases/{case_id}/notes", "R1", json={"text": "还能写吗"}, headers={"If-Match": "*"})
    assert note.status_code == 401, "a change by a dead token is refused at once"
    time.sleep(2.1)  # what is held of a token for reading
    assert running.get(f"/cases/{case_id}", "R1").status_code == 401


def test_a_plan_whose_cases_changed_is_answered_with_the_one_that_replaces_it(running: Running) -> None:
    (case_id,) = running.open("L1")
    running.open("L2")
    plan = planned(running)
    running.post(f"/handovers/{plan['id']}/approve", "V1", json={})
    given = {"cases": [{"id": case_id}], "owner": "P1", "reason": "workload"}
    assert running.post("/assignments", "B1", json=given).status_code == 200
    answer = running.post(f"/handovers/{plan['id']}/apply", "B1", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_changed")
    assert answer.json()["differences"]["went"] == 1
    fresh = running.get(f"/handovers/{answer.json()['replaced_by']}", "B1").json()
    assert (fresh["status"], fresh["preview"]["cases"]) == ("planned", 1)


@pytest.mark.parametrize(
    ("method", "path", "who"),
    [
        ("POST", "/handovers", "R1"),
        ("POST", "/handovers", "V1"),
        ("POST", "/handovers", "AUD1"),
        ("GET", "/handovers/1", "T1"),
        ("GET", "/handovers", "R1"),
        ("POST", "/handovers/1/approve", "B1"),
        ("POST", "/handovers/1/approve", "AUD1"),
        ("POST", "/handovers/1/apply", "V1"),
        ("POST", "/handovers/1/withdraw", "R1"),
        ("GET", "/handovers/1/sheets/T1.xlsx", "R1"),
        ("GET", "/health/branch", "R1"),
    ],
)
def test_who_has_no_post_for_it_is_refused(running: Running, method: str, path: str, who: str) -> None:
    running.open("L1")
    planned(running)
    body = {"staff_no": "R1"} if path == "/handovers" else {}
    answer = running.get(path, who) if method == "GET" else running.post(path, who, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "post_not_permitted")


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"staff_no": "NOBODY"}, "unknown_staff", 404),
        ({"staff_no": "R1", "receivers": ["R1"]}, "receiver_is_leaver", 422),
        ({"staff_no": "R1", "receivers": ["AUD1"]}, "receiver_without_post", 422),
        ({"staff_no": "R1", "kind": "transfer"}, "home_needed", 422),
        ({"staff_no": "R1", "on": "2099-01-01"}, "day_out_of_range", 422),
        ({"staff_no": "R1", "surprise": 1}, "invalid_request", 422),
        ({}, "invalid_request", 422),
    ],
)
def test_a_faulty_plan_is_told_and_nothing_is_stored(
    running: Running, body: dict[str, Any], code: str, status: int
) -> None:
    answer = running.post("/handovers", "B1", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert running.get("/handovers", "B1").json()["items"] == []


def test_the_branchs_health_shows_zero_orphans_and_departures_that_nobody_planned(running: Running) -> None:
    running.open("L1")
    health = running.get("/health/branch", "B1").json()
    del health["unknown_years"]  # from December on that of next year is one, until its days off are published
    assert health == {
        "orphans": 0, "ahead": [], "feeds": [], "unverified": [], "feeds_missing": [], "visits_not_ended": [],
    }  # fmt: skip
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(now())
        register.change(conn, trail, system("cli"), staff_no="R1", figures={"leaves_on": trail.today})
        trail.write(conn)
    (ahead,) = running.get("/health/branch", "B1").json()["ahead"]
    assert (ahead["staff_no"], ahead["cases"], ahead["days_left"]) == ("R1", 1, 0)
    metrics = running.get("/metrics", "B1").text
    assert "casework_orphans 0.0" in metrics
    assert "casework_departures_unplanned 1.0" in metrics
    assert "casework_unverified_people 0.0" in metrics


def test_the_branchs_health_names_who_owns_cases_and_was_never_registered(running: Running) -> None:
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(now() - timedelta(days=21))
        register.named_by_feed(conn, trail, system("feed"), ["U1", "U2"])
        trail.write(conn)
    running.open("L1", "L2", owner="U1")
    found = running.get("/health/branch", "B1").json()
    told = [(one["staff_no"], one["open_cases"], one["days"]) for one in found["unverified"]]
    assert told == [("U1", 2, 21), ("U2", 0, 21)]
    assert found["orphans"] == 0, "they are there; they are not verified"
    metrics = running.get("/metrics", "B1").text
    for line in ("people 2.0", "cases 2.0", "days 21.0"):
        assert f"casework_unverified_{line}" in metrics


# A server each; `casework handover apply` is killed at more moments in tests/handover/test_killed.py.
@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.15, 0.3] if LONGER > 1 else [0.05, 0.3])
def test_killing_the_service_while_it_applies_leaves_all_moved_or_none(
    branch: tuple[Started, dict[str, str]], settings: Settings, tmp_path: Path, after_s: float
) -> None:
    started, tokens = branch
    running = Running(None, started, tokens)  # type: ignore[arg-type]  # no client: the service is a process
    running.open(*[f"L{n}" for n in range(600)])
    answered: list[int] = []
    with (
        serving(settings, tmp_path) as server,
        server.client(tokens["B1"]) as manager,
        server.client(tokens["V1"]) as approver,
    ):
        plan = manager.post("/handovers", json={"staff_no": "R1"}).json()["id"]
        assert approver.post(f"/handovers/{plan}/approve", json={}).status_code == 200

        def apply() -> None:
            try:
                answered.append(manager.post(f"/handovers/{plan}/apply", json={}).status_code)
            except httpx.TransportError:
                return

        asking = threading.Thread(target=apply)
        asking.start()
        time.sleep(after_s)
        server.stop(signal.SIGKILL)
        asking.join()
    with reading(started.engine) as conn:
        owners = set(conn.execute(sa.select(cases.c.owner, cases.c.handler)).all())
        status = conn.execute(sa.select(staff.c.status).where(staff.c.staff_no == "R1")).scalar_one()
        assert orphans(conn, started.branch.today(now())) == []
    assert (owners, status) in (({("R1", "R1")}, "active"), ({("T1", "T1")}, "left"))
    if answered == [200]:
        assert status == "left", "what was answered is kept"
    assert findings(started) == []
