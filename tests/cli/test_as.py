"""`--as` at the shell: on trust, or only with a key of the person that it names."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from casework.settings import Settings
from tests.variables import variables_of


@pytest.fixture
def shell(settings: Settings, rulebook_published: None) -> Any:
    """A branch with two administrators and its command line, in an environment."""
    given = variables_of(settings)

    def run(*words: str, **environment: str) -> Result:
        return CliRunner().invoke(main, list(words), env={**given, **environment})

    for staff_no in ("A1", "A2"):
        assert run("staff", "add", staff_no, "甄不存", "--post", "administrator").exit_code == 0
    return run


def refused(answer: Result) -> str:
    """The one line of a refusal."""
    assert answer.exit_code == 1
    (line,) = answer.stderr.splitlines()
    return str(line)


def test_it_is_taken_on_trust_where_nothing_is_said(shell: Any) -> None:
    assert shell("staff", "access", "A2", "--as", "A1").exit_code == 0


def test_where_a_token_is_asked_for_only_a_key_of_that_person_will_do(shell: Any) -> None:
    key = shell("staff", "token", "A1").stdout.strip()
    asked = {"CASEWORK_AS": "token"}
    read, change = ("staff", "access", "A2", "--as", "A1"), ("staff", "team", "T1", "一组", "--as", "A1")
    for words in (read, change):
        for token in ("", "nonsense", "cw_" + "A" * 43, shell("staff", "token", "A2").stdout.strip()):
            line = refused(shell(*words, **asked, CASEWORK_TOKEN=token))
            assert line.startswith("as_needs_token: here --as needs a token: put a key of A1 into CASEWORK_TOKEN")
            assert not token or token not in line
        assert shell(*words, **asked, CASEWORK_TOKEN=key).exit_code == 0
    assert shell("staff", "revoke", "A1").exit_code == 0
    assert refused(shell(*read, **asked, CASEWORK_TOKEN=key)).startswith("as_needs_token: ")


def test_the_key_of_a_program_is_no_persons(shell: Any) -> None:
    key = shell("program", "key", "reports", "--owner", "A1", "--may", "service.read").stdout.strip()
    asked = {"CASEWORK_AS": "token", "CASEWORK_TOKEN": key}
    assert refused(shell("staff", "access", "A2", "--as", "A1", **asked)).startswith("as_needs_token: ")


def test_what_the_service_does_itself_needs_none(shell: Any) -> None:
    assert shell("sweep", CASEWORK_AS="token").exit_code == 0


def test_the_setting_takes_two_words(shell: Any) -> None:
    line = refused(shell("case", "list", CASEWORK_AS="off"))
    assert line.startswith("setting_malformed: CASEWORK_AS must be one of trust, token")


@pytest.mark.only("sqlite")
def test_every_help_that_offers_it_says_so(shell: Any) -> None:
    for words in (("case", "advance"), ("staff", "add"), ("task", "list"), ("handover", "plan"), ("permit", "ask")):
        told = " ".join(shell(*words, "--help").stdout.split())
        assert "taken on trust, unless CASEWORK_AS=token (which trusts who has the keys)" in told
    assert "--as is taken on trust, unless CASEWORK_AS=token. That, too, trusts who holds the keys folder" in " ".join(
        shell("--help").stdout.split()
    )
