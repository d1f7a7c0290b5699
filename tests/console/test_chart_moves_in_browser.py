"""A chart's next version takes over the living, by buttons alone: planned, asked for, approved by another, run."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from casework.operation.startup import start, upgrade
from casework.people.staff.actor import system
from tests.api.server import serving
from tests.console.browser import CHROMIUM, Demo, demo, somebody
from tests.lifecycle.next_version import folder_of_next

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
NAME = "overdue_loan"
PLACE = f"/console/rules/charts/{NAME}/moves"


@pytest.fixture
def later(tmp_path: Path) -> Iterator[Demo]:
    """A demo whose cases were opened under the first version of their chart, served with an invented second."""
    with demo(tmp_path, loans=200) as before:
        settings, renamed = before.started.settings, {"phone_collection": "phone_desk"}
        folder = folder_of_next(settings.statecharts, tmp_path / "later", before.started.branch, NAME, renamed)
        settings = dataclasses.replace(settings, statecharts=folder)
        upgrade(settings, system("cli"))
        started = start(settings)
        with serving(settings, tmp_path / "later", CASEWORK_STATECHARTS=str(folder)) as server:
            yield Demo(server.url, started, before.told, before.people)
        started.engine.dispose()


def figure(page: Page, name: str) -> int:
    """What stands below a heading of the figures."""
    return int(page.locator("dl.figures div", has_text=name).locator("dd").inner_text().replace(",", ""))


def test_a_move_goes_from_its_plan_to_its_report_by_the_buttons_of_three_pages(later: Demo, browser: Browser) -> None:
    administrator = somebody(browser, later, "administrator")
    page = administrator.go(PLACE)
    moving = figure(page, "将迁移")
    assert moving > 0
    page.click("main form button.main")
    expect(page.locator("main")).to_contain_text("等待他人批准")
    place = page.locator("main a[href^='/console/requests/']").get_attribute("href")
    assert place is not None
    another = somebody(browser, later, "basic_risk_manager")
    another.go(place).click("main details[open] .act button.main")
    another.page.wait_for_url("**?done=*")
    another.close()
    page = administrator.go(PLACE)
    page.click(f"main form[action='{PLACE}/run'] button.main")
    expect(page.locator("main")).to_contain_text("执行报告")
    assert (figure(page, "将迁移"), figure(page, "已迁移")) == (0, moving)
    administrator.close()
