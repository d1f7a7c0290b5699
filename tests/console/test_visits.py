"""Visits on pages, without any script: the route of the day, one stop of it, its photos; each look is an entry."""

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.log.tables import entries
from casework.people.identity import passwords
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from tests.api.conftest import LONG_AGO, Running
from tests.api.test_visits import looks
from tests.console.browser import PASSWORD
from tests.console.conftest import Browsing
from tests.fed import dated
from tests.ordered import ordered_early
from tests.test_pictures import camera, scene, written

Browse = Callable[..., Browsing]
BOARD = "/console/visits/review"
ADDRESS = "江岸区示例路1号2单元"
CHECK_IN, CHECK_OUT, REPORT = {"event": "check_in"}, {"event": "check_out"}, {"event": "report"}
TOLD = {
    "data__outcome": "not_found", "data__person_met": "neighbour", "data__house": "confirmed",
    "data__workplace": "not_checked", "data__attitude": "not_met", "data__ability": "not_known",
    "data__next_step": "visit_again",
}  # fmt: skip


@pytest.fixture
def today(running: Running) -> date:
    """The branch is fed up to today, the day of the visit."""
    branch = running.started.branch
    day = branch.today(now())
    with writing(running.started.engine) as conn:
        dated(conn, branch, day)
    return day


@pytest.fixture
def day(running: Running) -> date:
    """The branch is fed up to yesterday, the day of the visit: whatever the hour is, all of it has happened."""
    branch = running.started.branch
    found = branch.today(now()) - timedelta(days=1)
    with writing(running.started.engine) as conn:
        dated(conn, branch, found)
    return found


def ordered(running: Running, loan: str, on: date, **data: Any) -> int:
    """Of R1's case, with P1."""
    (case_id,) = running.open(loan)
    return ordered_early(running.started, case_id, on, address=ADDRESS, second_visitor="P1", **data)


@pytest.fixture
def visit(running: Running, day: date) -> int:
    """Ordered for yesterday."""
    return ordered(running, "L1", day, area="A3")


@pytest.fixture
def visit_today(running: Running, today: date) -> int:
    """Ordered for today."""
    return ordered(running, "L1", today, area="A3")


def photo_of(day: date, at: str = "10:05:00", number: int = 1) -> bytes:
    return written(scene(number, (400, 300)), exif=camera(f"{day:%Y:%m:%d} {at}"))


def test_the_route_of_today_is_of_who_leads_and_who_goes_along_and_nobody_elses(
    browse: Browse, visit_today: int
) -> None:
    for who in ("R1", "P1"):
        someone = browse(who)
        someone.get("/console/visits/today")
        assert f"/console/visits/{visit_today}/stop" in someone.page.text
        for text in ("已安排", "A3", "家庭地址", "江岸区示例路***", "1户"):
            assert text in someone.text(), text
        assert ADDRESS not in someone.page.text
    someone = browse("A1")
    someone.get("/console/visits/today")
    assert "今天没有安排您下户" in someone.text()


def test_an_address_is_shown_for_its_purpose_with_an_entry_and_gone_with_the_page(
    browse: Browse, running: Running, visit_today: int
) -> None:
    someone = browse("R1")
    someone.get("/console/visits/today")
    assert someone.send(f"/console/visits/{visit_today}/address", purpose="visit").status_code == 200
    assert ADDRESS in someone.text()
    shown = running.get("/audit/entries?event=personal.revealed", "AUD1").json()["items"]
    assert len(shown) == 1
    someone.get(f"/console/visits/{visit_today}/stop")
    assert ADDRESS not in someone.text()
    assert someone.send(f"/console/visits/{visit_today}/address", purpose="curiosity").status_code == 422
    assert ADDRESS not in someone.text()


