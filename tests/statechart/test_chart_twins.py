"""Every law and every fault of a chart has a corrupt twin of a sound chart, one edit apart, and it is refused."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import RulesBroken
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.parse import parse_chart
from casework.rules.statechart.policy import Policies
from casework.rules.statechart.read import read_chart
from casework.rules.statechart.registry import Registry
from tests.statechart.small import (
    BLOCKS,
    RULEBOOK,
    SMALL_POLICIES,
    SMALL_REGISTRY,
    small_chart,
    small_policy,
)

CHART = BLOCKS["chart"]
ENDED = """closed = true                     # left only by events marked after_closing = true
final = true                      #"""
FINISH = 'arcs = [{ from = ["@live"], to = "ended" }]'
PLACE = 'arcs = [{ from = ["calling"], to = "placed" }]'
AT_LEAST = 'guards = [{ guard = "dpd_at_least", days = "@placement.from_dpd" }]'
RETIRED = 'guards = [{ guard = "once_asked" }]'
RETIRED_TEXT = '[guards.once_asked]\nrules = ["1.1.4"]\nzh = "须审批"\nen = "needs approval"\n'
APPROVAL = """
[approvals.early_placement]
zh = "提前委外"
en = "early placement"
proposed_by = ["phone_collector"]
reviewed_by = ["%s"]
approved_by = ["%s"]
"""
LAST = '  { state = "placed" },\n'
CONNECTED = '{ guard = "new_number_since" }'
SHADOWED = f'  {{ state = "ended", when = [{CONNECTED}] }},\n'
MOST = ', { guard = "dpd_at_most", days = 30 }]'
MOST_TEXT = '[guards.dpd_at_most]\nrules = ["3.2"]\nzh = "逾期过久"\nen = "too late"\n'
FACT = '[facts.%s]\nzh = "事实"\nen = "fact"\nposts = ["phone_collector"]\nrules = ["5.4"]\n'

