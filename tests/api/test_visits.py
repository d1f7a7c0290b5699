"""Visits over HTTP: their alarm; photos sent by who visits, listed, looked at with an entry, refused with why."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.log.tables import entries
from casework.storage.database import reading
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.api.test_receipts import receipt_of
from tests.ordered import ordered_early
from tests.test_pictures import camera, scene, written

DAY = "2026-01-10"
PHOTO = written(scene(1, (800, 600)), exif=camera("2026:01:10 10:05:00"))


@pytest.fixture
def visit(running: Running) -> int:
    """Under way, of R1's case."""
    (case_id,) = running.open("L1")
    number = ordered_early(
        running.started, case_id, date.fromisoformat(DAY), address="江岸区示例路1号", second_visitor="P1"
    )
    arrived = {"event": "check_in", "data": {"at": f"{DAY}T10:00:00+08:00"}}
    assert running.post(f"/visits/{number}/events", json=arrived, headers={"If-Match": "*"}).status_code == 200
    return number


def test_who_checked_in_and_does_not_come_back_is_an_alarm_wherever_people_look(running: Running, visit: int) -> None:
    told = running.get("/health/branch", "B1").json()["visits_not_ended"]
    assert told == [
        {"visit_id": visit, "visitor": "R1", "second_visitor": "P1", "checked_in_at": "2026-01-10T02:00:00Z"}
    ]
    assert "casework_visits_not_ended 1.0" in running.get("/metrics", "B1").text
    left = {"event": "check_out", "data": {"at": f"{DAY}T10:30:00+08:00"}}
    assert running.post(f"/visits/{visit}/events", json=left, headers={"If-Match": "*"}).status_code == 200
    assert running.get("/health/branch", "B1").json()["visits_not_ended"] == []
    assert "casework_visits_not_ended 0.0" in running.get("/metrics", "B1").text


def send(running: Running, visit: int, content: bytes = PHOTO, staff_no: str = "R1", **form: str) -> Any:
    data = {"shows": "building"} | form
    return running.post(f"/visits/{visit}/photos", staff_no, files={"file": ("a.jpg", content)}, data=data)


def test_a_photo_is_sent_listed_and_looked_at(running: Running, visit: int) -> None:
    sent = send(running, visit)
    assert sent.status_code == 201, sent.text
    photo_id = sent.json()["photo_id"]
    assert sent.headers["location"] == f"/photos/{photo_id}"
    (line,) = running.get(f"/visits/{visit}/photos").json()["items"]
    assert (line["id"], line["media_type"], line["width"], line["sent_by"]) == (photo_id, "image/jpeg", 800, "R1")
    shown = running.get(f"/photos/{photo_id}")
    assert (shown.headers["content-type"], shown.headers["cache-control"]) == ("image/jpeg", "private, no-store")
    assert b"Pixel" not in shown.content
    whole = running.get(f"/photos/{photo_id}/original")
    assert (whole.content, whole.headers["x-content-type-options"]) == (PHOTO, "nosniff")
    assert running.get(f"/visits/{visit}").json()["photos"] != []


def looks(running: Running) -> list[tuple[list[str], list[int]]]:
    """What of which photos was looked at, as the log has it."""
    with reading(running.started.engine) as conn:
        revealed = sa.select(entries.c.body).where(entries.c.event == "personal.revealed").order_by(entries.c.id)
        found = [json.loads(bytes(body))["data"] for body in conn.execute(revealed).scalars()]
    return [(one["fields"], one["photo_ids"]) for one in found if "photo_ids" in one]


def test_where_and_with_what_a_photo_was_taken_is_told_with_an_entry_and_who_says_so(
    running: Running, visit: int
) -> None:
    phone: dict[str, Any] = {"place": "30.5,114.3", "device": "Linux; Android 16", "taken_at": f"{DAY}T10:06:00+08:00"}
    itself = send(running, visit, **phone).json()["photo_id"]
    told = send(running, visit, written(scene(2, (800, 600))), **phone).json()["photo_id"]
    assert running.get(f"/photos/{itself}/capture", "AUD1").json() == {
        "place": "30.27500,120.15000", "device": "Pixel 9", "told": [], "photo_id": itself,
        "taken_at": "2026-01-10T02:05:00Z",
    }  # fmt: skip
    assert running.get(f"/photos/{told}/capture", "AUD1").json() == {
        "place": "30.5,114.3", "device": "Linux; Android 16", "told": ["taken_at", "place", "device"],
        "photo_id": told, "taken_at": "2026-01-10T02:06:00Z",
    }  # fmt: skip
    assert looks(running) == [(["capture"], [itself]), (["capture"], [told])]
    problem(running.get(f"/photos/{itself}/capture?purpose=curiosity", "AUD1"), 422, "purpose_unknown")
    problem(running.get("/photos/99/capture"), 404, "unknown_photo")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", f"{DAY}T10:00:00", "x", 5])