def test_a_stop_goes_from_check_in_to_report_with_a_photo(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    stop, someone = f"/console/visits/{visit}/stop", browse("R1")
    someone.get(stop)
    assert someone.send(stop, CHECK_IN, data__at=f"{day} 10:00", data__place="30.6,114.3").status_code == 303
    someone.get(stop)
    sent = someone.upload(f"/console/visits/{visit}/photos", photo_of(day), {"shows": "building"})
    assert (sent.status_code, sent.headers["location"]) == (303, f"{stop}?done=photo"), someone.text()
    someone.get(f"{stop}?done=photo")
    assert "照片已保存" in someone.text()
    assert someone.get("/console/photos/1").headers["content-type"] == "image/jpeg"
    someone.get(stop)
    assert someone.send(stop, CHECK_OUT, data__at=f"{day} 10:30").status_code == 303
    someone.get(stop)
    assert someone.send(stop, REPORT, **TOLD | {"data__person_met": "debtor"}).status_code == 409
    assert "见到的人不能是“本人”" in someone.text()
    assert someone.send(stop, REPORT, **TOLD).status_code == 303, someone.text()
    someone.get(f"{stop}?done=report")
    assert "待审核" in someone.text()
    assert "提交下户报告" in someone.text()


def test_stops_come_in_their_order_with_the_risk_that_anybody_saw_there(
    browse: Browse, running: Running, visit_today: int, today: date
) -> None:
    left = {"event": "break_off", "data": {"reason": "unsafe", "address_risk": "dog"}}
    assert running.post(f"/visits/{visit_today}/events", json=left, headers={"If-Match": "*"}).status_code == 200
    data = {
        "address_kind": "home", "address": ADDRESS, "visit_on": str(today), "second_visitor": "P1", "stop": 1,
        "risk_acknowledged": True,
    }  # fmt: skip
    (case_id,) = running.open("L2")
    made = running.post("/visits", json={"of": case_id, "ground": "ordered", "data": data})
    assert made.status_code == 201, made.text
    someone = browse("P1")
    first, second = someone.get("/console/visits/today").text.split("/stop")[1:3]
    for text, part in (("1. 下户 2", first), ("有犬只", first), (str(today), first), ("已中止", second)):
        assert text in part, text


def test_a_risk_that_was_told_of_since_the_order_is_confirmed_on_the_page_before_the_check_in(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    stop, someone = f"/console/visits/{visit}/stop", browse("R1")
    someone.get(stop)
    assert "data.risk_acknowledged" not in someone.page.text
    other = ordered(running, "L2", day)
    left = {"event": "break_off", "data": {"reason": "unsafe", "address_risk": "dog"}}
    assert running.post(f"/visits/{other}/events", json=left, headers={"If-Match": "*"}).status_code == 200
    someone.get(stop)
    assert someone.send(stop, CHECK_IN, data__at=f"{day} 10:00").status_code == 409
    assert "安排之后该地址登记了风险：有犬只" in someone.text()
    answer = someone.send(stop, CHECK_IN, data__at=f"{day} 10:00", data__risk_acknowledged="yes")
    assert answer.status_code == 303, someone.text()
    assert running.get(f"/visits/{visit}").json()["risk_acknowledged"] is True


def test_a_button_that_names_no_time_means_now(browse: Browse, running: Running, visit_today: int) -> None:
    stop, someone = f"/console/visits/{visit_today}/stop", browse("R1")
    someone.get(stop)
    answer = someone.send(stop, {"event": "break_off"}, data__reason="unsafe", data__address_risk="dog")
    assert answer.status_code == 303, someone.text()
    someone.get(stop)
    for text in ("已中止", "有犬只"):
        assert text in someone.text()


# What is wrong with a photo; what is sent; with which status and which words the page answers.
BAD: list[tuple[str, bytes | None, dict[str, str], int, str]] = [
    ("a script", b"<script>alert(1)</script>", {}, 422, "照片须为 JPEG"),
    ("without a time", written(scene(2, (400, 300))), {}, 422, "没有拍摄时间"),
    ("a time that is none", written(scene(2, (400, 300))), {"taken_at": "gestern"}, 422, "须为带时区的时间"),
    ("the interior without consent", None, {"shows": "interior"}, 409, "须有同意依据"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "content", "typed", "status", "text"), BAD, ids=[one[0] for one in BAD])
def test_what_is_wrong_with_a_photo_comes_back_beside_what_was_typed(
    browse: Browse, visit: int, day: date, what: str, content: bytes | None, typed: dict[str, str], status: int,
    text: str,
) -> None:  # fmt: skip
    stop, someone = f"/console/visits/{visit}/stop", browse("R1")
    someone.get(stop)
    someone.send(stop, CHECK_IN, data__at=f"{day} 10:00")
    someone.get(stop)
    place, sent = f"/console/visits/{visit}/photos", {"shows": "door_plate"} | typed
    answer = someone.upload(place, content or photo_of(day), sent)
    assert (answer.status_code, text in someone.text()) == (status, True), (what, someone.text())
    someone.get(stop)
    told = someone.upload(place, content or photo_of(day), sent, Accept="application/json")
    assert (told.status_code, text in told.json()["detail_zh"]) == (status, True), told.text


def test_a_photo_is_sent_by_a_page_of_this_log_in_alone_and_once(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    stop, someone = f"/console/visits/{visit}/stop", browse("R1")
    someone.get(stop)
    someone.send(stop, CHECK_IN, data__at=f"{day} 10:00")
    someone.get(stop)
    place, typed = f"/console/visits/{visit}/photos", {"shows": "building"}
    assert someone.upload(place, photo_of(day), typed | {"form_token": "0" * 32}).status_code == 403
    someone.get(stop)
    script = {"Accept": "application/json"}
    first, again = [(someone.get(stop), someone.upload(place, photo_of(day), typed, **script).json())[1] for _ in "12"]
    assert (first["again"], again["again"], again["photo_id"]) == (False, True, first["photo_id"])
    other = browse("A1")
    other.get(stop)
    assert other.upload(place, photo_of(day, number=3), typed, **script).status_code == 403


def test_who_logs_out_leaves_no_photos_in_the_browser(browse: Browse) -> None:
    someone = browse("R1")
    someone.get("/console")
    assert someone.send("/console/log-out").headers["clear-site-data"] == '"storage"'


def reported(someone: Browsing, day: date, visit: int, content: bytes) -> None:
    """The visit from check-in to its report."""
    stop = f"/console/visits/{visit}/stop"
    someone.get(stop)
    someone.send(stop, CHECK_IN, data__at=f"{day} 10:00")
    someone.get(stop)
    someone.upload(f"/console/visits/{visit}/photos", content, {"shows": "building"})
    someone.get(stop)
    someone.send(stop, CHECK_OUT, data__at=f"{day} 10:00")  # to be elsewhere then
    someone.get(stop)
    assert someone.send(stop, REPORT, **TOLD).status_code == 303, someone.text()


def test_a_report_is_reviewed_beside_its_photos_and_those_that_look_the_same(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    someone = browse("R1")
    reported(someone, day, visit, photo_of(day))
    other = ordered(running, "L2", day, address_kind="work")
    smaller = scene(1, (400, 300)).resize((300, 225))
    reported(someone, day, other, written(smaller, quality=60, exif=camera(f"{day:%Y:%m:%d} 10:05:00")))
    board, manager = "/console/visits/review", browse("B1")
    for who, offered in ((manager, True), (someone, False)):
        who.get("/console")
        assert (board in who.page.text) is offered, "in the menu of those who review"
    manager.get(board)
    for text in ("与照片1相似", "与照片2相似", "未见到客户", "邻居"):
        assert text in manager.text(), text
    for label, value in ("拍摄时间", f"{day} 10:05"), ("拍摄地点", "30.27500,120.15000"), ("拍摄设备", "Pixel 9"):
        assert manager.text().count(f"{label} {value}") == 2, (label, manager.text())
    assert looks(running) == [(["capture"], [1]), (["capture"], [2])]
    back = f"/console/visits/{visit}/review"
    assert manager.send(back, {"event": "send_back"}, data__reason="", data__remark="").status_code == 422
    manager.get(board)
    assert manager.send(back, {"event": "send_back"}, data__reason="photo_unclear").status_code == 303
    manager.get(board)
    assert manager.send(f"/console/visits/{other}/review", {"event": "accept"}).status_code == 303
    manager.get(board)
    assert "没有待审核的下户报告" in manager.text()
    states = [running.get(f"/visits/{number}").json()["state"] for number in (visit, other)]
    assert states == ["returned", "accepted"]
    drawn = running.post("/visits/samples", "B1", json={"first": str(day), "last": str(day)})
    assert drawn.status_code == 200, drawn.text
    manager.get(board)
    assert "抽中待复核的照片" in manager.text()
    manager.get("/console/day")
    manager.send("/console/day/take")
    manager.get("/console/day")
    assert f'<a href="{board}"' in manager.page.text.partition("<main")[2], "the task leads to the board"
    manager.get(board)
    again = f"/console/visits/{other}/recheck"
    assert manager.send(again, data__verdict="", data__remark="").status_code == 422
    assert manager.send(again, data__verdict="genuine", data__remark="").status_code == 303, manager.text()
    manager.get(board)
    assert "抽中待复核的照片" not in manager.text()
    assert running.get(f"/visits/{other}").json()["rechecks"] != []
    manager.get("/console/day")
    assert board not in manager.page.text.partition("<main")[2], "its task is done"


def judged(browse: Browse, running: Running, day: date, visit: int, verdict: str) -> Browsing:
    """The report is accepted, its photo drawn and given a verdict; whoever did it, on the board."""
    reported(browse("R1"), day, visit, photo_of(day))
    manager = browse("B1")
    manager.get(BOARD)
    assert manager.send(f"/console/visits/{visit}/review", {"event": "accept"}).status_code == 303
    running.post("/visits/samples", "B1", json={"first": str(day), "last": str(day)})
    manager.get(BOARD)
    assert manager.send(f"/console/visits/{visit}/recheck", data__verdict=verdict, data__remark="").status_code == 303
    manager.get(BOARD)
    return manager


def test_a_verdict_is_put_right_on_the_board_with_a_reason_and_both_are_shown(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    manager = judged(browse, running, day, visit, "staged")
    assert ("已给出的复核结论" in manager.text(), "不作证明" in manager.text()) == (True, True)
    place = f"/console/visits/{visit}/verdict"
    for typed, wrong in (
        ({"data__verdict": "genuine", "data__reason": ""}, "缺少更正原因"),
        ({"data__verdict": "staged", "data__reason": "other"}, "这张照片尚无结论，或结论相同"),
    ):
        assert manager.send(place, data__remark="", **typed).status_code in (409, 422)
        assert wrong in manager.text()
        assert '<details class="offer" data-press-focus="v" open' in manager.page.text, "as it was typed"
        manager.get(BOARD)
    typed = {"data__verdict": "genuine", "data__reason": "explained", "data__remark": "门牌在照片右侧"}
    assert manager.send(place, **typed).status_code == 303
    told = running.get(f"/visits/{visit}").json()
    assert ([one[1] for one in told["rechecks"]], told["disproved"]) == (["staged", "genuine"], False)
    manager.get(BOARD)
    assert re.search("摆拍 .*B1.* → 真实 .*B1", manager.text())
    assert "不作证明" not in manager.text()
    with reading(running.started.engine) as conn:
        found = conn.execute(sa.select(entries.c.body).where(entries.c.event == "visit.fact.recheck_corrected"))
        ((body,),) = found.all()
    assert json.loads(bytes(body))["data"]["given"]["reason"] == "explained"


def test_verdicts_of_one_visit_are_reached_from_it_and_put_right_by_the_post_that_gives_them_alone(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    manager = judged(browse, running, day, visit, "photo_unclear")
    only = f"{BOARD}?visit={visit}"
    manager.get(f"/console/visits/{visit}/stop")
    assert f'href="{only}"' in manager.page.text
    assert manager.get(only).status_code == 200
    assert "照片不清" in manager.text()
    rep = browse("R1")
    assert rep.get(only).status_code == 200
    assert f"/console/visits/{visit}/verdict" not in rep.page.text, "they see it, and nothing to put right"
    rep.get(BOARD)
    assert "已给出的复核结论" not in rep.text()
    assert manager.get(f"{BOARD}?visit=99").status_code == 404
    assert manager.get(f"{BOARD}?visit=0").status_code == 422


def test_a_report_that_was_accepted_is_reopened_on_the_board_by_who_did_not_accept_it(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    manager = judged(browse, running, day, visit, "wrong_place")
    place = f"/console/visits/{visit}/review"
    assert f"{visit}.reopen" not in manager.page.text, "who accepted it is offered nothing"
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(LONG_AGO)
        register.add(
            conn, trail, system("cli"), running.started.branch.rulebook.permissions, staff_no="B2", name="员工B2",
            posts=("basic_risk_manager",),
        )  # fmt: skip
        running.tokens["B2"] = tokens.issue(conn, trail, system("cli"), staff_no="B2")
        passwords.keep_password(conn, trail, "B2", passwords.hash_password(PASSWORD))
        trail.write(conn)
    another = browse("B2")
    another.get(BOARD)
    assert another.send(place, {"event": "reopen"}, data__reason="", data__remark="").status_code == 422
    another.get(BOARD)
    assert another.send(place, {"event": "reopen"}, data__reason="wrong_place").status_code == 303
    told = running.get(f"/visits/{visit}").json()
    assert (told["state"], told["times_returned"], told["accepted_by"]) == ("returned", 1, "B1")


def test_a_report_that_nobody_puts_right_is_set_aside_on_the_board_with_a_reason(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    someone, manager, place = browse("R1"), browse("B1"), f"/console/visits/{visit}/review"
    reported(someone, day, visit, photo_of(day))
    manager.get(BOARD)
    assert "退回待补正" not in manager.text()
    assert manager.send(place, {"event": "send_back"}, data__reason="incomplete").status_code == 303
    someone.get(BOARD)
    assert f"{visit}.set_aside" not in someone.page.text, "whose it is not to say"
    manager.get(BOARD)
    assert "退回待补正" in manager.text()
    assert manager.send(place, {"event": "set_aside"}, data__reason="", data__remark="").status_code == 422
    manager.get(BOARD)
    assert manager.send(place, {"event": "set_aside"}, data__reason="not_redone").status_code == 303
    told = running.get(f"/visits/{visit}").json()
    assert (told["state"], told["disproved"]) == ("set_aside", True)
    manager.get(BOARD)
    assert "退回待补正" not in manager.text()


def test_who_visited_is_told_by_name_and_number_wherever_a_visit_is_shown(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    reported(browse("R1"), day, visit, photo_of(day))
    manager = browse("B1")
    for page in (BOARD, f"/console/visits/{visit}", f"/console/visits/{visit}/stop"):
        manager.get(page)
        for who in ("R1", "P1"):
            called = f"员工{who} {who}"
            assert called in manager.text(), (page, who)
            assert who not in manager.text().replace(called, ""), (page, who)


def test_a_hint_is_said_beside_its_field_and_no_report_is_labelled_with_it(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    case_id = running.get(f"/visits/{visit}").json()["case_id"]
    someone, manager = browse("R1"), browse("B1")
    someone.get(f"/console/cases/{case_id}/open/visit")
    reported(someone, day, visit, photo_of(day))
    manager.get(BOARD)
    assert "主访人 员工R1 R1" in manager.text()
    assert "不填为安排人" not in manager.text()


def test_the_board_shows_what_the_report_says_in_words_and_what_it_said_before_it_was_put_right(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    someone, manager, back = browse("R1"), browse("B1"), f"/console/visits/{visit}/review"
    reported(someone, day, visit, photo_of(day))
    manager.get("/console/visits/review")
    assert manager.send(back, {"event": "send_back"}, data__reason="contradicts").status_code == 303
    stop = f"/console/visits/{visit}/stop"
    someone.get(stop)
    right = TOLD | {"data__outcome": "found", "data__person_met": "family"}
    words = {"data__assets": "门口停有小型货车", "data__remark": "家属称其晚间在家", "data__place": "三单元门口"}
    assert someone.send(stop, {"event": "report_again"}, **right, **words).status_code == 303, someone.text()
    manager.get("/console/visits/review")
    for text in ("结果已更正，原报“未见到客户”", "见到的人已更正，原报“邻居”", *words.values()):
        assert text in manager.text(), text
    with reading(running.started.engine) as conn:
        read = sa.select(entries.c.body).where(entries.c.event == "personal.read", entries.c.actor_id == "B1")
        fields = [json.loads(bytes(body))["data"]["fields"] for body in conn.execute(read).scalars()]
    assert ["assets", "place", "remark"] in fields, "a look is an entry"


def test_what_a_photo_does_not_say_is_marked_as_told_by_who_sent_it(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    someone, stop = browse("R1"), f"/console/visits/{visit}/stop"
    someone.get(stop)
    someone.send(stop, CHECK_IN, data__at=f"{day} 10:00")
    someone.get(stop)
    typed = {"shows": "building", "taken_at": f"{day} 10:05", "device": "Linux; Android 16"}
    answer = someone.upload(f"/console/visits/{visit}/photos", written(scene(1, (400, 300))), typed)
    assert answer.status_code == 303, someone.text()
    someone.get(stop)
    someone.send(stop, CHECK_OUT, data__at=f"{day} 10:00")  # to be elsewhere then
    someone.get(stop)
    assert someone.send(stop, REPORT, **TOLD).status_code == 303, someone.text()
    manager = browse("B1")
    manager.get("/console/visits/review")
    for text in (
        f"拍摄时间 {day} 10:05 +08:00 上传时所报", "拍摄地点 未提供", "拍摄设备 Linux; Android 16 上传时所报",
    ):  # fmt: skip
        assert text in manager.text(), text


def test_who_does_not_review_sees_no_buttons_and_sends_none(
    browse: Browse, running: Running, visit: int, day: date
) -> None:
    someone = browse("R1")
    reported(someone, day, visit, photo_of(day))
    someone.get("/console/visits/review")
    assert f"/console/visits/{visit}/review" not in someone.page.text
    token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
    given = {"form_token": token, "event": "accept"}
    assert someone.post(f"/console/visits/{visit}/review", given).status_code == 403
