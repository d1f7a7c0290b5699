"""At-risk flags on pages: set from the case, shown on the case and where the debtor is worked, lifted with a reason."""

from collections.abc import Callable

import pytest

from casework.storage.database import writing
from tests.api.conftest import Running
from tests.console.conftest import Browsing
from tests.on_books import put_loan

Browse = Callable[..., Browsing]


@pytest.fixture
def case_id(running: Running) -> int:
    """A case of a loan on the books."""
    started = running.started
    with writing(started.engine) as conn:
        put_loan(conn, started.branch, loan_id="L1", institution="wuhan", borrower_id="B-L1", owner_staff_no="R1")
    return running.open("L1")[0]


def test_a_flag_is_set_from_the_case_and_shown_with_ground_day_and_who_until_it_is_lifted(
    browse: Browse, running: Running, case_id: int
) -> None:
    someone = browse("B1")
    someone.get(f"/console/cases/{case_id}")
    assert "/console/risks/new?loan_id=L1" in someone.page.text
    someone.get("/console/risks/new?loan_id=L1")
    assert 'value="L1"' in someone.page.text
    answer = someone.send(
        "/console/risks", {"ground": "flagged"}, data__ground="income_lost", data__noticed_on="2026-01-09"
    )
    assert answer.status_code == 303, someone.text()
    for place in ("cases", "debtors"):
        someone.get(f"/console/{place}/{case_id}")
        assert "出险客户 失业、收入中断 · 2026-01-09 (周五)发现 · 员工B1 B1" in someone.text()
    someone.get(f"/console/cases/{case_id}")
    assert "管户人 员工A1 A1" in someone.text()
    someone.get("/console/risks/1")
    assert someone.send("/console/risks/1/events", {"event": "lift"}, data__reason="recovered").status_code == 303
    someone.get(f"/console/cases/{case_id}")
    assert "出险客户 失业" not in someone.text()
    assert "管户人 员工R1 R1" in someone.text()


def test_over_http_whoever_works_the_case_sets_it_and_no_phone_collector_lifts_it(
    running: Running, case_id: int
) -> None:
    data = {"loan_id": "L1", "ground": "illness", "noticed_on": "2026-01-09"}
    flagged = running.post("/risks", "R1", json={"ground": "flagged", "data": data})
    assert flagged.status_code == 201, flagged.text
    assert running.get(f"/cases/{case_id}", "B1").json()["owner"] == "A1"
    again = running.post("/risks", "B1", json={"ground": "flagged", "data": data})
    assert (again.status_code, [one["code"] for one in again.json()["reasons"]]) == (409, ["not_flagged_yet"])
    lift = {"event": "lift", "data": {"reason": "recovered"}}
    seen = {"If-Match": '"1"'}
    assert running.post("/risks/1/events", "T1", json=lift, headers=seen).status_code == 403
    assert running.post("/risks/1/events", "A1", json=lift, headers=seen).status_code == 200
    assert running.get(f"/cases/{case_id}", "B1").json()["owner"] == "R1"
