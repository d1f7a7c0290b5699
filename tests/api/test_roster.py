"""The roster and outages over HTTP: entered, shown, by whom, and who answers for who is off."""

from datetime import date

import pytest

from casework.lifecycle.tables import days_swept
from casework.storage.database import writing
from tests.api.conftest import Running, findings

DAY = "2126-03-10"
"""After any today: posts are held from the day on which a test runs."""


def test_shifts_are_entered_shown_and_answered_by(running: Running) -> None:
    given = {"shifts": [{"day": DAY, "staff_no": "R1", "shift": "rest", "stand_in": "P1"},
                        {"day": DAY, "staff_no": "T1", "shift": "day"}]}  # fmt: skip
    for days in ([DAY], []):
        answer = running.post("/roster", "B1", json=given)
        assert (answer.status_code, answer.json()["days_changed"]) == (200, days), answer.text
        assert answer.json()["by_outcome"] == {"done": 2}
    shown = running.get(f"/roster?from={DAY}", "R1").json()
    assert [(one["staff_no"], one["shift"], one["stand_in"]) for one in shown["items"]] == [
        ("R1", "rest", "P1"), ("T1", "day", None)
    ]  # fmt: skip
    assert shown["codes"]["rest"] == {"zh": "休息", "en": "day off"}
    assert running.get(f"/roster/answers?on={DAY}", "R1").json()["items"] == [
        {"staff_no": "R1", "answers": "P1", "why": "stand_in", "why_zh": "班表指定替班",
         "why_en": "whom the roster names in their place", "nobody_on": False, "posts": ["business_rep"]}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("by", "shift", "status", "code"),
    [
        ("R1", {"shift": "day"}, 403, "post_not_permitted"), ("B1", {"shift": "holiday"}, 422, "roster_faulty"),
        ("B1", {"shift": "rest", "stand_in": "X9"}, 422, "roster_faulty"), ("B1", {}, 422, "invalid_request"),
        ("B1", {"shift": "day", "stand_in": "P1"}, 422, "roster_faulty"),
    ],
)  # fmt: skip
def test_a_shift_that_cannot_be_is_refused_and_says_why(
    running: Running, by: str, shift: dict[str, str], status: int, code: str
) -> None:
    answer = running.post("/roster", by, json={"shifts": [{"day": DAY, "staff_no": "R1", **shift}]})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert running.get(f"/roster?from={DAY}", "R1").json()["items"] == []


def test_not_atomic_each_shift_has_its_own_result_with_field_and_fault(running: Running) -> None:
    wanted = [("R1", "rest"), ("X9", "day"), ("T1", "holiday"), ("R1", "day")]
    given = [{"day": DAY, "staff_no": staff_no, "shift": shift} for staff_no, shift in wanted]
    answer = running.post("/roster", "B1", json={"shifts": given, "atomic": False})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [(one["outcome"], one["status"], one["field"]) for one in body["results"]] == [
        ("done", 200, None), ("unknown_staff", 422, "staff_no"), ("shift_unknown", 422, "shift"),
        ("shift_repeated", 422, "staff_no"),
    ]  # fmt: skip
    assert (body["days_changed"], body["by_outcome"]["done"]) == ([DAY], 1)
    assert all(one["zh"] and one["en"] for one in body["results"][1:])
    assert [one["staff_no"] for one in running.get(f"/roster?from={DAY}", "R1").json()["items"]] == ["R1"]


def test_outages_are_declared_and_withdrawn_some_at_a_time_with_a_result_for_each(running: Running) -> None:
    """A day that is closed is refused, with from when on one may be declared."""
    with writing(running.started.engine) as conn:
        conn.execute(days_swept.insert().values(institution="wuhan", swept_on=date(2026, 1, 8)))
    given = [{"day": "2026-01-10", "reason": "telephone"}, {"day": "2026-01-08", "reason": "power"},
             {"day": "2126-01-10", "reason": "power"}, {"day": "2026-01-11", "reason": "boredom"},
             {"day": "2026-01-10", "reason": "power"}, {"day": "2026-01-12", "reason": None}]  # fmt: skip
    codes = ["done", "outage_of_closed_day", "outage_to_come", "outage_reason_unknown", "outage_declared",
             "outage_unknown"]  # fmt: skip
    whole = running.post("/outages/declarations", "B1", json={"outages": given, "atomic": True})
    assert [one["outcome"] for one in whole.json()["results"]] == ["not_done", *codes[1:]], whole.text
    answer = running.post("/outages/declarations", "B1", json={"outages": given})
    assert [one["outcome"] for one in answer.json()["results"]] == codes, answer.text
    assert "2026-01-09" in answer.json()["results"][1]["en"]
    assert [one["day"] for one in running.get("/outages", "T1").json()["items"]] == ["2026-01-10"]
    back = {"outages": [{"day": "2026-01-10", "reason": None}, {"day": "2026-01-10", "reason": "power"}]}
    again = running.post("/outages/declarations", "B1", json=back)
    assert again.json()["by_outcome"] == {"done": 2}, again.text
    assert [one["reason"] for one in running.get("/outages", "T1").json()["items"]] == ["power"]
    assert running.post("/outages/declarations", "T1", json=back).status_code == 403
    closed = running.post("/outages", "B1", json={"day": "2026-01-05", "reason": "power"})
    assert (closed.status_code, closed.json()["code"], closed.json()["first"]) == (
        422, "outage_of_closed_day", "2026-01-09"
    )  # fmt: skip
    assert findings(running.started) == []


def test_what_asks_for_too_many_days_is_told(running: Running) -> None:
    answer = running.get(f"/roster?from={DAY}&until=2126-12-31", "R1")
    assert (answer.status_code, answer.json()["code"]) == (422, "roster_days_too_many")


def test_an_outage_is_declared_and_withdrawn_by_basic_risk_alone(running: Running) -> None:
    outage = {"day": "2026-01-10", "reason": "telephone"}
    assert running.post("/outages", "T1", json=outage).status_code == 403
    assert running.post("/outages", "B1", json={**outage, "reason": "boredom"}).json()["code"] == (
        "outage_reason_unknown"
    )
    declared = running.post("/outages", "B1", json=outage)
    assert declared.json()["items"] == [{**outage, "zh": "电话线路故障", "en": "telephone lines"}], declared.text
    assert running.get("/outages", "T1").json() == declared.json()
    assert running.post("/outages/withdrawals", "B1", json={"day": "2026-01-10"}).json()["items"] == []
    assert running.post("/outages/withdrawals", "B1", json={"day": "2026-01-10"}).json()["code"] == "outage_unknown"
