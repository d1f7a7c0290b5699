"""The entries of a case in words: what each was called, who did it, what was given, why it was refused."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from api.console.frame import shown, words
from api.console.frame.forms import Tried, number_of
from casework.rules.statechart.chart import Chart, GuardUse
from casework.rules.statechart.fields import Field
from casework.work.cases.branch import Branch
from casework.work.cases.history import HistoryItem
from casework.work.cases.nouns import NOUNS

_MEASURED: Final = (
    "bucket", "oldest_due_date", "overdue_principal_fen", "overdue_interest_fen", "overdue_penalty_fen",
    "outstanding_principal_fen",
)  # fmt: skip
_CHARTS: Final = {noun.word: noun.chart for noun in NOUNS}


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry as the page tells it. `kind` is step, fact, refused, money or other; `details` are name and value."""

    item: HistoryItem
    label: str
    kind: str
    moved: tuple[str, str] | None
    details: list[tuple[str, str, bool]]
    """Name, value, and whether the value is a code or somebody's own words, which no language has."""
    who: str | None = None
    """The name of who did it, where it was looked up."""


def told(branch: Branch, item: HistoryItem, lang: str, names: Mapping[str, str] | None = None) -> Moment:
    """The entry for a reader of `lang`."""
    word, _, what = item.event.partition(".")
    chart = branch.rulebook.charts.get(_CHARTS.get(word, ""))
    kind = next((name for name in ("step", "fact", "refused") if what.startswith(f"{name}.")), "other")
    kind = "money" if what == "measured" else kind
    details = list(details_of(branch, item.event, item.data, lang, item.texts))
    if item.erased_on is not None:
        details.append((words.say("case.erased", lang), shown.day(item.erased_on, lang), False))
    who = (names or {}).get(item.actor)
    return Moment(item, shown.told(item, lang), kind, _moved(chart, item, lang), details, who)


def meanwhile(
    branch: Branch, items: Sequence[HistoryItem], tried: Tried | None, lang: str,
    names: Mapping[str, str] | None = None,
) -> list[Moment]:  # fmt: skip
    """What has happened since a stale form was opened (`seq`: the last entry that its page showed)."""
    if tried is None or tried.problem.get("code") != "stale_version":
        return []
    seen = number_of(tried.typed, "seq") or 0
    return [told(branch, item, lang, names) for item in items if item.seq > seen]


def _moved(chart: Chart | None, item: HistoryItem, lang: str) -> tuple[str, str] | None:
    if chart is None or item.to_state is None or item.from_state in (None, item.to_state):
        return None
    return tuple(  # type: ignore[return-value]  # two of them
        shown.told(chart.states[state], lang) if state in chart.states else state
        for state in (str(item.from_state), item.to_state)
    )


def details_of(
    branch: Branch, event: str, data: Mapping[str, Any], lang: str, texts: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str, bool]]:  # fmt: skip
    """Day, what was given, measured, decided, and why not: name, value, whether that is a code or somebody's words."""
    chart, zone = branch.rulebook.charts.get(_CHARTS.get(event.partition(".")[0], "")), branch.time_zone
    if "on" in data:
        yield words.say("case.happened_on", lang), shown.day(data["on"], lang), False
    fields = _fields(chart, event, str(data.get("ground", "")))
    for name, value in {**data.get("given", {}), **(texts or {})}.items():
        field = fields.get(name)
        label = shown.told(field, lang) if field else word_of(f"field.{name}", name, lang)
        yield label, *value_of(field, value, lang, zone)
    for name in _MEASURED:
        if name in data.get("measure", {}):
            value = data["measure"][name]
            yield word_of(f"figure.{name}", name, lang), *_figure(name, value, lang)
    if "owner" in data:
        yield words.say("case.owner", lang), shown.with_name(str(data["owner"])), True
    for reason in data.get("reasons", ()):
        yield words.say("case.because", lang), *_reason(chart, event, reason, lang)
    if data.get("evidence"):
        yield words.say("case.evidence", lang), str(data["evidence"]), True


def _fields(chart: Chart | None, event: str, ground: str) -> Mapping[str, Field]:
    if chart is None:
        return {}
    name = event.rpartition(".")[2]
    part = chart.events.get(name) or chart.facts.get(name) or chart.openings.get(ground)
    return part.fields if part is not None else {}


def _figure(name: str, value: Any, lang: str) -> tuple[str, bool]:
    if name.endswith("_fen"):
        return shown.amount(value, lang), False
    return (shown.day(value, lang), False) if name.endswith("_date") else (str(value or ""), True)


def value_of(field: Field | None, value: Any, lang: str, zone: str) -> tuple[str, bool]:
    """A value that a field took, and whether it is a code or somebody's own words."""
    kind = field.type if field else ""
    if field is not None and (word := field.word(value, lang)) is not None:
        return word, False
    if kind == "fen":
        return shown.amount(value, lang), False
    if kind == "date":
        return shown.day(value, lang), False
    if kind == "instant":
        return shown.instant(str(value), zone), False
    if isinstance(value, bool):
        return words.say("frame.yes" if value else "frame.no", lang), False
    text = str(value)
    if kind == "staff":
        return shown.with_name(text), True
    return (f"{text[:19]}…" if kind == "hash" else text), True


def _reason(chart: Chart | None, event: str, reason: Mapping[str, Any], lang: str) -> tuple[str, bool]:
    """A refusal's entry has the code of each reason; the chart knows what the guard of that name says."""
    code = str(reason["code"])
    if reason.get(lang):
        return str(reason[lang]), False
    for use in _guards(chart, event.rpartition(".")[2]):
        if use.guard.name == code:
            with suppress(KeyError):  # an old entry may lack a fact that today's text quotes
                return use.told({**reason.get("saw", {}), **reason.get("needs", {})}, lang), False
    return (words.say(f"reason.{code}", lang), False) if words.has(f"reason.{code}") else (code, True)


def _guards(chart: Chart | None, name: str) -> Iterator[GuardUse]:
    if chart is None:
        return
    event = chart.events.get(name)
    for arc in event.arcs.values() if event else ():
        yield from arc.guards
        for branch in arc.branches:
            yield from branch.when
    for part in (chart.facts.get(name), chart.openings.get(name)):
        yield from part.guards if part is not None else ()


def word_of(key: str, otherwise: str, lang: str) -> str:
    """A word of the table, if it has this one."""
    return words.say(key, lang) if words.has(key) else otherwise
