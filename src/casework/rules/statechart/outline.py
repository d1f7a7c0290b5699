"""What a drawing of a chart shows, whatever draws it."""

from collections.abc import Mapping
from dataclasses import dataclass

from casework.rules.statechart.chart import Chart


@dataclass(frozen=True, slots=True)
class OutlineEdge:
    """All that leads from one state to another: event labels, each with whether facts decide the target."""

    source: str
    to: str
    events: tuple[tuple[str, bool], ...]


def label(thing: object, lang: str) -> str:
    """The label of a part of a chart in `lang` (zh or en)."""
    return str(getattr(thing, lang))


def edges(chart: Chart, lang: str) -> list[OutlineEdge]:
    """The ways between different states, one per pair, in the chart's order of states and events."""
    found: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for event in chart.events.values():
        for arc in event.arcs.values():
            one_of = (label(event, lang), len(arc.branches) > 1)
            for to in dict.fromkeys(branch.to for branch in arc.branches):  # two branches may lead to one state
                if to != arc.source:
                    found.setdefault((arc.source, to), []).append(one_of)
    order = {name: place for place, name in enumerate(chart.states)}
    pairs = sorted(found, key=lambda pair: (order[pair[0]], order[pair[1]]))
    return [OutlineEdge(source, to, tuple(found[source, to])) for source, to in pairs]


def staying(chart: Chart, lang: str) -> Mapping[str, list[str]]:
    """The events of each state that leave it where it is."""
    out: dict[str, list[str]] = {name: [] for name in chart.states}
    for event in chart.events.values():
        for arc in event.arcs.values():
            if any(branch.to == arc.source for branch in arc.branches):
                out[arc.source].append(label(event, lang))
    return out


def openings(chart: Chart, lang: str) -> list[str]:
    """The grounds on which a case begins."""
    return [label(opening, lang) for opening in chart.openings.values()]
