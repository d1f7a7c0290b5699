"""Between charts, at load: what a noun tells can be heard, types and codes agree, and who is told tells nobody."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from casework.cli.main import main
from casework.errors import RulesBroken
from casework.lifecycle.laws import faults_between
from casework.lifecycle.subject import labels_in
from casework.work.cases.export import words_in
from casework.work.cases.nouns import NOUNS
from casework.work.cases.rulebook import load_rulebook
from tests.statechart.small import FOLDER, RULEBOOK

KEPT = 'tells = [{ fact = "promise_ended", data = { promise = ".ref", outcome = ".state" } }]'
MADE = (
    'tells = [{ fact = "promise", on = ".made_on", '
    'data = { promise = ".ref", pay_by = ".pay_by", amount_fen = ".amount_fen" } }]'
)
SET = 'tells = [{ fact = "hold", on = ".begins_on", data = { hold = ".hold" } }]'
WHERE = "promise.toml: events.keep.tells[0]"
OPENED = "promise.toml: openings.made.tells[0]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(FOLDER, tmp_path / "statecharts")


def edit(folder: Path, chart: str, old: str, new: str) -> None:
    """In its first place."""
    file = folder / f"{chart}.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_ours_keep_every_law() -> None:
    assert faults_between(NOUNS, RULEBOOK.charts) == []


@pytest.mark.parametrize(
    ("chart", "old", "new", "fault"),
    [
        ("repair", 'words_of = "sources"', 'words_of = "rivers"', "source.words_of: there is no table rivers"),
        ("repair", 'en = "its number in the contact book" }', 'en = "its number", words_of = "sources" }',
         "contact_id.words_of: only a reference takes its words from a table"),
    ],
)  # fmt: skip
def test_words_are_taken_from_a_table_that_there_is_and_by_references_alone(
    folder: Path, chart: str, old: str, new: str, fault: str
) -> None:
    edit(folder, chart, old, new)
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert any(fault in one for one in broken.value.faults), broken.value.faults


def test_codes_that_effects_put_into_a_noun_have_words() -> None:
    """In both languages, by the chart's own words: what no data of the chart declares."""
    for noun in NOUNS:
        chart, own = RULEBOOK.charts[noun.chart], labels_in(noun.subject)
        word = words_in(noun, chart)
        put = {
            (name, code) for event in chart.events.values() for arc in event.arcs.values() for use in arc.effects
            for name, code in use.params.items() if name in own and isinstance(code, str)
        }  # fmt: skip
        assert [code for name, code in put if None in (word(name, code, "zh"), word(name, code, "en"))] == [], (
            noun.chart
        )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (KEPT, KEPT.replace("promise_ended", "promise_over"), f"{WHERE}.fact: overdue_loan has no fact promise_over"),
        (KEPT, KEPT.replace("promise_ended", "agency_file"),
         f"{WHERE}.fact: the service itself may not record agency_file"),
        (KEPT, KEPT.replace("outcome =", "result ="), f"{WHERE}.data: promise_ended needs outcome"),
        (KEPT, KEPT.replace("outcome =", "result ="), f"{WHERE}.data.result: promise_ended takes no result"),
        (KEPT, KEPT.replace(".state", ".nothing"), f"{WHERE}.data.outcome: a promise has no field nothing"),
        (KEPT, KEPT.replace(".state", ".amount_fen"), f"{WHERE}.data.outcome: amount_fen is no code"),
        (KEPT, KEPT.replace(".state", ".counted_fen"), f"{WHERE}.data.outcome: counted_fen is no code"),
        (KEPT, KEPT.replace('".state"', '"lost"'),
         f"{WHERE}.data.outcome: lost is none of broken, ended, kept, partly_kept, withdrawn"),
        (KEPT, KEPT.replace('".state"', "7"), f"{WHERE}.data.outcome: 7 is no code"),
        (KEPT, KEPT.replace('"promise_ended",', '"promise_ended", on = ".ref",'), f"{WHERE}.on: ref is no date"),
        (KEPT, KEPT.replace('"promise_ended",', '"promise_ended", on = ".when",'),
         f"{WHERE}.on: a promise has no field when"),
        (KEPT, KEPT.replace('"promise_ended",', '"promise_ended", on = "today",'),
         f"{WHERE}.on: is no field of the promise (.name)"),
        (MADE, MADE.replace('".pay_by"', '".amount_fen"'),
         f"{OPENED}.data.pay_by: amount_fen is no date"),
        ('due = { from = "pay_by"', 'due = { from = "ref"', "promise.toml: states.open.due.from: ref is no date"),
        ('due = { from = "pay_by"', 'due = { from = "paid"',
         "promise.toml: states.open.due.from: a promise has no field paid"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused_when_it_is_loaded_with_file_key_and_reason(
    folder: Path, old: str, new: str, fault: str
) -> None:
    edit(folder, "promise", old, new)
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert fault in broken.value.faults
    checked = CliRunner().invoke(main, ["chart", "check", str(folder)])
    assert (checked.exit_code, fault in checked.stderr.splitlines()) == (1, True)


ORDERED = 'fires = { event = "start_visit", data = ["address_kind", "address", "visit_on", "assisting_channel"] }'
OF_OPENING, OF_REPORT = "visit.toml: openings.ordered.fires", "visit.toml: events.report.fires"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (ORDERED, ORDERED.replace("start_visit", "send_out"),
         f"{OF_OPENING}.event: overdue_loan has no event send_out"),
        (ORDERED, ORDERED.replace("start_visit", "place_early"), f"{OF_OPENING}.event: place_early is under four eyes"),
        (ORDERED, ORDERED.replace('"address", ', ""), f"{OF_OPENING}.data: start_visit needs address"),
        (ORDERED, ORDERED.replace('"address"', '"address", "area"'), f"{OF_OPENING}.data: area is no field of both"),
        (ORDERED, ORDERED.replace("start_visit", "abandon_visit"),
         f"{OF_OPENING}: business_rep may not fire abandon_visit"),
        ('fires = { event = ".outcome" }', 'fires = { event = ".address_risk" }',
         f"{OF_REPORT}.event: address_risk is no code that the report must give"),
        ('fires = { event = ".outcome" }', 'fires = { event = ".attitude" }',
         f"{OF_REPORT}.event: overdue_loan has no event hostile"),
    ],
)  # fmt: skip
def test_what_cannot_follow_is_refused_when_it_is_loaded(folder: Path, old: str, new: str, fault: str) -> None:
    edit(folder, "visit", old, new)
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert fault in broken.value.faults


