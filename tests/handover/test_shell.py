"""`casework handover` and `casework staff orphans`: what a person and a program read, and the exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from tests.handover.house import House


@pytest.fixture
def shell(house: House, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command on the house's database."""
    monkeypatch.setenv("CASEWORK_DATABASE_URL", house.started.settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(house.started.settings.keys_dir))

    def run(*words: str, code: int = 0) -> Result:
        done = CliRunner().invoke(main, list(words))
        assert done.exit_code == code, (done.output, done.exception)
        return done

    return run


def told(done: Result) -> Any:
    return json.loads(done.stdout)


def test_the_fixed_surface_leads_from_plan_to_receipts(house: House, shell: Any, tmp_path: Path) -> None:
    house.open("L1", "L2")
    plan = told(shell("handover", "plan", "R1", "--json"))
    assert (plan["status"], plan["planned_by"], plan["preview"]["cases"]) == ("planned", "system", 2)
    assert told(shell("handover", "approve", str(plan["id"]), "--as", "V1", "--json"))["handover"] == plan["id"]
    applied = told(shell("handover", "apply", str(plan["id"]), "--json"))
    assert (applied["cases"], applied["receivers"]) == (2, {"C1": 2})
    shown = told(shell("handover", "show", str(plan["id"]), "--json"))
    assert shown["status"] == "applied"
    assert [move["entry_id"] for move in shown["moves"]] == ["case:1:2", "case:2:2"]
    (made,) = told(shell("handover", "sheets", str(plan["id"]), str(tmp_path / "sheets"), "--json"))
    assert Path(made["file"]).read_bytes()[:2] == b"PK"
    assert told(shell("staff", "orphans", "--json")) == []
    assert [line["id"] for line in told(shell("handover", "list", "--of", "R1", "--json"))["items"]] == [plan["id"]]


def test_people_read_who_gets_what_and_what_comes_next(house: House, shell: Any) -> None:
    house.open("L1")
    text = shell("handover", "plan", "R1", "--as", "B1").output
    for part in ("departure of R1", "C1", "1000.00", "0 → 1 / 2,000", "handover approve 1"):
        assert part in text
    assert (
        "handover apply 1"
        in shell("handover", "approve", "1", "--as", "V1").output + shell("handover", "show", "1").output
    )
    assert "1 cases moved" in shell("handover", "apply", "1", "--as", "B1").output
    assert "no orphans" in shell("staff", "orphans").output
    assert "applied" in shell("handover", "list").output


def test_a_changed_plan_ends_with_exit_code_1_and_names_the_new_one(house: House, shell: Any) -> None:
    ids = house.open("L1", "L2")
    shell("handover", "plan", "R1", "--as", "B1")
    shell("handover", "approve", "1", "--as", "V1")
    house.settle(ids[0])
    done = shell("handover", "apply", "1", "--as", "B1", "--json", code=1)
    body = told(done)
    assert (body["code"], body["by"], body["differences"]["changed"]) == ("plan_changed", 2, 1)
    assert "plan_changed" in done.stderr
    again = shell("handover", "apply", "1", "--as", "B1", code=1)
    assert again.stderr.startswith("handover_replaced: ")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["handover", "plan", "NOBODY"], "unknown_staff"),
        (["handover", "plan", "R1", "--to", "NOBODY"], "receiver_unknown"),
        (["handover", "plan", "R1", "--to", "R1"], "receiver_is_leaver"),
        (["handover", "plan", "R1", "--team", "T2"], "home_not_wanted"),
        (["handover", "plan", "R1", "--transfer"], "home_needed"),
        (["handover", "plan", "R1", "--as", "R2"], "post_not_permitted"),
        (["handover", "show", "77"], "unknown_handover"),
        (["handover", "approve", "77", "--as", "V1"], "unknown_handover"),
        (["handover", "apply", "77"], "unknown_handover"),
        (["handover", "withdraw", "77"], "unknown_handover"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_1(house: House, shell: Any, words: list[str], code: str) -> None:
    done = shell(*words, code=1)
    assert done.stderr.startswith(f"{code}: ")
    assert done.stdout == ""


def test_the_service_itself_cannot_approve(house: House, shell: Any) -> None:
    house.open("L1")
    shell("handover", "plan", "R1")
    assert "post_not_permitted" in shell("handover", "approve", "1", code=1).stderr


def test_a_transfer_and_a_withdrawal_at_the_shell(house: House, shell: Any) -> None:
    house.open("L1", team="T1")
    plan = told(shell("handover", "plan", "R1", "--transfer", "--team", "T2", "--json"))
    assert (plan["kind"], plan["team"], plan["preview"]["cases"]) == ("transfer", "T2", 1)
    assert told(shell("handover", "withdraw", "1", "--json"))["status"] == "withdrawn"


def test_the_sweep_tells_of_departures(house: House, shell: Any) -> None:
    house.open("L1")
    shell("handover", "plan", "R1")
    shell("handover", "approve", "1", "--as", "V1")
    swept = told(shell("sweep", "--json"))
    assert [one["handover"] for one in swept["departures"]["applied"]] == [1]
