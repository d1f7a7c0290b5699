"""`casework staff reset`, `access`, `token` and `revoke`: how the first people get in, from the shell."""

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from casework.settings import Settings
from tests.variables import variables_of

CODE = re.compile(r"^[2-9A-HJKMNP-TV-Z]{4}(-[2-9A-HJKMNP-TV-Z]{4}){3}$", re.MULTILINE)


@pytest.fixture
def shell(settings: Settings, rulebook_published: None) -> Any:
    """A fresh, empty branch and its command line."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), env=variables_of(settings))

    return run


def test_the_first_administrator_comes_from_the_shell_with_a_code_and_no_default_password(shell: Any) -> None:
    assert shell("staff", "add", "A1", "甄不存", "--post", "administrator").exit_code == 0
    before = json.loads(shell("staff", "access", "A1", "--json").output)
    assert (before["password_set_at"], before["code_expires_at"]) == (None, None)
    reset = shell("staff", "reset", "A1")
    assert reset.exit_code == 0, reset.output
    assert CODE.search(reset.output)
    told = json.loads(shell("staff", "reset", "A1", "--json").output)
    assert CODE.match(told["code"])
    assert told["code"] not in reset.output
    assert json.loads(shell("staff", "access", "A1", "--json").output)["code_expires_at"] == told["expires_at"]


def test_one_administrator_resets_another_and_nobody_himself(shell: Any) -> None:
    for staff_no, post in (("A1", "administrator"), ("A2", "administrator"), ("R1", "business_rep")):
        assert shell("staff", "add", staff_no, f"员工{staff_no}", "--post", post).exit_code == 0
    assert shell("staff", "reset", "A2", "--as", "A1").exit_code == 0
    for by, code in (("A2", "own_reset"), ("R1", "post_not_permitted"), ("GHOST", "unknown_staff")):
        refused = shell("staff", "reset", "A2", "--as", by)
        assert refused.exit_code == 1
        assert refused.output.startswith(code)
    unknown = shell("staff", "reset", "NOBODY")
    assert (unknown.exit_code, unknown.output.split(":")[0]) == (1, "unknown_staff")


def test_keys_are_listed_without_their_text_and_end_with_revoke(shell: Any) -> None:
    assert shell("staff", "add", "R1", "甄不存", "--post", "business_rep").exit_code == 0
    token = shell("staff", "token", "R1", "--days", "5").output.strip()
    found = shell("staff", "access", "R1")
    assert "key" in found.output
    assert token not in found.output
    assert len(json.loads(shell("staff", "access", "R1", "--json").output)["keys"]) == 1
    assert shell("staff", "revoke", "R1").exit_code == 0
    assert json.loads(shell("staff", "access", "R1", "--json").output)["keys"] == []
