"""`casework permissions` and what it stands for at the shell: `--as` reaches as far as the table says."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.engine import Engine

from casework.cli.main import main
from casework.customer import Customer
from casework.evidence.search.find import page_of_entries
from casework.evidence.search.wanted import TermsWanted
from casework.lifecycle.advance import advance
from casework.operation.startup import start
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.api.conftest import database, furnished, opening, settings
from tests.on_books import put_borrower, put_contact

__all__ = ["database", "furnished", "settings"]
Shell = Callable[..., Result]
NAME, PHONE = "甄不存", "13800000000"


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs `casework` on a branch with the case and the borrower of loan L1."""
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    started = start(settings)
    with writing(started.engine) as conn:
        advance(conn, [opening("L1", 12), opening("L9", 12, owner="A1", team="T9", region="R9")], started.branch)
        put_borrower(conn, started.branch, Customer("wuhan", "B-L1"), name=NAME)
        put_contact(conn, started.branch, Customer("wuhan", "B-L1"), phone=PHONE)
    started.engine.dispose()
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_the_table_is_printed_for_people_and_as_json(settings: Settings) -> None:
    table = CliRunner().invoke(main, ["permissions"])
    assert table.exit_code == 0
    for word in ("case.export", "phone_collector", "start_visit", "masked +"):
        assert word in table.output
    document = json.loads(CliRunner().invoke(main, ["permissions", "--json"]).output)
    (export,) = [row for row in document["commands"] if row["command"] == "case.export"]
    assert (export["posts"], export["scope"]) == (["auditor", "basic_risk_manager"], "sees")
    assert document["chart"]["events"]["place"] == ["agency_post", "basic_risk_manager"]
    assert document["only_own"]["events"]["start_visit"] == ["asset_preservation"]
    assert "place" not in document["only_own"]["events"]
    one = json.loads(CliRunner().invoke(main, ["permissions", "--json", "--post", "auditor"]).output)
    assert list(one["posts"]) == ["auditor"]
    assert CliRunner().invoke(main, ["permissions", "--post", "king"]).exit_code == 2


def test_a_list_at_the_shell_is_all_of_it_or_what_somebody_reaches(shell: Shell) -> None:
    for arguments, expected in (((), ["L1", "L9"]), (("--as", "R1"), ["L1"]), (("--as", "T1"), ["L1"])):
        page = json.loads(shell("case", "list", "--json", *arguments).stdout)
        assert [line["loan_id"] for line in page["items"]] == expected
    refused = shell("case", "list", "--as", "ADM1")
    assert (refused.exit_code, refused.stderr.split(":")[0]) == (1, "post_not_permitted")


@pytest.mark.parametrize("command", ["show", "options"])
def test_a_case_beyond_reach_is_told_at_the_shell_too(shell: Shell, command: str) -> None:
    assert shell("case", command, "1", "--as", "R1").exit_code == 0
    refused = shell("case", command, "2", "--as", "R1")
    assert (refused.exit_code, refused.stderr.split(":")[0]) == (1, "unknown_case")
    assert shell("case", command, "2").exit_code == 0


def test_data_in_clear_needs_a_purpose_and_leaves_an_entry(shell: Shell, engine: Engine) -> None:
    asked = ("borrower", "reveal", "B-L1", "--field", "name", "--field", "phone")
    assert shell(*asked).exit_code == 2  # no purpose
    shown = json.loads(shell(*asked, "--purpose", "collection", "--as", "R1", "--json").stdout)
    assert (shown["name"], shown["contacts"][0]["phone"]) == (NAME, PHONE)
    assert NAME in shell(*asked, "--purpose", "collection").stdout
    with reading(engine) as conn:
        found = [
            msg.body for msg in page_of_entries(conn, b"\x00" * 32, TermsWanted(streams=("borrower:wuhan~B-L1",))).items
        ]
    told = [json.loads(bytes(body)) for body in found]
    assert [(body["event"], body["actor"]["id"]) for body in told] == [
        ("personal.revealed", "R1"), ("personal.revealed", "system"),
    ]  # fmt: skip
    assert told[0]["data"] == {
        "fields": ["name", "phone"], "purpose": "collection", "masked": False, "contact_ids": [1],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("staff_no", "field", "purpose", "code"),
    [("R1", "id_number", "collection", "reveal_not_permitted"), ("R1", "name", "audit", "purpose_not_permitted"),
     ("R1", "name", "mood", "purpose_unknown"), ("ADM1", "name", "complaint", "post_not_permitted"),
     ("P9", "name", "collection", "unknown_staff")],
)  # fmt: skip
def test_what_the_table_forbids_is_not_shown_at_the_shell(
    shell: Shell, staff_no: str, field: str, purpose: str, code: str
) -> None:
    refused = shell("borrower", "reveal", "B-L1", "--field", field, "--purpose", purpose, "--as", staff_no)
    assert (refused.exit_code, refused.stdout, refused.stderr.split(":")[0]) == (1, "", code)
