"""`casework roster`: shifts by file and one by one, by whom, and who answers for who is off."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from casework.settings import Settings
from tests.variables import variables_of


@pytest.fixture
def shell(settings: Settings, rulebook_published: None) -> Iterator[Any]:
    """A branch with a basic-risk manager and two phone collectors; the log is sound when the test is done."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), env=variables_of(settings))

    for staff_no, post in (("B9", "basic_risk_manager"), ("P1", "phone_collector"), ("P2", "phone_collector")):
        assert run("staff", "add", staff_no, "甄不存", "--post", post).exit_code == 0
    yield run
    assert run("audit", "verify").exit_code == 0


DAY = "2126-03-10"
"""After any today: posts are held from the day on which a test runs."""


def test_a_file_is_entered_shown_and_answered_by_and_the_same_again_changes_nothing(
    shell: Any, tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "班表.csv").write_text(f"日期,工号,班次,替班人\n{DAY},P1,休,P2\n{DAY},P2,白班,\n", encoding="utf-8")
    wanted = ("roster", "import", str(tmp_path / "班表.csv"), "--as", "B9", "--json")
    looked = json.loads(shell(*wanted, "--dry-run").stdout)
    assert looked["dry_run"]
    assert json.loads(shell("roster", "show", "--from", looked["days_changed"][0], "--json").stdout) == []
    assert json.loads(shell(*wanted).output) == {
        "rows": 2,
        "days_changed": [DAY],
        "faults_in_all": 0,
        "set_aside": [],
        "dry_run": False,
    }
    assert json.loads(shell(*wanted).output) == {
        "rows": 2,
        "days_changed": [],
        "faults_in_all": 0,
        "set_aside": [],
        "dry_run": False,
    }
    assert json.loads(shell("roster", "show", "--from", DAY, "--as", "P1", "--json").output) == [
        {"day": DAY, "staff_no": "P1", "shift": "rest", "stand_in": "P2"},
        {"day": DAY, "staff_no": "P2", "shift": "day", "stand_in": None},
    ]
    assert json.loads(shell("roster", "who", "--on", DAY, "--json").output) == [
        {"staff_no": "P1", "answers": "P2", "why": "stand_in", "posts": ["phone_collector"]}
    ]


def test_a_roster_with_nobody_on_it_is_told_of_with_who_answers_all_the_same(shell: Any) -> None:
    for staff_no in ("P1", "P2"):
        entered = shell("roster", "set", "--on", DAY, "--staff", staff_no, "--shift", "rest", "--as", "B9")
        assert entered.exit_code == 0
    told = shell("roster", "who", "--on", DAY)
    assert "P1: nobody is on the roster: the head of the post" in told.output
    assert shell("roster", "set", "--on", DAY, "--staff", "P1", "--shift", "none").exit_code == 0
    assert [one["staff_no"] for one in json.loads(shell("roster", "who", "--on", DAY, "--json").output)] == ["P2"]


def test_a_row_cut_behind_columns_that_nobody_knows_is_told_by_its_line(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "班表.csv").write_text(f"姓名,日期,工号\n甄,{DAY},P1\n甄,{DAY}\n", encoding="gb18030")
    each = shell("roster", "import", str(tmp_path / "班表.csv"), "--each", "--json")
    told = json.loads(each.stdout)
    assert (told["rows"], [(one["line"], one["kind"]) for one in told["set_aside"]]) == (1, [(3, "wrong_cell_count")])


def test_with_each_the_sound_rows_go_in_and_the_others_are_told_by_line_and_column(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "班表.csv").write_text(f"日期,工号,班次\n{DAY},P1,白班\n{DAY},X9,白班\n", encoding="utf-8")
    whole = shell("roster", "import", str(tmp_path / "班表.csv"))
    assert (whole.exit_code, whole.output.splitlines()[-1].split(":")[0]) == (1, "roster_faulty")
    each = shell("roster", "import", str(tmp_path / "班表.csv"), "--each")
    assert each.exit_code == 1
    assert [one for one in ("3", "工号", "X9") if one not in each.stderr] == []
    told = json.loads(shell("roster", "import", str(tmp_path / "班表.csv"), "--each", "--json").stdout)
    assert (told["rows"], [(one["line"], one["column"]) for one in told["set_aside"]]) == (1, [(3, "staff_no")])
    shown = json.loads(shell("roster", "show", "--from", DAY, "--as", "P1", "--json").output)
    assert [one["staff_no"] for one in shown] == ["P1"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("set", "--on", DAY, "--staff", "P1", "--shift", "day", "--as", "P1"), "post_not_permitted"),
        (("set", "--on", DAY, "--staff", "P1", "--shift", "leave", "--as", "B9"), "roster_faulty"),
        (("set", "--on", DAY, "--staff", "P9", "--shift", "day"), "roster_faulty"),
        (("show", "--from", DAY, "--until", "2126-12-31"), "roster_days_too_many"),
        (("show", "--from", DAY, "--until", "2126-03-01"), "dates_out_of_order"),
    ],
)
def test_what_cannot_be_entered_or_shown_is_one_line(shell: Any, arguments: tuple[str, ...], code: str) -> None:
    refused = shell("roster", *arguments)
    assert (refused.exit_code, refused.output.split(":")[0], refused.output.count("\n")) == (1, code, 1)
