"""What cannot be meant of a working day: over HTTP, at the shell and on a page it is told by the same code.

One row a mistake, and what each way says of it. Where a way has no such act, its place is empty.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from casework.clock import now
from casework.lifecycle.commands import Fire
from casework.lifecycle.tables import days_swept
from casework.people.days.declaring import Outage, declare_outage
from casework.people.staff.actor import system
from casework.storage.database import writing
from casework.work.cases.commands import Measure
from tests.api.conftest import BUSINESS_DATE, Running, findings, measure
from tests.console.conftest import Browsing
from tests.feed.shell import casework

Browse = Callable[..., Browsing]
CLOSED, BEFORE = date(2026, 1, 9), date(2026, 1, 5)
CODE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


@dataclass
class Way:
    """A branch in the middle of a day: R1 has taken and handed in, and one of their cases has left since."""

    running: Running
    browse: Browse
    left: int
    there: int
    task: int
    seen: dict[str, Browsing]

    @property
    def today(self) -> str:
        return self.running.started.branch.today(now()).isoformat()

    def api(self, method: str, path: str, staff_no: str, **body: Any) -> set[str]:
        """Every code in the answer."""
        headers = self.running.as_(staff_no)
        if method == "POST":
            answer = self.running.client.post(path, headers=headers, json=body)
        else:
            answer = self.running.client.get(path, headers=headers, params=body)
        assert answer.status_code < 500, answer.text
        return set(CODE.findall(answer.text))

    def shell(self, *arguments: str) -> set[str]:
        said = casework(self.running.started.settings, *map(str, arguments))
        assert said.code in (0, 1, 2), said
        return set(CODE.findall(said.out + said.err))

    def page(self, staff_no: str, place: str, /, **typed: str) -> str:
        """What the page tells of a form, or of its address where nothing is typed."""
        someone = self.seen.setdefault(staff_no, self.browse(staff_no))
        if not typed:
            someone.get(place)
            return someone.text()
        someone.get("/console/day" if staff_no != "B1" else "/console/roster")
        (token, *_) = re.findall(r'name="form_token" value="([^"]+)"', someone.page.text)
        typed = {name.replace("__", "."): text for name, text in typed.items() if text}
        someone.post(place, {"form_token": token, **typed})
        return someone.text()


@pytest.fixture
def way(running: Running, browse: Browse) -> Iterator[Way]:
    """Today's lists are made; CLOSED is the last day that was."""
    with writing(running.started.engine) as conn:
        conn.execute(days_swept.insert().values(institution="wuhan", swept_on=CLOSED))
    left, there = running.open("L1", "L2", days_past_due=10)
    running.post("/tasks/take", "R1", json={})
    task = next(one["id"] for one in running.get("/tasks", "R1").json()["items"] if one["case_id"] == left)
    today = running.started.branch.today(now()).isoformat()
    handed = running.post("/day/hand-ins", "R1", json={"on": today})
    assert handed.status_code == 200, handed.text
    feed, data = system("feed"), {"previous_as_of": BUSINESS_DATE.isoformat()}
    gone = running.do(
        Measure(actor=feed, id=left, measure=measure(0, bucket="M0"), run=1),
        Fire(actor=feed, id=left, event="arrears_cleared", data=data),
    )
    assert [one.code for one in gone] == ["done", "done"], gone
    yield Way(running, browse, left, there, task, {})
    assert [one for one in findings(running.started) if one.detail != {"table": "passwords"}] == []


def twice(way: Way) -> list[set[str] | str]:
    return [
        way.api("POST", "/tasks/take", "R1"),
        way.shell("task", "take", "--on", way.today, "--as", "R1"),
        way.page("R1", "/console/day/take", do="take"),
    ]


def handed_in_twice(way: Way) -> list[set[str] | str]:
    return [
        way.api("POST", "/day/hand-ins", "R1", on=way.today),
        way.shell("day", "hand-in", "--on", way.today, "--as", "R1", "--json"),
        way.page("R1", "/console/evening/hand-ins", on=way.today, whose="R1"),
    ]


