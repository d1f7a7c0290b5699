"""The roster on its page: a week by person, shifts entered for some days, outages, who answers for who is off."""

from collections.abc import Callable

from tests.api.conftest import Running
from tests.console.conftest import Browsing

Browse = Callable[..., Browsing]
PLACE = "/console/roster"
ENTRY = {"staff_no": ""}
WEEK = f"{PLACE}?week=2126-03-13"
"""After any today; the Monday of that week is March 11."""


def test_shifts_are_entered_for_some_days_and_shown_with_who_answers(browse: Browse, running: Running) -> None:
    someone = browse("B1")
    someone.get(WEEK)
    answer = someone.send(
        PLACE, ENTRY, staff_no="R1", from_on="2126-03-12", until_on="2126-03-13", shift="rest", stand_in="P1"
    )
    assert answer.status_code == 303, someone.text()
    assert answer.headers["location"] == f"{PLACE}?week=2126-03-12"
    someone.get(WEEK)
    assert someone.text().count("休息 → 员工P1 P1") == 2
    assert [one["day"] for one in running.get("/roster?from=2126-03-11", "R1").json()["items"]] == [
        "2126-03-12", "2126-03-13"
    ]  # fmt: skip


def test_a_day_with_nobody_on_the_roster_is_told_on_top(browse: Browse, running: Running) -> None:
    everybody = sorted(set(running.tokens))
    rest = [{"day": "2126-03-12", "staff_no": one, "shift": "rest"} for one in everybody]
    assert running.post("/roster", "B1", json={"shifts": rest}).status_code == 200
    someone = browse("B1")
    someone.get(WEEK)
    assert "2126-03-12 (周二)班表无人当班" in someone.text()
    assert "2126-03-13 (周三)班表无人当班" not in someone.text()


def test_what_is_wrong_comes_back_with_what_was_typed(browse: Browse) -> None:
    someone = browse("B1")
    someone.get(WEEK)
    answer = someone.send(PLACE, ENTRY, staff_no="X9", from_on="2126-03-12", until_on="", shift="day", stand_in="")
    assert answer.status_code == 422
    assert "没有工号X9" in someone.text()
    assert 'value="X9"' in answer.text


def test_an_outage_is_declared_and_withdrawn_and_who_may_not_sees_no_form(browse: Browse) -> None:
    someone = browse("B1")
    someone.get(PLACE)
    assert someone.send(f"{PLACE}/outages", on="2026-01-10", reason="power", do="declare").status_code == 303
    someone.get(PLACE)
    assert "2026-01-10 (周六) 停电" in someone.text()
    assert someone.send(f"{PLACE}/outages", {"on": "2026-01-10"}, do="withdraw").status_code == 303
    someone.get(PLACE)
    assert "没有登记的故障日" in someone.text()
    rep = browse("R1")
    rep.get(PLACE)
    assert "录入班次" not in rep.text()
