"""One case changed over HTTP: every code the events, facts and notes answer with."""

from typing import Any

import pytest

from tests.api.conftest import Running
from tests.contacted import repair

FACT = repair("2026-01-10")
VISIT = {
    "event": "start_visit",
    "data": {"address_kind": "home", "address": "江岸区示例路1号", "visit_on": "2026-01-12"},
}


@pytest.fixture
def case_id(running: Running) -> int:
    """A live case in phone collection at version 1."""
    return running.open("L1")[0]


def fire(
    running: Running, case_id: int, body: Any = VISIT, staff_no: str = "R1", version: str | None = '"1"', **headers: str
) -> Any:
    given = {**headers, **({} if version is None else {"If-Match": version})}
    return running.post(f"/cases/{case_id}/events", staff_no, json=body, headers=given)


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["instance"] == answer.headers["x-request-id"]
    assert body["detail"]
    assert body["detail_zh"]
    return body


def test_an_event_that_the_chart_allows_moves_the_case_and_names_its_entry(running: Running, case_id: int) -> None:
    answer = fire(running, case_id)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"2"'
    assert answer.json() == {"case_id": case_id, "version": 2, "from_state": "phone_collection", "state": "home_visit",
                             "entry_id": f"case:{case_id}:2"}  # fmt: skip


def test_a_guard_that_is_not_met_refuses_with_every_reason(running: Running, case_id: int) -> None:
    sue = {"event": "sue", "data": {"claim_fen": 100}}
    body = problem(fire(running, case_id, sue, "A1"), 409, "refused")
    codes = {reason["code"] for reason in body["reasons"]}
    assert codes == {"disposal_form_filed", "limitation_checked", "request_needed"}
    for reason in body["reasons"]:
        assert set(reason) == {"code", "rules", "saw", "needs", "zh", "en", "opens_on"}
        assert reason["rules"]
    assert body["entry_id"] == f"case:{case_id}:2"


def test_a_wrong_state_is_refused_and_says_which_states_there_are(running: Running, case_id: int) -> None:
    body = problem(fire(running, case_id, {"event": "found"}), 409, "refused")
    assert body["reasons"][0]["code"] == "wrong_state"
    assert body["reasons"][0]["needs"] == {"any_of_states": ["home_visit"]}


def test_nobody_without_the_post_may_and_he_is_told_which_posts_may(running: Running, case_id: int) -> None:
    body = problem(fire(running, case_id, staff_no="T1"), 403, "post_not_permitted")
    assert body["reasons"][0]["needs"]["any_of_posts"] == ["asset_preservation", "business_rep", "post_loan_officer"]


def test_an_auditor_changes_nothing(running: Running, case_id: int) -> None:
    problem(fire(running, case_id, staff_no="AUD1"), 403, "post_not_permitted")
    problem(running.post(f"/cases/{case_id}/notes", "AUD1", json={"text": "x"}), 403, "post_not_permitted")


def test_a_stale_version_is_told_the_present_one(running: Running, case_id: int) -> None:
    fire(running, case_id)
    answer = fire(running, case_id)
    assert problem(answer, 412, "stale_version")["version"] == 2
    assert answer.headers["etag"] == '"2"'


@pytest.mark.parametrize(
    ("version", "status", "code"),
    [(None, 428, "version_required"), ("1", 400, "malformed_header"), ('"1", "2"', 400, "malformed_header"),
     ('"x"', 400, "malformed_header"), ('W/"1"', 412, "stale_version"), ('"0"', 400, "malformed_header")],
)  # fmt: skip
def test_an_event_needs_the_version_it_saw(
    running: Running, case_id: int, version: str | None, status: int, code: str
) -> None:
    problem(fire(running, case_id, version=version), status, code)


def test_a_star_stands_for_whatever_version_there_is(running: Running, case_id: int) -> None:
    assert fire(running, case_id, version="*").status_code == 200


@pytest.mark.parametrize("case_id", [999, 2**53 - 1, 2**63, 10**30, 0])
def test_an_unknown_case_is_not_found(running: Running, case_id: int) -> None:
    problem(fire(running, case_id), 404, "unknown_case")


@pytest.mark.parametrize("case_id", ["x", "-1", "1.0"])
def test_what_is_no_case_number_is_not_found(running: Running, case_id: str) -> None:
    assert running.post(f"/cases/{case_id}/events", json=VISIT, headers={"If-Match": "*"}).status_code == 404


def test_an_unknown_event_or_fact_is_told(running: Running, case_id: int) -> None:
    problem(fire(running, case_id, {"event": "vanish"}), 422, "unknown_event")
    problem(running.post(f"/cases/{case_id}/facts", json={**FACT, "kind": "vision"}), 422, "unknown_fact")