# (what is changed, into what, where the fault is, why)
TWINS: list[tuple[str, str, str, str]] = [
    # not TOML, not the right keys and types
    ('zh = "示例"', 'zh = "示例', "", "Illegal character"),
    ("version = 1 ", 'version = 1\ncolour = "red" ', "colour", "unknown key"),
    ("initial = true", 'initial = true\ncolour = "red"', "states.calling.colour", "unknown key"),
    ("initial = true", 'initial = "yes"', "states.calling.initial", "is not true or false"),
    ('name = "small_matter"', 'name = "Small Matter"', "name", "is not a name"),
    ('name = "small_matter"\n', "", "name", "missing"),
    ("version = 1 ", "version = 0 ", "version", "is not a whole number from 1"),
    ("version = 1 ", "version = true ", "version", "is not a whole number from 1"),
    ('en = "Example"\n', "", "en", "missing label"),
    ('en = "Calling"', 'en = " "', "states.calling.en", "missing label"),
    ('zh = "委外"\n', "", "events.place.zh", "missing label"),
    ("not_before_today = true }", 'within_days = "@placement.none" }', "events.place.data.term_until.within_days",
     "has no figure placement.none"),
    ("not_before_today = true }", 'within_days = "soon" }', "events.place.data.term_until.within_days",
     "neither a whole number nor a figure"),
    ("not_before_today = true }", "within_days = 0 }", "events.place.data.term_until.within_days",
     "is not a whole number from 1"),
    ('type = "ref", zh = "机构", en = "agency" }', 'type = "ref", zh = "机构", en = "agency", within_days = 3 }',
     "events.place.data.agency", "only a date can be bound to today"),
    ("[events.place.data]", 'only_own = { agency_post = ["5.6"] }\n[events.place.data]', "events.place.only_own",
     "agency_post is none of its posts"),
    ("[events.place.data]", "only_own = { basic_risk_manager = [] }\n[events.place.data]",
     "events.place.only_own.basic_risk_manager", "names no rule"),
    ("[events.place]", '[events."Place it"]', "events.Place it", "is not a name"),
    ("[targets]", "[[targets]]", "targets", "is not a table"),
    ('posts = ["basic_risk_manager"]    #', 'posts = "basic_risk_manager" #', "events.place.posts", "is not a list"),
    # labels, permission, rules, deadlines
    ('posts = ["basic_risk_manager"]    #', "posts = [] #", "events.place.posts", "no post may do this"),
    ('posts = ["basic_risk_manager"]    #', 'posts = ["boss"] #', "events.place.posts", "unknown post boss"),
    ('rules = ["3.1"]\narcs', "arcs", "events.take_back.rules", "missing"),
    ('rules = ["3.1"]\narcs', "rules = []\narcs", "events.take_back.rules", "names no rule"),
    ('rules = ["3.1"]\narcs', 'rules = ["§3"]\narcs', "events.take_back.rules[0]", "is not a rule's number"),
    ('deadline = { zh = "无", en = "none" }', "", "states.ended.deadline", "missing"),
    ('deadline = { zh = "无", en = "none" }', 'deadline = { zh = "无", en = "DPD 31" }', "states.ended.deadline.en",
     "a figure stands in the text"),
    ('deadline = { zh = "无", en = "none" }', 'deadline = { zh = "５天内", en = "none" }', "states.ended.deadline.zh",
     "a figure stands in the text"),
    ('en = "DPD {@placement.from_dpd}"', 'en = "DPD {@placement.dpd}"', "states.calling.deadline.en",
     "has no figure placement.dpd"),
    ('en = "DPD {@placement.from_dpd}"', 'en = "{@contact.messages_per_day}"', "states.calling.deadline.en",
     "leaves contact.messages_per_day empty"),
    ('en = "DPD {@placement.from_dpd}"', 'en = "DPD {@placement.from_dpd:words}"', "states.calling.deadline.en",
     "there is no such form"),
    ('deadline = { zh = "无", en = "none" }', 'deadline = { zh = "无" }', "states.ended.deadline.en", "missing"),
    # initial, reachable, final, closed
    ("initial = true", "initial = false", "states", "one state must be initial, 0 are"),
    ('[states.placed]', "[states.placed]\ninitial = true", "states", "one state must be initial, 2 are"),
    (PLACE, 'arcs = [{ from = ["placed"], to = "same" }]', "states.placed", "cannot be reached"),
    (FINISH, 'arcs = [{ from = ["calling"], to = "same" }]', "states.placed", "no final state can be reached"),
    (FINISH, 'arcs = [{ from = ["@live", "ended"], to = "ended" }]', "events.finish", "leaves the final state"),
    (ENDED, "closed = false\nfinal = false #", "states.calling", "no final state can be reached"),
    ("closed = true ", "closed = false ", "states.ended", "is final but not closed"),
    ("[states.placed]", "[states.placed]\nclosed = true", "events.take_back", "leaves the closed state placed without"),
    ('rules = ["3.1"]\narcs', 'rules = ["3.1"]\nafter_closing = true\narcs', "events.take_back.after_closing",
     "never leaves a closed state"),
    # arcs and branches
    (FINISH, "arcs = []", "events.finish.arcs", "the event leads nowhere"),
    (FINISH, 'arcs = [{ from = [], to = "ended" }]', "events.finish.arcs[0].from", "names no state"),
    (FINISH, 'arcs = [{ from = ["@live"], to = [] }]', "events.finish.arcs[0].to", "leads nowhere"),
    (FINISH, 'arcs = [{ from = ["@dead"], to = "ended" }]', "events.finish.arcs[0].from", "unknown group @dead"),
    (FINISH, 'arcs = [{ from = ["gone"], to = "ended" }]', "events.finish.arcs[0].from", "unknown state gone"),
    (FINISH, 'arcs = [{ from = ["@live"], to = "gone" }]', "events.finish.arcs[0].to[0]", "unknown state gone"),
    ('to = "@back"', 'to = "@front"', "events.take_back.arcs[0].to", "unknown target @front"),
    ('live = ["calling", "placed"]', 'live = ["calling", "gone", "placed"]', "groups.live", "unknown state gone"),
    (FINISH, FINISH[:-1] + ', { from = ["placed"], to = "same" }]', "events.finish.arcs[1]", "a second arc from"),
    (LAST, "", "events.take_back from placed", "the last branch must always hold"),
    (LAST, LAST + '  { state = "ended" },\n', "events.take_back from placed", "the branch to placed always holds"),
    (LAST, SHADOWED + LAST, "events.take_back from placed", "the branch to ended is dead behind the one to calling"),
    (AT_LEAST, AT_LEAST[:-1] + MOST + "\n#", "events.place from calling", "no number of days past due passes"),
    # guards and effects
    ('guard = "in_arrears"', 'guard = "nonsense"', "openings.arrears.guards[0]", "unknown guard 'nonsense'"),
    ('guard = "in_arrears"', 'guard = "os.system"', "openings.arrears.guards[0]", "unknown guard 'os.system'"),
    ('effect = "place_with_agency"', 'effect = "os.system"', "events.place.effects[0]", "unknown effect"),
    ('effect = "place_with_agency"', 'effect = "close"', "events.place.effects[0].close.closed_as", "missing"),
    ("[guards.in_arrears]", "[guards.non_performing]", "openings.arrears.guards[0]", "guard in_arrears has no texts"),
    ("[guards.in_arrears]", "[guards.unheard]", "guards.unheard", "unknown guard"),
    ('guards = [{ guard = "in_arrears" }]', "", "guards.in_arrears", "used nowhere in this chart"),
    (', days = "@placement.from_dpd"', "", "events.place.guards[0].dpd_at_least.days", "missing parameter"),
    ('days = "@placement.from_dpd"', 'days = 31, hours = 2', "events.place.guards[0].dpd_at_least.hours", "unknown"),
    ('days = "@placement.from_dpd"', 'days = "31"', "events.place.guards[0].dpd_at_least.days", "is not of kind int"),
    ('days = "@placement.from_dpd"', "days = 31.5", "events.place.guards[0].days", "is neither a whole number"),
    ('days = "@placement.from_dpd"', 'days = "@placement.none"', "events.place.guards[0].dpd_at_least.days",
     "policy 2026-01-01 has no figure placement.none"),
    ('days = "@placement.from_dpd"', 'days = "@contact.messages_per_day"', "events.place.guards[0].dpd_at_least.days",
     "leaves contact.messages_per_day empty"),
    ("未逾期（逾期{days_past_due}天）", "未逾期（{borrower_name}）", "guards.in_arrears.zh", "quotes {borrower_name}"),
    ("未逾期（逾期{days_past_due}天）", "未逾期（{days_past_due:hex}）", "guards.in_arrears.zh", "no such form"),
    ('zh = "没有修复出新号码的记录"', 'without = { day = { zh = "无", en = "none" } }\nzh = "没有修复出新号码的记录"',
     "guards.new_number_since.without.day", "does not report it"),
    # data
    ('type = "ref", zh = "机构"', 'type = "agency", zh = "机构"', "events.place.data.agency.type", "is not one of"),
    ('type = "ref", zh = "机构"', 'type = "ref", one_of = ["a"], zh = "机构"', "events.place.data.agency.one_of",
     "a code must list what it may be"),
    ('["poor_result"]', '["poor_result"], words = { whim = { zh = "随意", en = "whim" } }',
     "events.place.data.reason.words", "whim is not one of its codes"),
    (', one_of = ["poor_result"]', "", "events.place.data.reason.one_of", "a code must list what it may be"),
    ('["poor_result"]', '["poor_result", "whim"]', "events.place.data.reason.one_of", "whim has no words"),
    ('type = "ref", zh = "机构"', 'type = "ref", above_zero = true, zh = "机构"', "events.place.data.agency",
     "only a number can be above zero"),
    ('posts = ["basic_risk_manager"]    #',
     'flags = [{ guard = "dpd_at_least", days = 1 }]\nposts = ["basic_risk_manager"] #',
     "events.place.flags", "nobody would see them"),
    ('posts = ["basic_risk_manager"]    #', 'flags = [{ guard = "gone" }]\nposts = ["basic_risk_manager"] #',
     "events.place.flags[0]", "unknown guard"),
    ('type = "ref", zh = "机构"', 'type = "ref", not_before_today = true, zh = "机构"', "events.place.data.agency",
     "only a date can be bound to today"),
    ('"ref", zh = "机构", en', '"ref", en', "events.place.data.agency.zh", "missing"),
    ('en = "poor result"', 'en = ""', "words.poor_result.en", "missing label"),
    ("[words]", '[words]\narrears = { zh = "逾期", en = "arrears" }', "words.arrears", "has a label for it already"),
    # facts, approvals, versions, laws of the trade
    ("[words]", FACT % "nonsense" + "[words]", "facts.nonsense", "nothing in the service records this fact"),
    ("[openings.arrears]", "[openings.arrears]\nstate = 'placed'", "openings.arrears.state", "unknown key"),
    (AT_LEAST, RETIRED, "guards.dpd_at_least", "used nowhere"),
    ('effect = "place_with_agency"', 'effect = "once_counted"', "events.place.effects[0]", "is retired"),
    ("[words]", FACT % "once_recorded" + "[words]", "facts.once_recorded", "is retired"),
    ("version = 1 ", "version = 2 ", "moves", "must name where each live state"),
    ("[words]", '[moves]\ncalling = "calling"\n[words]', "moves", "no version before the first"),
    ('state = "placed"\nguard', 'state = "gone"\nguard', "laws[0].state", "unknown state gone"),
    ('guard = "dpd_at_least"\nexcept', 'four_eyes = "early_placement"\nexcept', "laws[0]",
     "place from calling enters placed without four eyes on early_placement"),
    ('guard = "dpd_at_least"\nexcept', "except", "laws[0]", "either a guard or a topic"),
    ('guard = "dpd_at_least"\nexcept', 'guard = "dpd_at_least"\nfour_eyes = "x"\nexcept', "laws[0]",
     "either a guard or a topic"),
    ('except = ["take_back"]', 'except = ["take"]', "laws[0].except", "unknown event take"),
    ('guard = "dpd_at_least"\nexcept', 'guard = "in_arrears"\nexcept', "laws[0]", "place from calling enters placed"),
    ('because = "nothing is placed before DPD 31 (3.2)"', "", "laws[0].because", "missing"),
]  # fmt: skip


