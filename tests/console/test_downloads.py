"""Every list is downloaded in the browser by its own buttons: a workbook and a CSV that open, marked."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser
from python_calamine import CalamineWorkbook

from casework.clock import now
from tests.console.browser import CHROMIUM, Demo, Watched, somebody

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
PLACES: Final = (
    ("phone_collector", "/console/day"), ("phone_collector", "/console/evening"),
    ("basic_risk_manager", "/console/evening"), ("basic_risk_manager", "/console/roster"),
    ("basic_risk_manager", "/console/handovers/1"), ("basic_risk_manager", "/console/handovers"),
    ("basic_risk_manager", "/console/task-lists"), ("basic_risk_manager", "/console/work-lists"),
    ("basic_risk_manager", "/console/feeds"), ("basic_risk_manager", "/console/requests"),
    ("basic_risk_manager", "/console/staff"), ("basic_risk_manager", "/console/promises"),
    ("basic_risk_manager", "/console/holds"), ("basic_risk_manager", "/console/cases"),
    ("auditor", "/console/log?about=case:14"), ("auditor", "/console/log/questions?ask=requests"),
)  # fmt: skip


@pytest.fixture(scope="module")
def readers(branch_on_show: Demo, browser: Browser) -> Iterator[dict[str, Watched]]:
    """Each post at a browser of its own."""
    found = {post: somebody(browser, branch_on_show, post) for post in sorted({post for post, _ in PLACES})}
    yield found
    for one in found.values():
        one.close()


@pytest.mark.parametrize(("post", "place"), PLACES)
def test_a_list_is_taken_out_by_the_buttons_of_its_page(
    readers: dict[str, Watched], post: str, place: str, tmp_path: Path
) -> None:
    watched = readers[post]
    page, staff_no = watched.go(place), watched.demo.people[post]
    form = page.locator("details.take form[action$='.xlsx']").first
    form.locator("xpath=..").locator("summary").click()
    for button, name in (("导出工作簿", "list.xlsx"), ("导出CSV", "list.csv")):
        with page.expect_download() as coming:
            form.get_by_role("button", name=button).click()
        coming.value.save_as(tmp_path / name)
    sheet = CalamineWorkbook.from_path(tmp_path / "list.xlsx").get_sheet_by_index(0)
    _, (mark, *_), header, *rows = sheet.to_python(skip_empty_area=False)
    lines = list(csv.reader((tmp_path / "list.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert (staff_no in str(mark), lines[0], staff_no in lines[-1][0]) == (True, header, True)
    assert len(lines) - 2 - len(rows) in ((0, 1) if place.startswith("/console/log") else (0,))  # the first is an entry


def test_a_workbook_that_a_page_links_to_opens(readers: dict[str, Watched], tmp_path: Path) -> None:
    """The ledger and the report of a day, the sheet of who receives, the rows that a feed set aside."""
    watched, tried = readers["basic_risk_manager"], 0
    today = watched.demo.started.branch.today(now())
    for place in (
        "/console/evening",
        f"/console/evening/report?on={today}",
        "/console/handovers/1",
        "/console/feeds/17",
    ):
        page = watched.go(place)
        for link in page.locator("main a:is([href*='.xlsx'], [download])").all()[:3]:
            with page.expect_download() as coming:
                link.click()
            coming.value.save_as(tmp_path / "file")
            content = (tmp_path / "file").read_bytes()
            assert content[:2] == b"PK" or content.startswith("\ufeff".encode()), place
            tried += 1
    assert tried > 3