def not_on_it(way: Way) -> list[set[str] | str]:
    """Whoever has no list takes none."""
    return [
        way.api("POST", "/tasks/take", "A1"),
        way.shell("task", "take", "--on", way.today, "--as", "A1"),
        way.page("A1", "/console/day/take", do="take"),
    ]


def for_another(way: Way) -> list[set[str] | str]:
    """Nor hands in for somebody else without being their deputy, their stand-in, or of the basic-risk post."""
    return [
        way.api("POST", "/day/hand-ins", "T1", on=way.today, whose=["R1"]),
        way.shell("day", "hand-in", "--on", way.today, "--as", "T1", "--for", "R1"),
        way.page("T1", "/console/evening/hand-ins", on=way.today, whose="R1"),
    ]


def nothing_done(way: Way) -> list[set[str] | str]:
    return [
        way.api("POST", "/day/hand-ins", "A1", on=way.today),
        way.shell("day", "hand-in", "--on", way.today, "--as", "A1", "--json"),
        way.page("A1", "/console/evening/hand-ins", on=way.today, whose="A1"),
    ]


def without_feed(way: Way) -> list[set[str] | str]:
    return [
        way.api("GET", "/day", "B1", on="2019-01-01"),
        way.shell("task", "list", "--on", "2019-01-01", "--as", "R1"),
        way.page("B1", "/console/evening?on=2019-01-01"),
    ]


def left_meanwhile(way: Way) -> list[set[str] | str]:
    until = (date.fromisoformat(way.today) + timedelta(days=2)).isoformat()
    return [
        way.api("POST", "/tasks/postponements", "R1", tasks=[way.task], until=until, reason="workload"),
        way.shell("task", "postpone", str(way.task), "--until", until, "--reason", "workload", "--as", "R1"),
        way.page("R1", "/console/day/add", case_id=str(way.left), what="call", due_on=until),
    ]


def strategy_not_allowed(way: Way) -> list[set[str] | str]:
    """The chart's state of the case does not allow it."""
    return [
        way.api("POST", "/strategies", "R1", cases=[way.left], strategy="phone"),
        way.shell("task", "strategy", str(way.left), "--strategy", "phone", "--as", "R1"),
        way.page("R1", "/console/day/strategy", strategy="phone", **{f"task__{way.task}": "yes"}),
    ]


def unknown_strategy(way: Way) -> list[set[str] | str]:
    return [
        way.api("POST", "/strategies", "R1", cases=[way.there], strategy="prayer"),
        way.shell("task", "strategy", str(way.there), "--strategy", "prayer", "--as", "R1"),
        way.page("R1", "/console/day/strategy", strategy="prayer", **{f"task__{task_of(way)}": "yes"}),
    ]


def outage_of_closed_day(way: Way) -> list[set[str] | str]:
    return [
        way.api("POST", "/outages", "B1", day=CLOSED.isoformat(), reason="power"),
        way.shell("outage", "declare", "--on", CLOSED.isoformat(), "--reason", "power", "--as", "B1"),
        way.page("B1", "/console/roster/outages", on=CLOSED.isoformat(), reason="power", do="declare"),
    ]


def outage_withdrawn(way: Way) -> list[set[str] | str]:
    """One that was declared before the close exempted what was taken then."""
    branch = way.running.started.branch
    with writing(way.running.started.engine) as conn:
        trail, known = branch.trail(now()), branch.rulebook.duties.outages
        declare_outage(conn, trail, system("cli"), Outage(CLOSED, "power"), known, closed=None)
        trail.write(conn)
    return [
        way.api("POST", "/outages/withdrawals", "B1", day=CLOSED.isoformat()),
        way.shell("outage", "withdraw", "--on", CLOSED.isoformat(), "--as", "B1"),
        way.page("B1", "/console/roster/outages", on=CLOSED.isoformat(), do="withdraw"),
    ]


def roster_of_closed_day(way: Way) -> list[set[str] | str]:
    shift = {"day": CLOSED.isoformat(), "staff_no": "R1", "shift": "rest"}
    return [
        way.api("POST", "/roster", "B1", shifts=[shift]),
        way.shell("roster", "set", "--on", CLOSED.isoformat(), "--staff", "R1", "--shift", "rest", "--as", "B1"),
        way.page("B1", "/console/roster", from_on=CLOSED.isoformat(), staff_no="R1", shift="rest"),
    ]