def test_a_time_that_can_be_none_is_told_before_anybody_is_asked_about_it(running: Running, at: Any) -> None:
    (case_id,) = running.open("L2")
    visit = ordered_early(running.started, case_id, date.fromisoformat(DAY), address="某路1号", second_visitor="P1")
    told = {"event": "check_in", "data": {"at": at}}
    answer = running.post(f"/visits/{visit}/events", json=told, headers={"If-Match": "*"})
    assert [one["field"] for one in problem(answer, 422, "faulty_data")["faults"]] == ["at"]


# What is wrong; what is sent; with which status and code it is answered.
BAD: list[tuple[str, dict[str, Any], int, str]] = [
    ("a script", {"content": b"<script>"}, 422, "photo_unfit"),
    ("without a time", {"content": written(scene(2))}, 422, "photo_without_time"),
    ("a time of nowhere", {"taken_at": f"{DAY}T10:00:00"}, 422, "invalid_request"),
    ("the interior without consent", {"shows": "interior"}, 409, "refused"),
    ("what no chart knows", {"shows": "garden"}, 422, "faulty_data"),
    ("by who does not visit", {"staff_no": "A1"}, 403, "not_a_visitor"),
    ("by a post that may not", {"staff_no": "B1"}, 403, "post_not_permitted"),
    ("another than was hashed", {"photo": "sha256:" + "0" * 64}, 422, "photo_unfit"),
    ("of one pixel", {"content": written(scene(2, (800, 600)).resize((1, 1)))}, 422, "photo_unfit"),
    ("of 16 MB", {"content": bytes(16 * 1024 * 1024)}, 413, "body_too_large"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "given", "status", "code"), BAD, ids=[one[0] for one in BAD])
def test_what_is_not_taken_says_why_and_leaves_nothing(
    running: Running, visit: int, what: str, given: dict[str, Any], status: int, code: str
) -> None:
    answer = send(running, visit, **given)
    assert problem(answer, status, code), what
    assert running.get(f"/visits/{visit}/photos").json()["items"] == []


def test_the_same_photo_of_the_same_visit_again_is_answered_as_the_first_time(running: Running, visit: int) -> None:
    first = send(running, visit).json()
    again = send(running, visit, taken_at=f"{DAY}T11:00:00+08:00", photo=first["photo"])
    assert (again.status_code, again.json()) == (200, first | {"again": True, "version": first["version"]})
    assert len(running.get(f"/visits/{visit}/photos").json()["items"]) == 1


def test_a_store_that_is_gone_is_one_clear_problem_and_the_photo_goes_in_when_it_is_back(
    running: Running, visit: int
) -> None:
    folder = Path(running.started.branch.files.where)
    aside = folder.rename(folder.with_name("aside"))
    folder.write_bytes(b"a file now")
    told = problem(send(running, visit), 503, "file_store_failed")
    assert all(str(folder) in told[part] for part in ("detail", "detail_zh"))
    assert running.get(f"/visits/{visit}/photos").json()["items"] == []
    folder.unlink()
    aside.rename(folder)
    assert send(running, visit).status_code == 201


def test_who_sees_no_visits_photos_learns_nothing_of_them(running: Running, visit: int) -> None:
    photo_id = send(running, visit).json()["photo_id"]
    assert running.get(f"/photos/{photo_id}", "AUD1").status_code == 200
    for number in (photo_id, 99):
        for what in ("", "/capture", "/original"):
            problem(running.get(f"/photos/{number}{what}", "T1"), 403, "post_not_permitted")
    problem(running.get("/photos/99"), 404, "unknown_photo")


def test_photos_that_look_the_same_anywhere_are_told_with_those_of_the_visit(running: Running, visit: int) -> None:
    first = send(running, visit).json()["photo_id"]
    smaller = written(scene(1, (800, 600)).resize((640, 480)), quality=50, exif=camera("2026:01:10 10:06:00"))
    again = send(running, visit, smaller).json()["photo_id"]
    told = running.get(f"/visits/{visit}/photos").json()["alike"]
    assert [(one["of"], one["photo_id"], one["visit_id"]) for one in told] == [
        (first, again, visit), (again, first, visit),
    ]  # fmt: skip


def test_a_report_is_a_contact_too_and_the_receipt_is_of_both(running: Running, visit: int) -> None:
    send(running, visit)
    left = {"event": "check_out", "data": {"at": f"{DAY}T10:30:00+08:00"}}
    assert running.post(f"/visits/{visit}/events", json=left, headers={"If-Match": "*"}).status_code == 200
    said = {
        "outcome": "found", "person_met": "debtor", "house": "confirmed", "workplace": "not_checked",
        "attitude": "cooperative", "ability": "able", "next_step": "call",
    }  # fmt: skip
    told = running.post(
        f"/visits/{visit}/events", json={"event": "report", "data": said}, headers={"If-Match": "*"}
    )  # fmt: skip
    assert told.status_code == 200, told.text
    case_id = running.get(f"/visits/{visit}").json()["case_id"]
    (contact,) = running.get(f"/contacts?case_id={case_id}").json()["items"]
    found = {name: contact[name] for name in ("source", "contact_ref", "channel", "party", "result", "staff_no")}
    assert found == {
        "source": "visit", "contact_ref": f"visit-{visit}", "channel": "visit", "party": "debtor", "result": "found",
        "staff_no": "R1",
    }  # fmt: skip
    wrong = {"corrections": [{"contact_ref": f"visit-{visit}", "result": "not_found"}]}
    (refused,) = running.post("/contacts/corrections", json=wrong).json()["results"]
    assert (refused["outcome"], refused["status"], refused["column"]) == ("contact_of_a_visit", 409, "contact_ref")
    assert "重开" in refused["zh"]
    signed = [one.entry_id.partition(":")[0] for one in receipt_of(running, told).entries]
    assert signed.count("borrower") == 1
    assert signed.count("case") >= 3, "the report, what the case learnt of it, that it is called again"