def faults_of(text: str) -> list[str]:
    with pytest.raises(RulesBroken) as broken:
        small_chart(text)
    return broken.value.faults


def test_the_chart_on_the_page_is_sound() -> None:
    chart = small_chart()
    assert (chart.title, chart.initial, len(chart.events)) == ("small_matter@1", "calling", 3)


@pytest.mark.parametrize(("old", "new", "place", "reason"), TWINS)
def test_a_chart_one_edit_away_from_sound_is_refused_with_file_key_and_reason(
    old: str, new: str, place: str, reason: str
) -> None:
    assert CHART.count(old) == 1, "the edit must change exactly one place"
    faults = faults_of(CHART.replace(old, new) + (MOST_TEXT if MOST in new else ""))
    wanted = f"small.toml: {place}"
    assert any(fault.startswith(wanted) and reason in fault for fault in faults), faults


def test_a_closed_state_is_an_end_unless_a_way_leads_back_to_the_open() -> None:
    may_be_left = CHART.replace("final = true ", "final = false ")
    assert small_chart(may_be_left).states["ended"].closed
    back = may_be_left.replace('rules = ["3.1"]\narcs', 'rules = ["3.1"]\nafter_closing = true\narcs')
    assert back.count('from = ["placed"], to = "@back"') == 1
    faults = faults_of(back.replace('from = ["placed"], to = "@back"', 'from = ["placed", "ended"], to = "@back"'))
    assert "small.toml: states.calling: no final state can be reached from it" in faults


