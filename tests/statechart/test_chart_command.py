"""`casework chart` at the shell: exit codes, one fault per line, drawings and tables."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from tests.statechart.small import FOLDER, RULEBOOK


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["chart", *arguments], env={"CASEWORK_STATECHARTS": str(FOLDER)})


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the rulebook whose chart has two faults."""
    folder = tmp_path / "statecharts"
    shutil.copytree(FOLDER, folder)
    chart = folder / "overdue_loan.toml"
    text = chart.read_text(encoding="utf-8").replace("initial = true", "initial = false", 1)
    chart.write_text(text.replace('to = "lost_contact" }', 'to = "nowhere" }'), encoding="utf-8")
    return folder


def test_check_says_0_and_what_it_found_for_a_sound_folder_and_file() -> None:
    charts = RULEBOOK.charts
    sound = [
        f"callback@1#{charts['callback'].digest}: 4 states, 3 events, 3 arcs",
        f"consent@1#{charts['consent'].digest}: 3 states, 2 events, 2 arcs",
        f"disposal@1#{charts['disposal'].digest}: 4 states, 4 events, 5 arcs",
        f"handover@1#{charts['handover'].digest}: 5 states, 6 events, 12 arcs",
        f"hold@1#{charts['hold'].digest}: 3 states, 8 events, 8 arcs",
        f"overdue_loan@1#{RULEBOOK.chart.digest}: 8 states, 28 events, 70 arcs",
        f"promise@1#{charts['promise'].digest}: 6 states, 7 events, 8 arcs",
        f"remittance@1#{charts['remittance'].digest}: 3 states, 5 events, 5 arcs",
        f"repair@1#{charts['repair'].digest}: 4 states, 4 events, 4 arcs",
        f"request@2#{RULEBOOK.requests.digest}: 6 states, 5 events, 9 arcs",
        f"risk@1#{charts['risk'].digest}: 2 states, 1 events, 1 arcs",
        f"visit@1#{charts['visit'].digest}: 10 states, 12 events, 13 arcs",
    ]
    for place, lines in (([], sound), ([str(FOLDER)], sound), ([str(FOLDER / "overdue_loan.toml")], sound[5:6])):
        result = run("check", *place)
        assert (result.exit_code, result.output.splitlines()) == (0, lines)


def test_check_says_1_with_file_key_and_reason_on_each_line_of_a_broken_one(broken: Path) -> None:
    for place in (broken, broken / "overdue_loan.toml"):
        result = run("check", str(place))
        assert result.exit_code == 1
        lines = result.stderr.splitlines()
        assert "overdue_loan.toml: events.mark_lost.arcs[0].to[0]: unknown state nowhere" in lines
        assert all(line.startswith("overdue_loan.toml: ") for line in lines)


