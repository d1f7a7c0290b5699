"""`casework case assign` and `casework case owners`, on each database."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from casework.lifecycle.advance import advance
from casework.operation.startup import start
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.conftest import database, furnished, opening, settings

__all__ = ["database", "furnished", "settings"]


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `casework case` on a branch with people and the cases of loans L1 and L2."""
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    started = start(settings)
    with writing(started.engine) as conn:
        advance(conn, [opening("L1", 12), opening("L2", 12)], started.branch)
    started.engine.dispose()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["case", *arguments])

    return run


GIVE = ("assign", "1", "2", "--to", "P1", "--reason", "workload", "--as", "B1")


def test_cases_are_given_with_a_table_of_loads_and_exit_code_0(shell: Any) -> None:
    done = shell(*GIVE)
    assert done.exit_code == 0, done.output
    assert "2 of 2 cases given" in done.stdout
    assert "P1" in done.stdout
    assert json.loads(shell("show", "1", "--json").output)["owner"] == "P1"
    assert json.loads(CliRunner().invoke(main, ["audit", "verify", "--json"]).output)["verdict"] == "sound"


def test_a_preview_changes_nothing_and_says_what_the_deed_would(shell: Any) -> None:
    preview = shell(*GIVE, "--preview", "--json")
    assert preview.exit_code == 0, preview.output
    assert json.loads(shell("show", "1", "--json").output)["owner"] == "R1"
    done = shell(*GIVE, "--json")
    told, deed = json.loads(preview.stdout), json.loads(done.stdout)
    assert (told["preview"], deed["preview"]) == (True, False)
    assert told["receivers"] == deed["receivers"]
    assert [one["entry_id"] for one in told["results"]] == [None, None]
    assert [one["entry_id"] for one in deed["results"]] == ["case:1:2", "case:2:2"]


def test_what_is_not_given_is_told_on_stderr_with_exit_code_1(shell: Any) -> None:
    told = shell("assign", "1", "99", "--by-rule", "--as", "B1")
    assert told.exit_code == 1
    assert "0 of 2 cases given" in told.stdout
    assert "receiver_is_owner" in told.stderr
    assert "unknown_case" in told.stderr
    barred = shell("assign", "1", "--to", "P1", "--reason", "other", "--as", "T1")
    assert (barred.exit_code, barred.stderr.split(":")[0]) == (1, "post_not_permitted")
    unknown = shell("assign", "1", "--to", "P1", "--reason", "whim", "--as", "B1")
    assert (unknown.exit_code, unknown.stderr.split(":")[0]) == (1, "unknown_reason")


@pytest.mark.parametrize(
    "arguments",
    [
        ("assign",), ("assign", "1"), ("assign", "1", "--to", "P1"), ("assign", "0", "--by-rule"),
        ("assign", "1", "--to", "P1", "--by-rule"), ("owners", "x"), ("owners", "1", "--on", "soon"),
    ],
)  # fmt: skip
def test_a_command_that_cannot_be_meant_ends_with_2(shell: Any, arguments: tuple[str, ...]) -> None:
    assert shell(*arguments).exit_code == 2


def test_who_answered_for_a_case_is_shown_from_its_opening_on(shell: Any) -> None:
    shell(*GIVE)
    table = shell("owners", "1", "--on", "2026-01-10")
    assert table.exit_code == 0, table.output
    assert "本人客户" in table.output
    assert "工作量均衡" in table.output
    assert "on 2026-01-10: P1" in table.output
    found = json.loads(shell("owners", "1", "--json").output)
    assert [one["owner"] for one in found["owners"]] == ["R1", "P1"]
    assert "尚未入催" in shell("owners", "1", "--on", "2020-01-01").output
    assert shell("owners", "1", "--as", "R1").exit_code == 1
    assert shell("owners", "99").exit_code == 1
