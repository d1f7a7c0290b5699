"""17:00 on a page: duties by person, handing in, what came of it, breaches with their review, the daily report."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape

import pytest

from casework.intake.dialler.recording import New, put
from casework.people.staff.actor import system
from casework.storage.database import writing
from casework.work.contacts.contact import Contact
from tests.api.conftest import Running
from tests.console.conftest import Browsing

ON = "on=2026-01-10"


def test_the_duties_of_a_day_stand_by_person_and_what_is_no_breach_cannot_be_reviewed(
    browse: Callable[..., Browsing], running: Running
) -> None:
    running.open("L1", "L2", days_past_due=10)
    someone = browse("B1")
    someone.get(f"/console/evening?{ON}")
    assert "员工R1 R1" in someone.text()
    assert "没有违规联系" in someone.text()
    token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
    form = {"form_token": token, "contact_ref": "nobody's", "verdict": "explained", "on": "2026-01-10"}
    answer = someone.post("/console/evening/reviews", form)
    assert answer.status_code in (404, 422)
    assert 'role="alert"' in answer.text
    assert browse("AUD1").post("/console/evening/reviews", form).status_code == 403


def test_a_call_without_a_recording_is_reviewed_on_the_page_of_its_day(
    browse: Callable[..., Browsing], running: Running
) -> None:
    running.open("L1")
    at = datetime(2026, 1, 10, 3, tzinfo=UTC)
    silent = Contact(
        institution="wuhan", source="dialler", contact_ref="d1", loan_id="L1", borrower_id="B-L1", party="debtor",
        channel="call", started_at=at, result="no_answer", outcome="unanswered", recorded_at=at, staff_no="T1",
    )  # fmt: skip
    with writing(running.started.engine) as conn:
        put(conn, running.started.branch, [New(silent, {}, b"row")], system("cli"), at)
    risk = browse("B1")
    risk.get(f"/console/evening?{ON}")
    assert "未录音" in risk.text()
    assert risk.send("/console/evening/reviews", {"contact_ref": "d1"}, verdict="explained").status_code == 303
    risk.get(f"/console/evening?{ON}")
    assert "已说明" in risk.text()
    assert "待复核" not in risk.text().replace("待复核联系", "")
    auditor = browse("AUD1")
    auditor.get(f"/console/evening?{ON}")
    assert "未录音" in auditor.text()


@pytest.mark.parametrize("who", ["B1", "R1"])
def test_every_figure_of_a_day_opens_what_it_counts(
    browse: Callable[..., Browsing], running: Running, who: str
) -> None:  # fmt: skip
    running.open("L1", "L2", days_past_due=10)
    at = datetime(2026, 1, 10, 3, tzinfo=UTC)
    call = Contact(
        institution="wuhan", source="dialler", contact_ref="d1", loan_id="L1", borrower_id="B-L1", party="debtor",
        channel="call", started_at=at, result="no_answer", outcome="unanswered", recorded_at=at, staff_no="R1",
    )  # fmt: skip
    with writing(running.started.engine) as conn:
        put(conn, running.started.branch, [New(call, {}, b"row")], system("cli"), at)
    someone = browse(who)
    page = someone.get(f"/console/evening?{ON}").text
    figures = set(re.findall(r'<a href="(/console/evening/(?:duties|contacts)[^"]*)">([0-9]+)</a>', page))
    assert {place.partition("?")[0].rpartition("/")[2] for place, _ in figures} == {"duties", "contacts"}
    for place, number in figures:
        opened = someone.get(unescape(place)).text
        assert opened.count("<tr data-row>") == int(number), place
        assert "L1" in opened
    assert browse("T1").get(f"/console/evening/contacts?{ON}&who=R1").status_code in (403, 409)


def test_a_rep_sees_what_is_lacking_and_hands_in_with_one_button(
    browse: Callable[..., Browsing], running: Running
) -> None:
    running.open("L1", "L2", days_past_due=10)
    rep = browse("R1")
    rep.get(f"/console/evening?{ON}")
    assert "尚缺" in rep.text()
    assert "违规联系" not in rep.text()
    assert rep.send("/console/evening/hand-ins", {"whose": "R1"}).status_code == 303
    rep.get(f"/console/evening?{ON}")
    assert "迟交" in rep.text()
    assert "evening:hand_ins:1" not in rep.text()
    again = rep.post("/console/evening/hand-ins", {**token_of(rep), "on": "2026-01-10", "whose": "R1"})
    assert again.status_code == 200
    assert "R1的2026-01-10台账已于" in rep.text()
    assert browse("V1").post("/console/evening/hand-ins", {"on": "2026-01-10"}).status_code == 403


def token_of(someone: Browsing) -> dict[str, str]:
    return {"form_token": someone.page.text.split('name="form_token" value="')[1].split('"')[0]}


def test_the_basic_risk_post_hands_in_a_team_and_issues_the_report(
    browse: Callable[..., Browsing], running: Running
) -> None:
    running.open("L1", "L2", days_past_due=10)
    risk = browse("B1")
    risk.get(f"/console/evening?{ON}")
    assert risk.send("/console/evening/hand-ins", {"team": "T1"}).status_code == 303
    book = risk.get("/console/evening/ledger.xlsx?on=2026-01-10&team=T1")
    assert (book.status_code, book.content[:2]) == (200, b"PK")
    risk.get("/console/evening/report?on=2026-01-10")
    assert "未发出" in risk.text()
    assert risk.send("/console/evening/report").status_code == 303
    manager = browse("V1")
    manager.get("/console/evening/report?on=2026-01-10")
    assert "已发出" in manager.text()
    assert "员工R1 R1" in manager.text()
    manager.cookies["casework_lang"] = "en"
    manager.get("/console/evening/report?on=2026-01-10")
    assert "Could not be repaired" in manager.text()
    assert "无法修复名单" not in manager.text()
    assert manager.get("/console/evening/report.xlsx?on=2026-01-10").content[:2] == b"PK"
    assert "/console/evening/report.xlsx?on=" in manager.get("/console/evening/report").text  # of today
    auditor = browse("AUD1")
    auditor.get(f"/console/evening?{ON}")
    assert "evening:hand_ins:1" in auditor.text()
    assert browse("T1").get("/console/evening/report?on=2026-01-10").status_code == 403


def test_a_day_that_nobody_can_tell_of_is_one_sentence_on_the_page(
    browse: Callable[..., Browsing], running: Running
) -> None:
    risk = browse("B1")
    assert risk.get("/console/evening?on=2999-01-01").status_code == 422
    assert "2999-01-01晚于今天" in risk.text()
    assert risk.get("/console/evening?on=2026-01-10&team=T99").status_code == 422
    assert "没有团队T99" in risk.text()
    risk.get("/console/evening?on=2020-01-01")
    assert "2020-01-01之前尚无数据导入" in risk.text()
