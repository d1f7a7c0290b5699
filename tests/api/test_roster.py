"""The roster and outages over HTTP: entered, shown, by whom, and who answers for who is off."""

import pytest

from tests.api.conftest import Running

DAY = "2126-03-10"
"""After any today: posts are held from the day on which a test runs."""


def test_shifts_are_entered_shown_and_answered_by(running: Running) -> None:
    given = {"shifts": [{"day": DAY, "staff_no": "R1", "shift": "rest", "stand_in": "P1"},
                        {"day": DAY, "staff_no": "T1", "shift": "day"}]}  # fmt: skip
    for days in ([DAY], []):
        answer = running.post("/roster", "B1", json=given)
        assert (answer.status_code, answer.json()) == (200, {"days_changed": days}), answer.text
    shown = running.get(f"/roster?from={DAY}", "R1").json()
    assert [(one["staff_no"], one["shift"], one["stand_in"]) for one in shown["items"]] == [
        ("R1", "rest", "P1"), ("T1", "day", None)
    ]  # fmt: skip
    assert shown["codes"]["rest"] == {"zh": "休息", "en": "day off"}
    assert running.get(f"/roster/answers?on={DAY}", "R1").json() == [
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
    assert declared.json() == [{**outage, "zh": "电话线路故障", "en": "telephone lines"}], declared.text
    assert running.get("/outages", "T1").json() == declared.json()
    assert running.post("/outages/withdrawals", "B1", json={"day": "2026-01-10"}).json() == []
    assert running.post("/outages/withdrawals", "B1", json={"day": "2026-01-10"}).json()["code"] == "outage_unknown"
