"""Deciding over the real chart: exhaustive over states and events, and over any case whatever."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.rules.statechart.decide import (
    Refusal,
    Step,
    decide,
    decide_again,
    decide_opening,
    options,
    unmet,
)
from casework.work.cases.case import Case
from tests.cases.test_guards import worlds
from tests.cases.worlds import CHART, dpd, opened, reasons, seen

EVENTS, STATES = sorted(CHART.events), sorted(CHART.states)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_an_event_is_wrong_for_a_state_exactly_where_the_chart_has_no_arc(state: str, event: str) -> None:
    case = opened()
    case.state = state
    spec = CHART.events[event]
    verdict = decide(CHART, event, state, seen(case, dpd(1)), spec.posts)
    assert (reasons(verdict) == ["wrong_state"]) is (state not in spec.arcs)


@pytest.mark.parametrize("event", EVENTS)
def test_without_the_post_nothing_but_the_post_is_told(event: str) -> None:
    spec = CHART.events[event]
    for posts in (frozenset[str](), frozenset(CHART.posts) - spec.posts, frozenset({"auditor"})):
        verdict = decide(CHART, event, "phone_collection", seen(opened(), dpd(1)), posts)
        assert isinstance(verdict, Refusal)
        assert verdict.forbidden
        assert reasons(verdict) == ["post_not_permitted"]


@given(worlds(), st.sampled_from(EVENTS), st.sampled_from(STATES))
def test_the_engine_steps_exactly_when_no_guard_is_unmet(world: tuple[Case, date], event: str, state: str) -> None:
    case, today = world
    now = seen(case, today, given={"agency": "agency:1"})
    spec = CHART.events[event]
    arc = spec.arcs.get(state)
    verdict = decide(CHART, event, state, now, spec.posts)
    if arc is None:
        assert isinstance(verdict, Refusal)
        return
    explained = unmet(arc.guards, now)
    if isinstance(verdict, Refusal):
        assert explained
        assert verdict.reasons == explained
        return
    assert not explained
    first = next(branch for branch in arc.branches if all(use.verdict(now).met for use in branch.when))
    assert verdict == Step(first.to)


@given(worlds(), st.sampled_from(EVENTS), st.sampled_from(STATES))
def test_a_replay_decides_without_the_engine_what_the_engine_decides(
    world: tuple[Case, date], event: str, state: str
) -> None:
    case, today = world
    now = seen(case, today, given={"agency": "agency:1"})
    for posts in (CHART.events[event].posts, frozenset[str]()):
        assert decide_again(CHART, event, state, now, posts) == decide(CHART, event, state, now, posts)


@given(worlds())
def test_what_is_shown_as_allowed_is_what_would_happen(world: tuple[Case, date]) -> None:
    case, today = world
    now = seen(case, today, given={"agency": "agency:1"})
    for posts in (frozenset(CHART.posts), frozenset({"approver"})):
        for option in options(CHART, case.state, now, posts):
            verdict = decide(CHART, option.event, case.state, now, posts)
            assert option.allowed is isinstance(verdict, Step)
            if isinstance(verdict, Step):
                assert verdict.to in option.leads_to
            elif not verdict.forbidden:
                assert option.reasons == verdict.reasons


def test_deciding_changes_nothing() -> None:
    case, untouched = opened(), opened()
    for state in STATES:
        for event in EVENTS:
            decide(CHART, event, state, seen(case, dpd(40)), CHART.events[event].posts)
    assert case == untouched


@pytest.mark.parametrize(
    ("ground", "today", "npl_since", "codes"),
    [
        ("arrears", dpd(1), None, []),
        ("arrears", dpd(0), None, ["in_arrears"]),
        ("misuse", dpd(0), None, []),
        ("finding", dpd(0), None, []),
        ("old_npl", dpd(0), "2023-12-31", []),
        ("old_npl", dpd(0), "2024-01-01", ["npl_before"]),
        ("old_npl", dpd(0), None, ["npl_before"]),
    ],
)
def test_a_ground_opens_a_case_when_its_guards_hold(
    ground: str, today: date, npl_since: str | None, codes: list[str]
) -> None:
    opening = CHART.openings[ground]
    case = opened(today, ground=ground, npl_since=npl_since)
    refusal = decide_opening(opening, seen(case, today), opening.posts)
    assert [reason.code for reason in (refusal.reasons if refusal else ())] == codes
    forbidden = decide_opening(opening, seen(case, today), frozenset({"auditor"}))
    assert forbidden is not None
    assert forbidden.forbidden


def test_every_code_in_the_chart_and_from_the_guards_has_words() -> None:
    told = {"no_file", "not_active", "inspection_overdue", "evaluation_overdue", "substandard", "doubtful", "loss"}
    for parts in (CHART.events, CHART.facts, CHART.openings):
        for part in parts.values():
            told |= {code for field in part.fields.values() for code in field.one_of}
    assert told | set(CHART.states) | set(CHART.openings) <= CHART.words.keys()


def test_however_a_case_ends_its_state_says_so_in_words() -> None:
    ways = {
        (branch.to, str(use.params.get("settled_as") or use.params.get("closed_as")))
        for event in CHART.events.values()
        for arc in event.arcs.values()
        for branch in arc.branches
        for use in arc.effects
        if use.effect.name in {"settle", "close"}
    }
    assert ways == {(name, how) for name, state in CHART.states.items() for how in state.ways}
    settled = CHART.states["settled"]
    assert settled.told("arrears_cleared", "zh") == "已出催（逾期已还清）"
    assert settled.told("paid_in_full", "en") == "Settled (loan paid in full)"
    assert settled.told(None, "zh") == "已出催"
