"""Hand-overs on pages: from plan to receipts, carried out behind, and what is told when the world has moved."""

import re
import time
from collections.abc import Callable

import pytest

from tests.api.conftest import Running, findings
from tests.api.test_chart_moves import NAME, next_settings
from tests.api.test_chart_moves import running as moving
from tests.console.conftest import Browsing

__all__ = ["moving", "next_settings"]
Browse = Callable[..., Browsing]


def over(someone: Browsing, place: str) -> str:
    """The page once nothing runs behind it any more."""
    for _ in range(600):
        someone.get(place)
        if "data-refresh" not in someone.page.text:
            break
        time.sleep(0.05)
    return someone.text()


def test_a_departure_goes_from_plan_to_receipts_and_its_run_is_found_again(browse: Browse, running: Running) -> None:
    running.open("L1", "L2")
    someone = browse("B1")
    someone.get("/console/handovers")
    assert "没有移交计划" in someone.text()
    answer = someone.send("/console/handovers", staff_no="R1")
    assert answer.status_code == 303, someone.text()
    place = answer.headers["location"]
    text = someone.get(place) and someone.text()
    assert "尚未审批" in text
    assert "各接收人将接收" in text
    assert "T1" in text
    assert f'action="{place}/approve"' not in someone.page.text
    assert running.post(f"{place.removeprefix('/console')}/approve", "V1", json={}).status_code == 200
    someone.get(place)
    assert someone.send(f"{place}/apply").status_code == 303
    text = over(someone, place)
    assert "已移交2件案件" in text
    assert "case:1:" in text
    sheet = someone.get(f"{place}/sheets/T1.xlsx")
    assert (sheet.status_code, sheet.content[:2]) == (200, b"PK")
    someone.get("/console/handovers")
    assert "已执行" in someone.text()
    # The passwords of these tests were put in without their entries.
    assert [one for one in findings(running.started) if one.detail.get("table") != "passwords"] == []


def test_a_plan_whose_world_has_moved_says_so_and_another_stands_in_its_place(
    browse: Browse, running: Running
) -> None:  # fmt: skip
    case_id, _ = running.open("L1", "L2")
    someone = browse("B1")
    someone.get("/console/handovers")
    place = someone.send("/console/handovers", staff_no="R1").headers["location"]
    running.post(f"{place.removeprefix('/console')}/approve", "V1", json={})
    given = {"cases": [{"id": case_id}], "owner": "P1", "reason": "workload"}
    assert running.post("/assignments", "B1", json=given).status_code == 200
    someone.get(place)
    someone.send(f"{place}/apply")
    text = over(someone, place)
    assert "须重新审批" in text
    assert "已被新计划取代" in text


@pytest.mark.parametrize(
    ("typed", "told"), [({"staff_no": "NOBODY"}, "没有"), ({"staff_no": "R1", "on": "someday"}, "日期形如")]
)
def test_a_plan_that_cannot_be_made_comes_back_with_what_was_typed(
    browse: Browse, running: Running, typed: dict[str, str], told: str
) -> None:
    someone = browse("B1")
    someone.get("/console/handovers")
    answer = someone.send("/console/handovers", **typed)
    assert answer.status_code in (404, 409, 422)
    assert told in someone.text()
    assert f'value="{typed["staff_no"]}"' in answer.text


def test_whoever_may_not_plan_sees_no_form_and_is_refused(browse: Browse, running: Running) -> None:
    someone = browse("AUD1")
    someone.get("/console/handovers")
    assert 'action="/console/handovers"' not in someone.page.text
    token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
    assert someone.post("/console/handovers", {"form_token": token, "staff_no": "R1"}).status_code == 403
    assert browse("R1").get("/console/handovers").status_code == 403


class TestMoves:
    """The living go over to the next version of their chart, from the page."""

    @pytest.fixture
    def running(self, moving: Running) -> Running:
        """The branch whose chart has gone on."""
        return moving

    def test_a_move_is_asked_for_approved_run_behind_and_reported(self, browse: Browse) -> None:
        place = f"/console/rules/charts/{NAME}/moves"
        administrator, auditor, another = browse("ADM1"), browse("AUD1"), browse("B1")
        administrator.get(place)
        assert "将迁移 5" in administrator.text()
        assert administrator.send(place).status_code == 303, administrator.text()
        auditor.get(place)
        assert "等待他人批准" in auditor.text()
        (request,) = re.findall(r"/console/requests/\d+", auditor.page.text)
        another.get(request)
        assert another.send(f"{request}/approve").status_code == 303, another.text()
        auditor.get(place)
        assert "等待管理员执行" in auditor.text()
        administrator.get(place)
        assert administrator.send(f"{place}/run").status_code == 303, administrator.text()
        assert "执行报告" in over(auditor, place)
        assert "将迁移 0" in auditor.text()

    def test_a_chart_of_one_version_says_that_there_is_nothing_to_move_from(self, browse: Browse) -> None:
        someone = browse("AUD1")
        assert someone.get("/console/rules/charts/promise/moves").status_code == 200
        assert "第一版之前没有版本可迁移" in someone.text()
