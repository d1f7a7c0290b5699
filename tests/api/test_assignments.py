"""Giving cases to other owners through the API, and who answered for them when."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.log.tables import entries
from casework.storage.database import reading
from casework.work.cases.tables import cases
from tests.api.conftest import BUSINESS_DATE, Running, findings
from tests.api.test_events import problem


def assign(running: Running, staff_no: str = "B1", **body: Any) -> Any:
    headers = body.pop("headers", {})
    return running.post("/assignments", staff_no, json=body, headers=headers)


def owners(running: Running) -> dict[int, str]:
    with reading(running.started.engine) as conn:
        return {row.id: row.owner for row in conn.execute(sa.select(cases.c.id, cases.c.owner))}


def counted(running: Running) -> int:
    with reading(running.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one())


@pytest.fixture
def ids(running: Running) -> list[int]:
    """Three cases of the rep R1, one in product haihua that has no operations collector."""
    return running.open("L1", "L2") + running.open("L3", product="haihua")


def refs(ids: list[int]) -> list[dict[str, int]]:
    return [{"id": case_id} for case_id in ids]


def test_each_case_has_its_own_result_and_loads_are_shown_before_and_after(running: Running, ids: list[int]) -> None:
    named = [{"id": ids[0], "version": 1}, {"id": ids[1], "version": 7}, {"id": 999}]
    answer = assign(running, cases=named, owner="P1", reason="workload")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    told = [(one["case_id"], one["outcome"], one["status"], one.get("from_owner")) for one in body["results"]]
    assert told == [
        (ids[0], "done", 200, "R1"), (ids[1], "stale_version", 412, "R1"), (999, "unknown_case", 404, None),
    ]  # fmt: skip
    assert (body["results"][0]["owner"], body["results"][0]["entry_id"]) == ("P1", f"case:{ids[0]}:2")
    assert body["by_outcome"] == {"done": 1, "stale_version": 1, "unknown_case": 1}
    loads = {one["staff_no"]: (one["cases"], one["before"], one["after"]) for one in body["receivers"]}
    assert loads == {"P1": (1, 0, 1), "R1": (0, 2, 1)}
    assert owners(running)[ids[0]] == "P1"
    assert findings(running.started) == []


def test_a_preview_says_the_same_as_the_deed_and_changes_nothing(running: Running, ids: list[int]) -> None:
    before = counted(running)
    wanted: dict[str, Any] = {"filter": {"owner": "R1"}, "owner": "P1", "reason": "absence"}
    preview = assign(running, **wanted, dry_run=True).json()
    assert counted(running) == before
    done = assign(running, **wanted).json()
    assert preview["dry_run"]
    assert preview["receivers"] == done["receivers"]
    assert preview["by_outcome"] == done["by_outcome"] == {"done": 2}
    assert all("entry_id" not in one for one in preview["results"])


def test_by_rule_each_case_goes_where_the_rules_say_and_what_stays_is_told(running: Running, ids: list[int]) -> None:
    assign(running, cases=refs(ids[:1]), owner="A1", reason="other")  # the customer is A1's now
    before = owners(running)
    body = assign(running, cases=refs(ids), by_rule=True).json()
    assert body["by_outcome"] == {"refused": 3}
    assert {one["reasons"][0]["code"] for one in body["results"]} == {"receiver_is_owner"}
    assert owners(running) == before
    assert body["receivers"] == []


def test_a_repeat_with_the_same_key_gets_the_first_answer(running: Running, ids: list[int]) -> None:
    body: dict[str, Any] = {"cases": refs(ids[:1]), "owner": "P1", "reason": "skills"}
    body["headers"] = {"Idempotency-Key": "k1"}
    first = assign(running, **dict(body))
    again = assign(running, **dict(body))
    assert first.json() == again.json()
    assert first.json()["by_outcome"] == {"done": 1}
    problem(assign(running, **(body | {"owner": "A1"})), 422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"owner": "P1", "reason": "other"}, 422, "cases_or_filter"),
        ({"cases": [{"id": 1}], "filter": {}, "owner": "P1", "reason": "other"}, 422, "cases_or_filter"),
        ({"cases": [{"id": 1}], "reason": "other"}, 422, "owner_or_rule"),
        ({"cases": [{"id": 1}], "owner": "P1", "by_rule": True, "reason": "other"}, 422, "owner_or_rule"),
        ({"cases": [{"id": 1}], "owner": "P1"}, 422, "unknown_reason"),
        ({"cases": [{"id": 1}], "owner": "P1", "reason": "departure"}, 422, "unknown_reason"),
        ({"cases": [{"id": 1}, {"id": 1}], "owner": "P1", "reason": "other"}, 422, "repeated_case"),
        ({"cases": [], "owner": "P1", "reason": "other"}, 422, "invalid_request"),
        ({"cases": [{"id": 1}], "owner": "P 1", "reason": "other"}, 422, "invalid_request"),
        ({"filter": {"state": ["nowhere"]}, "owner": "P1", "reason": "other"}, 422, "filter_malformed"),
    ],
)
def test_what_cannot_be_meant_is_told_and_nothing_happens(
    running: Running, ids: list[int], body: dict[str, Any], status: int, code: str
) -> None:
    before = counted(running)
    problem(assign(running, **body), status, code)
    assert counted(running) == before
    assert len(ids) == 3


@pytest.mark.parametrize("staff_no", ["R1", "T1", "P1", "V1", "AUD1", "ADM1"])
def test_only_who_distributes_cases_gives_them_away(running: Running, ids: list[int], staff_no: str) -> None:
    problem(assign(running, staff_no, cases=refs(ids), owner="P1", reason="other"), 403, "post_not_permitted")
    assert set(owners(running).values()) <= {"R1", "B1", "P1", "A1"}


def test_the_owners_of_a_case_and_the_cases_of_a_person_are_told_by_day(running: Running, ids: list[int]) -> None:
    assign(running, cases=refs(ids[:1]), owner="P1", reason="territory")
    day = BUSINESS_DATE.isoformat()
    body = running.get(f"/cases/{ids[0]}/owners?on={day}", "B1").json()
    assert [(one["owner"], one["reason"], one["rule"]) for one in body["owners"]] == [
        ("R1", "by_rule", "own_customer"), ("P1", "territory", None),
    ]  # fmt: skip
    assert (body["on"], body["responsible"]) == (day, "P1")
    assert all(one["reason_zh"] and one["reason_en"] for one in body["owners"])
    page = running.get(f"/staff/R1/cases?on={day}", "B1").json()
    assert [one["case_id"] for one in page["items"]] == [ids[1]]
    assert running.get(f"/staff/P1/cases?on={day}", "R1").json()["items"] == [], "beyond the reach of a rep"
    assert [one["case_id"] for one in running.get(f"/staff/R1/cases?on={day}", "AUD1").json()["items"]] == [ids[1]]
    problem(running.get(f"/cases/{ids[0]}/owners", "R1"), 404, "unknown_case")
    problem(running.get("/cases/999/owners", "B1"), 404, "unknown_case")
    problem(running.get("/staff/R1/cases", "B1"), 422, "invalid_request")
    problem(running.get(f"/staff/R1/cases?on={day}&order=1", "B1"), 422, "filter_malformed")
    problem(running.get(f"/staff/R1/cases?on={day}", "ADM1"), 403, "post_not_permitted")
