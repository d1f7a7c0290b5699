"""Promises and holds at the shell: opened and moved by staff, refused with every reason."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from casework.clock import now
from casework.lifecycle.advance import advance
from casework.operation.startup import Started
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.conftest import findings, opening
from tests.contacted import typed
from tests.on_books import put_loan

Branch = tuple[Started, dict[str, str]]
MADE = ("--case", "1", "--ground", "made", "--data", "made_on=2026-01-10", "--data", "pay_by=2026-01-20")
SET = (
    "--ground", "set", "--data", "loan_id=L1", "--data", "begins_at=2026-01-10T08:00:00+08:00",
    "--data", "review_by=2026-12-20",
)  # fmt: skip


@pytest.fixture
def shell(settings: Settings, branch: Branch) -> Any:
    """Runs a command line on a branch with case 1 of loan L1, whose debtor was reached; R2 is of another region."""
    started = branch[0]
    with writing(started.engine) as conn:
        put_loan(
            conn, started.branch, loan_id="L1", institution="wuhan", borrower_id="B-L1", product="consumer",
            owner_staff_no="R1", team="T1", region="R1", outstanding_principal_fen=7_000_000,
        )  # fmt: skip
        trail = started.branch.trail(now())
        register.add(
            conn, trail, system("cli"), started.branch.rulebook.permissions, staff_no="R2", name="员工R2",
            posts=["business_rep"], team="T9", region="R9",
        )  # fmt: skip
        trail.write(conn)
        advance(conn, [opening("L1")], started.branch)

    def run(*arguments: str) -> Result:
        given = {"CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir)}
        return CliRunner().invoke(main, list(arguments), env=given)

    options = [f"--{name.replace('_', '-')}={value}" for name, value in typed("L1", "2026-01-10").items()]
    reached = run("contact", "record", *options, "--as", "T1")
    assert reached.exit_code == 0, reached.output
    return run


def test_a_promise_is_made_and_withdrawn(shell: Any, branch: Branch) -> None:
    made = shell("promise", "open", *MADE, "--data", "amount_fen=50000", "--as", "R1")
    assert (made.exit_code, made.output.startswith("promise 1 is in open 待兑现, version 1, entry case:1:")) == (
        0,
        True,
    )
    assert [(line["id"], line["ref"]) for line in listed(shell, "promise")] == [(1, "P1")]
    gone = shell("promise", "fire", "1", "withdraw", "--data", "reason=misheard", "--version", "1", "--json")
    assert gone.exit_code == 1
    assert json.loads(gone.stdout)["outcome"] == "refused"  # the service itself withdraws nothing
    done = shell("promise", "fire", "1", "withdraw", "--data", "reason=misheard", "--as", "R1", "--json")
    assert (done.exit_code, json.loads(done.output)["state"]) == (0, "withdrawn")
    assert (listed(shell, "promise"), findings(branch[0])) == ([], [])


def test_a_hold_is_set_confirmed_and_lifted(shell: Any, branch: Branch) -> None:
    made = shell("hold", "open", *SET, "--data", "hold=hardship", "--as", "R1")
    assert (made.exit_code, made.output.startswith("hold 1 is in in_force 停催中, version 1, entry borrower:")) == (
        0,
        True,
    )
    assert [line["id"] for line in listed(shell, "hold")] == [1]
    assert shell("hold", "fire", "1", "confirm", "--as", "B1").exit_code == 0
    lifted = shell("hold", "fire", "1", "lift", "--data-json", '{"reason": "resolved"}', "--as", "B1")
    assert (lifted.exit_code, "lifted 已解除, version 3" in lifted.output) == (0, True)
    assert (listed(shell, "hold"), findings(branch[0])) == ([], [])


def listed(shell: Any, noun: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shell(noun, "list", "--json").output)
    return found


def test_a_refusal_names_every_reason_in_both_languages(shell: Any) -> None:
    refused = shell("promise", "open", *MADE, "--data", "amount_fen=1", "--data", "made_on=2026-01-09", "--as", "R1")
    assert (refused.exit_code, refused.stdout) == (1, "")
    lines = refused.stderr.splitlines()
    assert [line.split(" ")[1] for line in lines] == ["debtor_connected_that_day", "promises_enough"]
    assert all("1.3.1d" in line and " / " in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("promise", "open", *MADE, "--data", "amount_fen=1", "--as", "R2"), 1, "unknown_case: "),
        (("promise", "open", *MADE, "--data", "amount_fen=1", "--as", "AUD1"), 1, "refused: post_not_permitted "),
        (("promise", "open", *MADE, "--as", "R1"), 2, "faulty_data: "),
        (("promise", "open", "--case", "1", "--ground", "whim", "--as", "R1"), 2, "unknown_ground: "),
        (("promise", "fire", "9", "withdraw", "--as", "R1"), 1, "unknown_promise: there is no such promise to pay"),
        (("hold", "open", *SET, "--data", "hold=hardship", "--as", "R2"), 1, "unknown_loan: "),
        (("hold", "open", *SET, "--data", "hold=whim", "--as", "R1"), 2, "faulty_data: "),
        (("hold", "fire", "9", "lift", "--as", "B1"), 1, "unknown_hold: there is no such hold"),
    ],
)
def test_a_mistake_is_told_with_its_exit_code(shell: Any, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = shell(*arguments)
    assert (result.exit_code, result.stdout, result.stderr[: len(told)]) == (code, "", told)


def test_a_stranger_moves_nothing_and_a_stale_version_is_told(shell: Any) -> None:
    shell("promise", "open", *MADE, "--data", "amount_fen=50000", "--as", "R1")
    withdraw = ("promise", "fire", "1", "withdraw", "--data", "reason=misheard")
    assert shell(*withdraw, "--as", "R2").stderr.startswith("unknown_promise: ")
    stale = shell(*withdraw, "--version", "7", "--as", "R1")
    assert stale.exit_code == 1
    assert stale.stderr.startswith(
        "stale_version: the promise to pay has changed since the version you saw (it is at version 1)"
    )
    unknown = shell("promise", "fire", "1", "vanish", "--as", "R1")
    assert (unknown.exit_code, unknown.stderr.startswith("unknown_event: ")) == (2, True)
