"""Visits that are due and the route of a day over HTTP, within one's reach; plans in bulk, a result each."""

from datetime import timedelta
from typing import Any

from casework.clock import now
from tests.api.conftest import Running


def plan(running: Running, day: str, *stops: dict[str, Any]) -> Any:
    known = {"address_kind": "home", "address": "江岸区示例路1号", "visit_on": day}
    rows = [{"of": one.pop("of"), "ground": "ordered", "data": known | one} for one in stops]
    return running.post("/visits/openings", json={"items": rows})


def test_what_is_due_is_planned_in_bulk_and_is_a_route(running: Running) -> None:
    first, second = running.open("L1", "L2", days_past_due=2)
    (elsewhere,) = running.open("L3", days_past_due=3, region="R2", team="T2", owner=None)
    page = running.get("/visits/due").json()
    assert [one["id"] for one in page["items"]] == [first, second], "of R1's reach"
    assert [one["id"] for one in running.get("/visits/due", "B1").json()["items"]] == [elsewhere, first, second]
    assert running.get("/visits/due?day=1").status_code == 422
    tomorrow = str(running.started.branch.today(now()) + timedelta(days=1))
    made = plan(
        running, tomorrow, {"of": first, "stop": 2, "area": "JA", "second_visitor": "P1"},
        {"of": second, "stop": 1, "area": "JA", "second_visitor": "R1"}, {"of": second, "stop": 1, "area": "JA"},
    )  # fmt: skip
    assert [one["outcome"] for one in made.json()["results"]] == ["done", "refused", "done"], made.text
    assert [one["visit_on"] for one in running.get("/visits/due?area=JA").json()["items"]] == [tomorrow, tomorrow]
    stops = running.get(f"/visits/route?on={tomorrow}&visitor=R1").json()["stops"]
    assert [(one["stop"], one["case_id"], one["second_visitor"]) for one in stops] == [
        (1, second, None), (2, first, "P1"),
    ]  # fmt: skip