def test_bytes_that_are_not_utf8_are_refused_by_name() -> None:
    with pytest.raises(RulesBroken, match=r"small\.toml: .*codec"):
        parse_chart(CHART.encode("gb18030"), SMALL_REGISTRY, SMALL_POLICIES, file="small.toml")


def test_an_author_sees_all_faults_at_once() -> None:
    faults = faults_of(CHART.replace('posts = ["phone_collector"]', 'posts = ["boss"]'))
    assert len([fault for fault in faults if "unknown post boss" in fault]) == 2


@pytest.mark.parametrize(
    "posts", [("phone_collector", "basic_risk_manager"), ("basic_risk_manager", "phone_collector")]
)
def test_no_post_may_both_propose_and_review_or_approve(posts: tuple[str, str]) -> None:
    text = CHART.replace("[words]", APPROVAL % posts + "[words]")
    assert faults_of(text) == ["small.toml: approvals.early_placement: phone_collector may both propose and decide"]
    assert small_chart(CHART.replace("[words]", APPROVAL % (("basic_risk_manager",) * 2) + "[words]")).approvals


def test_a_law_on_four_eyes_holds_where_every_way_into_the_state_is_asked_for() -> None:
    law = CHART.replace('guard = "dpd_at_least"\nexcept', 'four_eyes = "early_placement"\nexcept')
    asked = law.replace(
        'posts = ["basic_risk_manager"]    #', 'four_eyes = "early_placement"\nposts = ["basic_risk_manager"] #'
    )
    assert small_chart(asked).events["place"].four_eyes == "early_placement"


