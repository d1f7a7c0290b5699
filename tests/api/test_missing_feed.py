"""A feed that does not come: an alarm wherever people look, no placement until one comes; calls and readiness go on."""

from datetime import date, timedelta
from typing import Any

import pytest

from api import contact_permits
from api.permit_desk import PermitDesk
from casework.lifecycle.commands import Done
from casework.operation.sweeping import sweep
from casework.storage.database import writing
from tests.api.conftest import BUSINESS_DATE, Running, findings, opening
from tests.api.test_contact_permits import NOON
from tests.fed import dated

DAY = timedelta(days=1)
FILE = {"agency": "agency:1", "active": True, "inspected_on": "2026-01-05", "evaluated_on": "2026-01-05"}
TERM = {"agency": "agency:1", "term_until": (BUSINESS_DATE + 60 * DAY).isoformat()}


def close(running: Running, on: date) -> None:
    sweep(running.started.engine, running.started.branch, on)


@pytest.fixture
def due(running: Running) -> int:
    """A case that is due for placement, with an agency that may have it."""
    (done,) = running.do(opening("L31", days_past_due=40))
    assert isinstance(done, Done)
    fact = {"kind": "agency_file", "on": BUSINESS_DATE.isoformat(), "evidence": "file:1", "data": FILE}
    answer = running.post(f"/cases/{done.id}/facts", "G1", json=fact)
    assert answer.status_code == 200, answer.text
    return done.id


def fire(running: Running, case: int, staff_no: str, event: str, **data: str) -> Any:
    seen = running.get(f"/cases/{case}", staff_no).headers["etag"]
    body, seen_ = {"event": event, "data": data}, {"If-Match": seen}
    return running.post(f"/cases/{case}/events", staff_no, json=body, headers=seen_)


def place(running: Running, case: int) -> tuple[int, list[str]]:
    answer = fire(running, case, "G1", "place", **TERM)
    return answer.status_code, [one["code"] for one in answer.json().get("reasons", [])]


def offered(running: Running, case: int) -> bool:
    events = running.get(f"/cases/{case}/options", "G1").json()["events"]
    return bool(next(one["allowed"] for one in events if one["event"] == "place"))


def test_days_closed_without_their_feed_stop_placements_until_one_comes(running: Running, due: int) -> None:
    close(running, BUSINESS_DATE)
    assert offered(running, due)
    close(running, BUSINESS_DATE + DAY)
    assert (place(running, due), offered(running, due)) == ((409, ["snapshot_in_time"]), False)
    tried = running.post("/cases/options", "G1", json={"cases": [due], "events": ["place"]}).json()["events"][0]
    assert (tried["allowed"], tried["reasons"]) == (0, {"snapshot_in_time": 1})
    (reason,) = fire(running, due, "G1", "place", **TERM).json()["reasons"]
    assert reason["rules"] == ["3.2", "5.4"]
    assert "最近一次数据为2026-01-10，已日终至2026-01-11：数据晚1天" in reason["zh"]
    assert "the last feed is of 2026-01-10 and days up to 2026-01-11 are closed" in reason["en"]
    with writing(running.started.engine) as conn:
        dated(conn, running.started.branch, BUSINESS_DATE + DAY)
    assert offered(running, due)
    assert place(running, due) == (200, [])
    assert findings(running.started) == []


def test_calls_and_every_other_step_go_on_without_it(
    running: Running, due: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk: PermitDesk = running.client.app.state["serving"].permits
    desk.clock = lambda: NOON
    monkeypatch.setattr(contact_permits, "now", lambda: NOON)
    close(running, BUSINESS_DATE + DAY)
    body = {"case_id": due, "party": "debtor", "phone": "12000000001", "channel": "call"}
    assert running.post("/contact-permits", "R1", json=body).json()["allowed"]
    granted = fire(running, due, "B1", "grant_exception", reason="hardship", expires_on="2026-02-01")
    assert granted.status_code == 200, granted.text
    assert findings(running.started) == []


def test_health_and_metrics_tell_of_it_and_readiness_stays(running: Running) -> None:
    for on, days in ((BUSINESS_DATE, 0), (BUSINESS_DATE + 2 * DAY, 2)):
        close(running, on)
        assert f'casework_feed_days_behind{{institution="wuhan"}} {days}.0' in running.get("/metrics").text
    assert running.get("/health/branch", "B1").json()["feeds_missing"] == [
        {"institution": "wuhan", "last": "2026-01-10", "closed_on": "2026-01-12", "days": 2, "stops_placements": True}
    ]
    assert running.client.get("/health/ready").status_code == 200


def test_a_year_whose_days_off_nobody_knows_is_told_by_health_and_metrics(running: Running) -> None:
    with writing(running.started.engine) as conn:
        dated(conn, running.started.branch, date(2127, 12, 20))
    assert running.get("/health/branch", "B1").json()["unknown_years"][-2:] == [2127, 2128]
    assert "casework_calendar_years_unknown 0.0" not in running.get("/metrics").text
