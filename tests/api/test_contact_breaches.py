"""Breaches over HTTP: listed for whoever oversees them, reviewed by the basic-risk post."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from casework.intake.dialler.recording import New, put
from casework.people.staff.actor import system
from casework.storage.database import writing
from casework.work.contacts.contact import Contact
from tests.api.conftest import Running, findings
from tests.api.test_events import problem
from tests.round_trips import RoundTrips

DAYS = {"from": "2026-01-10", "to": "2026-01-12"}


@pytest.fixture
def night(running: Running) -> str:
    """A call to the debtor of L1 at ten in the evening of 12 January; its reference."""
    running.open("L1")
    at = datetime(2026, 1, 12, 14, tzinfo=UTC)
    contact = Contact(
        institution="wuhan", source="dialler", contact_ref="d1", loan_id="L1", borrower_id="B-L1", party="debtor",
        channel="call", started_at=at, result="no_answer", outcome="unanswered", recorded_at=at, staff_no="T1",
    )  # fmt: skip
    with writing(running.started.engine) as conn:
        put(conn, running.started.branch, [New(contact, {}, b"row")], system("cli"), at)
    return "d1"


def listed(running: Running, staff_no: str = "B1", **params: str) -> Any:
    return running.get("/contact-breaches", staff_no, params=DAYS | params)


def review(running: Running, staff_no: str = "B1", **body: Any) -> Any:
    return running.post("/contact-breaches/reviews", staff_no, json=body)


def test_breaches_of_some_days_are_listed_with_their_rules_and_their_review(running: Running, night: str) -> None:
    answer = listed(running)
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["items"]
    assert (item["contact_ref"], item["rules"], item["staff_no"], item["verdict"]) == (night, ["X1"], "T1", None)
    assert review(running, contact_ref=night, verdict="explained", remark="回拨").json() == {
        "contact_ref": night, "rules": ["X1"], "verdict": "explained", "reasons": ["X1", "unrecorded"],
    }  # fmt: skip
    (item,) = listed(running).json()["items"]
    assert (item["verdict"], item["reviewed_by"]) == ("explained", "B1")
    assert listed(running, to="2026-01-11").json() == {"items": [], "next": None}
    assert findings(running.started) == []


def test_what_goes_to_review_is_listed_with_breaches_first_and_all_their_reasons(running: Running, night: str) -> None:
    (item,) = running.get("/contacts/to-review", "B1", params=DAYS).json()["items"]
    assert (item["contact_ref"], item["why"], item["reasons"]) == (night, "unrecorded", ["X1", "unrecorded"])


def test_the_report_of_a_period_is_a_file_whose_taking_out_is_an_entry(running: Running, night: str) -> None:
    review(running, contact_ref=night, verdict="explained", remark="回拨")
    answer = running.get("/contacts/to-review.csv", "B1", params=DAYS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8"), answer.text
    header, line, mark = answer.content.decode("utf-8-sig").splitlines()
    assert header.startswith("时间,借据号,催收人,对象,渠道,违规,其他待复核原因,复核,复核人,复核时间")
    assert line.startswith("2026-01-12 22:00,L1,")
    assert ",X1,未录音,已说明," in line
    assert "回拨" not in line, "the remark is sealed"
    assert "B1" in mark
    page = running.get("/audit/entries", "AUD1", params={"stream": "exports:B1"}).json()
    (entry,) = [one["body"] for one in page["items"]]
    assert (entry["event"], entry["data"]["rows"]) == ("contact.reviews_exported", 1)
    assert entry["data"]["digest"] == hashlib.sha256(answer.content).hexdigest()
    answer = running.get("/contacts/to-review.csv", "B1", params={**DAYS, "lang": "en"})
    header, line, _ = answer.content.decode("utf-8-sig").splitlines()
    assert header.startswith("time,loan,collector,party,channel,breach of,goes to review for,review,reviewed by")
    assert ",debtor,call,X1,no recording,explained," in line
    problem(running.get("/contacts/to-review.csv", "R1", params=DAYS), 403, "post_not_permitted")
    problem(running.get("/contacts/to-review.csv", "B1", params={**DAYS, "to": "2025-01-01"}), 422, "period_too_long")
    assert findings(running.started) == []


def test_a_review_comes_with_a_receipt(running: Running, night: str) -> None:
    assert review(running, contact_ref=night, verdict="confirmed").headers["receipt"]


@pytest.mark.parametrize(("staff_no", "status"), [("AUD1", 200), ("T1", 403), ("R1", 403), ("V1", 403)])
def test_collectors_do_not_see_the_list(running: Running, night: str, staff_no: str, status: int) -> None:
    assert listed(running, staff_no).status_code == status
    assert review(running, staff_no, contact_ref=night, verdict="confirmed").status_code == 403


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"contact_ref": "d9", "verdict": "confirmed"}, "unknown_contact_ref", 404),
        ({"contact_ref": "d1", "verdict": "perhaps"}, "unknown_verdict", 422),
        ({"contact_ref": "d1", "verdict": "cleared"}, "still_a_breach", 409),
        ({"contact_ref": "d1"}, "invalid_request", 422),
    ],
)  # fmt: skip
def test_what_cannot_be_reviewed_is_a_clear_problem(
    running: Running, night: str, body: dict[str, Any], code: str, status: int
) -> None:
    assert night == "d1"
    problem(review(running, **body), status, code)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"from": "2026-01-13"}, "period_too_long"), ({"to": "2026-04-12"}, "period_too_long"),
        ({"from": "yesterday"}, "invalid_request"), ({"colour": "red"}, "filter_malformed"),
    ],
)  # fmt: skip
def test_days_that_are_none_or_too_many_are_refused(running: Running, params: dict[str, str], code: str) -> None:
    problem(listed(running, **params), 422, code)


def reviews(running: Running, *asked: tuple[str, str], atomic: bool = False) -> Any:
    body = [{"contact_ref": ref, "verdict": verdict, "remark": "回拨"} for ref, verdict in asked]
    return running.post("/contact-reviews", "B1", json={"reviews": body, "atomic": atomic})


def test_several_are_reviewed_with_a_result_each_or_none_if_that_is_asked(running: Running, night: str) -> None:
    refused = reviews(running, (night, "explained"), ("d9", "explained"), atomic=True)
    assert [(one["outcome"], one["status"]) for one in refused.json()["results"]] == [
        ("not_done", 409), ("unknown_contact_ref", 404),
    ]  # fmt: skip
    assert listed(running).json()["items"][0]["verdict"] is None
    done = reviews(running, (night, "explained"), (night, "cleared"), (night, "perhaps"), (night, "confirmed"))
    assert done.json()["by_outcome"] == {"done": 2, "still_a_breach": 1, "unknown_verdict": 1}
    assert [one["verdict"] for one in done.json()["results"]] == ["explained", None, None, "confirmed"]
    assert done.json()["results"][0]["reasons"] == ["X1", "unrecorded"]
    assert listed(running).json()["items"][0]["verdict"] == "confirmed"
    assert done.headers["receipt"]
    problem(running.post("/contact-reviews", "R1", json={"reviews": []}), 403, "post_not_permitted")
    problem(reviews(running, *[(night, "explained")] * 51), 422, "invalid_request")
    assert findings(running.started) == []


@pytest.mark.only("postgresql")
def test_fifty_reviews_cost_as_many_statements_as_five(running: Running, night: str) -> None:
    counts = []
    for number in (5, 50):
        with RoundTrips() as statements:
            assert reviews(running, *[(night, "explained")] * number).json()["by_outcome"] == {"done": number}
            counts.append(len(statements))
    assert 5 < counts[1] <= counts[0] + 2
