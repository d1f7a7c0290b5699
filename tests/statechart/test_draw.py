"""The drawings: complete, well-formed, deterministic, and nothing in a label can break out of them."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from casework.rules.statechart.draw import LANGUAGES, mermaid, svg
from casework.rules.statechart.layout import BOX, lay_out
from casework.rules.statechart.outline import edges, staying
from tests.statechart.small import BLOCKS, RULEBOOK, small_chart

CHART = RULEBOOK.chart
NASTY = '<b>&"\'; #1: %% --> {x} `y` \\\\ \\"'


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_svg_names_every_state_event_version_and_digest(lang: str) -> None:
    text = svg(CHART, lang)
    shown = " ".join("".join(node.itertext()) for node in ET.fromstring(text).iter())
    flat = re.sub(r"\s+", "", shown)
    for state in CHART.states.values():
        assert getattr(state, lang) in shown
        assert state.name in shown
    for event in CHART.events.values():
        assert re.sub(r"\s+", "", getattr(event, lang)) in flat
    assert CHART.title in shown
    assert CHART.digest[:16] in shown


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_same_chart_is_drawn_in_the_same_bytes(lang: str) -> None:
    assert svg(CHART, lang) == svg(CHART, lang)
    assert mermaid(CHART, lang) == mermaid(CHART, lang)


def test_no_box_overlaps_another_and_no_trunk_runs_through_one() -> None:
    for lang in LANGUAGES:
        layout = lay_out(CHART, lang)
        boxes = list(layout.boxes.values())
        for upper, lower in pairwise(boxes):
            assert upper.y + upper.height < lower.y
        for sign, lanes in layout.lanes.items():
            assert len(set(lanes.values())) == len(lanes), "each target has a lane of its own"
            for lane in lanes.values():
                assert (lane - boxes[0].edge(sign)) * sign > 0
                assert 0 < lane < layout.width
        assert all(0 < box.x < layout.width - BOX for box in boxes)


def test_every_port_lies_within_its_box_and_no_two_share_a_height() -> None:
    for box in lay_out(CHART, "en").boxes.values():
        for side in (-1, 1):
            heights = [port.y for port in box.side(side)]
            assert heights == sorted(set(heights))
            assert all(box.y < height < box.y + box.height for height in heights)


def test_every_way_of_the_chart_is_drawn_once_per_pair_of_states() -> None:
    ways = {
        (arc.source, branch.to)
        for event in CHART.events.values()
        for arc in event.arcs.values()
        for branch in arc.branches
    }
    drawn = [(edge.source, edge.to) for edge in edges(CHART, "en")]
    assert len(set(drawn)) == len(drawn)
    staying_in = {(name, name) for name, events in staying(CHART, "en").items() if events}
    assert set(drawn) | staying_in == ways


def test_mermaid_draws_every_pair_and_both_ends() -> None:
    lines = mermaid(CHART, "en").splitlines()
    assert lines[3] == "stateDiagram-v2"
    arrows = [line for line in lines if "-->" in line]
    looped = sum(1 for events in staying(CHART, "en").values() if events)
    assert len(arrows) == len(edges(CHART, "en")) + looped + 2
    assert any(line.startswith("  [*] --> phone_collection : ") for line in lines)
    assert "  closed --> [*]" in lines


def test_labels_cannot_break_out_of_a_drawing() -> None:
    text = BLOCKS["chart"].replace('en = "Calling"', f"en = '''{NASTY}'''")
    text = text.replace('en = "Finish"', f"en = '''{NASTY}'''").replace('en = "Arrears"', f"en = '''{NASTY}'''")
    chart = small_chart(text)
    ET.fromstring(svg(chart, "en"))
    assert "<b>" not in svg(chart, "en")
    for line in mermaid(chart, "en").splitlines()[4:]:
        label = line.split(" : ", 1)[1] if " : " in line else re.sub(r'state "(.*)" as \w+', r"\1", line.strip())
        if label != line.strip():
            assert not set('"<>{}`\\') & set(re.sub(r"#\d+;", "", label)), line


def test_an_event_stands_once_beside_a_way_however_many_of_its_branches_go_it() -> None:
    for lang in ("zh", "en"):
        for edge in edges(RULEBOOK.chart, lang):
            assert len(set(edge.events)) == len(edge.events), edge
    abandoned = [edge.events for edge in edges(RULEBOOK.chart, "en") if (edge.source, edge.to) == AWAY]
    assert abandoned == [(("Abandon the visit", True),)]


AWAY = ("home_visit", "lost_contact")
