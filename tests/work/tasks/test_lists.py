"""Task lists: what is on them and why, in which order, the same when asked again, and taking them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from casework.cli import main
from casework.clock import now
from casework.errors import CallerError
from casework.operation.morning import make_lists
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor, system
from casework.storage.database import open_engine, reading, writing
from casework.work.tasks.own import Task, state_of, take_list, tasks_of
from casework.work.tasks.tables import task_days, tasks
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_holds import take as hold
from tests.work.test_promises import at, day
from tests.work.test_promises import row as promise
from tests.work.test_promises import take as promised

BOOKS = [loan(number) for number in (1, 2, 3, 4)]
SNAPSHOT = [
    arrears(1, 5), arrears(2, 30), arrears(3, 40),
    arrears(4, 5, overdue_principal="9000.00", outstanding_principal="9000.00"),
]  # fmt: skip


@pytest.fixture
def house(bank_after: BankAfter) -> Iterator[Bank]:
    """Four cases of the rep S1, who is confirmed; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("S1", "business_rep")
    bank.staff("B9", "basic_risk_manager")
    bank.staff("G1", "agency_post")
    bank.send(DAY, SNAPSHOT, loans=BOOKS)


def listed(bank: Bank, number: int, who: str = "S1", *posts: str, handed_out: bool = False) -> list[Task]:
    """The list of the morning of a day, made if it was not."""
    actor = Actor(who, "staff", "cli", frozenset(posts))
    with writing(bank.started.engine) as conn:
        make_lists(conn, bank.started.branch, day(number), system("cli"), clock=at(day(number)))
        return tasks_of(conn, bank.started.branch, day(number), actor, handed_out=handed_out)


def morning(bank: Bank, number: int, who: str = "S1", *posts: str) -> list[str]:
    """The same in short."""
    return [f"{one.loan_id} {one.task}: {one.why}" for one in listed(bank, number, who, *posts)]


def close(bank: Bank, number: int) -> None:
    sweep(bank.started.engine, bank.started.branch, day(number), clock=at(day(number + 1)))


def test_what_is_overdue_comes_first_then_broken_promises_then_money_by_its_chance(house: Bank) -> None:
    """A promise that the sweep judged broken the day before; ¥9,000 in M1 before ¥1,000; M1 before M2 of as much."""
    promised(house, promise("P1", 1, 0, 1, "500.00"))
    house.send(day(1), SNAPSHOT)
    close(house, 1)
    house.send(day(2), SNAPSHOT)
    close(house, 2)
    assert morning(house, 3) == [
        "L2 visit: late", "L3 visit: late", "L1 broken_promise: broken_promise",
        "L4 dial: due_today", "L1 dial: due_today", "L1 visit: expected",
    ]  # fmt: skip


def test_a_list_is_made_once_and_shown_again_as_it_was(house: Bank) -> None:
    close(house, 0)
    first = morning(house, 1)
    house.send(day(1), SNAPSHOT[:1])
    assert morning(house, 1) == first
    with reading(house.started.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(task_days)).scalar_one() == 1


def test_a_post_has_what_is_owed_by_the_post_and_its_holders_see_it(house: Bank) -> None:
    hold(house, f"L1,complaint,{DAY},")
    close(house, 0)
    assert morning(house, 1, "G1", "agency_post") == ["L2 place: expected", "L3 place: expected"]
    assert morning(house, 1, "P7") == []


def test_a_list_is_taken_once_and_after_half_past_nine_it_is_late(house: Bank) -> None:
    close(house, 0)
    morning(house, 1)
    branch, rep = house.started.branch, Actor("S1", "staff", "cli", frozenset({"business_rep"}))
    with writing(house.started.engine) as conn:
        assert take_list(conn, branch, day(1), rep, at(day(1))())
    told = f"the list of {day(1)} is taken already, at {day(1)} 12:00"
    with pytest.raises(CallerError, match=told), writing(house.started.engine) as conn:
        take_list(conn, branch, day(1), rep, at(day(1))())
    stranger = Actor("P7", "staff", "cli", frozenset({"phone_collector"}))
    with pytest.raises(CallerError, match="no task"), writing(house.started.engine) as conn:
        take_list(conn, branch, day(1), stranger, at(day(1))())


def test_a_list_that_may_hold_nothing_is_not_taken_and_says_so(house: Bank) -> None:
    """What is theirs is counted, and comes later. A policy may say so of a post; of everybody it is refused."""
    close(house, 0)
    house.set_figures({"task.lines_per_day": 0})
    assert morning(house, 1) == []
    rep = Actor("S1", "staff", "cli", frozenset({"business_rep"}))
    with pytest.raises(CallerError) as refused, writing(house.started.engine) as conn:
        take_list(conn, house.started.branch, day(1), rep, at(day(1))())
    assert refused.value.code == "no_room"
    with reading(house.started.engine) as conn:
        state = state_of(conn, day(1), "S1")
    assert state is not None
    assert (state.tasks, state.held_back > 0) == (0, True)


