"""A stand-in of the roster over HTTP: that day they see, call and record for who is off; the day after not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api import auth, contact_permits
from api.permit_desk import PermitDesk
from casework.clock import now
from casework.customer import Customer
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.storage.database import writing
from tests.api.conftest import Running, findings
from tests.api.test_events import problem
from tests.on_books import put_borrower, put_contact, put_loan

NOON = datetime(2026, 1, 12, 4, tzinfo=UTC)


def far_rep(running: Running) -> int:
    """R8, a rep of another team and region, with a debtor of theirs who can be called; the case."""
    started, debtor = running.started, Customer("wuhan", "B-L8")
    place = {"team": "T8", "region": "R8"}
    with writing(started.engine) as conn:
        trail, actor = started.branch.trail(now()), system("cli")
        register.add(
            conn, trail, actor, started.branch.rulebook.permissions, staff_no="R8", name="员工R8",
            posts=["business_rep"], team="T8", region="R8",
        )  # fmt: skip
        running.tokens["R8"] = tokens.issue(conn, trail, actor, staff_no="R8")
        trail.write(conn)
        put_loan(
            conn, started.branch, loan_id="L8", institution="wuhan", borrower_id="B-L8", product="consumer",
            owner_staff_no="R8", **place, principal_fen=9_000_000, outstanding_principal_fen=5_000_000, row_hash=b"8",
        )  # fmt: skip
        put_borrower(conn, started.branch, debtor, name="甄不存", id_number="000000199001010001")
        put_contact(
            conn, started.branch, debtor, name="甄不存", phone="12000000008", address="虚构路8号", address_kind="home"
        )
    return running.open("L8", days_past_due=10, owner="R8", handler="R8", **place)[0]


def rests(running: Running, staff_no: str, stand_in: str) -> None:
    """Today, by the roster."""
    today = running.started.branch.today(now()).isoformat()
    shift = {"day": today, "staff_no": staff_no, "shift": "rest", "stand_in": stand_in}
    answer = running.post("/roster", "B1", json={"shifts": [shift]})
    assert answer.status_code == 200, answer.text
    running.client.app.state["serving"].tokens._held.clear()  # who only reads may be told two seconds later


def said(running: Running, stream: str, event: str) -> list[dict[str, Any]]:
    """The entries of an event."""
    page = running.get("/audit/entries", "AUD1", params={"stream": stream}).json()
    return [one["body"] for one in page["items"] if one["body"]["event"] == event]


@pytest.fixture
def case(running: Running, monkeypatch: pytest.MonkeyPatch) -> int:
    """At noon, so that there may be calls."""
    desk: PermitDesk = running.client.app.state["serving"].permits
    desk.clock = lambda: NOON
    monkeypatch.setattr(contact_permits, "now", lambda: NOON)
    return far_rep(running)


def a_day_later(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever asks who somebody is."""
    monkeypatch.setattr(auth, "now", lambda: now() + timedelta(days=1))
    running.client.app.state["serving"].tokens._held.clear()


def permit(running: Running, case: int, staff_no: str = "R1") -> Any:
    body = {"case_id": case, "party": "debtor", "contact_id": 1, "channel": "call"}
    return running.post("/contact-permits", staff_no, json=body)


def test_a_stand_in_sees_the_list_opens_the_debtor_gets_a_permit_and_records(running: Running, case: int) -> None:
    problem(running.get(f"/cases/{case}", "R1"), 404, "unknown_case")
    problem(permit(running, case), 404, "unknown_case")
    rests(running, "R8", "R1")
    assert running.post("/tasks/take", "R1", json={}).status_code == 200
    assert {one["case_id"] for one in running.get("/tasks", "R1").json()["items"]} == {case}
    assert running.get(f"/cases/{case}", "R1").status_code == 200
    assert [one["id"] for one in running.get("/cases", "R1").json()["items"]] == [case]
    number = permit(running, case).json()["permit_id"]
    assert running.post(f"/contact-permits/{number}/dialling", "R1").json()["phone"] == "12000000008"
    done = running.post(
        f"/contact-permits/{number}/outcome", "R1", json={"result": "no_answer", "started_at": NOON.isoformat()}
    )
    assert done.status_code == 200, done.text
    (entry,) = said(running, "borrower:wuhan~B-L8", "contact.recorded")
    assert (entry["actor"]["id"], entry["data"]["staff_no"], entry["data"]["acting_for"]) == ("R1", "R1", "R8")
    assert findings(running.started) == []