def test_only_a_child_makes_something_of_its_parent(folder: Path) -> None:
    text = (folder / "hold.toml").read_text(encoding="utf-8")
    opening = re.search(r"\[openings\.[a-z_]+\]\n", text)
    assert opening is not None
    edit(folder, "hold", opening[0], f'{opening[0]}fires = {{ event = "reached" }}\n')
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert any(fault.endswith("fires: a hold has no parent") for fault in broken.value.faults)


def test_a_code_that_can_be_told_and_not_heard_is_refused(folder: Path) -> None:
    edit(folder, "overdue_loan", '"withdrawn", "ended"] }', '"withdrawn"] }')
    told = "promise.toml: events.end.tells[0].data.outcome: state may be ended, which outcome is not"
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert broken.value.faults == [told]


def test_a_kind_of_hold_that_cases_do_not_know_is_refused(folder: Path) -> None:
    edit(folder, "hold", '"incapacity", "legal"] }', '"incapacity", "legal", "vip"] }')
    edit(folder, "hold", "[words]", '[words]\nvip = { zh = "重要客户", en = "important" }')
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert any("hold may be vip, which hold is not" in fault for fault in broken.value.faults)


def test_who_is_told_tells_nobody(folder: Path) -> None:
    text = (folder / "overdue_loan.toml").read_text(encoding="utf-8")
    event = re.search(r"\[events\.mark_lost\]\n", text)
    assert event is not None
    edit(folder, "overdue_loan", event[0], f"{event[0]}{SET}\n")
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert broken.value.faults == ["overdue_loan.toml: events.mark_lost.tells[0]: who is told by others tells nobody"]