def test_a_list_too_far_ahead_is_not_made(house: Bank) -> None:
    with pytest.raises(CallerError, match="cannot be made yet"), writing(house.started.engine) as conn:
        make_lists(conn, house.started.branch, day(2), system("cli"), clock=at(DAY))


def test_tomorrows_list_waits_for_todays_close_and_is_taken_on_its_own_day(house: Bank) -> None:
    """It is made from what that close leaves; nobody takes it before its day, and so in time for sure."""
    close(house, 0)
    house.send(day(1), SNAPSHOT)

    def make(evening: int) -> None:
        with writing(house.started.engine) as conn:
            make_lists(conn, house.started.branch, day(2), system("cli"), clock=at(day(evening)))

    with pytest.raises(CallerError) as early:
        make(1)
    assert (early.value.code, early.value.facts) == ("day_not_closed", {"day": str(day(1))})
    sweep(house.started.engine, house.started.branch, day(1), clock=at(day(1)))
    make(1)
    rep = Actor("S1", "staff", "cli", frozenset({"business_rep"}))
    with writing(house.started.engine) as conn, pytest.raises(CallerError) as caught:
        take_list(conn, house.started.branch, day(2), rep, at(day(1))())
    assert caught.value.code == "lists_to_come"
    with writing(house.started.engine) as conn:
        take_list(conn, house.started.branch, day(2), rep, at(day(2))())


def test_the_shell_tells_why_each_task_is_there(house: Bank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    close(house, 0)
    settings = house.started.settings
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["task", *arguments, "--on", day(1).isoformat()])

    listed: list[dict[str, Any]] = json.loads(run("list", "--as", "S1", "--json").output)
    assert [(one["rank"], one["loan_id"], one["why"]) for one in listed][:2] == [(1, "L2", "late"), (2, "L3", "late")]
    assert listed[0]["why_en"].startswith("overdue by rule: due on ")
    assert "L4" in (shown := run("list", "--as", "S1").output)
    assert "the last feed is of" not in shown
    assert "taken" in run("take", "--as", "S1").output
    for suffix in ("xlsx", "csv"):
        file = tmp_path / f"S1.{suffix}"
        assert f"{len(listed)} tasks" in run("export", "--list", "S1", "--out", str(file)).output
        assert file.stat().st_size > 200
    assert "L2" in (tmp_path / "S1.csv").read_text(encoding="utf-8-sig")
    assert run("export", "--out", str(tmp_path / "S1.doc")).exit_code == 2
    lists = {one["list_of"]: one["tasks"] for one in json.loads(run("lists", "--json").output)}
    assert run("lists", "--team", "Nix").output.startswith("unknown_team")
    assert lists["S1"] == len(listed)
    assert run("take", "--as", "S1").output.startswith("list_taken")


def test_the_shell_begins_puts_off_adds_and_starts_a_strategy_today(
    house: Bank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    """Lists of today, whenever that is, are made by whoever asks first."""
    settings, case_id = house.started.settings, str(house.case(1).id)
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    until = (now() + timedelta(days=3)).date().isoformat()

    def run(*arguments: str, who: str = "S1") -> Result:
        return CliRunner().invoke(main, ["task", *arguments, "--as", who])

    begun = json.loads(run("next", "--json").output)
    assert begun["held_by"] == "S1"
    put_off = run("postpone", str(begun["id"]), "999999", "--until", until, "--reason", "workload", "--json")
    assert [one["outcome"] for one in json.loads(put_off.output)] == ["done", "unknown_task"]
    assert put_off.exit_code == 1
    assert run("add", case_id, "--what", "papers", "--due", until).output.endswith("done 已办理\n")
    assert run("strategy", case_id, "--strategy", "visit").exit_code == 0
    assert run("strategy", case_id, "--strategy", "dance").output.startswith("unknown_strategy")
    assert json.loads(run("worklists", "--json", who="B9").output)["visit"] == 1
    assert "L1" in run("worklists", "--list", "visit", who="B9").output
    sent = run("worklists", "--list", "visit", "--out", str(tmp_path / "下户.csv"), who="B9")
    assert sent.output == "下户.csv: 1 cases 案件\n"
    assert "L1,电话催收" in (tmp_path / "下户.csv").read_text("utf-8-sig")
    assert run("worklists", "--out", str(tmp_path / "x.csv"), who="B9").exit_code == 2
    assert run("worklists").output.startswith("post_not_permitted")
    assert f"the last feed is of {DAY}" in run("list", "--on", now().date().isoformat()).output


@pytest.mark.only("sqlite")
def test_a_list_changed_by_sql_is_found(bank: Bank) -> None:
    bank.send(DAY, SNAPSHOT, loans=BOOKS)
    with writing(bank.started.engine) as conn:
        make_lists(conn, bank.started.branch, DAY, system("cli"), clock=at(DAY))
    bank.assert_sound()
    engine = open_engine(bank.started.settings.database_url)
    with engine.begin() as conn:
        conn.exec_driver_sql("DROP TRIGGER tasks_append_only_update")
        conn.execute(tasks.update().where(tasks.c.rank == 1).values(why="expected"))
    engine.dispose()
    assert ("row_differs", "tasks:lists") in [(one.code, one.stream) for one in bank.verified().findings]
