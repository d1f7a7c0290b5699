"""Work one debtor: the gate's answer before the call, the number once it begins, the outcome in one key, the next."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from api import contact_permits
from api.console.day import pages as day_pages
from api.console.debtor import contact, pages
from api.permit_desk import PermitDesk
from casework.customer import Customer
from casework.storage.database import writing
from tests.api.conftest import Running, findings
from tests.console.conftest import Browsing
from tests.console.test_cases import events
from tests.on_books import put_borrower, put_contact, put_loan

Browse = Callable[..., Browsing]
PHONE = "12000000001"
NOON = datetime(2026, 1, 12, 4, tzinfo=UTC)
NIGHT = datetime(2026, 1, 12, 15, tzinfo=UTC)
STREAM = "borrower:wuhan~B-L1"


@pytest.fixture
def at(running: Running, monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Says what time it is for whoever calls."""
    desk: PermitDesk = running.client.app.state["serving"].permits

    def said(moment: datetime) -> None:
        desk.clock = lambda: moment
        monkeypatch.setattr(contact_permits, "now", lambda: moment)
        for module in (pages, contact):
            monkeypatch.setattr(module, "now", lambda: moment)

    said(NOON)
    return said


@pytest.fixture
def case(running: Running) -> int:
    """A case of a borrower who is on the books with a number."""
    return opened_with_a_number(running, days_past_due=40)


def opened_with_a_number(running: Running, *, days_past_due: int) -> int:
    branch, debtor = running.started.branch, Customer("wuhan", "B-L1")
    with writing(running.started.engine) as conn:
        put_loan(
            conn, branch, loan_id="L1", institution="wuhan", borrower_id="B-L1", product="consumer",
            owner_staff_no="R1", team="T1", region="R1", principal_fen=9_000_000,
            outstanding_principal_fen=5_000_000, row_hash=b"1",
        )  # fmt: skip
        put_borrower(conn, branch, debtor, name="甄不存", id_number="000000199001010001")
        put_contact(conn, branch, debtor, name="甄不存", phone=PHONE, address="虚构路1号", address_kind="home")
    return running.open("L1", days_past_due=days_past_due)[0]


