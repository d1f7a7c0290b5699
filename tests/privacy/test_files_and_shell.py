"""The files under the database, every column thought of, the shell, and an erased answer over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from api.app import create_app
from casework.address import parse_url
from casework.clock import now
from casework.intake.feed.tables import borrowers, contacts
from casework.log.tables import openings
from casework.oversight.privacy import reach
from casework.oversight.privacy.answers import speaks_of
from casework.oversight.privacy.columns import NOT_PERSONAL, PERSONAL
from casework.oversight.privacy.scrub import found_in, scrub
from casework.people.staff import tokens
from casework.people.staff.actor import system
from casework.storage.database import metadata, writing
from tests.api.conftest import assembled_once
from tests.cli.test_sealing import Shell
from tests.privacy.conftest import ADDRESS, NOTE, House


def test_every_column_is_named_as_personal_or_as_not() -> None:
    held = {table.name: {column.name for column in table.columns} for table in metadata.sorted_tables}
    named = {table: set(NOT_PERSONAL.get(table, ())) | set(PERSONAL.get(table, ())) for table in held}
    assert named == held
    assert set(PERSONAL) | set(NOT_PERSONAL) == set(held)
    assert not [table for table in PERSONAL if set(PERSONAL[table]) & NOT_PERSONAL.get(table, frozenset())]


def test_what_is_sealed_or_indexed_is_named_as_personal_and_emptied() -> None:
    sealed = {
        (table.name, column.name) for table in metadata.sorted_tables for column in table.columns
        if column.name.endswith(("sealed", "_index")) and isinstance(column.type, sa.LargeBinary)
    }  # fmt: skip
    of_staff = {("second_factors", "secret_sealed")}
    assert sealed - of_staff <= {(table, column) for table, columns in PERSONAL.items() for column in columns}
    assert set(reach._OF_BORROWER) == set(PERSONAL["borrowers"])
    assert set(reach._OF_CONTACT) <= set(PERSONAL["contacts"])


def traces_of(house: House, number: int) -> list[bytes]:
    """Sealed bytes and blind indexes of a borrower, as they stand in the rows."""
    of_case = openings.c.stream == f"case:{house.case_id(number)}"
    found = house.read(sa.select(openings.c.sealed).where(of_case))
    person, ways = borrowers.c, contacts.c
    found += house.read(
        sa.select(person.name_sealed, person.name_index, person.id_number_sealed, person.id_number_index)
        .where(person.borrower_id == f"B{number}")
    )  # fmt: skip
    found += house.read(
        sa.select(ways.name_sealed, ways.phone_sealed, ways.phone_index, ways.address_sealed)
        .where(ways.borrower_id == f"B{number}")
    )  # fmt: skip
    return [bytes(value) for row in found for value in row if value is not None]


@pytest.mark.only("sqlite")
def test_no_file_of_the_database_holds_a_sealed_byte_of_his_afterwards(house: House) -> None:
    his, others = traces_of(house, 1), traces_of(house, 2)
    file = Path(str(parse_url(house.started.settings.database_url).database))
    assert len(his) > 5
    assert set(his) <= set(found_in(file, his))
    told = house.erase(1)
    done = scrub(house.started.settings, told.gone.traces)
    assert (done.log_emptied, done.left) == (True, 0)
    content = b"".join(one.read_bytes() for one in file.parent.glob(f"{file.name}*") if one.is_file())
    assert not [trace for trace in his if trace in content]
    assert all(trace in content for trace in others)
    assert house.report().verdict == "sound"


@pytest.mark.only("postgresql")
def test_on_postgresql_keys_are_rewritten_and_the_rest_is_vacuumed_by_their_owner(house: House) -> None:
    told = house.erase(1)
    done = scrub(house.started.settings, told.gone.traces)
    assert done.rewritten == ["opening_keys"]
    assert set(done.vacuumed) == set(PERSONAL) - {"opening_keys"}
    assert (done.not_permitted, done.left) == ([], None)
    assert house.report().verdict == "sound"


# ── an erased answer over HTTP ──────────────────────────────────────────────────────────────────────────────


def test_pages_show_an_erased_borrower_as_erased_and_none_crashes(house: House) -> None:
    case_id = house.case_id(1)
    pages = ["/borrowers/B1", f"/cases/{case_id}", f"/cases/{case_id}/history", f"/cases/{case_id}/notes"]
    with writing(house.engine) as conn:
        trail = house.started.branch.trail(now())
        token = tokens.issue(conn, trail, system("cli"), staff_no="R9")
        trail.write(conn)
    with TestClient(
        create_app(house.started.settings, assembled_once(house.started.settings.feed_upload_mib))
    ) as client:
        ask = {"Authorization": f"Bearer {token}"}
        before = {page: client.get(page, headers=ask) for page in pages}
        house.erase(1)
        after = {page: client.get(page, headers=ask) for page in pages}
        revealed = client.post("/borrowers/B1/reveal", json={"fields": ["name"], "purpose": "collection"}, headers=ask)
    assert [one.status_code for one in (*before.values(), *after.values())] == [200] * 8, before | after
    assert before["/borrowers/B1"].json()["erased_on"] is None
    assert before["/borrowers/B1"].json()["contacts"]
    assert after["/borrowers/B1"].json()["erased_on"] is not None
    assert after["/borrowers/B1"].json()["contacts"] == []
    assert f"{NOTE}1" in before[pages[3]].text
    assert not [page for page in pages if NOTE in after[page].text or ADDRESS in after[page].text]
    assert "erased" in after[pages[3]].text
    assert revealed.status_code < 500
    assert "甄不存" not in revealed.text


@pytest.mark.parametrize(
    ("answer", "his"),
    [
        (b'{"entry_id":"case:7:3"}', True), (b'{"entry_id":"case:77:3"}', False), (b'{"case_id":7}', True),
        (b'{"case_id":70}', False), (b'{"loan_id":"L1"}', True), (b'{"loan_id":"L11"}', False),
        (b'{"borrower_id":"B1","institution":"wuhan"}', True), (b'{"borrower_id":"B1","institution":"yichang"}', False),
        (b'{"borrower_id":"B11","institution":"wuhan"}', False), (b'{"to":"/requests/4"}', True),
        (b'{"to":"/requests/41"}', False),
    ],
)  # fmt: skip
def test_an_answer_is_his_by_the_whole_of_a_number_or_id(answer: bytes, his: bool) -> None:
    assert speaks_of(answer, {7}, {4}, {b"L1"}, frozenset({b"wuhan", b"B1"})) is his


# ── the shell ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def shell(house: House, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(house.started.settings, monkeypatch)


def told(shell: Shell, *words: str) -> Any:
    return json.loads(shell.out(*words, "--json"))


@pytest.mark.only("sqlite")
def test_the_shell_shows_holds_releases_and_erases_what_was_confirmed(
    shell: Shell, house: House, tmp_path: Path
) -> None:
    for command in ("show", "hold", "release", "erase"):
        assert f"casework privacy {command}" in shell.out("privacy", command, "--help").decode()
    shell.out("db", "backup", str(tmp_path / "one.backup"))
    shown = told(shell, "privacy", "show", "B1")
    assert shown["held"]["contacts"] == 1
    told(shell, "privacy", "hold", "B1", "--reason", "complaint")
    refused = shell.run("privacy", "erase", "B1", "--basis", "unlawful", "--yes")
    assert refused.exit_code == 1
    assert "hold" in refused.stderr
    told(shell, "privacy", "release", "B1")
    unsaid = shell.run("privacy", "erase", "B1", "--basis", "unlawful")
    assert (unsaid.exit_code, unsaid.stderr.split(":")[0]) == (1, "not_confirmed")
    assert told(shell, "privacy", "show", "B1")["held"] == shown["held"]
    done = told(shell, "privacy", "erase", "B1", "--basis", "unlawful", "--yes")
    assert done["erased"]["contacts"] == 1
    assert done["files"]["left"] == 0
    assert done["remaining"]["backups"]["count"] == 1
    assert done["remaining"]["backups"]["newest"][0]["event"] == "branch.backed_up"
    after = told(shell, "privacy", "show", "B1")
    assert not any(after["held"].values())
    assert [one["entry_id"] for one in after["erased"]] == done["entry_ids"]
    assert house.report().verdict == "sound"
