"""Two charts in one drawing: what came is marked ＋ and green, what went － and red, what changed ± and amber. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

import msgspec

from casework.rules.statechart.chart import Arc, ArcBranch, Chart, Event, Opening, State
from casework.rules.statechart.differences import differences, renamings
from casework.rules.statechart.draw_svg import Marks, svg

ADDED, GONE, CHANGED = "＋", "－", "±"
T = TypeVar("T", State, Event, Opening)
_INKS: Final[Mapping[str, str]] = {ADDED: "#15803d", GONE: "#b91c1c", CHANGED: "#b45309"}
_SAME: Final = "#64748b"
_LEGEND: Final = {"zh": "＋ 新增  － 删除  ± 变更", "en": "＋ added  － gone  ± changed"}
_OF: Final[Mapping[str, str]] = {"added": ADDED, "gone": GONE, "changed": CHANGED, "renamed": CHANGED}


def svg_of_differences(before: Chart, after: Chart, lang: str = "zh") -> str:
    """The later chart with what the earlier one had beside it, as one SVG document."""
    how = {(one.part, one.name): _OF[one.how] for one in differences(before, after).changes}
    renamed = renamings(before, after)
    states = _states(before, after, renamed, how)
    merged = replace(
        after, states=states, openings=dict(_openings(before, after, how)),
        events={event.name: event for event in _events(before, after, renamed, how)},
    )  # fmt: skip
    colours = {name: _INKS.get(how.get(("state", name), ""), _SAME) for name in states}
    return svg(merged, lang, Marks(f"{before.title} → {after.title} · {_LEGEND[lang]}", colours, _INKS))


def _states(
    before: Chart, after: Chart, renamed: Mapping[str, str], how: Mapping[tuple[str, str], str]
) -> dict[str, State]:
    """The later one's, then those that are gone."""
    gone = {
        name: msgspec.structs.replace(state, initial=False) for name, state in before.states.items()
        if name not in after.states and name not in renamed
    }  # fmt: skip
    return {
        name: _marked(state, how.get(("state", name), "")) for name, state in {**after.states, **gone}.items()
    }  # fmt: skip


def _openings(before: Chart, after: Chart, how: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, Opening]]:
    for name, opening in {**after.openings, **before.openings, **after.openings}.items():
        yield name, _marked(opening, how.get(("opening", name), ""))


def _events(
    before: Chart, after: Chart, renamed: Mapping[str, str], how: Mapping[tuple[str, str], str]
) -> Iterator[Event]:
    """An event once for each mark that ways of it have."""
    was, now = _ways(before, renamed), _ways(after, {})
    by_mark: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, source, to in [*now, *(way for way in was if way not in now)]:
        mark = ADDED if (name, source, to) not in was else GONE if (name, source, to) not in now else ""
        mark = mark or how.get(("arc", f"{name}: {source}"), "") or how.get(("event", name), "")
        by_mark.setdefault((name, mark), []).append((source, to))
    for (name, mark), ways in by_mark.items():
        event = after.events.get(name) or before.events[name]
        yield _marked(msgspec.structs.replace(event, name=f"{name}{mark}", arcs=dict(_arcs(name, ways))), mark)


def _arcs(event: str, ways: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Arc]]:
    targets: dict[str, list[str]] = {}
    for source, to in ways:
        targets.setdefault(source, []).append(to)
    for source, to_all in targets.items():
        yield source, Arc(event, source, (), tuple(ArcBranch(to, ()) for to in to_all), ())


def _ways(chart: Chart, renamed: Mapping[str, str]) -> dict[tuple[str, str, str], None]:
    return {
        (event.name, renamed.get(arc.source, arc.source), renamed.get(branch.to, branch.to)): None
        for event in chart.events.values() for arc in event.arcs.values() for branch in arc.branches
    }  # fmt: skip


def _marked(thing: T, mark: str) -> T:
    return msgspec.structs.replace(thing, zh=f"{mark} {thing.zh}", en=f"{mark} {thing.en}") if mark else thing
