"""Duties of a day at the shell: counted, and as a file that is on record."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from casework.cli import main
from tests.evening.conftest import house
from tests.feed.bank import Bank
from tests.feed.conftest import bank_after
from tests.work.test_promises import day

__all__ = ["bank_after", "house"]


@pytest.fixture
def shell(house: Bank, monkeypatch: pytest.MonkeyPatch) -> Bank:
    monkeypatch.setenv("CASEWORK_DATABASE_URL", house.started.settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(house.started.settings.keys_dir))
    return house


def run(*more: str) -> Result:
    return CliRunner().invoke(main, ["duty", "list", "--on", day(1).isoformat(), *more])


def test_every_duty_is_written_into_a_file_and_it_is_an_entry(shell: Bank, tmp_path: Path) -> None:
    out = tmp_path / "任务.xlsx"
    done = run("--out", str(out), "--as", "B9")
    assert done.output == "任务.xlsx: 6 duties 项任务\n"
    header, *lines = CalamineWorkbook.from_path(out).get_sheet_by_name("当日任务").to_python()[2:]
    assert header[:7] == ["日期", "借据号", "任务", "状态", "豁免规则", "期限", "应办人"]
    assert [[*line[1:4], line[6]] for line in lines[:2]] == [
        ["L1", "每日拨打", "待办", "电不存 P1"], ["L1", "下户", "待办", "柳不存 S1"],
    ]  # fmt: skip
    (entry,) = shell.bodies("exports:B9")
    assert entry["data"]["filter"] == {"list": "duties", "on": day(1).isoformat()}
    assert (entry["data"]["rows"], entry["data"]["format"]) == (6, "xlsx")
    assert run("--out", str(tmp_path)).output == f"当日任务-{day(1)}.xlsx: 6 duties 项任务\n"


def test_a_file_as_somebody_has_only_the_cases_that_they_see(shell: Bank, tmp_path: Path) -> None:
    assert run("--out", str(tmp_path / "a.csv"), "--as", "P2").output.startswith("a.csv: ")
    told = (tmp_path / "a.csv").read_text(encoding="utf-8-sig").splitlines()
    assert {line.split(",")[1] for line in told[1:-1]} <= {"L1", "L2", "L3"}
    assert "B9" not in run("--json", "--as", "P2").output


@pytest.mark.parametrize(
    ("more", "fault"),
    [(("--out", "a.pdf"), "a file ends in .xlsx or .csv"), (("--out", "/nowhere/a.csv"), "file_unwritable"),
     (("--as", "NOBODY"), "unknown_staff")],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_and_leaves_no_entry(shell: Bank, more: tuple[str, ...], fault: str) -> None:
    refused = run(*more)
    assert refused.exit_code
    assert fault in refused.output
    assert shell.bodies("exports:system") == []
