"""The laws every chart obeys, checked when it is loaded."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from casework.rules.statechart.chart import Chart, GuardUse
from casework.rules.statechart.policy import Policies, Policy
from casework.rules.statechart.registry import Registry


def law_faults(chart: Chart, registry: Registry, policies: Policies, laws: list[Mapping[str, Any]]) -> list[str]:
    """Every broken law of `chart`, as `key: reason`; an empty list means that it may be used."""
    return [
        *_initial(chart),
        *_reachable(chart),
        *_ways_out(chart),
        *_branches(chart),
        *_live_arcs(chart, policies),
        *_four_eyes(chart),
        *_recorders(chart, registry),
        *_domain(chart, laws),
    ]


def _edges(chart: Chart) -> Iterator[tuple[str, str, str]]:
    for event in chart.events.values():
        for arc in event.arcs.values():
            for branch in arc.branches:
                yield event.name, arc.source, branch.to


def _closure(start: set[str], edges: list[tuple[str, str]]) -> set[str]:
    seen, todo = set(start), list(start)
    while todo:
        here = todo.pop()
        for source, to in edges:
            if source == here and to not in seen:
                seen.add(to)
                todo.append(to)
    return seen


def _initial(chart: Chart) -> Iterator[str]:
    initial = [state.name for state in chart.states.values() if state.initial]
    if len(initial) != 1:
        yield f"states: one state must be initial, {len(initial)} are"
    if not chart.openings:
        yield "openings: nothing opens a case"


def _reachable(chart: Chart) -> Iterator[str]:
    edges = [(source, to) for _, source, to in _edges(chart)]
    start = {state.name for state in chart.states.values() if state.initial}
    for name in sorted(set(chart.states) - _closure(start, edges)):
        yield f"states.{name}: cannot be reached from the initial state"
    back = [(to, source) for source, to in edges]
    closed = {state.name for state in chart.states.values() if state.closed}
    # An end is final, or closed without a way back among the open: a promise that was kept may yet be judged again.
    ends = {name for name in closed if _closure({name}, edges) <= closed}
    for name in sorted(set(chart.states) - _closure(ends, back)):
        yield f"states.{name}: no final state can be reached from it"


def _ways_out(chart: Chart) -> Iterator[str]:
    for state in chart.states.values():
        if state.final and not state.closed:
            yield f"states.{state.name}: is final but not closed"
    for name, source, _ in dict.fromkeys((name, source, "") for name, source, _ in _edges(chart)):
        if chart.states[source].final:
            yield f"events.{name}: leaves the final state {source}"
        elif chart.states[source].closed and not chart.events[name].after_closing:
            yield f"events.{name}: leaves the closed state {source} without after_closing"
    for event in chart.events.values():
        if event.after_closing and not any(chart.states[source].closed for source in event.arcs):
            yield f"events.{event.name}.after_closing: it never leaves a closed state"


def _branches(chart: Chart) -> Iterator[str]:
    for event in chart.events.values():
        for arc in event.arcs.values():
            where = f"events.{event.name} from {arc.source}"
            for number, branch in enumerate(arc.branches):
                last = number == len(arc.branches) - 1
                if last and branch.when:
                    yield f"{where}: the last branch must always hold, else the event may lead nowhere"
                if not last and not branch.when:
                    yield f"{where}: the branch to {branch.to} always holds; what comes after it is dead"
                for earlier in arc.branches[:number]:
                    if branch.when and _uses(earlier.when) <= _uses(branch.when):
                        yield f"{where}: the branch to {branch.to} is dead behind the one to {earlier.to}"


def _uses(uses: tuple[GuardUse, ...]) -> set[tuple[str, str]]:
    return {(use.guard.name, repr(sorted(use.params.items()))) for use in uses}


def _live_arcs(chart: Chart, policies: Policies) -> Iterator[str]:
    """Exact enumeration over the cut points of guards on days past due: an arc that none passes is dead."""
    for event, policy in product(chart.events.values(), policies.all):
        for arc in event.arcs.values():
            on_number = [use for use in arc.guards if use.guard.number is not None]
            if on_number and not any(_passes(on_number, cut, policy) for cut in _cuts(on_number, policy)):
                where = f"events.{event.name} from {arc.source}"
                yield f"{where}: no number of days past due passes its guards (policy {policy.name})"


def _cuts(uses: list[GuardUse], policy: Policy) -> list[int]:
    figures = [value for use in uses for value in use.resolved(policy).values() if isinstance(value, int)]
    return sorted({0} | {max(figure + step, 0) for figure in figures for step in (-1, 0, 1)})


def _passes(uses: list[GuardUse], days_past_due: int, policy: Policy) -> bool:
    return all(use.guard.number is not None and use.guard.number(days_past_due, use.resolved(policy)) for use in uses)


def _four_eyes(chart: Chart) -> Iterator[str]:
    for approval in chart.approvals.values():
        for post in sorted(approval.proposed_by & (approval.reviewed_by | approval.approved_by)):
            yield f"approvals.{approval.name}: {post} may both propose and decide"


def _recorders(chart: Chart, registry: Registry) -> Iterator[str]:
    for name in sorted(set(registry.recorders) - registry.retired - set(chart.facts)):
        yield f"facts.{name}: the service records it but the chart does not describe it"


def _domain(chart: Chart, laws: list[Mapping[str, Any]]) -> Iterator[str]:
    """Laws of the trade, as data: every way into `state` passes `guard`, or is under `four_eyes` on that topic.

    The events named `except` may do without.
    """
    for number, law in enumerate(laws):
        where, excepted = f"laws[{number}]", law.get("except", [])
        if ("guard" in law) == ("four_eyes" in law):
            yield f"{where}: names either a guard or a topic of four eyes"
            continue
        if law["state"] not in chart.states:
            yield f"{where}.state: unknown state {law['state']}"
        for event in sorted(set(excepted) - set(chart.events)):
            yield f"{where}.except: unknown event {event}"
        for event, source, to in _edges(chart):
            if to != law["state"] or source == to or event in excepted or _kept(chart, event, source, law):
                continue
            missing = law.get("guard") or f"four eyes on {law['four_eyes']}"
            yield f"{where}: {event} from {source} enters {to} without {missing} ({law['because']})"


def _kept(chart: Chart, event: str, source: str, law: Mapping[str, Any]) -> bool:
    spec = chart.events[event]
    if "four_eyes" in law:
        return spec.four_eyes == str(law["four_eyes"])
    return any(use.guard.name == law["guard"] for use in spec.arcs[source].guards)
