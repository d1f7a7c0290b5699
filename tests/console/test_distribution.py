"""Giving out a morning on its page: looked at first, then run, with who moves where."""

import time
from collections.abc import Callable

from tests.api.conftest import Running
from tests.console.conftest import Browsing

Browse = Callable[..., Browsing]
PLACE = "/console/distribution"


def waited(someone: Browsing) -> str:
    """The page, once nothing runs."""
    for _ in range(200):
        if "data-refresh" not in someone.get(PLACE).text:
            return someone.text()
        time.sleep(0.05)
    raise AssertionError("it does not end")


def test_it_is_looked_at_first_and_then_run(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    someone = browse("B1")
    assert "执行分案" not in someone.get(PLACE).text
    assert someone.send(PLACE, on="2026-01-10", do="look").status_code == 303
    text = waited(someone)
    assert "2026-01-10 (周六)分案预览，尚未执行" in text
    assert "L1 员工R1 R1 员工T1 T1 M1由基础管理岗（电催）拨打" in text
    assert running.get(f"/cases/{case_id}", "B1").json()["handler"] == "R1"
    assert someone.send(PLACE, on="2026-01-10", do="run").status_code == 303
    assert "分案已执行" in waited(someone)
    assert running.get(f"/cases/{case_id}", "B1").json()["handler"] == "T1"


def test_without_a_day_it_says_so(browse: Browse) -> None:
    someone = browse("B1")
    someone.get(PLACE)
    assert someone.send(PLACE, on="", do="look").status_code == 422
