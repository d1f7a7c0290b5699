"""Task lists over HTTP: taken once, the next begun by one, moved, put off, added; shown as handed out."""

from datetime import timedelta
from typing import Any

import pytest

from casework.clock import now
from tests.api.conftest import Running, findings
from tests.api.test_events import problem


@pytest.fixture
def taken(running: Running) -> list[dict[str, Any]]:
    """R1 has three cases and has taken today's list, which is this."""
    running.open("L1", "L2", "L3", days_past_due=10)
    assert running.get("/tasks").json()["edition"] is None, "nobody has made them"
    answer = running.post("/tasks/take", json={})
    assert answer.status_code == 200, answer.text
    assert answer.headers["receipt"]
    listed: list[dict[str, Any]] = running.get("/tasks").json()["items"]
    assert len(listed) == answer.json()["tasks"] > 0
    return listed


def outcomes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["outcome"] for one in answer.json()["results"]]


def test_a_list_is_taken_once_ranked_and_says_why(running: Running, taken: list[dict[str, Any]]) -> None:
    assert [one["rank"] for one in taken] == list(range(1, len(taken) + 1))
    assert all(one["why_zh"] and one["why_en"] and one["zh"] for one in taken)
    again = running.post("/tasks/take", json={})
    today = running.started.branch.today(now())
    told = problem(again, 422, "list_taken")
    assert (told["day"], told["at"][:10]) == (str(today), str(today)), "which list, and on which day it was taken"
    assert str(today) in told["detail"]
    assert running.get("/tasks").json()["taken_at"]
    nobody = running.post("/tasks/take", "A1", json={})
    problem(nobody, 422, "nothing_to_take")
    assert findings(running.started) == []


def test_the_next_task_is_begun_by_one_and_when_there_is_none_it_is_said(
    running: Running, taken: list[dict[str, Any]]
) -> None:  # fmt: skip
    begun = [running.post("/tasks/next").json() for _ in taken]
    assert sorted(one["id"] for one in begun) == sorted(one["id"] for one in taken)
    assert all(one["held_by"] == "R1" for one in begun)
    problem(running.post("/tasks/next"), 404, "nothing_left")


