"""A case on its page: what may be done, the forms of its chart, what comes back, what is masked."""

import re
from collections.abc import Callable
from datetime import date

import pytest
import sqlalchemy as sa

from casework.customer import Customer
from casework.log.tables import entries
from casework.storage.database import reading, writing
from tests.api.conftest import Running
from tests.api.test_requests import asked, suable
from tests.console.conftest import Browsing
from tests.contacted import REPAIRED, contact_day
from tests.on_books import put_borrower, put_loan

Browse = Callable[..., Browsing]


def events(running: Running, stream: str) -> list[str]:
    """What the log tells of a stream."""
    wanted = sa.select(entries.c.event).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
    with reading(running.started.engine) as conn:
        return list(conn.execute(wanted).scalars())


def test_a_case_shows_state_money_owner_and_why_what_cannot_be_done(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    someone = browse("R1")
    assert someone.get(f"/console/cases/{case_id}").status_code == 200
    text = someone.text()
    for one in ("L1", "电话催收", "1,021.00", "50,000.00", "2026-01-05 (周一)", "员工R1 R1", "入催"):
        assert one in text, one
    assert "本状态或您的岗位不能办理" in text
    assert someone.get("/console/cases").text.count("data-row") == 2  # the row, and what holds the rows


def test_an_event_is_fired_with_the_data_of_its_chart(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    someone = browse("R1")
    someone.get(f"/console/cases/{case_id}")
    answer = someone.send(
        f"/console/cases/{case_id}/events", {"event": "start_visit"}, data__address_kind="home",
        data__visit_on="2026-01-12", data__address="江岸区示例路1号",
    )  # fmt: skip
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/cases/{case_id}?done=start_visit")
    someone.get(answer.headers["location"])
    assert "已办理：安排下户" in someone.text()
    assert events(running, f"case:{case_id}")[-1] == "case.step.start_visit"


def test_what_is_wrong_stands_on_top_and_beside_its_field_and_nothing_typed_is_lost(
    browse: Browse, running: Running
) -> None:
    (case_id,) = running.open("L1")
    someone = browse("R1")
    someone.get(f"/console/cases/{case_id}")
    answer = someone.send(
        f"/console/cases/{case_id}/events", {"event": "start_visit"}, data__address_kind="home",
        data__visit_on="2025-01-12", data__address="江岸区示例路1号",
    )  # fmt: skip
    assert answer.status_code == 422
    assert someone.text().count("早于业务日期2026-01-10") == 2
    assert 'href="#event.start_visit.visit_on"' in answer.text
    assert 'aria-describedby="event.start_visit.visit_on-fault"' in answer.text
    assert "江岸区示例路1号" in answer.text
    assert 'value="2025-01-12"' in answer.text
    assert events(running, f"case:{case_id}") == ["case.opened"]


def test_a_stale_form_says_what_has_changed_and_keeps_what_was_typed(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    someone = browse("R1")
    someone.get(f"/console/cases/{case_id}")
    stale = someone.page
    meanwhile = browse("R1")
    meanwhile.get(f"/console/cases/{case_id}")
    meanwhile.send(
        f"/console/cases/{case_id}/facts", {"kind": "information_repair"}, on="2026-01-10", evidence="rec:1",
        **{f"data__{name}": value for name, value in REPAIRED.items()},
    )  # fmt: skip
    someone.page = stale
    typed = {"data__address_kind": "home", "data__visit_on": "2026-01-12", "data__address": "江岸区示例路1号"}
    answer = someone.send(f"/console/cases/{case_id}/events", {"event": "start_visit"}, **typed)
    assert answer.status_code == 412
    text = someone.text()
    assert "该对象已被更改" in text
    assert "期间发生的变化" in text
    assert text.index("信息修复") < text.index("逾期天数")  # what happened stands above the case
    assert "江岸区示例路1号" in answer.text
    answer = someone.send(f"/console/cases/{case_id}/events", {"event": "start_visit"}, **typed)
    assert answer.status_code == 303, someone.text()


def test_a_form_sent_twice_happens_once(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    someone = browse("R1")
    someone.get(f"/console/cases/{case_id}")
    page = someone.page
    for _ in range(2):
        someone.page = page
        assert someone.send(f"/console/cases/{case_id}/notes", text="客户表示月底还款").status_code == 303
    assert events(running, f"case:{case_id}") == ["case.opened", "case.noted"]
    someone.get(f"/console/cases/{case_id}")
    assert "客户表示月底还款" in someone.text()


def test_what_takes_four_eyes_is_asked_for_and_decided_by_others(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1", days_past_due=5)
    someone = browse("B1")
    someone.get(f"/console/cases/{case_id}")
    form = re.search(rf'action="/console/cases/{case_id}/requests".*?</form>', someone.page.text, re.DOTALL)
    assert form is None or "提出申请" in form[0]
    assert someone.get("/console/requests").status_code == 200
    assert "没有待处理的申请" in someone.text()


def test_whoever_decides_sees_the_case_and_who_asked_by_name_and_number(browse: Browse, running: Running) -> None:
    number = asked(running, suable(running)).json()["request_id"]
    someone = browse("B1")
    someone.get(f"/console/requests/{number}")
    assert "所涉案件 查看案件 借据号 L1 状态 电话催收 逾期天数 40 逾期金额（元） 1,021.00" in someone.text()
    assert "申请人 员工A1 A1 " in someone.text()


def test_a_borrower_is_masked_and_shown_in_clear_for_a_purpose_with_an_entry(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    started = running.started
    with writing(started.engine) as conn:
        put_loan(conn, started.branch, loan_id="L1", institution="wuhan", borrower_id="B-L1", owner_staff_no="R1")
        put_borrower(conn, started.branch, Customer("wuhan", "B-L1"), name="张伟明")
    someone = browse("R1")
    someone.get(f"/console/cases/{case_id}")
    assert "张**" in someone.text()
    assert "张伟明" not in someone.page.text
    stream = next(one for one in _streams(running) if one.startswith("borrower:"))
    assert events(running, stream) == ["personal.read"]
    answer = someone.send("/console/borrowers/B-L1/reveal", field__name="yes", purpose="collection")
    assert answer.status_code == 200
    assert "张伟明" in someone.text()
    assert answer.headers["cache-control"] == "no-store"
    assert events(running, stream)[1:] == ["personal.revealed", "personal.read"]
    someone.get("/console/borrowers/B-L1")
    assert "张伟明" not in someone.page.text
    someone.get("/console/find")
    assert someone.send("/console/find", key="case", text="77").status_code == 404
    assert "没有这个案件，或您无权查看" in someone.text()
    someone.send("/console/find", key="case", text=str(case_id))
    assert ("张**" in someone.text(), events(running, stream)[-1]) == (True, "personal.read")


def _streams(running: Running) -> list[str]:
    with reading(running.started.engine) as conn:
        return list(conn.execute(sa.select(entries.c.stream).distinct()).scalars())


def test_a_case_is_looked_at_as_of_a_past_day_with_what_has_changed_since(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    someone = browse("R1")
    answer = someone.get(f"/console/cases/{case_id}/then?at=2020-01-01")
    assert (answer.status_code, "尚未入催" in answer.text) == (404, True)
    assert someone.get(f"/console/cases/{case_id}/history").status_code == 200
    picture = someone.get(f"/console/cases/{case_id}/chart.svg")
    assert (picture.headers["content-type"], "现在" in picture.text) == ("image/svg+xml", True)


@pytest.mark.only("sqlite")
def test_an_auditor_goes_from_a_line_of_the_history_to_its_entry_and_nobody_else_is_led_there(
    browse: Browse, running: Running
) -> None:
    (case_id,) = running.open("L1")
    place = f'href="/console/log/entries/case%3A{case_id}%3A1"'
    auditor = browse("AUD1")
    for page in ("", "/history", "/then"):
        auditor.get(f"/console/cases/{case_id}{page}")
        assert (place in auditor.page.text) == (page != "/then"), page
    assert auditor.get(f"/console/log/entries/case:{case_id}:1").status_code == 200
    assert place not in browse("R1").get(f"/console/cases/{case_id}").text


@pytest.mark.only("sqlite")
def test_the_filter_of_a_list_is_the_address_and_an_unknown_part_is_told(browse: Browse, running: Running) -> None:
    running.open("L1", "L2", days_past_due=5)
    running.open("L3", days_past_due=40)
    someone = browse("R1")
    someone.get("/console/cases?dpd_min=30&state=&bucket=&loan_id=&worked_by=&dpd_max=&live=&sort=oldest_due_date")
    assert someone.page.text.count("<tr data-row") == 1, someone.text()
    assert 'name="dpd_min" inputmode="numeric" value="30"' in someone.page.text


def test_a_promise_is_opened_from_its_chart_on_the_page_of_its_case(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    someone = browse("R1")
    someone.get(f"/console/cases/{case_id}")
    running.do(contact_day(case_id, date(2026, 1, 10), connected=True))
    someone.get(f"/console/promises/new?of={case_id}")
    answer = someone.send("/console/promises", data__amount_fen="10.00", data__pay_by="2026-01-12")
    assert answer.status_code in (409, 422)
    assert 'value="10.00"' in answer.text  # too little, and still there
    answer = someone.send(
        "/console/promises", data__amount_fen="1,021.00", data__pay_by="2026-01-12", data__made_on="2026-01-10"
    )
    assert answer.status_code == 303, someone.text()
    someone.get(answer.headers["location"])
    assert "1,021.00" in someone.text()
    assert "还款承诺" in someone.get("/console/promises").text
    someone.get(f"/console/cases/{case_id}")
    assert "待兑现" in someone.text()


def test_a_list_is_taken_out_as_a_workbook_by_whom_the_table_lets_and_that_is_an_entry(
    browse: Browse, running: Running
) -> None:
    running.open("L1", "L2")
    assert browse("R1").get("/console/cases.xlsx?purpose=work").status_code == 403
    someone = browse("B1")
    someone.get("/console/cases?live=true")
    assert 'action="/console/cases.xlsx"' in someone.page.text
    answer = someone.get("/console/cases.xlsx?live=true&purpose=work")
    assert (answer.status_code, answer.content[:2]) == (200, b"PK")
    assert "cases.exported" in events(running, "exports:B1")


def test_a_case_is_opened_by_hand_and_what_was_typed_wrong_comes_back(browse: Browse, running: Running) -> None:
    branch, him = running.started.branch, Customer("wuhan", "B-L7")
    with writing(running.started.engine) as conn:
        put_loan(
            conn, branch, loan_id="L7", institution="wuhan", borrower_id="B-L7", product="consumer",
            owner_staff_no="R1", team="T1", region="R1", principal_fen=9_000_000,
            outstanding_principal_fen=5_000_000, row_hash=b"7",
        )  # fmt: skip
        put_borrower(conn, branch, him, name="甄不存", id_number="000000199001010001")
    someone = browse("P1")
    someone.get("/console/cases")
    assert "/console/cases/new" in someone.page.text
    someone.get("/console/cases/new")
    answer = someone.send("/console/cases/new", {"ground": "misuse"}, loan_id="NONE", data__finding="inspection:7")
    assert answer.status_code in (404, 422)
    assert 'value="inspection:7"' in answer.text
    answer = someone.send(
        "/console/cases/new", {"ground": "misuse"}, loan_id="L7", data__finding="inspection:7",
        data__recall_demand="letter:7",
    )  # fmt: skip
    assert answer.status_code == 303, someone.text()
    assert someone.get(answer.headers["location"]).status_code == 200
    assert "L7" in someone.text()
    assert browse("AUD1").get("/console/cases/new").status_code == 403


@pytest.mark.parametrize("typed", ["29/11/2026", "2026-13-40", "gestern"])
def test_a_day_that_is_none_is_told_beside_its_field(browse: Browse, running: Running, typed: str) -> None:
    (number,) = running.open("L1")
    someone = browse("R1")
    someone.get(f"/console/cases/{number}")
    assert 'type="date"' not in someone.page.text
    assert 'pattern="[0-9]{4}-[0-9]{2}-[0-9]{2}"' in someone.page.text
    someone.get(f"/console/promises/new?of={number}")
    answer = someone.send("/console/promises", data__amount_fen="1,021.00", data__pay_by=typed)
    assert answer.status_code == 422
    assert f'value="{typed}"' in answer.text
    assert "fault" in answer.text
