"""Whose feeds a branch takes: the first feed's institution, and those that an administrator added."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.intake.feed.institutions import known_institutions
from casework.intake.feed.tables import institutions_added
from casework.storage.database import reading, writing
from tests.feed.bank import DAY, Bank, arrears, loan, write
from tests.feed.shell import casework

STREAM = "register:institutions"
OURS = [loan(1), loan(2)]
THEIRS = [loan(1, loan_id="Z1", borrower_name="另一人", id_number="888888198002020001")]


def known(bank: Bank) -> list[str]:
    with reading(bank.started.engine) as conn:
        return known_institutions(conn)


def added(bank: Bank) -> list[tuple[str, str]]:
    return [(body["data"]["institution"], body["actor"]["id"]) for body in bank.bodies(STREAM)]


def by_api_or_function(bank: Bank, institution: str) -> str | None:
    """A feed of the institution; the code it was refused with."""
    other = replace(bank, institution=institution, folder=bank.folder / institution)
    try:
        other.send(DAY, [arrears(1, loan_id="Z1")], loans=THEIRS)
    except CallerError as told:
        return told.code
    return None


def by_shell(bank: Bank, institution: str) -> str | None:
    folder = write(
        bank.folder / "shell", DAY, institution=institution, loans=THEIRS, overdue=[arrears(1, loan_id="Z1")]
    )
    said = casework(bank.started.settings, "feed", "import", folder, "--json")
    answer = json.loads(said.out)
    return str(answer["refusal"]["code"]) if said.code else None


DOORS = pytest.mark.parametrize("door", [by_api_or_function, by_shell])


def test_the_first_feed_registers_its_institution_with_an_entry_and_a_warning(bank: Bank) -> None:
    first = bank.send(DAY, [arrears(1)], loans=OURS)
    assert known(bank) == [bank.institution]
    assert [body["data"] for body in bank.bodies(STREAM)] == [{"institution": bank.institution, "run": first.id}]
    assert first.figures["warnings"]["institution_registered"] == 1
    assert first.figures["warned"][0] == {
        "kind": "manifest", "line": 1, "column": "institution", "code": "institution_registered",
    }  # fmt: skip
    second = bank.send(DAY, [arrears(2)], correction=True)
    assert "institution_registered" not in second.figures["warnings"]
    assert len(bank.bodies(STREAM)) == 1
    bank.assert_sound()


@DOORS
def test_a_feed_of_another_institution_overwrites_nobody_and_is_refused_by_name(
    bank: Bank, door: Callable[[Bank, str], str | None]
) -> None:
    bank.send(DAY, [arrears(1)], loans=OURS)
    kept = ("feed_runs", "entries", "streams", "unsealed")
    before = bank.dump(*kept)
    assert door(bank, "elsewhere") == "institution_unknown"
    assert bank.dump(*kept) == before
    refused = bank.runs()[-1]
    assert (refused.status, refused.institution) == ("refused", "elsewhere")
    assert refused.refusal is not None
    assert refused.refusal["facts"] == {"institution": "elsewhere", "known": [bank.institution]}
    bank.assert_sound()


@DOORS
def test_once_it_is_added_its_feed_goes_in(bank: Bank, door: Callable[[Bank, str], str | None]) -> None:
    """The twin: nothing else keeps it out, and nothing of the first institution changes."""
    bank.send(DAY, [arrears(1)], loans=OURS)
    bank.staff("A1", "administrator")
    said = casework(bank.started.settings, "institution", "add", "elsewhere", "--as", "A1")
    assert said.code == 0, said.err
    assert door(bank, "elsewhere") is None
    assert bank.case("Z1").institution == "elsewhere"
    assert bank.case(1).institution == bank.institution
    assert added(bank) == [(bank.institution, "system"), ("elsewhere", "A1")]
    bank.assert_sound()


def test_who_is_added_before_any_feed_is_the_only_one_whose_feed_is_taken(bank: Bank) -> None:
    bank.know("elsewhere")
    with pytest.raises(CallerError) as told:
        bank.send(DAY, [arrears(1)], loans=OURS)
    assert told.value.code == "institution_unknown"
    assert by_api_or_function(bank, "elsewhere") is None


@pytest.mark.parametrize(("code", "refusal"), [
    ("demo", "institution_known"), ("a b", "institution_malformed"), ("a~b", "institution_malformed"),
    ("", "institution_malformed"), ("x" * 33, "institution_malformed"), ("武汉", "institution_malformed"),
])  # fmt: skip
def test_an_institution_is_added_once_and_spelled_as_a_manifest_spells_it(bank: Bank, code: str, refusal: str) -> None:
    bank.send(DAY, [arrears(1)], loans=OURS)
    said = casework(bank.started.settings, "institution", "add", code)
    assert (said.code, said.err.split(":")[0]) == (1, refusal)
    assert len(bank.bodies(STREAM)) == 1


@pytest.mark.parametrize("post", ["basic_risk_manager", "auditor", "business_rep"])
def test_only_an_administrator_adds_an_institution(bank: Bank, post: str) -> None:
    bank.staff("X1", post)
    said = casework(bank.started.settings, "institution", "add", "elsewhere", "--as", "X1")
    assert (said.code, said.err.split(":")[0], known(bank)) == (1, "post_not_permitted", [])


def test_the_shell_lists_the_institutions_that_are_known(bank: Bank) -> None:
    bank.send(DAY, [arrears(1)], loans=OURS)
    bank.know("elsewhere")
    said = casework(bank.started.settings, "institution", "list", "--json")
    assert json.loads(said.out) == ["demo", "elsewhere"]
    assert "elsewhere" in casework(bank.started.settings, "institution", "list").out


def test_of_two_first_feeds_at_once_only_one_registers_its_institution(bank: Bank) -> None:
    """What the other sees once it has the stream's lock decides, not what it saw before."""
    with ThreadPoolExecutor(2) as both:
        told = list(both.map(partial(by_api_or_function, bank), ["one", "other"]))
    assert sorted(told, key=str) == [None, "institution_unknown"]
    assert len(known(bank)) == 1
    bank.assert_sound()


@pytest.mark.parametrize("change", [
    institutions_added.insert().values(institution="elsewhere"),
    institutions_added.delete(),
    institutions_added.update().values(institution="elsewhere"),
], ids=["let in", "shut out", "renamed"])  # fmt: skip
def test_an_institution_that_is_let_in_by_sql_is_found(bank: Bank, change: sa.Executable) -> None:
    bank.send(DAY, [arrears(1)], loans=OURS)
    bank.assert_sound()
    with writing(bank.started.engine) as conn:
        conn.execute(change)
    report = bank.verified()
    assert report.verdict == "tampered"
    assert [(found["code"], found["stream"]) for found in report.as_json()["findings"]] == [("row_differs", STREAM)]
