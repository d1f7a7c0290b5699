"""My day: the list of the morning, taken once, each line leading to its debtor, and the next after him."""

from collections.abc import Callable

from tests.api.conftest import Running
from tests.console.conftest import Browsing
from tests.console.test_cases import events

Browse = Callable[..., Browsing]


def test_the_list_of_the_morning_is_made_taken_once_and_leads_from_debtor_to_debtor(
    browse: Browse, running: Running
) -> None:
    first, second = running.open("L1", "L2", days_past_due=10)
    someone = browse("R1")
    someone.get("/console/day")
    assert "今天的清单尚未生成" in someone.text()
    answer = someone.send("/console/day/take")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/day"), someone.text()
    someone.get("/console/day")
    assert f"/console/debtors/{first}" in someone.page.text
    assert events(running, "tasks:lists") == ["tasks.made", "tasks.taken"]
    someone.get(f"/console/debtors/{first}")
    assert f"/console/debtors/{second}" in someone.page.text
    someone.get("/console/day")
    again = someone.send("/console/day/take")
    assert again.status_code in (409, 422)
    assert events(running, "tasks:lists") == ["tasks.made", "tasks.taken"]


def test_whoever_has_nothing_to_do_is_told_so(browse: Browse) -> None:
    someone = browse("R1")
    someone.get("/console/day")
    answer = someone.send("/console/day/take")
    assert answer.status_code in (409, 422)
    assert 'role="alert"' in answer.text
