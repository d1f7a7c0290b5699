"""Repayments and staff lists are sent from a page and taken in behind it; what is wrong is told, mended, sent again."""

import re
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.intake.feed.sheet import read_rows
from casework.people.days.loading import read_calendar
from casework.people.staff.dossier import persons
from casework.storage import jobs
from casework.storage.database import reading, writing
from tests.api.conftest import Running
from tests.console.conftest import Browsing
from tests.on_books import put_loan

Browse = Callable[..., Browsing]
REPAYMENTS, STAFF = "/console/repayment-files", "/console/staff-lists"


def send(running: Running, someone: Browsing, place: str, content: bytes, **form: str) -> str:
    """Send a file from its page and wait for what becomes of it: the page as it then reads."""
    someone.get(place)
    token = re.search(r'name="form_token" value="([^"]+)"', someone.page.text)
    assert token is not None
    answer: Any = running.client.post(
        f"{place}/upload", files={"file": ("sent.csv", content)}, data={"form_token": token[1], **form},
        headers={"Cookie": "; ".join(f"{name}={value}" for name, value in someone.cookies.items())},
        follow_redirects=False,
    )  # fmt: skip
    assert (answer.status_code, answer.headers["location"]) == (303, place), answer.text
    for _ in range(500):
        if "data-refresh" not in someone.get(place).text:
            return someone.text()
        time.sleep(0.02)
    raise AssertionError(someone.text())


def to_mend(someone: Browsing, place: str) -> str:
    text: str = someone.get(f"{place}/set-aside.csv").content.decode("utf-8-sig")
    return text


def test_repayments_are_taken_in_and_what_was_set_aside_is_mended_and_sent_again(
    browse: Browse, running: Running
) -> None:
    with writing(running.started.engine) as conn:
        put_loan(
            conn, running.started.branch, loan_id="L1", institution="wuhan", borrower_id="B-L1", product="consumer",
            owner_staff_no="R1", team="T1", region="R1", principal_fen=9_000_000, outstanding_principal_fen=5_000_000,
            row_hash=b"1",
        )  # fmt: skip
    someone = browse("B1")
    assert "日间还款" in someone.get("/console").text
    content = "payment_id,loan_id,paid_on,amount,reverses\nR1,L1,2026-01-10,500.00,\nR2,L1,2026-01-10,五百,\n".encode()
    shown = send(running, someone, REPAYMENTS, content)
    for one in ("sent.csv", "新增 1", "搁置行 1", "3 amount"):
        assert one in shown, shown
    assert [one for one in ("现值（脱敏）", "五百", "以元计的金额") if one not in shown] == []
    book = someone.get(f"{REPAYMENTS}/set-aside.xlsx").content
    header, row = [cells for _, cells in read_rows(book, "mend")]
    assert (header[:5], row[:5]) == (content.decode().split("\n")[0].split(","), ["R2", "L1", "2026-01-10", "五百", ""])
    assert header[-1] == "有误之处 set_aside_reason"
    with reading(running.started.engine) as conn:
        kept = conn.execute(sa.select(jobs.jobs.c.outcome)).scalars().all()
    assert "五百" not in " ".join(zlib.decompress(one).decode() for one in kept if one), "values lie sealed alone"
    assert "最多两位小数" in row[-1]
    template = [cells for _, cells in read_rows(someone.get("/console/templates/repayments").content, "template")]
    assert template[0][:2] == ["还款流水号", "借据号"]
    assert someone.get("/console/templates/nothing").status_code == 404
    mended = to_mend(someone, REPAYMENTS)
    assert "R1," not in mended
    shown = send(running, someone, REPAYMENTS, mended.replace("五百", "500.00").encode("utf-8-sig"))
    assert "新增 1" in shown, shown
    assert "搁置行 0" in shown
    assert someone.get(f"{REPAYMENTS}/set-aside.csv").status_code == 404
    assert "新增 0 已有 1" in send(running, someone, REPAYMENTS, content)
    links = re.findall(r"/console/repayment-files\?run=[0-9]+", someone.get("/console").text)
    assert len(links) == 3, "each is found from the first page"
    someone.get(links[-1])
    assert "新增 1 已有 0 搁置行 1" in someone.text()
    assert browse("R1").get(REPAYMENTS).status_code == 403


FAULTY = {
    "promise_files": ("B1", "ref,loan_id,made_on,pay_by,amount\nP1,L1,2026-01-10,soon,much\n", ("soon", "much")),
    "hold_files": ("B1", "loan_id,hold,from,until\nL1,hardship,soon,\n", ("from", "soon")),
    "calendar_files": ("ADM1", "日期,类型\n2126-05-01,休\n2126-13-01,半天\n", ("2126-13-01", "半天")),
}  # fmt: skip


