"""A form that is older than what it is about says what has changed since, and keeps what was typed: of every noun."""

from collections.abc import Callable

import pytest

from tests.api.conftest import Running
from tests.api.test_requests import asked, suable
from tests.console.conftest import Browsing
from tests.console.test_cases import events
from tests.console.test_debtor import case

__all__ = ["case"]
Browse = Callable[..., Browsing]


@pytest.fixture
def held(running: Running, case: int) -> int:
    """A hold on the debtor of the case."""
    loan_id = running.get(f"/cases/{case}", "R1").json()["loan_id"]
    data = {"loan_id": loan_id, "hold": "complaint", "begins_at": "2026-01-10T08:00:00+08:00",
            "review_by": "2026-01-20"}  # fmt: skip
    return int(running.post("/holds", "R1", json={"ground": "set", "data": data}).json()["id"])


def test_a_stale_form_of_a_hold_says_what_has_changed_and_keeps_what_was_typed(
    browse: Browse, running: Running, held: int
) -> None:
    first, second = browse("B1"), browse("B1")
    place = f"/console/holds/{held}"
    first.get(place)
    second.get(place)
    assert second.send(f"{place}/events", {"event": "confirm"}).status_code == 303, second.text()
    typed = {"data__reason": "resolved", "data__remark": "已答复客户"}
    answer = first.send(f"{place}/events", {"event": "lift"}, **typed)
    assert answer.status_code == 412, first.text()
    text = first.text()
    assert ("该对象已被更改" in text, "期间发生的变化" in text) == (True, True)
    assert text.index("期间发生的变化") < text.index("确认") < text.index("现在可以办理")
    assert ('value="resolved" selected' in answer.text, "已答复客户" in answer.text) == (True, True)
    assert first.send(f"{place}/events", {"event": "lift"}, **typed).status_code == 303, first.text()
    picture = first.get(f"{place}/chart.svg").text
    assert ("曾经" in picture, "现在" in picture) == (True, True)


def test_a_stale_decision_of_a_request_says_what_became_of_it_and_keeps_the_remark(
    browse: Browse, running: Running
) -> None:
    number = asked(running, suable(running)).json()["request_id"]
    first, second = browse("B1"), browse("B1")
    place = f"/console/requests/{number}"
    first.get(place)
    second.get(place)
    assert second.send(f"{place}/review", remark="材料齐全").status_code == 303, second.text()
    answer = first.send(f"{place}/review", remark="另有意见")
    assert answer.status_code in (409, 412), first.text()
    assert ("期间发生的变化" in first.text(), "另有意见" in answer.text) == (True, True), first.text()
    assert "request.step.review" in events(running, f"request:{number}")


def test_whoever_decides_sees_what_has_happened_to_the_case_since_it_was_asked(
    browse: Browse, running: Running
) -> None:
    case_id = suable(running)
    number = asked(running, case_id).json()["request_id"]
    decides = browse("B1")
    decides.get(f"/console/requests/{number}")
    assert "期间发生的变化" not in decides.text()
    fact = {"kind": "limitation_check", "on": "2026-01-10", "evidence": "d:2", "data": {"ends_on": "2028-03-01"}}
    assert running.post(f"/cases/{case_id}/facts", "A1", json=fact).status_code == 200
    decides.get(f"/console/requests/{number}")
    since = decides.text().partition("期间发生的变化")[2]
    assert ("2028-03-01 (周三)" in since, "A1" in since) == (True, True), decides.text()