def test_faulty_data_lists_every_field(running: Running, case_id: int) -> None:
    body = {"event": "start_visit", "data": {"address_kind": "moon", "visit_on": "2025-13-01", "colour": "red"}}
    found = problem(fire(running, case_id, body), 422, "faulty_data")["faults"]
    assert {(fault["field"], fault["code"]) for fault in found} == {
        ("address_kind", "malformed"), ("visit_on", "malformed"), ("colour", "unknown"), ("address", "missing"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [{}, {"event": 7}, {"event": "reached", "mood": "good"}, {"event": "reached", "data": []}, [], "reached", None,
     {"event": "Sue"}, {"event": "x" * 65}],
)  # fmt: skip
def test_a_body_of_another_shape_is_told_by_field(running: Running, case_id: int, body: Any) -> None:
    found = problem(fire(running, case_id, body), 422, "invalid_request")
    assert "faults" in found


@pytest.mark.parametrize("amount", [-1, 10.5, "100", 2**60, True, None])
def test_an_amount_is_whole_fen(running: Running, case_id: int, amount: Any) -> None:
    body = {"event": "sue", "data": {"claim_fen": amount}}
    assert problem(fire(running, case_id, body, "A1"), 422, "faulty_data")["faults"][0]["field"] == "claim_fen"


def test_a_fact_is_recorded_and_what_was_refused_before_may_then_happen(running: Running, case_id: int) -> None:
    answer = running.post(f"/cases/{case_id}/facts", "T1", json=FACT)
    assert (answer.status_code, answer.json()["version"], answer.headers["etag"]) == (200, 2, '"2"')
    stale = running.post(f"/cases/{case_id}/facts", "T1", json=FACT, headers={"If-Match": '"1"'})
    problem(stale, 412, "stale_version")


def test_a_fact_that_a_guard_forbids_is_refused_with_reasons_on_record_and_taken_once_it_may(
    running: Running, case_id: int
) -> None:
    found = {"outcome": "found", "stated": True, "person_met": "nobody", "address_kind": "home"}
    visit = {"kind": "visit", "on": "2026-01-10", "evidence": "rec:2", "data": found}
    body = problem(running.post(f"/cases/{case_id}/facts", "R1", json=visit), 409, "refused")
    assert [reason["code"] for reason in body["reasons"]] == ["person_met_fits"]
    assert (body["version"], body["entry_id"]) == (1, f"case:{case_id}:2")
    right = {**visit, "data": {**found, "person_met": "debtor"}}
    assert running.post(f"/cases/{case_id}/facts", "R1", json=right).status_code == 200
    items = running.get(f"/cases/{case_id}/history", "R1").json()["items"]
    (refused,) = [one for one in items if one["event"] == "case.refused.visit"]
    assert [reason["code"] for reason in refused["data"]["reasons"]] == ["person_met_fits"]


@pytest.mark.parametrize("kind", ["promise", "promise_ended", "remittance", "hold", "hold_lifted"])
def test_what_a_promise_or_a_hold_tells_its_case_nobody_records_by_hand(
    running: Running, case_id: int, kind: str
) -> None:
    told = {"kind": kind, "on": "2026-01-10", "evidence": "rec:2", "data": {}}
    for who in ("T1", "B1"):
        body = problem(running.post(f"/cases/{case_id}/facts", who, json=told), 403, "post_not_permitted")
        assert [reason["code"] for reason in body["reasons"]] == ["post_not_permitted"]


@pytest.mark.parametrize("on", ["2026-02-30", "yesterday", "2999-01-01", 7])
def test_a_fact_has_a_date_that_can_have_been(running: Running, case_id: int, on: Any) -> None:
    answer = running.post(f"/cases/{case_id}/facts", "T1", json={**FACT, "on": on})
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["field"] == "on"


def test_a_note_is_kept_sealed_and_changes_no_version(running: Running, case_id: int) -> None:
    answer = running.post(f"/cases/{case_id}/notes", "T1", json={"text": "客户表示月底还款"})
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    for text in ("", " ", "a\u0000b", "x" * 2001):
        assert running.post(f"/cases/{case_id}/notes", "T1", json={"text": text}).status_code == 422


@pytest.mark.parametrize(
    "raw",
    [b"{", b'{"event": "reached"', b"\xc4\xe3\xba\xc3", '{"event":"你好"}'.encode("gb18030"), b"nul",
     b'{"event":"\\ud800"}', b"[" * 5_000],
)  # fmt: skip
def test_what_is_not_json_in_utf8_is_400(running: Running, case_id: int, raw: bytes) -> None:
    headers = {"If-Match": '"1"', "Content-Type": "application/json"}
    problem(running.post(f"/cases/{case_id}/events", content=raw, headers=headers), 400, "malformed_json")


def test_another_media_type_is_415(running: Running, case_id: int) -> None:
    headers = {"If-Match": '"1"', "Content-Type": "text/plain"}
    problem(running.post(f"/cases/{case_id}/events", content=b"{}", headers=headers), 415, "unsupported_media_type")


def test_a_huge_body_is_413_and_the_next_request_is_served(running: Running, case_id: int) -> None:
    headers = {"If-Match": '"1"', "Content-Type": "application/json"}
    huge = b'{"event":"' + b"x" * 2_000_000 + b'"}'
    problem(running.post(f"/cases/{case_id}/events", content=huge, headers=headers), 413, "body_too_large")
    assert fire(running, case_id).status_code == 200


def test_a_method_that_is_not_taken_is_405_and_names_those_that_are(running: Running, case_id: int) -> None:
    answer = running.client.delete(f"/cases/{case_id}/events", headers=running.as_("R1"))
    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


def test_an_unknown_path_is_404_for_whoever_has_a_token(running: Running) -> None:
    problem(running.get("/nowhere"), 404, "not_found")


def test_a_request_id_is_taken_over_if_it_is_sane(running: Running) -> None:
    assert running.get("/nowhere", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert running.get("/nowhere", headers={"X-Request-Id": "a b<>"}).headers["x-request-id"] != "a b<>"
