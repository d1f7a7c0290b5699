"""What the branch is warned of is seen on its pages: a feed that did not come, a year without days off."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from casework.operation.sweeping import sweep
from casework.storage.database import writing
from tests.api.conftest import BUSINESS_DATE, Running
from tests.console.conftest import Browsing
from tests.fed import dated

Browse = Callable[..., Browsing]
PLACES = ("/console", "/console/feeds")


@pytest.mark.parametrize("place", PLACES)
def test_a_feed_that_did_not_come_is_told_on_the_first_page_and_on_that_of_feeds(
    browse: Browse, running: Running, place: str
) -> None:
    someone = browse("B1")
    someone.get(place)
    assert "数据未到" not in someone.text()
    sweep(running.started.engine, running.started.branch, BUSINESS_DATE + timedelta(days=1))
    someone.get(place)
    assert "最近一次数据为2026-01-10 (周六)，已日终至2026-01-11 (周日)，晚1天。 数据到达前不得委外" in someone.text()
    someone.send("/console/language", lang="en")
    someone.get(place)
    assert "A feed is missing" in someone.text()
    assert "1 day(s) late. Nothing is placed until one comes" in someone.text()


@pytest.mark.parametrize("place", PLACES)
def test_a_year_whose_days_off_nobody_knows_is_told_there_too(browse: Browse, running: Running, place: str) -> None:
    with writing(running.started.engine) as conn:
        dated(conn, running.started.branch, date(2127, 3, 20))
    someone = browse("B1")
    someone.get(place)
    assert "2127年的节假日未知" in someone.text()


def test_the_roster_of_a_week_tells_of_its_year(browse: Browse) -> None:
    someone = browse("B1")
    someone.get("/console/roster?week=2126-03-13")
    assert "2126年的节假日未知" in someone.text()
    someone.get("/console/roster?week=2026-03-11")
    assert "节假日未知" not in someone.text()
