"""A list too long for a page is made behind: found again by who asked, theirs alone, on record, gone after its time."""

import io
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import unquote

import msgspec
import pytest
from python_calamine import CalamineWorkbook

from api.console.frame.made_behind import About, FileOf
from casework.clock import now
from casework.file_names import FileName
from casework.settings import Settings
from casework.storage import jobs
from casework.storage.database import writing
from tests.api.conftest import Running
from tests.console.conftest import Browsing
from tests.console.test_cases import events

Browse = Callable[..., Browsing]
FILES = "/console/files"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A list of more than one row is long."""
    return replace(settings, export_rows=1)


def made(someone: Browsing) -> str:
    """The page of files once nothing is being made any more."""
    for _ in range(600):
        page = str(someone.get(FILES).text)
        if "<progress" not in page:
            return page
        time.sleep(0.05)
    raise AssertionError(someone.text())


def about(command: str) -> bytes:
    """What a run says that it makes."""
    return msgspec.json.encode(About("案件", "Cases", FileName("cases.xlsx", "cases.xlsx"), command))


def link_in(page: str) -> str:
    """Where the first file is fetched."""
    return page.split('class="button" href="', 1)[1].split('"', 1)[0]


def rows_of(content: bytes) -> list[list[object]]:
    """The cells of the first sheet."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return [list(row) for row in book.get_sheet_by_index(0).to_python(skip_empty_area=False)]


def test_a_left_page_finds_its_file_again_with_every_row_and_an_entry(browse: Browse, running: Running) -> None:
    running.open("L1", "L2", "L3")
    someone = browse("B1")
    answer = someone.get("/console/cases.xlsx?purpose=report")
    assert (answer.status_code, answer.headers["location"]) == (303, FILES)
    someone.get("/console")  # elsewhere meanwhile
    page = made(someone)
    assert "导出文件" in someone.get("/console").text
    assert ("案件" in page, "统计报告" in page) == (True, True)
    file = someone.get(link_in(page))
    assert (file.status_code, "案件-" in unquote(file.headers["content-disposition"])) == (200, True)
    _, (mark, *_), _, *rows = rows_of(file.content)
    assert (sorted(str(row[1]) for row in rows), "3行" in str(mark)) == (["L1", "L2", "L3"], True)
    assert events(running, "exports:B1") == ["cases.exported"]


def test_a_list_as_long_as_is_answered_at_once_comes_at_once(browse: Browse, running: Running) -> None:
    running.open("L1", "L2")
    someone = browse("B1")
    answer = someone.get("/console/cases.csv?purpose=work&loan_id=L1")
    assert (answer.status_code, "L1" in answer.text) == (200, True)
    assert "没有导出文件" in someone.get(FILES).text


def test_nobody_else_fetches_it(browse: Browse, running: Running) -> None:
    running.open("L1", "L2")
    someone = browse("B1")
    someone.get("/console/cases.xlsx?purpose=work")
    place = link_in(made(someone))
    for who in ("AUD1", "A1"):
        other = browse(who)
        assert (other.get(place).status_code, "没有导出文件" in other.get(FILES).text) == (404, True)
    assert someone.get(f"{FILES}/4711").status_code == 404
    assert someone.get(place).status_code == 200


def test_who_may_not_take_the_list_out_any_more_does_not_fetch_it_either(browse: Browse, running: Running) -> None:
    started, someone = running.started, browse("B1")
    with writing(started.engine) as conn:
        number = jobs.begin(conn, "file:B1", "B1", about("audit.export"))
        assert number is not None
        outcome = msgspec.json.encode(FileOf("text/csv", 2, 1, cut=False))
        jobs.end(conn, number, jobs.DONE, outcome=outcome, file=b"L1", vault=started.branch.vault)
    answer = someone.get(f"{FILES}/{number}")
    assert (answer.status_code, "L1" in answer.text) == (403, False)


def test_it_is_gone_after_its_time_and_with_an_erasure(browse: Browse, running: Running) -> None:
    running.open("L1", "L2")
    someone = browse("B1")
    someone.get("/console/cases.xlsx?purpose=work")
    place = link_in(made(someone))
    with writing(running.started.engine) as conn:
        (sealed,) = jobs.empty_files(conn)
    assert not sealed.startswith(b"PK")
    assert someone.get(place).status_code == 404
    assert "文件已删除" in someone.get(FILES).text
    with writing(running.started.engine) as conn:
        assert jobs.forget(conn, now() + timedelta(seconds=1)) == 1
    assert someone.get(place).status_code == 404
    assert "没有导出文件" in someone.get(FILES).text


def test_a_second_one_waits_until_the_first_is_there(browse: Browse, running: Running) -> None:
    running.open("L1", "L2")
    someone = browse("B1")
    with writing(running.started.engine) as conn:
        assert jobs.begin(conn, "file:B1", "B1", about("case.export")) is not None
    assert someone.get("/console/cases.xlsx?purpose=work").headers["location"] == f"{FILES}?busy=true"
    assert "仍在生成" in someone.get(f"{FILES}?busy=true").text
    assert events(running, "exports:B1") == []


@pytest.mark.parametrize("place", ["ledger", "report"])
def test_the_ledger_and_the_report_of_a_large_day_are_made_behind_too(
    browse: Browse, running: Running, place: str
) -> None:
    running.open("L1", "L2", "L3")
    someone = browse("B1")
    answer = someone.get(f"/console/evening/{place}.xlsx")
    assert (answer.status_code, answer.headers["location"]) == (303, FILES)
    file = someone.get(link_in(made(someone)))
    assert (file.status_code, file.content[:2]) == (200, b"PK")
    assert len(events(running, "exports:B1")) == 1
