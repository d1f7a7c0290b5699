"""`casework contact record` and `casework contact list`, on each database."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from casework.lifecycle.advance import advance
from casework.operation.startup import start
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.conftest import database, findings, furnished, opening, settings
from tests.hours import by_day
from tests.on_books import put_loan

__all__ = ["database", "furnished", "settings"]


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `casework contact` on a branch with people and a case of R1 on the loan L1; the log is sound afterwards."""
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    started = start(settings)
    with writing(started.engine) as conn:
        put_loan(
            conn, started.branch, loan_id="L1", institution="wuhan", borrower_id="B-L1", product="consumer",
            owner_staff_no="R1", team="T1", region="R1", principal_fen=9_000_000,
            outstanding_principal_fen=5_000_000, row_hash=b"1",
        )  # fmt: skip
        advance(conn, [opening("L1", 12)], started.branch)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["contact", *arguments])

    yield run
    assert findings(started) == []
    started.engine.dispose()


def typed(ref: str, *more: str, hours: int = 1, result: str = "no_answer") -> tuple[str, ...]:
    """The words that record a call to the debtor of L1."""
    at = by_day(hours).isoformat()
    return (
        "record", "--contact-ref", ref, "--loan-id", "L1", "--party", "debtor", "--channel", "call", "--phone",
        "12000000001", "--started-at", at, "--result", result, *more,
    )  # fmt: skip


def test_contacts_are_recorded_and_listed_the_newest_first_with_masked_numbers(shell: Any) -> None:
    first, second = typed("c1", "--as", "R1", hours=30), typed("c2", "--staff-no", "S1", result="debtor")
    told = shell(*first)
    assert (told.exit_code, "late 补录" in told.stdout) == (0, True), told.output
    assert json.loads(shell(*second, "--json").stdout)["outcome"] == "done"
    again = json.loads(shell(*first, "--json").stdout)
    assert (again["outcome"], again["entry_id"]) == ("repeated", None)
    items = json.loads(shell("list", "L1", "--json", "--as", "R1").stdout)["items"]
    assert [(one["contact_ref"], one["staff_no"], one["outcome"], one["late"], one["phone"]) for one in items] == [
        ("c2", "S1", "debtor", False, "120****0001"), ("c1", "R1", "unanswered", True, "120****0001"),
    ]  # fmt: skip
    table = shell("list", "L1")
    assert (table.exit_code, "120****0001" in table.stdout, "无人接听" in table.stdout) == (0, True, True)


def test_a_wrong_outcome_is_put_right_by_whoever_made_the_contact_and_by_who_reaches_all(shell: Any) -> None:
    shell(*typed("c1", "--as", "R1", result="debtor"))
    told = shell("correct", "c1", "他人接听", "--reason", "听错", "--as", "R1", "--json")
    assert (told.exit_code, json.loads(told.stdout)["outcome"]) == (0, "third_party"), told.output
    assert "right already" in shell("correct", "c1", "third_party", "--as", "B1").stdout
    assert shell("correct", "c1", "busy", "--source", "sheet", "--as", "B1").exit_code == 0
    refused = [
        (("c1", "no_answer", "--as", "T1"), "not_your_own"), (("c9", "busy"), "unknown_contact_ref"),
        (("c1", "found"), "result_not_of_channel"), (("c1", "busy", "--as", "AUD1"), "post_not_"),
    ]  # fmt: skip
    for words, code in refused:
        told = shell("correct", *words)
        assert (told.exit_code, told.stderr.startswith(code)) == (1, True), told.output


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (typed("c1", "--staff-no", "T1", "--as", "R1"), "not_your_own"), (typed("c1", hours=-24), "in_the_future"),
        (typed("c1", "--ended-at", "2026-01-01T10:00:00+08:00"), "ended_before_started"),
        (typed("c1", result="answered_by_machine"), "unknown_result"),
        (typed("c1", "--borrower-id", "B9"), "not_the_loans_borrower"),
        (typed("c1", "--as", "AUD1"), "post_not_permitted"), (("list", "L9"), "unknown_loan"),
        (("list", "L1", "--as", "ADM1"), "post_not_permitted"),
    ],
)  # fmt: skip
def test_what_cannot_be_recorded_or_listed_is_one_line_and_exit_code_1(
    shell: Any, words: tuple[str, ...], code: str
) -> None:
    told = shell(*words)
    assert (told.exit_code, told.stderr.partition(":")[0], told.stderr.count("\n")) == (1, code, 1)


def test_a_contact_without_what_every_row_needs_is_a_mistake_of_usage(shell: Any) -> None:
    assert shell("record", "--contact-ref", "c1").exit_code == 2


def test_contacts_and_corrections_come_from_a_file_with_a_result_each_all_or_none_if_that_is_asked(
    shell: Any, tmp_path: Path
) -> None:
    at = by_day().isoformat()
    file = tmp_path / "today.csv"

    def came(*arguments: str) -> tuple[int, list[str]]:
        told = shell(*arguments, "--json")
        return told.exit_code, [one["outcome"] for one in json.loads(told.stdout)["results"]]

    header = "contact_ref,loan_id,party,channel,phone,started_at,result\n"
    rows = [f"c{number},L1,debtor,call,12000000001,{at},{result}\n" for number, result in enumerate(("busy", "never"))]
    file.write_text(header + "".join(rows), encoding="utf-8")
    assert came("record", "--from", str(file), "--atomic", "--as", "R1") == (1, ["not_done", "unknown_result"])
    assert came("record", "--from", str(file), "--as", "R1") == (1, ["done", "unknown_result"])
    file.write_text(header + rows[0], encoding="utf-8")
    assert came("record", "--from", str(file), "--as", "R1") == (0, ["repeated"])
    file.write_text("contact_ref,result\nc0,no_answer\nc9,no_answer\n", encoding="utf-8")
    assert came("correct", "--from", str(file), "--atomic", "--as", "R1") == (1, ["not_done", "unknown_contact_ref"])
    said = shell("correct", "--from", str(file), "--as", "R1")
    assert (said.exit_code, said.stdout.startswith("c0: entry borrower:")) == (1, True), said.output
    file.write_text("contact_ref,colour\nc0,red\n", encoding="utf-8")
    assert {shell(what, "--from", str(file)).exit_code for what in ("record", "correct")} == {2}


def test_reviews_come_from_a_file_with_a_line_each_all_or_none_if_that_is_asked(shell: Any, tmp_path: Path) -> None:
    """A call without a recording goes to review."""
    assert shell(*typed("c1")).exit_code == 0
    file = tmp_path / "verdicts.csv"
    file.write_text("contact_ref,verdict,remark\nc1,explained,设备故障\nc9,confirmed,\n", encoding="utf-8")
    told = shell("review", "--from", str(file), "--atomic", "--as", "B1")
    assert (told.exit_code, [line.split(": ")[:2] for line in told.stdout.splitlines()]) == (
        1, [["c1", "not_done"], ["c9", "unknown_contact_ref"]],
    )  # fmt: skip
    told = shell("review", "--from", str(file), "--as", "B1")
    assert (told.exit_code, told.stdout.splitlines()[0]) == (1, "c1: unrecorded explained 已说明")
    assert shell("review", "c1", "--verdict", "confirmed", "--as", "B1").exit_code == 0
    assert shell("review", "c1").exit_code == shell("review").exit_code == 2
