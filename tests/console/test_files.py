"""Every list is taken out as a workbook and as CSV: for a purpose, marked with who and when, and on record."""

import io
from collections.abc import Callable

import pytest
from python_calamine import CalamineWorkbook

from api.console.lists import FILES
from tests.api.conftest import Running
from tests.console.conftest import Browsing
from tests.console.test_cases import events

Browse = Callable[..., Browsing]
NOUNS = ("promises", "holds", "consents")
PLACES = [*(one.place for one in FILES), *(f"/console/{noun}" for noun in NOUNS)]


def rows_of(content: bytes) -> list[list[object]]:
    """The cells of the first sheet."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return [list(row) for row in book.get_sheet_by_index(0).to_python(skip_empty_area=False)]


@pytest.mark.parametrize("place", PLACES)
def test_a_list_has_its_workbook_with_the_mark_of_who_took_it_out(browse: Browse, running: Running, place: str) -> None:
    running.open("L1", "L2")
    who, purpose = ("R1", "日常作业") if place == "/console/day" else ("AUD1", "审计")
    someone = browse(who)
    assert f'action="{place}.xlsx"' in someone.get(place).text
    asked = "work" if who == "R1" else "audit"
    answer = someone.get(f"{place}.xlsx?purpose={asked}")
    assert answer.status_code == 200, someone.text()
    _, (mark, *_), header, *_ = rows_of(answer.content)
    for part in (who, "+08:00", purpose):
        assert part in str(mark), mark
    assert len(header) > 5
    assert all(header)
    text = someone.get(f"{place}.csv?purpose={asked}").content.decode("utf-8-sig").splitlines()
    assert (text[0].split(","), text[-1].split(" 20")[0]) == (header, str(mark).split(" 20")[0])
    assert any(event.endswith(".exported") for event in events(running, f"exports:{who}"))


@pytest.mark.parametrize("purpose", ["", "curiosity", "<script>"])
def test_a_list_is_taken_out_for_no_purpose_that_is_none(browse: Browse, running: Running, purpose: str) -> None:
    someone = browse("AUD1")
    answer = someone.get(f"/console/staff.xlsx?purpose={purpose}")
    assert answer.status_code == 422
    assert events(running, "exports:AUD1") == []


@pytest.mark.parametrize("place", ["/console/cases", "/console/log", "/console/handovers", "/console/feeds"])
def test_whoever_may_not_see_a_list_takes_none_out(browse: Browse, running: Running, place: str) -> None:
    assert browse("R1").get(f"{place}.xlsx?purpose=work").status_code == 403
    assert events(running, "exports:R1") == []


def test_the_rows_of_a_workbook_are_those_of_the_page(browse: Browse, running: Running) -> None:
    running.open("L1", "L2")
    someone = browse("B1")
    content = someone.get("/console/cases.xlsx?purpose=report&loan_id=L1").content
    _, (mark, *_), _, *rows = rows_of(content)
    assert [row[1] for row in rows] == ["L1"]
    assert "1行" in str(mark)


def test_the_receipts_of_a_hand_over_are_a_file(browse: Browse, running: Running) -> None:
    running.open("L1", "L2")
    someone = browse("B1")
    someone.get("/console/handovers")
    place = someone.send("/console/handovers", staff_no="R1").headers["location"]
    assert f'action="{place}/receipts.xlsx"' in someone.get(place).text
    _, (mark, *_), header, *rows = rows_of(someone.get(f"{place}/receipts.xlsx?purpose=work").content)
    assert ("B1" in str(mark), header[0], len(rows)) == (True, "案件", 2)
    assert someone.get("/console/handovers/77/receipts.xlsx?purpose=work").status_code == 404
    assert browse("R1").get(f"{place}/receipts.xlsx?purpose=work").status_code == 403
