"""Giving out a morning over HTTP: only looked at, run behind, who may, and what it tells."""

import time
from typing import Any

from tests.api.conftest import BUSINESS_DATE, Running

DAY = BUSINESS_DATE.isoformat()


def run(running: Running, **body: Any) -> Any:
    """Begin, and wait until it is over."""
    begun = running.post("/distribution", "B1", json={"on": DAY, **body})
    assert begun.status_code == 202, begun.text
    assert begun.headers["location"] == "/distribution"
    for _ in range(200):
        told = running.get("/distribution", "B1").json()
        if told["status"] != "running":
            return told
        time.sleep(0.05)
    raise AssertionError("it does not end")


def test_a_dry_run_says_what_would_move_and_the_run_moves_it_and_again_nothing(running: Running) -> None:
    first, second = running.open("L1", "L2")
    looked = run(running, dry_run=True)
    assert (looked["status"], looked["dry_run"], looked["moves_in_all"]) == ("done", True, 2)
    assert [(one["case_id"], one["owner"], one["handler"], one["rule"]) for one in looked["moves"]] == [
        (first, "R1", "T1", "m1_phone"), (second, "R1", "T1", "m1_phone"),
    ]  # fmt: skip
    assert running.get(f"/cases/{first}", "B1").json()["handler"] == "R1"
    done = run(running)
    assert (done["moves_in_all"], done["outcome"]["refused"], done["done"]) == (2, [], 2)
    assert running.get(f"/cases/{first}", "B1").json()["handler"] == "T1"
    assert run(running)["moves_in_all"] == 0


def test_moves_come_in_pages(running: Running) -> None:
    numbers = running.open("L1", "L2", "L3")
    run(running, dry_run=True)
    page = running.get("/distribution?limit=2", "B1").json()
    assert ([one["case_id"] for one in page["moves"]], page["next"]) == (numbers[:2], numbers[1])
    rest = running.get(f"/distribution?limit=2&after={page['next']}", "B1").json()
    assert ([one["case_id"] for one in rest["moves"]], rest["next"]) == (numbers[2:], None)


def test_before_anybody_began_one_there_is_none_and_only_basic_risk_may(running: Running) -> None:
    assert running.get("/distribution", "B1").json()["status"] == "none"
    for staff_no in ("R1", "T1", "AUD1"):
        assert running.post("/distribution", staff_no, json={"on": DAY}).status_code == 403
        assert running.get("/distribution", staff_no).status_code == 403
    assert running.post("/distribution", "B1", json={"on": "yesterday"}).status_code == 422