def reasons_of(answer: Any) -> list[str]:
    return [one["code"] for one in problem(answer, 409, "refused")["reasons"]]


def test_who_goes_when_is_asked_of_an_order_and_before_they_leave(running: Running, visit: int) -> None:
    """One visit of a case a day, on a day that can come, by people who may, one of whom is nowhere else."""
    one, other = running.get(f"/visits/{visit}").json()["case_id"], running.open("L2")[0]
    today = running.started.branch.today(now())
    usual = {"address_kind": "home", "address": "江岸区示例路1号", "visit_on": str(today + timedelta(days=1))}

    def order(case_id: int, **changes: str) -> Any:
        return running.post("/visits", json={"of": case_id, "ground": "ordered", "data": usual | changes})

    assert order(one).status_code == 201
    assert reasons_of(order(one)) == ["alone_that_day"]
    assert order(one, visit_on=str(today + timedelta(days=2))).status_code == 201
    assert reasons_of(order(other, visit_on=str(today - timedelta(days=1)))) == ["its_day_is_not_over"]
    assert reasons_of(order(other, second_visitor="AUD1")) == ["visitors_may_visit"]
    assert reasons_of(order(other, second_visitor="X404")) == ["visitors_are_there"]
    second = ordered_early(running.started, other, date.fromisoformat(DAY), address="某路1号", second_visitor="A1")
    arrived = {"event": "check_in", "data": {"at": f"{DAY}T11:00:00+08:00"}}
    refused = running.post(f"/visits/{second}/events", json=arrived, headers={"If-Match": "*"})
    assert reasons_of(refused) == ["nowhere_else"]
    assert f"R1 is on visit {visit} at that time" in refused.text
    left = {"event": "check_out", "data": {"at": f"{DAY}T10:30:00+08:00"}}
    assert running.post(f"/visits/{visit}/events", json=left, headers={"If-Match": "*"}).status_code == 200
    assert running.post(f"/visits/{second}/events", json=arrived, headers={"If-Match": "*"}).status_code == 200


def test_a_returned_report_and_a_verdict_are_put_right_and_the_contact_follows(running: Running, visit: int) -> None:
    photo = send(running, visit).json()["photo"]
    said = {
        "outcome": "found", "person_met": "debtor", "house": "confirmed", "workplace": "not_checked",
        "attitude": "cooperative", "ability": "able", "next_step": "call",
    }  # fmt: skip

    def fire(event: str, who: str = "R1", **data: str) -> Any:
        body = {"event": event, "data": data}
        return running.post(f"/visits/{visit}/events", who, json=body, headers={"If-Match": "*"})

    def verdict(kind: str, **data: str) -> Any:
        body = {"kind": kind, "on": DAY, "evidence": "look:1", "data": {"photo": photo} | data}
        return running.post(f"/visits/{visit}/facts", "B1", json=body, headers={"If-Match": "*"})

    for event, who, data in (
        ("check_out", "R1", {"at": f"{DAY}T10:30:00+08:00"}), ("report", "R1", said),
        ("send_back", "B1", {"reason": "contradicts"}),
    ):  # fmt: skip
        assert fire(event, who, **data).status_code == 200
    half = {name: value for name, value in said.items() if name != "outcome"}
    assert [one["field"] for one in problem(fire("report_again", **half), 422, "faulty_data")["faults"]] == ["outcome"]
    right = said | {"outcome": "not_found", "person_met": "neighbour", "attitude": "not_met", "address_kind": "work"}
    assert fire("report_again", **right).status_code == 200
    shown = running.get(f"/visits/{visit}").json()
    assert [tuple(one[:3]) for one in shown["corrected"]] == [
        ("outcome", "found", "R1"), ("person_met", "debtor", "R1"), ("address_kind", "home", "R1"),
    ]  # fmt: skip
    (contact,) = running.get(f"/contacts?case_id={shown['case_id']}").json()["items"]
    assert (contact["party"], contact["result"]) == ("contact", "not_found")
    assert fire("accept", "B1").status_code == 200
    assert running.post("/visits/samples", "B1", json={"first": DAY, "last": DAY}).status_code == 200
    assert reasons_of(verdict("recheck_corrected", verdict="genuine", reason="other")) == ["another_verdict_stands"]
    for kind, given, disproved in (
        ("recheck", {"verdict": "staged"}, True),
        ("recheck_corrected", {"verdict": "genuine", "reason": "typed_wrongly"}, False),
    ):
        assert verdict(kind, **given).status_code == 200
        assert running.get(f"/visits/{visit}").json()["disproved"] is disproved
