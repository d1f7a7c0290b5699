"""A stand-in of the roster at the pages: the list of who is off, their debtor, the call and its outcome."""

from collections.abc import Callable

from tests.api.conftest import Running
from tests.api.test_stand_in import far_rep, rests
from tests.console.conftest import Browsing
from tests.console.test_debtor import NOON, at

__all__ = ["at"]
Browse = Callable[..., Browsing]


def test_a_stand_in_takes_the_list_calls_the_debtor_and_records_and_sees_nothing_once_another_is_named(
    browse: Browse, running: Running, at: Callable[..., None]
) -> None:
    case = far_rep(running)
    someone = browse("R1")
    assert someone.get(f"/console/debtors/{case}").status_code == 404
    rests(running, "R8", "R1")
    someone.get("/console/day")
    assert someone.send("/console/day/take").status_code == 303, someone.text()
    someone.get("/console/day")
    assert f"/console/debtors/{case}" in someone.page.text
    at(NOON)
    assert someone.get(f"/console/debtors/{case}").status_code == 200
    assert someone.send(f"/console/debtors/{case}/dial").status_code == 200, someone.text()
    assert "12000000008" in someone.text()
    answer = someone.send(f"/console/debtors/{case}/outcome", result="no_answer")
    assert answer.status_code == 303, someone.text()
    rests(running, "R8", "P1")
    assert someone.get(f"/console/debtors/{case}").status_code == 404
