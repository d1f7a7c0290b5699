"""Deciding: may this event happen here, where does it lead, and if not, every reason why not. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Protocol

import msgspec

from casework.rules.statechart.chart import Chart, GuardUse, Opening
from casework.rules.statechart.policy import Policy


class Situation(Protocol):
    """What a decision may look at; charts' guards know the rest of their own kind of situation."""

    @property
    def policy(self) -> Policy:
        """The policy in force on the business date."""
        ...

    def at(self, day: date) -> "Situation":
        """The same situation on another day, nothing else changed."""
        ...


class Reason(msgspec.Struct, frozen=True):
    """One reason why not: code, rules, facts seen, what would satisfy it, texts; `opens_on` if time will."""

    code: str
    rules: tuple[str, ...]
    saw: Mapping[str, Any]
    needs: Mapping[str, Any]
    zh: str
    en: str
    opens_on: date | None = None


class Step(msgspec.Struct, frozen=True):
    """The event may happen and leads to the state `to`."""

    to: str


class Refusal(msgspec.Struct, frozen=True):
    """The event may not happen; every reason is here. `forbidden`: the actor's posts alone forbid it."""

    reasons: tuple[Reason, ...]
    forbidden: bool = False


class Option(msgspec.Struct, frozen=True):
    """What is to be said of one event from one state; `opens_on`: the day on which time alone opens it."""

    event: str
    allowed: bool
    reasons: tuple[Reason, ...]
    leads_to: tuple[str, ...]
    opens_on: date | None


def decide(chart: Chart, event: str, state: str, situation: Situation, posts: frozenset[str]) -> Step | Refusal:
    """Decide `event` in `state` for somebody with `posts`; KeyError for an event the chart does not know."""
    return _decided(chart, event, state, situation, posts, chart.fire)


def decide_again(chart: Chart, event: str, state: str, situation: Situation, posts: frozenset[str]) -> Step | Refusal:
    """What `decide` says, without the engine: for who judges what was decided long ago."""
    return _decided(chart, event, state, situation, posts, chart.leads)


def _decided(
    chart: Chart, event: str, state: str, situation: Situation, posts: frozenset[str],
    fire: Callable[[str, str, Situation], str | None],
) -> Step | Refusal:  # fmt: skip
    spec = chart.events[event]
    if not spec.posts & posts:
        return Refusal((post_reason(spec.posts, posts, spec.rules),), forbidden=True)
    arc = spec.arcs.get(state)
    if arc is None:
        return Refusal((state_reason(chart, event, state),))
    to = fire(event, state, situation)
    if to is not None:
        return Step(to)
    reasons = unmet(arc.guards, situation)
    if not reasons:
        raise RuntimeError(
            f"{event} from {state} was refused without a reason: the chart's last branch cannot be taken"
        )
    return Refusal(reasons)


def may(chart: Chart, event: str, state: str, situation: Situation, posts: frozenset[str]) -> bool:
    """Whether `decide` says Step. Where most are refused and nobody asks why: the reasons are most of its time."""
    arc = chart.events[event].arcs.get(state)
    if arc is None or not all(use.verdict(situation).met for use in arc.guards):
        return False
    return isinstance(decide(chart, event, state, situation, posts), Step)


def decide_opening(opening: Opening, situation: Situation, posts: frozenset[str]) -> Refusal | None:
    """Why a case may not be opened on this ground, or none if it may."""
    if opening.posts.isdisjoint(posts):
        return Refusal((post_reason(opening.posts, posts, opening.rules),), forbidden=True)
    reasons = unmet(opening.guards, situation)
    return Refusal(reasons) if reasons else None


def options(chart: Chart, state: str, situation: Situation, posts: frozenset[str]) -> list[Option]:
    """Every event of the chart as it stands for this case and these posts."""
    return [_option(chart, name, state, situation, posts) for name in chart.events]


def _option(chart: Chart, event: str, state: str, situation: Situation, posts: frozenset[str]) -> Option:
    spec = chart.events[event]
    arc = spec.arcs.get(state)
    reasons: tuple[Reason, ...] = () if spec.posts & posts else (post_reason(spec.posts, posts, spec.rules),)
    if arc is None:
        return Option(event, False, (*reasons, state_reason(chart, event, state)), (), None)
    guard_reasons = unmet(arc.guards, situation)
    leads_to = tuple(dict.fromkeys(branch.to for branch in arc.branches))
    opens_on = _opens_on(arc.guards, guard_reasons, situation)
    reasons += guard_reasons
    return Option(event, not reasons, reasons, leads_to, opens_on)


def _opens_on(uses: tuple[GuardUse, ...], reasons: tuple[Reason, ...], situation: Situation) -> date | None:
    """The day on which time alone has met every guard; none if more is needed, or something lapses first."""
    days = [reason.opens_on for reason in reasons]
    known = [day for day in days if day is not None]
    if not known or len(known) < len(days):
        return None
    then = situation.at(max(known))
    return max(known) if all(use.verdict(then).met for use in uses) else None


def unmet(uses: Iterable[GuardUse], situation: Situation) -> tuple[Reason, ...]:
    """A reason for each guard that does not hold."""
    reasons = list[Reason]()
    for use in uses:
        verdict = use.guard.decide(situation, use.resolved(situation.policy))
        if not verdict.met:
            facts = {**verdict.saw, **verdict.needs}
            zh, en = use.told(facts, "zh"), use.told(facts, "en")
            reasons.append(Reason(use.guard.name, use.rules, verdict.saw, verdict.needs, zh, en, verdict.opens_on))
    return tuple(reasons)


def post_reason(allowed: frozenset[str], posts: frozenset[str], rules: tuple[str, ...]) -> Reason:
    """The actor holds none of the posts that may do this (rule 1.1.4)."""
    return Reason(
        "post_not_permitted",
        rules,
        {"posts": sorted(posts)},
        {"any_of_posts": sorted(allowed)},
        "您的岗位无权执行此操作",
        "none of your posts may do this",
    )


def state_reason(chart: Chart, event: str, state: str) -> Reason:
    """The chart has no such event from this state."""
    spec = chart.events[event]
    return Reason(
        "wrong_state",
        spec.rules,
        {"state": state},
        {"any_of_states": sorted(spec.arcs)},
        f"当前状态“{chart.states[state].zh}”不能执行“{spec.zh}”",
        f"“{spec.en}” cannot happen in the state “{chart.states[state].en}”",
    )