def test_what_a_stand_in_types_and_does_says_for_whom(running: Running, case: int) -> None:
    rests(running, "R8", "R1")
    row = {
        "contact_ref": "R1-01", "loan_id": "L8", "party": "debtor", "channel": "visit", "address": "虚构路8号",
        "started_at": "2026-01-12T10:00:00+08:00", "result": "not_found",
    }  # fmt: skip
    own = {**row, "contact_ref": "R8-01", "staff_no": "R8"}
    typed = running.post("/contacts", "R1", json={"contacts": [row, own]}).json()["results"]
    assert [one["outcome"] for one in typed] == ["done", "done"]
    told = said(running, "borrower:wuhan~B-L8", "contact.recorded")
    assert [(one["data"]["staff_no"], one["data"]["acting_for"]) for one in told] == [("R1", "R8"), ("R8", "R8")]
    note = running.post(f"/cases/{case}/notes", "R1", json={"text": "代R8跟进"})
    assert note.status_code in (200, 201), note.text
    (entry,) = said(running, f"case:{case}", "case.noted")
    assert (entry["actor"]["id"], entry["data"]["acting_for"]) == ("R1", "R8")
    assert findings(running.started) == []


def test_the_day_after_they_reach_nothing_of_it(
    running: Running, case: int, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    rests(running, "R8", "R1")
    assert running.get(f"/cases/{case}", "R1").status_code == 200
    a_day_later(running, monkeypatch)
    problem(running.get(f"/cases/{case}", "R1"), 404, "unknown_case")
    problem(running.post("/contacts", "R1", json={"contacts": []}), 422, "invalid_request")
    assert running.get("/cases", "R1").json()["items"] == []


def test_whom_the_roster_does_not_name_reaches_nothing_of_it(running: Running, case: int) -> None:
    rests(running, "R8", "P1")
    for other in ("R1", "T1"):
        problem(running.get(f"/cases/{case}", other), 404, "unknown_case")
    assert running.get(f"/cases/{case}", "P1").status_code == 200
    told = running.get("/roster/answers", "R1").json()["items"]
    assert [(one["staff_no"], one["answers"], one["posts"]) for one in told] == [("R8", "P1", ["business_rep"])]


def test_a_post_that_decides_is_not_lent_and_it_is_said(running: Running, case: int) -> None:
    rests(running, "V1", "R1")
    told = running.get("/roster/answers", "R1").json()["items"]
    assert [(one["staff_no"], one["answers"], one["posts"]) for one in told] == [("V1", "R1", [])]
    problem(running.get(f"/cases/{case}", "R1"), 404, "unknown_case")
    assert "approver" not in {post for one in running.get("/me", "R1").json()["deputises_for"] for post in one["posts"]}


def test_taken_back_in_the_middle_of_the_day_a_write_is_refused(running: Running, case: int) -> None:
    """Reading may be two seconds behind; what writes asks the register again."""
    rests(running, "R8", "R1")
    assert running.get(f"/cases/{case}", "R1").status_code == 200
    today = running.started.branch.today(now()).isoformat()
    running.post("/roster", "B1", json={"shifts": [{"day": today, "staff_no": "R8", "shift": "day"}]})
    problem(running.post(f"/cases/{case}/notes", "R1", json={"text": "代R8跟进"}), 404, "unknown_case")


def test_whoever_a_manager_makes_handler_reaches_the_case_and_the_handler_before_no_more(
    running: Running, case: int
) -> None:
    """R1 is of another team and region: being the handler is their reach. R8 still owns it."""
    running.client.app.state["serving"].tokens._held.clear()
    moved = {"cases": [{"id": case}], "owner": "R8", "handler": "R1", "reason": "workload"}
    answer = running.post("/assignments", "B1", json=moved)
    assert answer.json()["by_outcome"] == {"done": 1}, answer.text
    assert running.get(f"/cases/{case}", "R1").json()["handler"] == "R1"
    assert permit(running, case).json()["allowed"]
    back = running.post("/assignments", "B1", json={**moved, "handler": "R8"})
    assert back.json()["by_outcome"] == {"done": 1}, back.text
    problem(running.get(f"/cases/{case}", "R1"), 404, "unknown_case")


@pytest.mark.parametrize("handler", ["AUD1", "ADM1", "V1"])
def test_whose_posts_reach_no_case_of_theirs_is_made_handler_of_none(running: Running, case: int, handler: str) -> None:
    moved = {"cases": [{"id": case}], "owner": "R8", "handler": handler, "reason": "workload"}
    answer = running.post("/assignments", "B1", json=moved).json()
    assert answer["by_outcome"] == {"refused": 1}
    assert [one["code"] for one in answer["results"][0]["reasons"]] == ["receiver_without_post"]
