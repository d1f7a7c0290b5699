"""`casework case` from the shell, on each database."""

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
from tests.contacted import REPAIRED

__all__ = ["database", "furnished", "settings"]


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `casework case` on a branch with people and the case of loan L1."""
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    started = start(settings)
    with writing(started.engine) as conn:
        advance(conn, [opening("L1", 12)], started.branch)
    started.engine.dispose()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["case", *arguments])

    return run


def test_a_list_is_a_table_for_people_and_json_for_programs(shell: Any) -> None:
    table = shell("list", "--dpd-min", "1")
    assert (table.exit_code, "电话催收" in table.output, "1021.00" in table.output) == (0, True, True)
    page = json.loads(shell("list", "--json").output)
    assert ([line["loan_id"] for line in page["items"]], page["next"]) == (["L1"], None)
    assert json.loads(shell("list", "--all", "--state", "settled", "--json").output)["items"] == []


@pytest.mark.parametrize(("option", "known"), [("--state", "lost_contact"), ("--bucket", "M3")])
def test_a_mistyped_filter_is_told_with_what_there_is_instead_of_finding_nothing(
    shell: Any, option: str, known: str
) -> None:
    result = shell("list", option, "lost_contract")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("filter_malformed: ")
    assert known in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_sweep_says_what_it_fired(shell: Any) -> None:
    silent = ("--data", "attempts=2", "--data", "connected=false")
    for day in ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09"):
        done = shell("record", "1", "contact_day", "--on", day, "--evidence", "rec:told", *silent)
        assert done.exit_code == 0, done.output
    told = json.loads(CliRunner().invoke(main, ["sweep", "--json"]).output)["fired"]
    assert told["archive"] == 0
    state = json.loads(shell("show", "1", "--json").output)["state"]
    assert state == ("lost_contact" if told["mark_lost"] else "phone_collection")
    assert "archive" in CliRunner().invoke(main, ["sweep"]).output


def test_a_case_is_shown_with_its_history_by_number_or_loan(shell: Any) -> None:
    assert shell("note", "1", "客户称月底还款", "--as", "T1").exit_code == 0
    by_loan = json.loads(shell("show", "--loan", "L1", "--json").output)
    assert by_loan["id"] == 1
    assert [item["event"] for item in by_loan["history"]] == ["case.opened", "case.noted"]
    assert by_loan["history"][1]["texts"] == {"note": "客户称月底还款"}
    assert shell("show", "1", "--as", "ADM1", "--json").output.startswith("post_not_permitted")  # he sees no cases
    assert "客户称月底还款" in shell("show", "1").output


def test_options_tell_what_may_be_done_and_why_not(shell: Any) -> None:
    text = shell("options", "1", "--as", "R1").output
    assert "start_visit" in text
    assert "dpd_at_least" in text
    events = {
        event["event"]: event for event in json.loads(shell("options", "1", "--as", "R1", "--json").output)["events"]
    }
    assert events["start_visit"]["allowed"] is True
    assert events["place"]["allowed"] is False


def test_an_event_is_fired_recorded_and_told(shell: Any) -> None:
    given = ("--on", "2026-01-09", "--evidence", "rec:1", "--data-json", json.dumps(REPAIRED))
    assert shell("record", "1", "information_repair", *given, "--as", "T1").exit_code == 0
    data = {"address_kind": "home", "address": "武汉市江岸区", "visit_on": "2026-01-12"}
    done = shell(
        "advance", "1", "start_visit", "--data-json", json.dumps(data), "--version", "2", "--as", "R1", "--json"
    )
    assert done.exit_code == 0, done.output
    outcome = json.loads(done.stdout)
    assert (outcome["outcome"], outcome["state"], outcome["version"]) == ("done", "home_visit", 3)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("advance", "1", "start_visit", "--as", "T1"), 1, "post_not_permitted"),
        (("advance", "1", "found", "--as", "R1"), 1, "wrong_state"),
        (("advance", "1", "start_visit", "--as", "R1"), 2, "address"),
        (("advance", "1", "fly"), 2, "unknown_event"),
        (("advance", "9", "fly"), 1, "unknown_case"),
        (("advance", "1", "archive", "--version", "7"), 1, "stale_version"),
        (("advance", "1", "archive", "--as", "NOBODY"), 1, "unknown_staff"),
        (("advance", "1", "archive", "--data", "x"), 2, "NAME=VALUE"),
        (("advance", "1", "archive", "--data-json", "[1]"), 2, "JSON object"),
        (("advance", "one", "archive"), 2, "integer"),
        (("show",), 2, "CASE_ID"),
        (("show", "9"), 1, "unknown_case"),
        (("show", "--loan", "L99999"), 1, "unknown_case"),
        (("show", "--loan", "6.2E+18"), 1, "filter_malformed: loan_id"),
        (("list", "--loan", "10001.0"), 1, "filter_malformed: loan_id"),
        (("list", "--borrower", "合计"), 1, "filter_malformed: borrower_id"),
        (("list", "--owner", "='R1'"), 1, "filter_malformed: owner"),
        (("list", "--cursor", "x"), 1, "cursor_malformed"),
        (
            ("record", "1", "information_repair", "--on", "2026-01-09", "--evidence", "张伟", "--as", "T1"),
            2,
            "evidence",
        ),
    ],
)
def test_what_cannot_be_done_ends_with_its_code_and_its_reason_on_stderr(
    shell: Any, arguments: tuple[str, ...], code: int, told: str
) -> None:
    result = shell(*arguments)
    assert (result.exit_code, told in result.stderr) == (code, True), result.stderr
    assert "Traceback" not in result.output


def test_a_refusal_names_every_reason_and_stays_on_record(shell: Any) -> None:
    result = shell("advance", "1", "mark_lost", "--json")
    assert result.exit_code == 1
    reasons = json.loads(result.stdout)["reasons"]
    assert [reason["code"] for reason in reasons] == ["days_without_contact"]
    assert "1.3.1c" in result.stderr
    events = [item["event"] for item in json.loads(shell("show", "1", "--json").stdout)["history"]]
    assert events == ["case.opened", "case.refused.mark_lost"]
