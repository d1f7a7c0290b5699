"""Laws between charts, checked at load: what a noun tells can be heard, and dates that it names exist. Pure.

One chart cannot see them: a fact is told to the main noun, whose chart says what the fact takes. Depth one: who is told
tells nobody, so nothing that is told ever goes round.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from casework.lifecycle.noun import Noun
from casework.lifecycle.subject import labels_in
from casework.people.staff.actor import SYSTEM_POST
from casework.rules.statechart.chart import Chart, Event, FactKind, Opening, Tell, is_field
from casework.rules.statechart.fields import Field

_TEXTS: Final = frozenset({"code", "ref", "key", "staff", "hash", "text"})
_TYPES: Final[Mapping[type, frozenset[str]]] = {
    str: _TEXTS, int: frozenset({"fen", "int"}), bool: frozenset({"bool"}), date: frozenset({"date"}),
    datetime: frozenset({"instant"}),
}  # fmt: skip
_STATE: Final = "state"


def faults_between(nouns: Sequence[Noun], charts: Mapping[str, Chart]) -> list[str]:
    """Every broken law as `file: key: reason`; the first of `nouns` is the one that is told."""
    main = nouns[0]
    faults = []
    for noun in nouns:
        chart, told = charts[noun.chart], charts[main.chart]
        found = [*_due(noun, chart), *(_told(noun, chart, told) if noun is not main else _tells_nobody(chart))]
        found += _fired(noun, chart, told)
        faults += [f"{noun.chart}.toml: {fault}" for fault in found]
    return faults


def words_missing(nouns: Sequence[Noun], charts: Mapping[str, Chart], tables: Collection[str]) -> Iterator[str]:
    """Fields that take their words from a table which the rulebook has not."""
    for noun in nouns:
        parts: list[Opening | Event] = [*charts[noun.chart].openings.values(), *charts[noun.chart].events.values()]
        for field in (field for part in parts for field in part.fields.values()):
            if field.words_of is not None and field.words_of not in tables:
                yield f"{noun.chart}.toml: {field.name}.words_of: there is no table {field.words_of}"
        for name, label in labels_in(noun.subject).items():
            if label.words_of is not None and label.words_of not in tables:
                yield f"{noun.chart}: {name}: there is no table {label.words_of}"


def _parts(chart: Chart) -> Iterator[tuple[str, Event | Opening, Tell]]:
    for kind, parts in (("openings", chart.openings), ("events", chart.events)):
        for part in parts.values():
            for number, tell in enumerate(part.tells):
                yield f"{kind}.{part.name}.tells[{number}]", part, tell


def _tells_nobody(chart: Chart) -> Iterator[str]:
    for where, _, _ in _parts(chart):
        yield f"{where}: who is told by others tells nobody"


def _due(noun: Noun, chart: Chart) -> Iterator[str]:
    for state in chart.states.values():
        for due in state.dues:
            yield from _a_day(noun, f"states.{state.name}.due.from", due.since)
        if state.dues and "due_on" not in noun.rows.kinds:
            yield f"states.{state.name}.due: a {noun.word} has no due_on to keep it in"


def _a_day(noun: Noun, where: str, name: str) -> Iterator[str]:
    kind = noun.rows.kinds.get(name)
    if kind is None:
        yield f"{where}: a {noun.word} has no field {name}"
    elif kind[0] is not date:
        yield f"{where}: {name} is no date"


def _told(noun: Noun, chart: Chart, main: Chart) -> Iterator[str]:
    for where, part, tell in _parts(chart):
        fact = main.facts.get(tell.fact)
        if fact is None:
            yield f"{where}.fact: {main.name} has no fact {tell.fact}"
            continue
        if SYSTEM_POST not in fact.posts:
            yield f"{where}.fact: the service itself may not record {tell.fact}"
        if tell.on is not None:
            if is_field(tell.on):
                yield from _a_day(noun, f"{where}.on", tell.on[1:])
            else:
                yield f"{where}.on: is no field of the {noun.word} (.name)"
        yield from _data(noun, chart, part, where, tell, fact)


def _fired(noun: Noun, chart: Chart, main: Chart) -> Iterator[str]:
    """What a child's act makes of its parent: events that need no more than it hands on, of people who may do both."""
    for kind, parts in (("openings", chart.openings), ("events", chart.events)):
        part: Event | Opening
        for part in parts.values():
            if part.fires is None:
                continue
            where = f"{kind}.{part.name}.fires"
            if not noun.child:
                yield f"{where}: a {noun.word} has no parent"
                continue
            event, own = part.fires.event, part.fields.get(part.fires.event[1:])
            if is_field(event) and (own is None or own.optional or not own.one_of):
                yield f"{where}.event: {event[1:]} is no code that the {part.name} must give"
                continue
            for named in sorted(own.one_of if is_field(event) and own is not None else {event}):
                spec = main.events.get(named)
                if spec is None:
                    yield f"{where}.event: {main.name} has no event {named}"
                elif spec.four_eyes is not None:
                    yield f"{where}.event: {named} is under four eyes"
                else:
                    yield from _hands_on(where, part, spec)


