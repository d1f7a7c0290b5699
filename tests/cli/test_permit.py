"""`casework permit`: asked before the act, the number once dialling begins, settled by what came of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli import permit as permits
from casework.cli.main import main
from casework.customer import Customer
from casework.operation.startup import start
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.conftest import database, furnished, settings
from tests.cli.test_contact_typed import shell
from tests.on_books import put_borrower, put_contact

__all__ = ["database", "furnished", "settings", "shell"]
NOON = datetime(2026, 1, 12, 4, tzinfo=UTC)
AT = "2026-01-12T12:00:00+08:00"
PHONE = "12000000001"


@pytest.fixture
def permit(shell: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `casework permit` at noon; contact 1 is the number of the debtor of case 1."""
    branch, whose = start(settings), Customer("wuhan", "B-L1")
    with writing(branch.engine) as conn:
        put_borrower(conn, branch.branch, whose, name="甄不存", id_number="000000199001010001")
        put_contact(conn, branch.branch, whose, name="甄不存", phone=PHONE, address="虚构路1号", address_kind="home")
    branch.engine.dispose()
    monkeypatch.setattr(permits, "now", lambda: NOON)

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["permit", *words])

    return run


ASK = ("ask", "1", "--party", "debtor", "--contact", "1", "--as", "R1")


def test_a_call_is_asked_for_dialled_and_settled(permit: Any) -> None:
    """Of the answer the shell prints what the API answers with."""
    answer = json.loads(permit(*ASK, "--json").stdout)
    assert (answer["allowed"], answer["permit_id"], answer["reasons"]) == (True, 1, [])
    dialling = json.loads(permit("reveal", "1", "--as", "R1", "--json").stdout)
    assert (dialling["phone"], dialling["holds_until"][:16]) == (PHONE, "2026-01-12T05:00")
    words = ("settle", "1", "--result", "debtor", "--started-at", AT, "--as", "R1")
    told = permit(*words)
    assert (told.exit_code, told.stdout[:31]) == (0, "permit-1: entry borrower:wuhan~"), told.output
    again = permit(*words)
    assert (again.exit_code, again.stderr.partition(":")[0]) == (1, "permit_used")


def test_what_the_gate_forbids_is_exit_code_1_with_every_reason_and_from_when_it_will_not(
    permit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert permit(*ASK).stdout.partition(" 已许可 ")[0] in {f"permit {n}" for n in (1, 2, 3)}
    told = permit(*ASK)
    assert (told.exit_code, told.stdout.startswith("X2: "), "2026-01-13 08:00:00" in told.stdout) == (1, True, True)
    monkeypatch.setattr(permits, "now", lambda: NOON.replace(hour=15))
    body = permit("ask", "1", "--party", "contact", "--phone", "12000000009", "--json")
    assert (body.exit_code, [one["rule"] for one in json.loads(body.stdout)["reasons"]]) == (1, ["X1", "X4", "X5"])


REFUSED = [
    (("ask", "9", "--party", "debtor", "--phone", PHONE), "unknown_case"),
    ((*ASK[:5], "9", "--as", "R1"), "unknown_contact"), ((*ASK[:7], "AUD1"), "post_not_permitted"),
    ((*ASK[:4], "--as", "R1"), "contact_or_phone"), (("reveal", "1", "--as", "T1"), "unknown_permit"),
    (("settle", "1", "--result", "busy", "--started-at", AT, "--as", "T1"), "unknown_permit"),
    (("settle", "1", "--result", "never", "--started-at", AT, "--as", "R1"), "unknown_result"),
    (("settle", "1", "--result", "busy", "--started-at", AT.replace("12:00", "11:59", 1), "--as", "R1"),
     "permit_foreign"),
    (("settle", "1", "--result", "busy", "--started-at", AT.replace("12T", "13T"), "--as", "R1"), "in_the_future"),
]  # fmt: skip


def test_what_cannot_be_asked_shown_or_settled_is_one_line(permit: Any) -> None:
    assert permit(*ASK).exit_code == 0
    for words, code in REFUSED:
        told = permit(*words)
        assert (told.exit_code, told.stderr.partition(":")[0], told.stderr.count("\n")) == (1, code, 1), told.output


def test_outcomes_come_from_a_file_with_a_result_each_all_or_none_if_that_is_asked(permit: Any, tmp_path: Path) -> None:
    permit(*ASK)
    file = tmp_path / "outcomes.csv"
    file.write_text(f"permit_id,催收结果,started_at\n1,忙线,{AT}\n2,busy,{AT}\n", encoding="utf-8")
    words = ("settle", "--from", str(file), "--as", "R1", "--json")
    for more, outcomes in ((("--atomic",), ["not_done", "unknown_permit"]), ((), ["done", "unknown_permit"])):
        told = permit(*words, *more)
        assert (told.exit_code, [one["outcome"] for one in json.loads(told.stdout)["results"]]) == (1, outcomes)
    for mistake in (("settle", "1"), ("settle", "1", "--result", "busy", "--started-at", "2026-01-12T12:00:00")):
        assert permit(*mistake).exit_code == 2