def given_out(way: Way) -> list[set[str] | str]:
    """Over HTTP and on the page it runs behind, and is told when it is looked at."""
    way.running.post("/distribution", "B1", json={"on": BEFORE.isoformat()})
    for _ in range(100):
        if way.running.get("/distribution", "B1").json()["status"] != "running":
            break
        time.sleep(0.05)
    return [
        way.api("GET", "/distribution", "B1"),
        way.shell("distribute", "--on", BEFORE.isoformat(), "--as", "B1"),
        way.page("B1", "/console/distribution"),
    ]


def moved_to_who_cannot(way: Way) -> list[set[str] | str]:
    move = {"tasks": [way.task], "to": "AUD1", "reason": "workload"}
    return [
        way.api("POST", "/tasks/moves", "B1", **move | {"tasks": [task_of(way)]}),
        way.shell("task", "move", str(task_of(way)), "--to", "AUD1", "--reason", "workload", "--as", "B1"),
        way.page("B1", "/console/task-lists/move", to="AUD1", reason="workload", **{f"task__{task_of(way)}": "yes"}),
    ]


def task_of(way: Way) -> int:
    """A task of the case that is still there."""
    listed = way.running.get("/tasks", "R1").json()["items"]
    return next(int(one["id"]) for one in listed if one["case_id"] == way.there)


def unknown_ground(way: Way) -> list[set[str] | str]:
    return [
        way.api("POST", "/promises", "R1", of=way.there, ground="whim", data={}),
        way.shell("promise", "open", "--case", str(way.there), "--ground", "whim", "--as", "R1"),
        way.page("R1", f"/console/debtors/{way.there}/promises", ground="whim"),
    ]


@pytest.mark.parametrize(
    ("tried", "code", "zh"),
    [
        (twice, "list_taken", "的任务已于"), (handed_in_twice, "handed_in_already", "此后的内容请另交补充"),
        (not_on_it, "nothing_to_take", "没有任务"), (for_another, "hand_in_not_yours", "须由本人、当日代理人"),
        (nothing_done, "nothing_to_hand_in", "没有可上交的内容"), (without_feed, "day_without_feed", "尚无数据导入"),
        (left_meanwhile, "case_left", "案件已不在办"),
        (strategy_not_allowed, "strategy_not_allowed", "只可在失联、电话催收中启动"),
        (outage_of_closed_day, "outage_of_closed_day", "只可登记或撤销2026-01-10"),
        (outage_withdrawn, "outage_of_closed_day", "只可登记或撤销2026-01-10"),
        (roster_of_closed_day, "roster_faulty", "班表不再改变"), (given_out, "day_given_out", "只可预览"),
        (moved_to_who_cannot, "receiver_lacks_post", "没有可办理此任务的岗位"),
        (unknown_strategy, "unknown_strategy", "策略须为以下之一"),
        (unknown_ground, "unknown_ground", "客户承诺还款（made）"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_of_a_day_is_told_whichever_way_it_is_tried(
    way: Way, tried: Callable[[Way], list[set[str] | str]], code: str, zh: str
) -> None:
    """By one code over HTTP and at the shell; in words on the page."""
    for said, wanted in zip(tried(way), (code, code, zh), strict=True):
        assert wanted in said


def test_a_roster_with_nobody_on_it_has_somebody_answer_and_every_way_says_so(running: Running, browse: Browse) -> None:
    today = running.started.branch.today(now()).isoformat()
    shift = [{"day": today, "staff_no": staff_no, "shift": "rest"} for staff_no in ("R1", "T1", "P1", "B1")]
    assert running.post("/roster", "B1", json={"shifts": shift}).status_code == 200
    told = {one["staff_no"]: one for one in running.get("/roster/answers", "R1").json()["items"]}
    assert (told["R1"]["answers"], told["R1"]["nobody_on"], told["R1"]["why"]) == ("B1", True, "head_off")
    said = casework(running.started.settings, "roster", "who", "--on", today)
    assert "班表无人" in said.err
    someone = browse("B1")
    someone.get(f"/console/roster?week={today}")
    assert "班表无人" in someone.text()
