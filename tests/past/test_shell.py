"""The past from the shell: words for people, JSON for programs, one line for a mistake."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from tests.log import built_log as logs
from tests.log.built_log import BuiltLog
from tests.past.then import BUILT

BEFORE = (BUILT - timedelta(seconds=1)).isoformat()
Shell = Callable[..., Result]


@pytest.fixture
def shell(log: BuiltLog, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs `casework` on the log."""
    monkeypatch.setenv("CASEWORK_DATABASE_URL", log.settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(log.settings.keys_dir))
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_a_case_is_told_as_it_was_and_how_the_instant_was_read(shell: Shell) -> None:
    told = shell("case", "as-of", "1", "--at", "2026-01-11T09:30")
    assert told.exit_code == 0, told.output
    for words in (
        "written_off 已核销",
        "2026-01-11 09:30:00 +08:00 Asia/Shanghai",
        "branch time",
        "A1, A1",
        "recorded",
    ):
        assert words in told.output
    then = json.loads(shell("case", "as-of", "1", "--at", "2026-01-11", "--json").output)
    assert (then["state"], then["instant"]["read_as"]) == ("written_off", "end_of_branch_day")


def test_a_difference_tells_fields_and_who_did_what(shell: Shell) -> None:
    told = shell("case", "diff", "1", "--from", BEFORE, "--to", "now", "--limit", "2")
    assert told.exit_code == 0, told.output
    for words in ("opened between", "written_off", "case.opened 入催", "system (feed)", "more with --after 2"):
        assert words in told.output
    found = json.loads(shell("case", "diff", "1", "--from", BEFORE, "--to", "now", "--after", "2", "--json").output)
    assert [entry["seq"] for entry in found["entries"]] == list(range(3, found["entries_in_all"] + 1))


def test_the_portfolio_is_told_by_state_and_what_became_of_it(shell: Shell) -> None:
    told = shell("audit", "as-of", "--at", "now", "--owner", "S1")
    assert told.exit_code == 0, told.output
    for words in ("phone_collection 电话催收", "total", "owner S1", "business date of wuhan"):
        assert words in told.output
    whole = json.loads(shell("audit", "as-of", "--at", "now", "--json").output)
    assert whole["total"]["cases"] == logs.CASES
    moved = shell("audit", "diff", "--from", BEFORE, "--to", "now", "--limit", "3")
    for words in (
        "(opened 入催)",
        f"opened 入催 {logs.CASES}",
        "more with --after 3",
        f"3 of {logs.CASES} changed cases",
    ):
        assert words in moved.output
    found = json.loads(shell("audit", "diff", "--from", BEFORE, "--to", "now", "--json").output)
    assert (found["opened"], found["before"]["cases"], len(found["changed"])) == (logs.CASES, 0, 50)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("case", "as-of", "1", "--at", "2999-01-01"), "instant_in_future"),
        (("case", "as-of", "1", "--at", "tomorrow"), "instant_malformed"),
        (("case", "as-of", "1", "--at", BEFORE), "case_not_opened_then"),
        (("case", "as-of", "999", "--at", "now"), "unknown_case"),
        (("case", "as-of", "999", "--at", "now", "--as", "R1"), "unknown_case"),
        (("case", "as-of", "1", "--at", "now", "--as", "T1"), None),
        (("case", "diff", "1", "--from", "now", "--to", BEFORE), "instants_reversed"),
        (("audit", "as-of", "--at", "now", "--state", "lost_contract"), "filter_malformed"),
    ],
)
def test_a_mistake_is_one_line(shell: Shell, arguments: tuple[str, ...], code: str | None) -> None:
    result = shell(*arguments)
    if code is None:
        assert result.exit_code == 0, result.output
        return
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{code}: ")
    assert len(result.stderr.splitlines()) == 1