@pytest.mark.parametrize("word", sorted(FAULTY))
def test_promises_holds_and_calendars_are_sent_looked_at_and_mended_as_repayments_are(
    browse: Browse, running: Running, word: str
) -> None:
    by, content, told = FAULTY[word]
    someone, place = browse(by), f"/console/{word.replace('_', '-')}"
    assert f'href="{place}"' in someone.get("/console").text
    assert "下载模板" in someone.get(place).text
    for do in ("look", "run"):
        shown = send(running, someone, place, content.encode(), do=do, atomic="true")
        assert [one for one in told if one not in shown] == [], shown
        assert ("仅查看，未作更改" in shown, "全部未导入" in shown) == (do == "look", do == "run"), shown
    assert to_mend(someone, place).startswith(content.split("\n")[0])
    assert browse("R1").get(place).status_code == 403


def test_a_calendar_from_its_page_is_in_force_and_looking_changes_nothing(browse: Browse, running: Running) -> None:
    def known() -> bool:
        with reading(running.started.engine) as conn:
            return read_calendar(conn).knows(2126)

    someone, place, content = browse("B1"), "/console/calendar-files", "日期,类型\n2126-05-01,休\n".encode()
    assert "仅查看，未作更改 行数 1 新增 1" in send(running, someone, place, content, do="look")
    assert not known()
    assert "已导入 行数 1 新增 1" in send(running, someone, place, content, do="run")
    assert known()


def test_a_staff_list_is_looked_at_and_taken_whole_or_not_at_all(browse: Browse, running: Running) -> None:
    def there() -> bool:
        with reading(running.started.engine) as conn:
            return "N1" in persons(conn, ["N1"])

    someone = browse("ADM1")
    content = "工号,姓名,团队,上限,离职日期\nN1,新来者,T1,50,-\nN2,又一人,T1,许多,-\n".encode()
    shown = send(running, someone, STAFF, content, do="run")
    for one in ("全部未导入", "3 上限 许多 上限须为0至"):
        assert one in shown, shown
    assert not there()
    mended = to_mend(someone, STAFF)
    assert "N1" in mended, "the whole file: it is all or nothing"
    mended = mended.replace("许多", "60")
    shown = send(running, someone, STAFF, mended.encode("utf-8-sig"), do="look")
    assert "仅查看，未作更改" in shown, shown
    assert "N1 name 新来者" in shown
    assert not there()
    shown = send(running, someone, STAFF, mended.encode("utf-8-sig"), do="run")
    assert "已导入" in shown, shown
    assert there()
    assert "已有 2" in send(running, someone, STAFF, mended.encode("utf-8-sig"), do="run")
    assert browse("B1").get(STAFF).status_code == 403


@pytest.mark.parametrize("place", [REPAYMENTS, STAFF])
def test_what_is_no_such_file_is_told_on_its_page(browse: Browse, running: Running, place: str) -> None:
    someone = browse("B1" if place == REPAYMENTS else "ADM1")
    shown = send(running, someone, place, b"a,b\n1,2\n", do="run")
    assert someone.page.status_code == 422
    assert "缺少" in shown, shown


WORK = [
    ("B1", "contact_file:B1", '["a.csv","dialler"]', "/console/contact-files"),
    ("B1", "repayment_files:B1", '["a.csv",false]', REPAYMENTS), ("ADM1", "staff_lists:ADM1", '["a.csv",false]', STAFF),
    ("B1", "distribution", '["2026-01-11",false]', "/console/distribution"),
    ("AUD1", "verification", "null", "/console/log/verification"),
    ("B1", "chart_move:overdue_loan", "null", "/console/rules/charts/overdue_loan/moves"),
]  # fmt: skip


@pytest.mark.parametrize(("staff_no", "name", "about", "place"), WORK, ids=[one[1] for one in WORK])
def test_work_whose_process_was_killed_is_told_as_interrupted_with_what_to_do(
    browse: Browse, running: Running, staff_no: str, name: str, about: str, place: str
) -> None:
    with writing(running.started.engine) as conn:
        long_ago = now() - timedelta(minutes=1)
        assert jobs.begin(conn, name, staff_no, about.encode(), at=long_ago) is not None
    someone = browse(staff_no)
    assert "已中断" in someone.get("/console").text
    someone.get(place)
    assert "data-refresh" not in someone.page.text, "nobody is waited for"
    assert "任务中断；重新开始即可" in someone.text()
    assert "<form" in someone.page.text


def test_a_roster_goes_in_whole_or_not_at_all_and_every_fault_is_told(browse: Browse, running: Running) -> None:
    someone = browse("B1")
    assert "/console/roster-files" in someone.get("/console/roster").text
    content = "日期,工号,班次\n2126-03-10,R1,白班\n2126-13-10,X9,假\n".encode()
    shown = send(running, someone, "/console/roster-files", content)
    for one in ("全部未导入", "3 日期 2126-13-10", "3 班次 假 没有此班次", "搁置行 1"):
        assert one in shown, shown
    mended = to_mend(someone, "/console/roster-files")
    assert "R1" in mended, "every row of a file that is taken whole"
    sound = mended.replace("2126-13-10,X9,假", "2126-03-11,R1,白班")
    shown = send(running, someone, "/console/roster-files", sound.encode("utf-8-sig"))
    assert "已导入 行数 2 新增 2 已有 0 搁置行 0" in shown, shown
    assert browse("R1").get("/console/roster-files").status_code == 403