def test_check_finds_a_policy_looser_than_outside_law(tmp_path: Path) -> None:
    folder = tmp_path / "statecharts"
    shutil.copytree(FOLDER, folder)
    policy = folder / "policy" / "2024-01-01.2.toml"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text.replace("connected_calls_per_day = { value = 3", "connected_calls_per_day = { value = 4"))
    result = run("check", str(folder), "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["sound"] is False
    assert "4 is looser than the law's 3" in document["faults"][0]


def test_check_of_a_file_that_is_not_there_is_a_mistake_of_usage() -> None:
    assert run("check", "nowhere.toml").exit_code == 2


def test_check_of_a_folder_without_a_chart_is_not_sound(tmp_path: Path) -> None:
    folder = tmp_path / "statecharts"
    shutil.copytree(FOLDER, folder)
    for chart in RULEBOOK.charts:
        (folder / f"{chart}.toml").unlink()
    result = run("check", str(folder))
    assert (result.exit_code, result.stderr) == (1, "statecharts: no chart here\n")


def test_draw_writes_mermaid_to_the_terminal_and_svg_to_a_file(tmp_path: Path) -> None:
    assert "stateDiagram-v2" in run("draw", "--lang", "en").stdout
    target = tmp_path / "chart.svg"
    assert run("draw", "--format", "svg", "-o", str(target)).exit_code == 0
    assert ET.parse(target).getroot().tag.endswith("svg")
    result = run("draw", "-o", str(tmp_path / "no" / "such" / "folder"))
    assert (result.exit_code, result.stderr.startswith("file_unwritable: ")) == (1, True)


def test_show_tells_an_event_with_its_guards_figures_and_rules() -> None:
    result = run("show", "--event", "place", "--lang", "en")
    assert result.exit_code == 0
    for wanted in ("dpd_at_least(days=31)", "agency_post", "phone_collection → outsourced", "X11", "term_until"):
        assert wanted in result.stdout


def test_show_of_a_state_tells_what_can_happen_there_and_nothing_else() -> None:
    document = json.loads(run("show", "--state", "settled", "--json").stdout)
    assert [event["event"] for event in document["events"]] == [
        "recover", "recovery_reversed", "reverse_payment", "settlement_corrected", "archive",
    ]  # fmt: skip
    assert [state["state"] for state in document["states"]] == ["settled"]


def test_show_of_the_whole_chart_names_every_event() -> None:
    shown = run("show").stdout
    assert all(event in shown for event in RULEBOOK.chart.events)


def test_deadlines_are_shown_with_the_figures_of_the_policy() -> None:
    """Of every state, at the shell and in the drawing; none of them is written down twice."""
    shown = json.loads(run("show", "--json").stdout)
    deadlines = {state["state"]: state["deadline"] for state in shown["states"]}
    assert (
        deadlines["phone_collection"]["zh"] == "连续5天未接通即失联；50,000元及以上须在逾期31天前下户；逾期31天应委外"
    )
    assert deadlines["home_visit"]["en"].startswith("report by 17:00 the same day")
    assert deadlines["written_off"]["en"] == "limitation, warned 180/90/30 days ahead"
    assert not [text for both in deadlines.values() for text in both.values() if "{" in text]
    drawn = run("draw", "--format", "svg", "--lang", "en").stdout
    assert "180/90/30" in drawn
    assert "{@" not in drawn
    request = json.loads(run("show", "request", "--json").stdout)
    assert "14天有效期满" in {state["deadline"]["zh"] for state in request["states"]}


def test_another_policy_shows_other_deadlines() -> None:
    policy = RULEBOOK.policies.all[0]
    other = replace(policy, figures={**policy.figures, "placement.from_dpd": 61, "visit.duty_from_fen": 1_234_550})
    told = RULEBOOK.chart.told_with(other).states["phone_collection"].deadline_en
    assert told.endswith("from ¥12,345.50: a visit before DPD 61; placement due at DPD 61")
    assert RULEBOOK.chart.states["phone_collection"].deadline_en.count("{@") == 4, "the chart itself stays as it is"


def test_show_tells_which_events_are_under_four_eyes_and_who_decides_them() -> None:
    assert "four eyes: write_off" in run("show", "--event", "write_off", "--lang", "en").stdout
    topics = {topic["topic"]: topic for topic in json.loads(run("show", "request", "--json").stdout)["topics"]}
    assert topics.keys() == RULEBOOK.requests.approvals.keys()
    assert (topics["suit"]["people"], topics["suit"]["approved_by"]) == (2, ["approver"])
    assert all(topic in run("show", "request").stdout for topic in topics)


def test_show_policy_tells_every_figure_with_its_reason() -> None:
    shown = run("show", "--policy").stdout
    figures = json.loads(run("show", "--policy", "--json").stdout)["figures"]
    assert {figure["figure"] for figure in figures} == RULEBOOK.policies.all[0].figures.keys()
    assert all(figure["figure"] in shown for figure in figures)
    assert all(figure["rules"] or figure["source"] for figure in figures)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "nonsense"], "unknown_chart"),
        (["show", "outside_law"], "unknown_chart"),
        (["show", "../../etc/passwd"], "unknown_chart"),
        (["draw", "nonsense"], "unknown_chart"),
        (["show", "--event", "nonsense"], "unknown_event"),
        (["show", "--state", "nonsense"], "unknown_state"),
    ],
)
def test_what_is_not_there_is_told_in_one_line_with_what_is(arguments: list[str], code: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{code}: there is no such ")
    assert "known: " in result.stderr
