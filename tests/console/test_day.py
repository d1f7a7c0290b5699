"""My day: the list of the morning, taken once, each line leading to its debtor, and the next after him."""

import re
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
    assert "下户 按规则已逾期" in someone.text()  # what it is on the list for
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


def boxes(browsing: Browsing) -> list[str]:
    """The names of the boxes beside the tasks."""
    return re.findall(r'name="(task\.\d+)"', browsing.page.text)


def test_tasks_are_put_off_added_and_ended_on_the_page_and_the_next_leads_to_its_debtor(
    browse: Browse, running: Running
) -> None:  # fmt: skip
    case_id, _ = running.open("L1", "L2", days_past_due=10)
    someone = browse("R1")
    someone.get("/console/day")
    someone.send("/console/day/take")
    someone.get("/console/day")
    first, *rest = boxes(someone)
    assert someone.send("/console/day/postpone", until="", reason="workload", **{first: "yes"}).status_code == 422
    answer = someone.send("/console/day/postpone", reason="workload", **{first: "yes"})
    assert answer.status_code == 303, someone.text()
    someone.get("/console/day")
    assert boxes(someone) == rest
    assert someone.send("/console/day/postpone", reason="workload").status_code == 422, "nothing is chosen"
    assert "请至少选择一项任务" in someone.text()
    assert someone.send("/console/day/add", case_id=str(case_id), what="papers").status_code == 303
    someone.get("/console/day")
    (added,) = set(boxes(someone)) - set(rest)
    assert "收集或补充材料" in someone.text()
    form = {"form_token": token(someone), added: "yes"}
    assert someone.post("/console/day/end", form).status_code == 303
    someone.get("/console/day")
    assert boxes(someone) == rest
    assert someone.send("/console/day/next").headers["location"].startswith("/console/debtors/")
    assert events(running, "tasks:lists") == ["tasks.made", "tasks.taken", "tasks.added"]
    number = first.removeprefix("task."), added.removeprefix("task.")
    assert [events(running, f"tasks:{one}") for one in number] == [["tasks.postponed"], ["tasks.done"]]


def test_a_strategy_is_started_for_the_chosen_where_the_chart_allows_it_and_stands_beside_the_task(
    browse: Browse, running: Running
) -> None:
    """Of all, or of none; another one later that day takes its place."""
    running.open("L1", "L2", days_past_due=10)
    someone = browse("R1")
    someone.get("/console/day")
    someone.send("/console/day/take")
    someone.get("/console/day")
    first, *_ = boxes(someone)
    form = {"form_token": token(someone), first: "yes"}
    answer = someone.post("/console/day/strategy", {**form, "strategy": "visit"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/day"), someone.text()
    someone.get("/console/day")
    assert someone.page.text.count('class="chip ">下户<') == 1
    counts = {one["name"]: one["cases"] for one in running.get("/work-lists", "B1").json()["items"]}
    assert (counts["visit"], counts["phone"]) == (1, 1)
    for typed, status, told in (
        ({**form, "strategy": "visit"}, 409, "未办理"), ({**form, "strategy": "prayer"}, 422, "策略须为以下之一"),
        ({"form_token": form["form_token"], "strategy": "phone"}, 422, "请至少选择一项任务"),
        ({"form_token": form["form_token"], "task.999999": "yes", "strategy": "phone"}, 404, "当日清单上没有此任务"),
    ):  # fmt: skip
        answer = someone.post("/console/day/strategy", typed)
        assert answer.status_code == status, someone.text()
        assert told in someone.text()
    assert events(running, "tasks:lists").count("tasks.strategy") == 1


def token(browsing: Browsing) -> str:
    return str(re.findall(r'name="form_token" value="([^"]+)"', browsing.page.text)[0])


def test_the_basic_risk_post_moves_tasks_to_somebody_else_and_sees_the_four_lists(
    browse: Browse, running: Running
) -> None:  # fmt: skip
    running.open("L1", "L2", days_past_due=10)
    rep, manager = browse("R1"), browse("B1")
    rep.get("/console/day")
    rep.send("/console/day/take")
    manager.get("/console/task-lists")
    assert "/console/task-lists?on=" in manager.page.text
    manager.get("/console/task-lists?whose=R1")
    (first, *_) = boxes(manager)
    assert manager.send("/console/task-lists/move", to="X9", reason="other", **{first: "yes"}).status_code == 404
    assert manager.send("/console/task-lists/move", to="P1", reason="absence", **{first: "yes"}).status_code == 303, (
        manager.text()
    )
    other = browse("P1")
    other.get("/console/day")
    assert boxes(other) == [first]
    assert "电催" in manager.get("/console/task-lists").text
    manager.get("/console/work-lists?name=phone")
    assert "L1" in manager.text()
    assert browse("R1").get("/console/task-lists").status_code == 403


def test_a_past_day_is_shown_as_it_was_handed_out_and_nothing_can_be_done_with_it(
    browse: Browse, running: Running
) -> None:  # fmt: skip
    running.open("L1")
    someone = browse("R1")
    assert someone.get("/console/day?on=2026-01-09").status_code == 200
    assert "2026-01-09" in someone.text()
    assert boxes(someone) == []
    assert someone.get("/console/day?on=yesterday").status_code in (400, 422)
