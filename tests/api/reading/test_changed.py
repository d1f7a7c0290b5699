"""`updated_since`: a list of what has changed, for whoever comes again and again."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from casework.clock import now
from casework.lifecycle.commands import Note
from casework.people.staff.actor import Actor
from casework.storage.database import reading
from casework.work.cases import changed
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.queries import page_of_changed
from tests.api.conftest import Running
from tests.cases.test_queries import Counted
from tests.lifecycle.test_over_http import WITHDRAW, case_id, fire, hold, promise

__all__ = ["case_id"]
REP = Actor("R1", "staff", "api", frozenset({"business_rep"}), team="T1", region="R1")


@pytest.fixture(autouse=True)
def _without_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test is shorter than the minute that is told twice."""
    monkeypatch.setattr(changed, "OVERLAP", timedelta(0))


def note(running: Running, case_id: int, text: str = "来过") -> None:
    running.do(Note(actor=REP, id=case_id, version=None, text=text))


def walked(running: Running, path: str, since: datetime, staff_no: str = "R1", **params: Any) -> list[int]:
    """The numbers of all pages, in their order."""
    found, cursor = [], None
    for _ in range(50):
        asked = {**params, "updated_since": since.isoformat()} | ({"cursor": cursor} if cursor else {})
        answer = running.get(path, staff_no, params=asked)
        assert answer.status_code == 200, answer.text
        found += [one["id"] for one in answer.json()["items"]]
        cursor = answer.json()["next"]
        if cursor is None:
            return found
    raise AssertionError("a list without an end")


def test_cases_that_an_entry_was_written_of_since_come_in_the_order_of_the_log(running: Running) -> None:
    """Each once on a page, as it stands; what was not touched does not come; the filter and the reach hold."""
    one, two, three = running.open("L1", "L2", "L3")
    begin = now()
    assert walked(running, "/cases", begin) == []
    note(running, three)
    note(running, one)
    note(running, three)
    assert walked(running, "/cases", begin) == [three, one]
    assert walked(running, "/cases", begin, loan_id="L1") == [one]
    assert walked(running, "/cases", begin, "P1", owner="R1") == [three, one]
    middle = now()
    (four,) = running.open("L4", owner="T1", team="T9", region="R9")
    assert walked(running, "/cases", middle) == []  # out of their reach
    assert walked(running, "/cases", middle, "B1") == [four]
    assert walked(running, "/cases", begin - timedelta(days=3650), "B1", limit=1) == [one, two, three, one, three, four]


def test_a_cursor_goes_on_where_the_page_ended_and_belongs_to_its_instant(running: Running) -> None:
    opened = running.open("L1", "L2", "L3")
    since = now() - timedelta(hours=1)
    first = running.get("/cases", params={"updated_since": since.isoformat(), "limit": 2}).json()
    assert [one["id"] for one in first["items"]] == opened[:2]
    note(running, opened[0])
    asked = {"updated_since": since.isoformat(), "limit": 2, "cursor": first["next"]}
    assert [one["id"] for one in running.get("/cases", params=asked).json()["items"]] == [opened[2], opened[0]]
    other = running.get("/cases", params={**asked, "updated_since": now().isoformat()})
    assert (other.status_code, other.json()["code"]) == (422, "cursor_malformed")


def test_of_a_noun_what_is_over_comes_too(running: Running, case_id: int) -> None:
    """A promise that was withdrawn is news to whoever keeps a copy; what was written of the case alone is none."""
    made = promise(running, case_id).json()["id"]
    before, begin = now() - timedelta(hours=1), now()
    assert walked(running, "/promises", begin) == []
    assert fire(running, f"/promises/{made}", WITHDRAW).status_code == 200
    assert walked(running, "/promises", begin) == [made]
    assert walked(running, "/promises", begin, case_id=case_id) == [made]
    assert walked(running, "/promises", begin, case_id=case_id + 1) == []
    later = now()
    note(running, case_id)
    kept = hold(running).json()["id"]
    assert walked(running, "/promises", later) == []
    assert (walked(running, "/holds", before), walked(running, "/holds", later, case_id=case_id)) == ([kept], [kept])


@pytest.mark.parametrize(
    ("params", "field"),
    [({"updated_since": "2026-01-10T08:00:00"}, "updated_since"),
     ({"updated_since": "0001-01-01T00:00:00+14:00"}, "updated_since"),
     ({"updated_since": "2026-01-10T08:00:00Z", "sort": "-id"}, "sort")],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/cases", "/promises"])
def test_an_instant_needs_its_offset_and_no_sort_goes_with_it(
    running: Running, path: str, params: dict[str, str], field: str
) -> None:
    answer = running.get(path, params=params)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "filter_malformed", field)


def test_a_page_costs_what_was_written_since_and_not_what_there_is(running: Running) -> None:
    """A handful of statements find the instant (the log is halved and halved), and then as many for 2 as for 30."""
    running.open(*[f"L{number}" for number in range(30)])
    branch = running.started.branch
    within = branch.rulebook.permissions.within(REP, "case.read", branch.rulebook.policies.all[-1])
    with reading(running.started.engine) as conn:
        dates = BusinessDates(conn, branch)
        counts = []
        for limit in (2, 30):
            with Counted(conn) as statements:
                since = now() - timedelta(hours=1)
                page_of_changed(conn, dates, CaseFilter(), within=within, since=since, limit=limit, cursor=None)
            counts.append(len(statements))
    assert counts[0] <= counts[1] <= counts[0] + 1 < 20
