"""`casework staff`: from the shell, as an administrator would."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from casework.clock import now
from casework.operation.startup import Started
from casework.people.staff.tables import staff
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.conftest import Running, findings

Branch = tuple[Started, dict[str, str]]


@pytest.fixture
def shell(settings: Settings, branch: Branch) -> Any:
    """Runs a command line on the test's branch."""

    def run(*arguments: str) -> Result:
        given = {"CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir)}
        return CliRunner().invoke(main, list(arguments), env=given)

    return run


def test_a_member_of_staff_is_added_gets_a_token_and_can_ask(shell: Any, running: Running) -> None:
    added = shell("staff", "add", "N1", "甄不存", "--post", "phone_collector", "--team", "T1", "--json")
    assert added.exit_code == 0, added.output
    assert json.loads(added.output)["posts"] == ["phone_collector"]
    token = shell("staff", "token", "N1", "--days", "3")
    assert token.exit_code == 0
    headers = {"Authorization": f"Bearer {token.output.strip()}"}
    assert running.client.get("/metrics", headers=headers).status_code == 200
    listed = {one["staff_no"]: one for one in json.loads(shell("staff", "list", "--json").output)}
    assert listed["N1"]["team"] == "T1"
    assert "N1" in shell("staff", "list").output
    assert json.loads(shell("staff", "revoke", "N1", "--json").output) == {"staff_no": "N1", "revoked": 1}
    assert findings(running.started) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("add", "R1", "x", "--post", "approver"), "staff_exists"), (("add", "N1", "x", "--post", "king"), "unknown_post"),
     (("token", "N9"), "unknown_staff"), (("revoke", "N9"), "unknown_staff"),
     (("add", "N1", "x", "--post", "approver", "--as", "R1"), "post_not_permitted"),
     (("add", "N1", "x", "--post", "approver", "--as", "N9"), "unknown_staff")],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_code_1(shell: Any, arguments: tuple[str, ...], code: str) -> None:
    told = shell("staff", *arguments)
    assert told.exit_code == 1
    assert told.stderr.startswith(f"{code}: ")
    assert told.stdout == ""


@pytest.mark.parametrize("arguments", [("add", "N1", "x"), ("token",), ("token", "R1", "--days", "0"), ("promote",)])
def test_wrong_usage_is_exit_code_2(shell: Any, arguments: tuple[str, ...]) -> None:
    assert shell("staff", *arguments).exit_code == 2


def test_an_administrator_may_add_and_the_entry_names_him(shell: Any, branch: Branch) -> None:
    assert shell("staff", "add", "N1", "甄不存", "--post", "approver", "--as", "ADM1").exit_code == 0
    assert findings(branch[0]) == []


def test_whom_a_feed_named_becomes_active_when_he_is_added(shell: Any, branch: Branch) -> None:
    with writing(branch[0].engine) as conn:
        conn.execute(staff.insert().values(staff_no="N1", name="N1", status="unverified", added_at=now()))
    assert shell("staff", "token", "N1").exit_code == 1
    assert shell("staff", "add", "N1", "甄不存", "--post", "approver").exit_code == 0
    assert shell("staff", "token", "N1").exit_code == 0


def test_help_shows_examples(shell: Any) -> None:
    for arguments in (
        ("staff",),
        ("staff", "add"),
        ("staff", "token"),
        ("staff", "revoke"),
        ("staff", "list"),
        ("serve",),
    ):
        told = shell(*arguments, "--help")
        assert told.exit_code == 0
        assert "Example" in told.output