def test_the_gate_answers_before_the_call_and_the_number_is_shown_when_it_begins(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    someone = browse("R1")
    assert someone.get(f"/console/debtors/{case}").status_code == 200
    text = someone.text()
    for one in ("甄**", "120****0001", "今日已接通 0/", "22:00后禁止", "可以拨打", "0/6"):
        assert one in text, one
    assert PHONE not in someone.page.text
    answer = someone.send(f"/console/debtors/{case}/dial")
    assert answer.status_code == 200, someone.text()
    assert PHONE in someone.text()
    assert "先核实身份" in someone.text()
    assert "personal.revealed" in events(running, STREAM)
    someone.get(f"/console/debtors/{case}")
    assert PHONE not in someone.page.text


def test_the_lenders_own_account_is_read_out_where_the_branch_has_entered_it(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    assert "本行还款账户：" not in someone.send(f"/console/debtors/{case}/dial").text
    for policy in running.client.app.state["serving"].branch.rulebook.policies.all:
        monkeypatch.setitem(policy.figures, "branch.repayment_account", "示例银行武汉分行 6200 0000 0001")
    assert "本行还款账户：" in someone.get(f"/console/debtors/{case}").text
    assert "示例银行武汉分行 6200 0000 0001" in someone.text()


def test_an_unanswered_call_is_on_record_and_the_next_debtor_comes(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    (other,) = running.open("L2", days_past_due=30)
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    someone.send(f"/console/debtors/{case}/dial")
    answer = someone.send(f"/console/debtors/{case}/outcome", result="no_answer", note="响铃未接")
    assert (answer.status_code, answer.headers["location"]) == (
        303, f"/console/debtors/{other}?saved=permit-1",
    ), someone.text()  # fmt: skip
    assert events(running, STREAM)[-1] in ("contact.recorded", "personal.read")
    someone.get(f"/console/debtors/{case}")
    assert "1/6" in someone.text()
    assert "无人接听" in someone.text()
    # The passwords of these tests were put in without their entries.
    assert [one for one in findings(running.started) if one.detail.get("table") != "passwords"] == []


def test_whoever_was_reached_stays_on_the_page_for_a_promise(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    running.open("L2")
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    someone.send(f"/console/debtors/{case}/dial")
    answer = someone.send(f"/console/debtors/{case}/outcome", result="debtor")
    assert answer.headers["location"] == f"/console/debtors/{case}?saved=permit-1"
    someone.get(answer.headers["location"])
    assert "今日已接通 1/" in someone.text()
    answer = someone.send(f"/console/debtors/{case}/promises", **{"data.amount_fen": "500.00", "data.pay_by": "2026-2"})
    for part in ('href="#promise.pay_by"', 'id="promise.pay_by"', 'id="promise.pay_by-fault"', 'value="500.00"'):
        assert part in answer.text, part
    someone.get(f"/console/debtors/{case}")
    answer = someone.send(f"/console/debtors/{case}/promises", **{"data.amount_fen": "500.00"})
    assert (answer.status_code, answer.headers["location"]) == (
        303, f"/console/debtors/{case}?agreed=promise&with={case}",
    ), someone.text()  # fmt: skip
    someone.get(answer.headers["location"])
    assert "已登记： 还款承诺 " in someone.text()
    assert "500.00" in someone.get(f"/console/debtors/{case}").text


def test_what_the_gate_forbids_says_why_and_from_when(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    at(NIGHT)  # it has become late since the page was opened
    answer = someone.send(f"/console/debtors/{case}/dial")
    assert answer.status_code == 409
    assert "22:00至次日8:00不得联系" in someone.text()
    assert "2026-01-13 08:00 +08:00起" in someone.text()
    assert PHONE not in answer.text
    assert " disabled" in answer.text


def test_a_result_that_is_none_keeps_the_call_open(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    someone.send(f"/console/debtors/{case}/dial")
    assert someone.send(f"/console/debtors/{case}/outcome", result="nothing", note="说到一半").status_code == 422
    assert "说到一半" in someone.page.text
    page = someone.page
    assert someone.send(f"/console/debtors/{case}/outcome", result="busy").status_code == 303
    someone.page = page
    assert someone.send(f"/console/debtors/{case}/outcome", result="busy").status_code in (409, 422)


def test_that_a_debtor_says_to_have_paid_is_recorded_from_the_page_and_the_gate_says_so_there(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    assert f"/console/remittances/new?of={case}" in someone.page.text
    someone.get(f"/console/remittances/new?of={case}")
    said = {"data.said_at": "2026-01-12T10:00", "data.paid_on": "2026-01-12", "data.proof": "slip:77"}
    answer = someone.send("/console/remittances", **said)
    assert answer.status_code == 303, someone.text()
    someone.get(f"/console/debtors/{case}")
    text = someone.text()
    for one in ("客户称已还", "待核", "已还款或客户称已还，下一份数据到达前不得催收"):
        assert one in text, one


def test_a_wrong_outcome_is_put_right_by_a_key_after_it_was_saved_and_later_with_a_reason(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    (other,) = running.open("L2", days_past_due=30)
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    someone.send(f"/console/debtors/{case}/dial")
    answer = someone.send(f"/console/debtors/{case}/outcome", result="debtor_hung_up")
    someone.get(f"/console/debtors/{other}?saved=permit-1")
    assert ("已登记" in someone.text(), 'data-press="u"' in someone.page.text) == (True, True)
    place = f"/console/contacts/one?source=api&contact_ref=permit-1&next=/console/debtors/{other}"
    assert someone.get(place).status_code == 200
    answer = someone.send("/console/contacts/one", result="no_answer")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/debtors/{other}"), someone.text()
    assert events(running, STREAM)[-1] == "contact.corrected"
    at(datetime.now(UTC) + timedelta(minutes=2))
    someone.get(place)
    assert " required" in someone.page.text
    answer = someone.send("/console/contacts/one", result="busy")
    assert (answer.status_code, "须说明更正原因" in someone.text()) == (422, True)
    assert someone.send("/console/contacts/one", result="busy", reason="按错").status_code == 303
    someone.get(f"/console/debtors/{case}")
    assert "占线" in someone.text()
    browse("AUD1").get(place)
    colleague = browse("T1")
    assert colleague.get(place).status_code in (403, 404, 422)


def test_a_hold_that_waits_to_be_confirmed_is_on_the_first_page_of_the_basic_risk_post_with_who_set_it(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    data = {"loan_id": "L1", "hold": "complaint", "begins_at": "2026-01-10T08:00:00+08:00", "review_by": "2026-01-20"}
    number = running.post("/holds", "R1", json={"ground": "set", "data": data}).json()["id"]
    someone = browse("B1")
    text = someone.get("/console").text
    assert f"/console/holds/{number}" in text
    assert "待确认的停催" in text
    assert "R1" in text
    someone = browse("R1")
    assert "待确认的停催" not in someone.get("/console").text
    assert "设置人" in someone.get(f"/console/debtors/{case}").text


def test_a_new_number_is_entered_with_source_and_ground_and_shown_with_its_state(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    """Without a script, in both languages; `r` goes to the field with one."""
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    assert 'data-press-focus="r"' in someone.page.text
    said = {"phone": "121 0000 0001", "role": "contact", "name": "甄不存二", "from": "debtor/consent"}
    answer = someone.send(f"/console/debtors/{case}/numbers", **said)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/debtors/{case}"), someone.text()
    someone.get(f"/console/debtors/{case}")
    text = someone.text()
    for one in ("121******0001", "未核实", "借款人本人提供", "联系人"):
        assert one in text, one
    assert "12100000001" not in someone.page.text.replace(" ", "")
    assert "contact.added" in events(running, STREAM)
    again = someone.send(f"/console/debtors/{case}/numbers", **said | {"phone": "+8612100000001"})
    assert again.status_code == 303
    assert events(running, STREAM).count("contact.added") == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"phone": "call me"}, "不是电话号码"), ({"from": "bought_data/consent"}, "个人信息不得买卖"),
        ({"from": ""}, "未登记的信息来源"),
    ],
)  # fmt: skip
def test_a_number_that_may_not_be_entered_says_why_and_keeps_what_was_typed(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None], wrong: dict[str, str], told: str
) -> None:
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    said = {"phone": "12100000001", "role": "contact", "name": "甄不存二", "from": "debtor/consent"} | wrong
    assert someone.send(f"/console/debtors/{case}/numbers", **said).status_code == 422
    assert told in someone.text()
    assert "甄不存二" in someone.page.text
    assert "contact.added" not in events(running, STREAM)


def test_a_case_whose_debtor_does_not_answer_while_a_contact_did_is_half_lost(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    """On the page of the debtor, on that of the case and in its detail; until the debtor is reached."""
    someone = browse("R1")

    def told(result: str, **more: str) -> bool:
        row = {"contact_ref": f"c1-{result}", "loan_id": "L1", "party": "debtor", "phone": PHONE, "channel": "call",
               "started_at": "2026-01-11T10:00:00+08:00", "result": result} | more  # fmt: skip
        answer = running.post("/contacts", json={"contacts": [row]})
        assert answer.json()["by_outcome"] == {"done": 1}, answer.text
        said: bool = running.get(f"/cases/{case}").json()["half_lost"]
        for page in (f"/console/debtors/{case}", f"/console/cases/{case}"):
            someone.get(page)
            assert ("半失联" in someone.text()) is said, page
        return said

    assert not told("no_answer")
    assert not told("wrong_number", party="contact", phone="12100000001")
    assert told("third_party", party="contact", phone="12100000002")
    assert not told("debtor", started_at="2026-01-11T11:00:00+08:00")


def test_a_call_back_is_taken_down_on_the_page_by_its_minute(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    assert 'data-press-focus="c"' in someone.page.text
    answer = someone.send(f"/console/debtors/{case}/callbacks", data__due_at="2026-01-12T15:30", data__party="debtor")
    assert (answer.status_code, answer.headers["location"]) == (
        303, f"/console/debtors/{case}?agreed=callback&with={case}",
    ), someone.text()  # fmt: skip
    someone.get(f"/console/debtors/{case}")
    assert ("待回拨" in someone.text(), "2026-01-12 15:30" in someone.text()) == (True, True)


def test_a_number_is_marked_as_refused_or_ended_where_the_debtor_is_worked(
    browse: Browse, running: Running, case: int, at: Callable[[datetime], None]
) -> None:
    someone = browse("R1")
    someone.get(f"/console/debtors/{case}")
    place = f"/console/debtors/{case}/marks"
    assert someone.send(place, mark="refused", remark=" ").status_code == 422
    assert "须说明何以得知" in someone.text()
    assert someone.send(place, mark="refused", remark="来信").status_code == 303
    someone.get(f"/console/debtors/{case}")
    assert "拒绝联系" in someone.text()
    assert someone.send(place, mark="ended", remark="登记有误").status_code == 303
    someone.get(f"/console/debtors/{case}")
    assert "没有可拨打的号码" in someone.text()
    assert [one for one in events(running, STREAM) if one.startswith("contact.")] == [
        "contact.refused",
        "contact.ended",
    ]


def test_my_day_says_from_when_each_debtor_may_be_called_and_when_they_asked_to_be(
    browse: Browse, running: Running, at: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = opened_with_a_number(running, days_past_due=10)  # who is to be called; later on they would be visited
    running.open("L2", days_past_due=10)  # of a borrower without a number
    monkeypatch.setattr(day_pages, "now", lambda: NOON)
    someone = browse("R1")
    someone.get("/console/day")
    someone.send("/console/day/take")
    someone.get("/console/day")
    assert ("可以拨打" in someone.text(), "无号码" in someone.text()) == (True, True), someone.text()
    someone.get(f"/console/debtors/{case}")
    assert someone.send(
        f"/console/debtors/{case}/callbacks", data__due_at="2026-01-12T15:30", data__party="debtor"
    ).status_code == 303  # fmt: skip
    monkeypatch.setattr(day_pages, "now", lambda: NIGHT)
    someone.get("/console/day")
    text = someone.text()
    assert ("2026-01-12 15:30 +08:00 本人" in text, "2026-01-13 08:00 +08:00" in text) == (True, True), text
    assert "可以拨打" not in text
