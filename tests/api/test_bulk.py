"""One event for many cases."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.log.tables import entries
from casework.storage.database import reading
from casework.work.cases.tables import cases
from tests.api.conftest import Running
from tests.api.test_events import VISIT, problem


def many(running: Running, staff_no: str = "R1", **body: Any) -> Any:
    headers = body.pop("headers", {})
    return running.post("/cases/events", staff_no, json={**VISIT, **body}, headers=headers)


def states(running: Running) -> dict[int, str]:
    with reading(running.started.engine) as conn:
        return {row.id: row.state for row in conn.execute(sa.select(cases.c.id, cases.c.state))}


def counted(running: Running) -> int:
    with reading(running.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one())


@pytest.fixture
def ids(running: Running) -> list[int]:
    """Four cases; the last two are in home visit already, at version 2."""
    found = running.open("L1", "L2", "L3", "L4")
    assert many(running, cases=[{"id": case_id} for case_id in found[2:]]).json()["by_outcome"] == {"done": 2}
    return found


def refs(ids: list[int]) -> list[dict[str, int]]:
    return [{"id": case_id} for case_id in ids]


def test_each_case_has_its_own_result_and_reasons_are_counted(running: Running, ids: list[int]) -> None:
    named = [{"id": ids[0], "version": 1}, {"id": ids[1], "version": 7}, {"id": ids[2]}, {"id": 999}]
    answer = many(running, cases=named)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [(result["case_id"], result["outcome"], result["status"]) for result in body["results"]] == [
        (ids[0], "done", 200), (ids[1], "stale_version", 412), (ids[2], "refused", 409), (999, "unknown_case", 404),
    ]  # fmt: skip
    assert body["by_outcome"] == {"done": 1, "refused": 1, "stale_version": 1, "unknown_case": 1}
    assert body["by_reason"] == {"stale_version": 1, "unknown_case": 1, "wrong_state": 1}
    assert states(running)[ids[0]] == "home_visit"


def test_atomic_means_all_or_none_and_refusals_are_still_on_record(running: Running, ids: list[int]) -> None:
    before = counted(running)
    body = many(running, cases=refs(ids), atomic=True).json()
    assert body["by_outcome"] == {"not_done": 2, "refused": 2}
    assert states(running)[ids[0]] == "phone_collection"
    assert counted(running) == before + 2


def test_a_dry_run_says_the_same_and_writes_nothing(running: Running, ids: list[int]) -> None:
    before = counted(running)
    forecast = many(running, cases=refs(ids), dry_run=True).json()
    assert counted(running) == before
    assert states(running)[ids[0]] == "phone_collection"
    real = many(running, cases=refs(ids)).json()
    assert forecast["by_outcome"] == real["by_outcome"] == {"done": 2, "refused": 2}
    assert forecast["dry_run"]
    assert not any("entry_id" in result for result in forecast["results"])
    assert any("entry_id" in result for result in real["results"])


def test_a_filter_finds_the_cases(running: Running, ids: list[int]) -> None:
    body = many(running, filter={"state": ["phone_collection"]}).json()
    assert [result["case_id"] for result in body["results"]] == ids[:2]
    assert body["by_outcome"] == {"done": 2}
    assert many(running, filter={"state": ["phone_collection"]}).json()["cases"] == 0


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_borrowers_number_that_two_institutions_have_changes_no_case_of_either(
    running: Running, ids: list[int], dry_run: bool
) -> None:
    running.open("L7", institution="yichang", borrower_id="B-L1")
    before = counted(running)
    told = problem(many(running, filter={"borrower_id": "B-L1"}, dry_run=dry_run), 409, "institution_needed")
    assert told["institutions"] == ["wuhan", "yichang"]
    assert counted(running) == before
    one = many(running, filter={"borrower_id": "B-L1", "institution": "yichang"}, dry_run=dry_run).json()
    assert [result["case_id"] for result in one["results"]] == [max(ids) + 1]


def test_a_repeat_with_the_same_key_changes_nothing_more(running: Running, ids: list[int]) -> None:
    first, again = (many(running, cases=refs(ids), headers={"Idempotency-Key": "b"}) for _ in range(2))
    assert first.content == again.content
    assert again.headers["idempotent-replay"] == "true"


@pytest.mark.parametrize(
    ("body", "code"),
    [({}, "cases_or_filter"), ({"cases": [{"id": 1}], "filter": {}}, "cases_or_filter"),
     ({"cases": []}, "invalid_request"), ({"cases": [{"id": 1}, {"id": 1}]}, "repeated_case"),
     ({"cases": [{"id": n} for n in range(1, 1002)]}, "invalid_request"),
     ({"cases": [{"id": 1}], "event": "vanish"}, "unknown_event"), ({"filter": {"mood": "good"}}, "invalid_request"),
     ({"filter": {"dpd_min": -1, "dpd_max": -5}}, "filter_malformed"), ({"cases": [{"id": 2**63}]}, "invalid_request")],
)  # fmt: skip
def test_what_makes_no_sense_is_told(running: Running, body: dict[str, Any], code: str) -> None:
    problem(many(running, **body), 422, code)


def test_a_thousand_cases_are_one_request(running: Running) -> None:
    ids = running.open(*[f"L{number}" for number in range(1000)])
    assert many(running, cases=refs(ids)).json()["by_outcome"] == {"done": 1000}
    running.open("L-more")
    problem(many(running, filter={}), 422, "too_many_cases")


def test_whoever_may_not_is_told_for_each_case(running: Running, ids: list[int]) -> None:
    body = many(running, "T1", cases=refs(ids[:1])).json()
    assert body["results"][0]["status"] == 403
    problem(many(running, "AUD1", cases=refs(ids[:1])), 403, "post_not_permitted")
