"""Promises and holds that cannot be: the answer names the field, what is wrong with it and what would be allowed."""

from datetime import timedelta
from typing import Any

import pytest

from casework.clock import branch_date, now
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.contacted import typed
from tests.lifecycle.test_at_the_shell import MADE, SET
from tests.lifecycle.test_at_the_shell import shell as shell  # noqa: PLC0414  # a fixture
from tests.lifecycle.test_over_http import case_id as case_id  # noqa: PLC0414  # a fixture
from tests.lifecycle.test_over_http import hold, promise

TODAY = branch_date(now(), "Asia/Shanghai")
LAST = (TODAY + timedelta(days=14)).isoformat()

PROMISES = [
    ({"amount_fen": 0}, "amount_fen", "amount promised must be more than zero"),
    ({"amount_fen": -1}, "amount_fen", "amount promised: must be a whole number, zero or more, in fen"),
    ({"pay_by": "2026-01-09"}, "pay_by", "date promised: must not be before the business date 2026-01-10"),
    ({"pay_by": (TODAY + timedelta(days=15)).isoformat()}, "pay_by",
     f"date promised: must not be after {LAST}, 14 days ahead"),
    ({"pay_by": "soon"}, "pay_by", "date promised: must be a date YYYY-MM-DD"),
    ({"made_on": (TODAY + timedelta(days=1)).isoformat()}, "made_on",
     f"day on which it was made: must not be after {TODAY}"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "field", "said"), PROMISES)
def test_a_promise_of_nothing_in_the_past_or_beyond_the_horizon_is_no_promise(
    running: Running, case_id: int, data: dict[str, Any], field: str, said: str
) -> None:
    body = problem(promise(running, case_id, **data), 422, "faulty_data")
    (fault,) = body["faults"]
    assert (fault["field"], fault["en"]) == (field, said)
    assert fault["zh"]
    assert running.get("/promises").json()["items"] == []


@pytest.mark.parametrize(("data", "field", "said"), PROMISES[:4])
def test_the_same_at_the_shell_is_one_line_and_exit_code_2(
    shell: Any, data: dict[str, Any], field: str, said: str
) -> None:
    given = {"amount_fen": 50_000, **data}
    pairs = [part for name, value in given.items() for part in ("--data", f"{name}={value}")]
    told = shell("promise", "open", *MADE, *pairs, "--as", "R1")
    assert (told.exit_code, told.stdout) == (2, "")
    assert f"{field}: " in told.stderr or field in told.stderr
    assert said in " ".join(told.stderr.split())


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        ({"amount_fen": 10**9}, "no_more_than_owed", "¥10,000,000.00 is more than what is overdue, ¥1,021.00"),
        ({"amount_fen": 1}, "promises_enough", "¥0.01 is less than the least that may be promised, ¥204.20"),
        ({"made_on": "2026-01-09"}, "debtor_connected_that_day",
         "no contact with the debtor is on record for 2026-01-09"),
    ],
)  # fmt: skip
def test_a_promise_of_more_than_is_owed_of_too_little_or_without_a_contact_is_refused_with_the_rule(
    running: Running, case_id: int, data: dict[str, Any], code: str, said: str
) -> None:
    (reason,) = problem(promise(running, case_id, **data), 409, "refused")["reasons"]
    assert (reason["code"], reason["en"], reason["rules"]) == (code, said, ["1.3.1d"])


@pytest.mark.parametrize(("channel", "result"), [("inbound", "debtor"), ("visit", "found"), ("call", "debtor_hung_up")])
def test_any_contact_with_the_debtor_that_day_by_whatever_channel_carries_a_promise(
    running: Running, case_id: int, channel: str, result: str
) -> None:
    def made(on: str) -> int:
        return int(promise(running, case_id, made_on=on).status_code)

    assert made("2026-01-11") == 409
    row = typed("L1", "2026-01-11", "t2", result) | {"channel": channel, "address": "虚构路1号"}
    answer = running.post("/contacts", "T1", json={"contacts": [row]})
    assert answer.json()["by_outcome"] == {"done": 1}, answer.text
    assert made("2026-01-11") == 201


def test_a_contact_in_which_another_answered_carries_none(running: Running, case_id: int) -> None:
    row = typed("L1", "2026-01-11", "t2", "third_party")
    assert running.post("/contacts", "T1", json={"contacts": [row]}).json()["by_outcome"] == {"done": 1}
    problem(promise(running, case_id, made_on="2026-01-11"), 409, "refused")


@pytest.mark.parametrize(
    ("data", "field", "said"),
    [
        ({"begins_at": f"{TODAY + timedelta(days=1)}T08:00:00+08:00"}, "begins_at", "begin: must not be after"),
        ({"begins_at": "2026-01-10T08:00:00"}, "begins_at", "begin: must be a time with its offset"),
        ({"review_by": "2026-01-09"}, "review_by", "must not be before the business date 2026-01-10"),
        ({"hold": "whim"}, "hold", "must be one of complaint, dispute, hardship, bankruptcy, death"),
    ],
)
def test_a_hold_that_cannot_be_says_which_field_and_what_is_allowed(
    running: Running, case_id: int, data: dict[str, Any], field: str, said: str
) -> None:
    (fault,) = problem(hold(running, **data), 422, "faulty_data")["faults"]
    assert fault["field"] == field
    assert said in fault["en"]


def test_holds_that_overlap_or_end_before_they_begin_are_refused_over_http_and_at_the_shell(
    running: Running, case_id: int
) -> None:
    first = hold(running).json()["id"]
    (reason,) = problem(hold(running), 409, "refused")["reasons"]
    assert (reason["code"], reason["en"]) == ("no_overlap", f"hold {first} of the same ground overlaps it")
    (reason,) = problem(hold(running, hold="complaint", ends_at="2026-01-10T07:00:00+08:00"), 409, "refused")["reasons"]
    assert reason["code"] == "ends_after_it_begins"
    assert "2026-01-10T08:00:00+08:00" in reason["en"]


def test_an_overlapping_hold_at_the_shell_is_one_line_and_exit_code_1(shell: Any) -> None:
    again = [shell("hold", "open", *SET, "--data", "hold=hardship", "--as", "R1") for _ in range(2)]
    assert [one.exit_code for one in again] == [0, 1]
    assert "no_overlap" in again[1].stderr
    assert "hold 1 of the same ground overlaps it" in " ".join(again[1].stderr.split())
