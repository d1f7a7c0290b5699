"""What differs between two charts, part by part: in words, as JSON, and in one drawing."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from casework.cli.main import main
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.differences import differences, flat
from casework.rules.statechart.draw import LANGUAGES, svg
from casework.rules.statechart.draw_differences import svg_of_differences
from tests.statechart.small import BLOCKS, FOLDER, RULEBOOK, small_chart

TEXT = BLOCKS["chart"]
IN_ARREARS = TEXT[TEXT.index("[guards.in_arrears]") : TEXT.index("[guards.dpd_at_least]")]
MOVES = '\n[moves]\ncalling = "calling"\nplaced = "placed"\n'
REOPEN = """
[events.again]
zh = "再催"
en = "Again"
posts = ["phone_collector"]
rules = ["5.4"]
arcs = [{ from = ["placed"], to = "calling" }]
"""


def edited(*changes: tuple[str, str], more: str = "") -> Chart:
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return small_chart(text + more)


def told(before: Chart, after: Chart) -> set[tuple[str, str, str]]:
    return {(one.part, one.name, one.how) for one in differences(before, after).changes}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (edited(('zh = "催收中"', 'zh = "在催"')), {("state", "calling", "changed")}),
        (edited(('zh = "委托期满"', 'zh = "委托到期"')), {("state", "placed", "changed")}),
        (edited(more=REOPEN), {("event", "again", "added"), ("arc", "again: placed", "added")}),
        (edited(('arcs = [{ from = ["calling"], to = "placed" }]',
                 'arcs = [{ from = ["calling"], to = "placed", effects = [] }, { from = ["placed"], to = "same" }]')),
         {("arc", "place: placed", "added")}),
        (edited(('guards = [{ guard = "dpd_at_least", days = "@placement.from_dpd" }]   # all',
                 'guards = [{ guard = "dpd_at_least", days = 40 }]   # all')), {("arc", "place: calling", "changed")}),
        (edited(('posts = ["basic_risk_manager"]    # who may fire it', 'posts = ["phone_collector"]')),
         {("event", "place", "changed")}),
        (edited(('rules = ["3.1"]', 'rules = ["3.1", "5.4"]')), {("event", "take_back", "changed")}),
        (edited(('agency = { type = "ref"', 'agency = { optional = true, type = "ref"')),
         {("event", "place", "changed")}),
        (edited(('not in arrears (DPD', 'in no arrears (DPD')), {("guard", "in_arrears", "changed")}),
        (edited(('poor_result = { zh = "效果不佳"', 'poor_result = { zh = "效果差"')),
         {("word", "poor_result", "changed"), ("event", "place", "changed")}),
        (edited(('because = "nothing is placed before DPD 31 (3.2)"', 'because = "of 3.2"')),
         {("law", "placed: dpd_at_least", "changed")}),
        (edited(('live = ["calling", "placed"]', 'live = ["calling"]')),
         {("group", "live", "changed"), ("arc", "finish: placed", "gone")}),
        (edited(('guards = [{ guard = "in_arrears" }]', 'guards = []'),
                (IN_ARREARS, "")),
         {("opening", "arrears", "changed"), ("guard", "in_arrears", "gone")}),
        (edited(('en = "phone collector" }', 'en = "caller" }')), {("post", "phone_collector", "changed")}),
        (edited(("version = 1 ", "version = 2 "), more=MOVES),
         {("move", "calling", "added"), ("move", "placed", "added")}),
    ],
)  # fmt: skip
def test_each_part_that_differs_is_told_once_and_the_other_way_round_too(
    after: Chart, expected: set[tuple[str, str, str]]
) -> None:
    before, other_way = small_chart(), {"added": "gone", "gone": "added", "changed": "changed"}
    assert told(before, after) == expected
    assert told(after, before) == {(part, name, other_way[how]) for part, name, how in expected}


def test_nothing_differs_between_a_chart_and_itself_and_every_part_of_ours_is_laid_flat() -> None:
    for chart in RULEBOOK.charts.values():
        assert differences(chart, chart).changes == []
        parts = {part for part, _ in flat(chart)}
        assert parts >= {"chart", "state", "event", "arc", "opening", "guard", "post"}


def test_a_state_that_the_moves_call_by_another_name_is_renamed_wherever_it_is_named() -> None:
    after = edited(
        ("version = 1 ", "version = 2 "), ("calling", "phoning"),
        more=MOVES.replace('calling = "calling"', 'calling = "phoning"'),
    )  # fmt: skip
    expected = {("state", "phoning", "renamed"), ("move", "calling", "added"), ("move", "placed", "added")}
    assert told(small_chart(), after) == expected


def test_it_is_told_in_chinese_and_english() -> None:
    found = differences(small_chart(), edited(('zh = "催收中"', 'zh = "在催"'), more=REOPEN))
    said = {one.zh: one.en for one in found.changes}
    assert said == {
        "状态 calling 变更：中文名 “催收中” → “在催”": "state calling changed: label (zh) “催收中” → “在催”",
        "新增事件 again“再催”": "event again added: “Again”",
        "新增路径 again: placed：calling": "arc again: placed added: calling",
    }


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_drawing_marks_what_came_went_and_changed(lang: str) -> None:
    changes = (('zh = "催收中"', 'zh = "在催"'), ('en = "Calling"', 'en = "On the phone"'))
    without = edited((TEXT[TEXT.index("[events.take_back]") : TEXT.index("[events.finish]")], ""),
                     (TEXT[TEXT.index("[targets]") : TEXT.index("[states.calling]")], ""),
                     (TEXT[TEXT.index("[guards.new_number_since]") : TEXT.index("[[laws]]")], ""),
                     ('except = ["take_back"]', ""), *changes)  # fmt: skip
    shown = drawn_texts(svg_of_differences(small_chart(), without, lang))
    back, calling = ("收回", "在催") if lang == "zh" else ("Take back", "On the phone")
    assert f"± {calling}" in shown
    assert f"－ {back}" in shown
    assert not any(text.startswith("＋") and back in text for text in shown)
    shown = drawn_texts(svg_of_differences(without, small_chart(), lang))
    assert f"＋ {back}" in shown


def test_a_state_that_is_gone_is_drawn_beside_what_is_there() -> None:
    hold, promise = RULEBOOK.charts["hold"], RULEBOOK.charts["promise"]
    shown = drawn_texts(svg_of_differences(hold, promise, "en"))
    assert {"－ In force", "－ Lifted", "＋ Open"} <= set(shown)


def test_what_does_not_differ_has_no_mark() -> None:
    chart = RULEBOOK.chart
    same, alone = (drawn_texts(text) for text in (svg_of_differences(chart, chart), svg(chart)))
    assert [text for text in same if text[:1] in "＋－±"] == []
    assert len(same) == len(alone)


def drawn_texts(drawing: str) -> list[str]:
    texts = ["".join(node.itertext()) for node in ET.fromstring(drawing).iter() if node.tag.endswith("text")]
    return [text.removesuffix(" ◇") for text in texts]


# ── at the shell ────────────────────────────────────────────────────────────────────────────────────────────────────


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["chart", "diff", *arguments], env={"CASEWORK_STATECHARTS": str(FOLDER)})


def test_the_shell_compares_files_and_charts_in_force_in_words_json_and_a_drawing(tmp_path: Path) -> None:
    draft, drawing = tmp_path / "draft.toml", tmp_path / "diff.svg"
    text = (FOLDER / "hold.toml").read_text(encoding="utf-8").replace('zh = "停催中"', 'zh = "生效中"')
    draft.write_text(text, encoding="utf-8")
    result = run("hold", str(draft))
    assert (result.exit_code, "状态 in_force 变更：中文名 “停催中” → “生效中”" in result.output) == (0, True)
    assert "state in_force changed" in run("hold", str(draft), "--lang", "en").output
    found = json.loads(run("hold", str(draft), "--json", "--svg", str(drawing)).output)
    (change,) = found["changes"]
    assert (change["part"], change["name"], change["how"]) == ("state", "in_force", "changed")
    assert change["properties"] == [{"property": "zh", "was": "停催中", "now": "生效中"}]
    assert re.search("± 生效中", drawing.read_text(encoding="utf-8"))
    assert "没有差别" in run("hold", "hold").output


def test_the_shell_says_what_it_cannot_compare(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('name = "hold"\n', encoding="utf-8")
    for arguments, code in (
        (("nothing", "hold"), "unknown_chart"), (("hold", str(broken)), "rules_broken"),
        (("hold", "hold", "--svg", str(tmp_path / "no" / "x.svg")), "file_unwritable"),
    ):  # fmt: skip
        result = run(*arguments)
        assert (result.exit_code, code in result.stderr) == (1, True), result.output