def _hands_on(where: str, part: Event | Opening, spec: Event) -> Iterator[str]:
    data = part.fires.data if part.fires else ()
    yield from (f"{where}: {post} may not fire {spec.name}" for post in sorted(part.posts - spec.posts))
    for name, field in sorted(spec.fields.items()):
        if not field.optional and (name not in data or name not in part.fields or part.fields[name].optional):
            yield f"{where}.data: {spec.name} needs {name}"
    for name in data:
        theirs, own = spec.fields.get(name), part.fields.get(name)
        if theirs is None or own is None:
            yield f"{where}.data: {name} is no field of both"
        elif theirs.type != own.type or own.one_of.keys() - theirs.one_of.keys():
            yield f"{where}.data: {name} is not the same in both"


def _data(
    noun: Noun, chart: Chart, part: Event | Opening, where: str, tell: Tell, fact: FactKind
) -> Iterator[str]:  # fmt: skip
    for name in sorted(fact.fields.keys() - tell.data.keys()):
        if not fact.fields[name].optional:
            yield f"{where}.data: {fact.name} needs {name}"
    for name, raw in tell.data.items():
        place, field = f"{where}.data.{name}", fact.fields.get(name)
        if field is None:
            yield f"{place}: {fact.name} takes no {name}"
        elif is_field(raw):
            yield from _of_field(noun, chart, part, place, raw[1:], field)
        elif field.type not in _TYPES[type(raw)]:
            yield f"{place}: {raw!r} is no {field.type}"
        elif field.one_of and raw not in field.one_of:
            yield f"{place}: {raw} is none of {', '.join(sorted(field.one_of))}"


def _of_field(
    noun: Noun, chart: Chart, part: Event | Opening, place: str, name: str, field: Field
) -> Iterator[str]:  # fmt: skip
    kind = noun.rows.kinds.get(name)
    if kind is None:
        yield f"{place}: a {noun.word} has no field {name}"
        return
    if kind[0] is None or field.type not in _TYPES.get(kind[0], frozenset()):
        yield f"{place}: {name} is no {field.type}"
    elif field.one_of:
        unknown = sorted(_codes(chart, part, name) - field.one_of.keys())
        if unknown:
            yield f"{place}: {name} may be {', '.join(unknown)}, which {field.name} is not"


def _codes(chart: Chart, part: Event | Opening, name: str) -> set[str]:
    """The codes that a field of the subject can have when the part has happened, as far as the chart says."""
    if name == _STATE:
        if isinstance(part, Opening):
            return {chart.initial}
        return {branch.to for arc in part.arcs.values() for branch in arc.branches}
    parts: list[Opening | Event] = [*chart.openings.values(), *chart.events.values()]
    fields = [one.fields.get(name) for one in parts]
    return {code for field in fields if field is not None for code in field.one_of}