def test_tasks_are_moved_put_off_added_and_ended_with_a_result_for_each(
    running: Running, taken: list[dict[str, Any]]
) -> None:  # fmt: skip
    first, second = taken[0], taken[1]
    until = (now() + timedelta(days=3)).date().isoformat()
    put_off = {"tasks": [first["id"], 99_999], "until": until, "reason": "debtor_asked"}
    assert outcomes(running.post("/tasks/postponements", json=put_off)) == ["done", "unknown_task"]
    move = {"tasks": [second["id"]], "to": "P1", "reason": "workload"}
    problem(running.post("/tasks/moves", json=move), 403, "post_not_permitted")
    assert outcomes(running.post("/tasks/moves", "B1", json=move)) == ["done"]
    case_id = first["case_id"]
    add = {"tasks": [{"case_id": case_id, "what": "papers", "due_on": until}]}
    assert outcomes(running.post("/tasks/additions", json=add)) == ["done"]
    now_ = running.get("/tasks").json()["items"]
    assert {one["id"] for one in taken} - {one["id"] for one in now_} == {first["id"], second["id"]}
    (added,) = [one for one in now_ if one["task"] == "by_hand"]
    assert (added["zh"], added["en"]) == ("收集或补充材料", "collect papers")
    assert outcomes(running.post("/tasks/endings", json={"tasks": [added["id"], taken[2]["id"]]})) == [
        "done", "not_by_hand",
    ]  # fmt: skip
    assert [one["id"] for one in running.get("/tasks", "P1").json()["items"]] == [second["id"]]
    acts = running.get(f"/cases/{case_id}/list-acts").json()["items"]
    assert [(one["event"], one["actor"], one["reason_en"]) for one in acts if one["data"]["case"] == case_id][-1] == (
        "tasks.postponed", "R1", "the debtor asked for another day",
    )  # fmt: skip
    assert running.get("/cases/999999/list-acts").status_code == 404
    handed_out = running.get("/tasks", params={"handed_out": "true"}).json()["items"]
    assert [one["id"] for one in handed_out] == [one["id"] for one in taken], "as it was in the morning"
    assert findings(running.started) == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("postponements", {"tasks": [1], "until": "2020-01-01", "reason": "workload"}, "postponed_to_past"),
        ("postponements", {"tasks": [1], "until": "2999-01-01", "reason": "workload"}, "postponed_too_far"),
        ("postponements", {"tasks": [1], "until": "2999-01-01", "reason": "mood"}, "unknown_task_reason"),
        ("postponements", {"tasks": [], "until": "2999-01-01", "reason": "workload"}, "invalid_request"),
        ("moves", {"tasks": [1], "to": "X9", "reason": "workload"}, "unknown_staff"),
        ("moves", {"tasks": [1], "to": "P1", "reason": "mood"}, "unknown_task_reason"),
        ("moves", {"tasks": ["x"], "to": "P1", "reason": "workload"}, "invalid_request"),
        ("additions", {"tasks": [{"case_id": 1, "what": "call"}]}, "invalid_request"),
        ("take", {"on": "2019-01-01"}, "day_without_feed"),
        ("take", {"on": "2999-01-01"}, "lists_to_come"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_meant_is_one_clear_problem(
    running: Running, path: str, body: dict[str, Any], code: str
) -> None:  # fmt: skip
    answer = running.post(f"/tasks/{path}", "B1", json=body)
    assert answer.json()["code"] == code
    assert answer.json()["detail_zh"]


def test_the_basic_risk_post_sees_whose_lists_there_are_and_each_of_them(
    running: Running, taken: list[dict[str, Any]]
) -> None:  # fmt: skip
    lists = {one["list_of"]: one for one in running.get("/task-lists", "B1").json()["items"]}
    assert (lists["R1"]["tasks"], bool(lists["R1"]["taken_at"])) == (len(taken), True)
    assert (lists["R1"]["team"], lists["agency_post"]["team"]) == ("T1", None)
    of_team = running.get("/task-lists", "B1", params={"team": "T1"}).json()["items"]
    assert [one for one in lists.values() if one["team"] == "T1"] == of_team
    problem(running.get("/task-lists", "B1", params={"team": "Nix"}), 422, "unknown_team")
    theirs = running.get("/task-lists/R1", "B1").json()["items"]
    assert [one["id"] for one in theirs] == [one["id"] for one in taken]
    assert running.get("/task-lists", "R1").status_code == 403
    assert running.get("/task-lists/R1", "T1").status_code == 403
    problem(running.get("/tasks", params={"day": "2026-01-10"}), 422, "filter_malformed")


def test_strategies_are_started_in_bulk_and_the_four_lists_are_counted_and_listed(running: Running) -> None:
    first, second = running.open("L1", "L2")
    started = running.post("/strategies", json={"cases": [first, 99_999], "strategy": "visit"})
    assert outcomes(started) == ["done", "unknown_case"]
    assert started.headers["receipt"]
    counts = {one["name"]: one["cases"] for one in running.get("/work-lists", "B1").json()["items"]}
    assert counts == {"phone": 1, "agency": 0, "legal": 0, "visit": 1}
    page = running.get("/work-lists/visit", "B1").json()
    assert [(one["id"], one["strategy"]) for one in page["items"]] == [(first, "visit")]
    assert [one["id"] for one in running.get("/work-lists/phone", "AUD1").json()["items"]] == [second]
    problem(running.get("/work-lists/others", "B1"), 404, "unknown_work_list")
    problem(running.post("/strategies", json={"cases": [first], "strategy": "prayer"}), 422, "unknown_strategy")
    assert running.get("/work-lists", "R1").status_code == 403
    assert findings(running.started) == []