def test_a_flag_of_an_event_under_four_eyes_is_no_guard_of_its_ways() -> None:
    asked = CHART.replace(AT_LEAST, AT_LEAST.replace("guards", "flags") + '\nfour_eyes = "early_placement"')
    lawless = asked[: asked.index("[[laws]]")]
    place = small_chart(lawless).events["place"]
    assert [use.guard.name for use in place.flags] == ["dpd_at_least"]
    assert place.arcs["calling"].guards == ()
    assert any("enters placed without dpd_at_least" in fault for fault in faults_of(asked)), "no law is kept by a flag"


def test_what_is_retired_is_read_in_charts_of_the_past_and_nowhere_else() -> None:
    text = CHART.replace(AT_LEAST, RETIRED) + RETIRED_TEXT
    start, end = text.index("[guards.dpd_at_least]"), text.index("[guards.new_number_since]")
    text = text[:start] + text[end:]
    assert faults_of(text) == [
        "small.toml: events.place.guards[0]: once_asked is retired: only charts of the past may name it"
    ]
    past = parse_chart(text.encode(), SMALL_REGISTRY, SMALL_POLICIES, past=True)
    assert past.events["place"].arcs["calling"].guards[0].guard.name == "once_asked", "and today's laws do not judge it"


def test_a_chart_of_the_past_need_not_know_the_policies_that_came_after_it() -> None:
    later = small_policy(BLOCKS["policy"].replace("from_dpd = {", "from_day = {"), "2026-06-01")
    policies = Policies([small_policy(), later])
    with pytest.raises(RulesBroken, match="has no figure placement"):
        parse_chart(CHART.encode(), SMALL_REGISTRY, policies)
    assert parse_chart(CHART.encode(), SMALL_REGISTRY, policies, past=True).title == "small_matter@1"


def test_a_fact_that_the_service_records_must_be_in_the_chart() -> None:
    registry = Registry()
    registry.guards, registry.effects = SMALL_REGISTRY.guards, SMALL_REGISTRY.effects
    registry.recorders = {"visit": next(iter(RULEBOOK.chart.facts.values())).recorder}
    with pytest.raises(RulesBroken, match=r"facts\.visit: the service records it but the chart does not"):
        parse_chart(CHART.encode(), registry, SMALL_POLICIES)


def test_a_figure_must_fit_in_every_policy_that_may_come_into_force() -> None:
    later = small_policy(BLOCKS["policy"].replace("value = 31", 'value = "31"'), "2026-06-01")
    with pytest.raises(RulesBroken, match=r"dpd_at_least\.days: is not of kind int"):
        parse_chart(CHART.encode(), SMALL_REGISTRY, Policies([small_policy(), later]))


def test_a_later_version_says_where_each_live_state_goes() -> None:
    text = CHART.replace("version = 1 ", "version = 2 ").replace("[words]", '[moves]\ncalling = "%s"\n[words]')
    assert small_chart(text % "placed").moves == {"calling": "placed"}
    assert "small.toml: moves.calling: unknown state gone" in faults_of(text % "gone")


def test_a_guard_can_never_be_a_path_that_is_imported() -> None:
    faults = faults_of(CHART.replace('guard = "in_arrears"', 'guard = "tests.statechart.explode.now"'))
    assert any("unknown guard 'tests.statechart.explode.now'" in fault for fault in faults)


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        found += _places(child, (*path, key))
    return found


_PLACES = _places(tomllib.loads(CHART))


@given(
    place=st.sampled_from(_PLACES),
    value=st.sampled_from([0, -1, True, 1.5, "", "x", "@x", [], {}, [[]], [{}], {"a": 1}, {"a": {}}, ["calling"]]),
)
def test_a_chart_with_any_value_in_any_place_is_either_sound_or_refused_never_a_crash(
    place: tuple[Any, ...], value: Any
) -> None:
    document = tomllib.loads(CHART)
    node: Any = document
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    faults: list[str] = []
    chart = read_chart(document, SMALL_REGISTRY, SMALL_POLICIES, faults, text=b"", digest="", past=False)
    assert isinstance(chart, Chart) != bool(faults)
    assert all(": " in fault for fault in faults)
