"""`casework day` and `casework ledger check`: what they print, and how they end."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from casework.operation.sweeping import sweep
from tests.evening.conftest import COLLECTOR, clock, handed
from tests.feed.bank import Bank
from tests.work.test_promises import day

Shell = Callable[..., Result]
ON = ("--on", day(1).isoformat())


@pytest.fixture
def shell(house: Bank, monkeypatch: pytest.MonkeyPatch) -> Shell:
    settings = house.started.settings
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    return lambda *arguments: CliRunner().invoke(main, [*arguments])


def test_a_team_is_handed_in_with_a_line_for_each_and_what_is_not_ends_with_1(house: Bank, shell: Shell) -> None:
    sweep(house.started.engine, house.started.branch, day(1), clock=clock(day(1), 23))
    handed(house, COLLECTOR, clock(day(1), 17))
    done = shell("day", "hand-in", *ON, "--team", "T1", "--as", "B9", "--json")
    assert [(one["owed_by"], one["code"], one.get("late")) for one in json.loads(done.output)] == [
        ("P1", "handed_in_already", None), ("P2", None, True),
    ]  # fmt: skip
    assert done.exit_code == 1
    own = shell("day", "hand-in", *ON, "--as", "S1")
    assert own.output.startswith("S1: handed in 已上交, late 迟交 (evening:hand_ins:4)")
    assert own.exit_code == 0


def test_everybodys_day_is_shown_to_the_basic_risk_post_and_ones_own_to_a_collector(shell: Shell) -> None:
    everybody = json.loads(shell("day", "show", *ON, "--as", "B9", "--json").output)
    assert [(one["owed_by"], one["came"], one["due"]) for one in everybody] == [
        ("P1", "missing", 2), ("P2", "missing", 1), ("S1", "missing", 3),
    ]  # fmt: skip
    assert [one["owed_by"] for one in json.loads(shell("day", "show", *ON, "--as", "P1", "--json").output)] == ["P1"]
    assert "电不存 P1" in shell("day", "show", *ON, "--team", "T1").output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("day", "hand-in", *ON, "--as", "P1", "--for", "P2"), "hand_in_not_yours: "),
        (("day", "hand-in", *ON, "--as", "AP1"), "post_not_permitted: "),
        (("day", "hand-in", *ON, "--as", "B9", "--team", "T9"), "unknown_team: there is no team T9"),
        (("day", "hand-in", "--on", "2024-01-01", "--as", "P1"), "day_without_feed: no feed of 2024-01-01"),
        (("day", "hand-in", "--on", "2999-01-01", "--as", "P1"), "day_to_come: 2999-01-01 is after today"),
        (("ledger", "--on", "2999-01-01"), "day_to_come: 2999-01-01 is after today"),
        (("ledger", *ON, "--team", "T9"), "unknown_team: there is no team T9; known are T1"),
        (("task", "list", "--on", "2024-01-01", "--as", "P1"), "day_without_feed: no feed of 2024-01-01"),
        (("ledger", *ON, "--as", "P1"), "post_not_permitted: "),
        (("ledger", "check", "nothing.xlsx"), "file_unreadable: nothing.xlsx"),
        (("day", "show", "--on", "2024-01-01"), "day_without_feed: "),
        (("day", "unrepaired", *ON, "--as", "P1"), "post_not_permitted: "),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_1(shell: Shell, arguments: tuple[str, ...], told: str) -> None:
    done = shell(*arguments)
    assert done.output.startswith(told), done.output
    assert (done.exit_code, done.output.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    "arguments", [("day", "hand-in", *ON), ("day", "hand-in", *ON, "--for", "P1", "--team", "T1"), ("ledger",)]
)
def test_a_command_that_cannot_be_meant_ends_with_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    assert shell(*arguments).exit_code == 2


def test_a_file_that_was_taken_out_is_known_again_and_a_changed_one_is_not(
    house: Bank, shell: Shell, tmp_path: Path
) -> None:
    handed(house, COLLECTOR, clock(day(1), 17))
    out = tmp_path / f"催收台账-{day(1)}-T1.xlsx"
    assert shell("ledger", *ON, "--team", "T1", "--out", str(tmp_path), "--as", "B9").exit_code == 0
    found = json.loads(shell("ledger", "check", str(out), "--json").output)
    assert (found["by"], found["on"], found["team"], found["rows"]) == ("B9", day(1).isoformat(), "T1", 3)
    assert [(one["owed_by"], one["part"]) for one in found["hand_ins"]] == [("P1", "ledger")]
    assert "handed in 已上交: P1 ledger, evening:hand_ins:1" in shell("ledger", "check", str(out)).output
    out.write_bytes(out.read_bytes() + b" ")
    changed = shell("ledger", "check", str(out))
    assert (changed.exit_code, changed.output.split(":")[0]) == (1, "file_not_taken_out")


def test_what_cannot_be_written_is_told_and_no_entry_says_it_was_taken_out(house: Bank, shell: Shell) -> None:
    for out in ("/proc/nowhere/a.xlsx", "/proc/a.xlsx", "/dev/null/a.xlsx"):
        told = shell("ledger", *ON, "--out", out, "--as", "B9")
        assert (told.exit_code, told.output.split(":")[0]) == (1, "file_unwritable"), told.output
    assert house.bodies("exports:B9") == []


def test_a_disk_that_is_full_leaves_no_half_file_and_no_entry(
    house: Bank, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    told = shell("ledger", *ON, "--out", str(tmp_path / "a.xlsx"), "--as", "B9")
    monkeypatch.undo()
    assert told.output.startswith(f"file_unwritable: cannot write {tmp_path / 'a.xlsx'}: No space left on device")
    assert list(tmp_path.glob("*.xlsx")) == list(tmp_path.glob(".*.xlsx.*")) == []
    assert house.bodies("exports:B9") == []


def test_without_out_the_file_has_the_name_that_the_branch_sends_on(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell("ledger", *ON)
    assert [one.name for one in tmp_path.glob("*.xlsx")] == [f"催收台账-{day(1)}.xlsx"]
