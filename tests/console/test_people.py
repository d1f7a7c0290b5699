"""The register on pages: somebody new, posts that another approves, leave with a deputy, codes, keys of one's own."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from casework.clock import now
from tests.api.conftest import Running
from tests.console.conftest import Browsing

Browse = Callable[..., Browsing]


def test_somebody_new_is_registered_and_the_post_waits_for_somebody_else(browse: Browse, running: Running) -> None:
    someone = browse("ADM1")
    someone.get("/console/staff")
    answer = someone.send("/console/staff/new/register", staff_no="N7", name="新来者", post="business_rep", team="T1")
    assert answer.status_code == 200, someone.text()
    assert "已提交申请" in someone.text()
    number = re.search(r"/console/requests/(\d+)", answer.text)[1]  # type: ignore[index]  # it is there
    someone.get("/console/staff/N7")
    assert "新来者" in someone.text()
    approver = browse("V1")
    approver.get(f"/console/requests/{number}")
    assert approver.send(f"/console/requests/{number}/approve").status_code == 303, approver.text()
    someone.get("/console/staff/N7")
    assert "业务代表" in someone.text()


def test_what_is_wrong_with_a_field_stands_beside_it_and_the_rest_is_kept(browse: Browse) -> None:
    someone = browse("ADM1")
    someone.get("/console/staff")
    answer = someone.send("/console/staff/new/register", staff_no="N7", name="新来者", joined_on="31.12.2026")
    assert answer.status_code == 422
    assert "日期形如 2026-03-31" in someone.text()
    assert 'value="新来者"' in answer.text
    answer = someone.send("/console/staff/new/register", staff_no="R1", name="重复", joined_on="")
    assert answer.status_code in (409, 422)
    assert 'value="重复"' in answer.text


def test_leave_is_recorded_by_whoever_goes_and_by_the_administrator_for_others(
    browse: Browse, running: Running
) -> None:
    today = running.started.branch.today(now())
    days = {"from_on": str(today + timedelta(days=1)), "until_on": str(today + timedelta(days=3)), "reason": "leave"}
    someone = browse("R1")
    someone.get("/console/staff/R1")
    assert someone.send("/console/staff/R1/leave/leave", **days).status_code == 303, someone.text()
    someone.get("/console/staff/R1")
    assert "休假" in someone.text()
    someone.get("/console/staff/T1")
    assert "/leave/leave" not in someone.page.text
    token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
    assert someone.post("/console/staff/T1/leave/leave", {"form_token": token, **days}).status_code == 403
    keeper = browse("ADM1")
    keeper.get("/console/staff/R1")
    answer = keeper.send("/console/staff/R1/leave/back", from_on=days["from_on"])
    assert answer.status_code == 303, keeper.text()


def test_a_one_time_code_is_told_once_and_sets_a_password(browse: Browse) -> None:
    keeper = browse("ADM1")
    keeper.get("/console/staff/R1")
    answer = keeper.send("/console/staff/R1/access/code")
    assert answer.status_code == 200, keeper.text()
    code = re.search(r"<code[^>]*>([A-Z0-9-]{19})</code>", answer.text)[1]  # type: ignore[index]  # it is there
    keeper.get("/console/staff/R1")
    assert code not in keeper.page.text
    someone = browse()
    someone.get("/console/password")
    words = "five other plain words here"
    given = {"staff_no": "R1", "code": code, "new_password": words, "again": words}
    assert someone.send("/console/password", **given).status_code == 303, someone.text()
    assert someone.log_in("R1").status_code == 401


@pytest.mark.parametrize("place", ["changes/post", "changes/leave", "access/code", "leave/move"])
def test_a_deed_is_done_only_by_whom_and_where_it_is_declared(browse: Browse, place: str) -> None:
    someone = browse("R1")
    someone.get("/console/staff/T1")
    token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
    answer = someone.post(f"/console/staff/T1/{place}", {"form_token": token, "post": "approver"})
    assert answer.status_code in (403, 404)


def test_a_key_of_ones_own_is_shown_once_works_and_is_revoked(browse: Browse, running: Running) -> None:
    someone = browse("R1")
    someone.get("/console/keys")
    answer = someone.send("/console/keys", label="报表", days="30", commands="case.read")
    assert answer.status_code == 200, someone.text()
    key = re.search(r"<code[^>]*>(cw_[\w-]+)</code>", answer.text)[1]  # type: ignore[index]  # it is there
    bearer = {"Authorization": f"Bearer {key}"}
    assert running.client.get("/cases", headers=bearer).status_code == 200
    assert someone.send("/console/keys", label="", days="30").status_code == 422
    someone.get("/console/keys")
    assert key not in someone.page.text
    place = re.findall(r"/console/keys/\d+/revoke", someone.page.text)[-1]
    assert someone.send(place).status_code == 303
    assert running.client.post("/me/keys", headers=bearer, json={"label": "x", "days": 1}).status_code in (401, 403)


def test_a_key_of_a_program_is_issued_shown_once_and_revoked_by_an_administrator(
    browse: Browse, running: Running
) -> None:
    someone = browse("ADM1")
    someone.get("/console/keys")
    asked = {"program": "prometheus", "owner": "B1", "commands": "service.read", "days": "30"}
    answer = someone.send("/console/programs", **asked)
    assert answer.status_code == 200, someone.text()
    key = re.search(r"<code[^>]*>(cw_[\w-]+)</code>", answer.text)[1]  # type: ignore[index]  # it is there
    assert running.client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert someone.send("/console/programs", **(asked | {"commands": "request.decide"})).status_code == 422
    owner = browse("B1")
    owner.get("/console/keys")
    assert "prometheus" in owner.text()
    assert "/console/programs" not in owner.page.text
    someone.get("/console/keys")
    assert key not in someone.page.text
    (place,) = re.findall(r"/console/programs/prometheus/keys/\d+/revoke", someone.page.text)
    assert someone.send(place).status_code == 303
    assert running.get("/programs", "ADM1").json()["items"] == []
