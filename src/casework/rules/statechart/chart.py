"""A chart as read from `statecharts/*.toml`: validated whole, frozen, and compiled for the engine.

This is the only module that imports `transitions`. One flat machine per chart version, no model, no string
callbacks; the record it moves is a throw-away snapshot.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from casework.rules.statechart.fields import Field
from casework.rules.statechart.policy import Policy
from casework.rules.statechart.registry import (
    Effect,
    Guard,
    Verdict,
)
from casework.rules.statechart.wording import Words, WordTable, tell, with_figures

if TYPE_CHECKING:
    from transitions import EventData, Machine

logging.getLogger("transitions").setLevel(logging.WARNING)  # INFO costs three times the transition itself


@dataclass(frozen=True, slots=True)
class GuardUse:
    """A guard as one place of the chart uses it: with its parameters, rules and texts."""

    guard: Guard
    params: Mapping[str, Any]
    rules: tuple[str, ...]
    zh: str
    en: str
    words: Words = field(compare=False, repr=False)
    without: Words = field(default_factory=dict, compare=False, repr=False)  # fact → language → text where it is none
    _resolved: dict[str, Mapping[str, Any]] = field(default_factory=dict, compare=False, repr=False)

    def resolved(self, policy: Policy) -> Mapping[str, Any]:
        """The parameters with `@key` replaced by the policy's figure."""
        known = self._resolved.get(policy.digest)
        if known is None:
            known = {name: policy.figure(raw[1:]) if is_figure(raw) else raw for name, raw in self.params.items()}
            self._resolved[policy.digest] = known
        return known

    def told(self, facts: Mapping[str, Any], lang: str) -> str:
        """Its text with the facts filled in; where one that it quotes is none, the text made for that."""
        missing = next((name for name in self.without if facts[name] is None), None)
        text = self.without[missing][lang] if missing else {"zh": self.zh, "en": self.en}[lang]
        return tell(text, facts, self.words, lang)

    def verdict(self, situation: Any) -> Verdict:
        """What this guard says of the situation (anything with a `policy`)."""
        return self.guard.decide(situation, self.resolved(situation.policy))


class EffectUse(msgspec.Struct, frozen=True):
    """An effect with its parameters."""

    effect: Effect
    params: Mapping[str, Any]

    def apply(self, situation: Any) -> None:
        """Change the facts of the situation's subject."""
        params = {
            name: situation.policy.figure(raw[1:]) if is_figure(raw) else raw for name, raw in self.params.items()
        }
        self.effect.apply(situation, params)


class ArcBranch(msgspec.Struct, frozen=True):
    """One possible target of an arc: taken if all of `when` hold and no branch before it was taken."""

    to: str
    when: tuple[GuardUse, ...]


class Arc(msgspec.Struct, frozen=True):
    """What one event does from one state: guards that must all hold, ordered branches, effects."""

    event: str
    source: str
    guards: tuple[GuardUse, ...]
    branches: tuple[ArcBranch, ...]
    effects: tuple[EffectUse, ...]


class Due(msgspec.Struct, frozen=True):
    """When something is due in a state: so many days (a number, or `@figure` of the policy) after a day of the row."""

    since: str
    days: int | str = 0

    def in_days(self, policy: Policy) -> int:
        """The days under this policy."""
        days: int = policy.figure(self.days[1:]) if isinstance(self.days, str) else self.days
        return days


class Tell(msgspec.Struct, frozen=True):
    """What a parent, or who else is concerned, learns as a fact: `.field` stands for a value of the subject."""

    fact: str
    data: Mapping[str, Any]
    on: str | None = None  # the field of the subject that says when it happened; none: today

    def filled(self, subject: Any) -> dict[str, Any]:
        """The data of the fact, as the subject is now."""
        return {name: _wire(getattr(subject, raw[1:])) if is_field(raw) else raw for name, raw in self.data.items()}


class Fires(msgspec.Struct, frozen=True):
    """The event of the parent that follows where the parent's chart lets it: `.field` stands for the code given there.

    `data`: which of what was given goes on to it, under the same names.
    """

    event: str
    data: tuple[str, ...] = ()

    def named(self, given: Mapping[str, Any]) -> str:
        """The event, by what the act was given."""
        return str(given[self.event[1:]]) if is_field(self.event) else self.event


class State(msgspec.Struct, frozen=True):
    """A state; `closed` ones are left only by events marked `after_closing`, `final` ones never."""

    name: str
    zh: str
    en: str
    initial: bool
    closed: bool
    final: bool
    deadline_zh: str
    deadline_en: str
    ways: Words = msgspec.field(default_factory=dict)  # how a case came to its end here: code → language → text
    dues: tuple[Due, ...] = ()  # the first of their days is due

    def told(self, ended_as: str | None, lang: str) -> str:
        """The state in words; of one that ends a case with how it ended."""
        label, ways = {"zh": self.zh, "en": self.en}[lang], self.ways
        if ended_as is None or ended_as not in ways:
            return label
        return f"{label}（{ways[ended_as][lang]}）" if lang == "zh" else f"{label} ({ways[ended_as][lang]})"


class Event(msgspec.Struct, frozen=True):
    """An event: labels, who may fire it, the data it takes, its rules, and its arc from each state."""

    name: str
    zh: str
    en: str
    posts: frozenset[str]
    rules: tuple[str, ...]
    fields: Mapping[str, Field]
    after_closing: bool
    arcs: Mapping[str, Arc]
    four_eyes: str | None = None  # the topic under which it must be asked for; `posts` then are those who may ask
    only_own: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Of `posts`, those that may only with cases they own or handle, each with the rules that say so."""
    flags: tuple[GuardUse, ...] = ()  # what is not met is shown to who asks and decides, and stops nothing
    tells: tuple[Tell, ...] = ()
    fires: Fires | None = None


class FactKind(msgspec.Struct, frozen=True):
    """A typed fact that may be recorded of a case: labels, who may record it, its data, its rules, its guards."""

    name: str
    zh: str
    en: str
    posts: frozenset[str]
    rules: tuple[str, ...]
    fields: Mapping[str, Field]
    recorder: Effect
    guards: tuple[GuardUse, ...] = ()
    only_own: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """As of an event."""


class Opening(msgspec.Struct, frozen=True):
    """A ground on which a case may be opened, always into the initial state."""

    name: str
    zh: str
    en: str
    posts: frozenset[str]
    rules: tuple[str, ...]
    fields: Mapping[str, Field]
    guards: tuple[GuardUse, ...]
    tells: tuple[Tell, ...] = ()
    fires: Fires | None = None


class Approval(msgspec.Struct, frozen=True):
    """A topic of four eyes: who may ask (propose), review and approve; no post may both ask and approve.

    `at_least`: of how many people beside the proposer the policy may not make fewer.
    """

    name: str
    zh: str
    en: str
    proposed_by: frozenset[str]
    approved_by: frozenset[str]
    reviewed_by: frozenset[str] = frozenset()
    at_least: int = 1


P = TypeVar("P", Event, FactKind, Opening)


class Record(msgspec.Struct):
    """The throw-away snapshot that the engine moves."""

    state: str


def _with_words(parts: Mapping[str, P], tables: Mapping[str, WordTable]) -> dict[str, P]:
    return {
        name: msgspec.structs.replace(part, fields={
            key: one if one.words_of is None else _with(one, tables[one.words_of]) for key, one in part.fields.items()
        })
        for name, part in parts.items()
    }  # fmt: skip


def _with(one: Field, table: WordTable) -> Field:
    return msgspec.structs.replace(one, known=table.words, offered=table.offered)


@dataclass(frozen=True)
class Chart:
    """A chart that has passed every law; hashable by digest, safe to share between threads."""

    name: str
    version: int
    zh: str
    en: str
    text: bytes
    digest: str
    states: Mapping[str, State]
    groups: Mapping[str, frozenset[str]]
    events: Mapping[str, Event]
    facts: Mapping[str, FactKind]
    openings: Mapping[str, Opening]
    approvals: Mapping[str, Approval]
    posts: Mapping[str, Mapping[str, str]]
    words: Words
    moves: Mapping[str, str]
    tables: Mapping[str, WordTable] = field(default_factory=dict)
    """Of the rulebook: what codes mean that its fields take from there, and those of its subject."""

    def with_tables(self, tables: Mapping[str, WordTable]) -> "Chart":
        """The chart with the words that the rulebook's tables have for its references; KeyError for a name of none."""
        return replace(
            self, tables=tables, events=_with_words(self.events, tables), facts=_with_words(self.facts, tables),
            openings=_with_words(self.openings, tables),
        )  # fmt: skip

    def word(self, code: Any, lang: str, words_of: str | None = None) -> str | None:
        """What a code of its subject means, by a table, or by the chart's own words and what its states are called."""
        words = (self.tables[words_of].words if words_of is not None else self.words).get(str(code))
        if words is None and words_of is None and code in self.states:
            return getattr(self.states[code], lang, None)
        return words[lang] if words is not None else None

    def told_with(self, policy: Policy) -> "Chart":
        """The chart as it is shown: the deadlines of its states with the policy's figures filled in."""
        told = {
            name: msgspec.structs.replace(
                state, deadline_zh=with_figures(state.deadline_zh, policy.figures),
                deadline_en=with_figures(state.deadline_en, policy.figures),
            )
            for name, state in self.states.items()
        }  # fmt: skip
        return replace(self, states=told)

    @cached_property
    def title(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @cached_property
    def ref(self) -> str:
        """`name@version#digest`, as every audit entry cites it."""
        return f"{self.title}#{self.digest}"

    @cached_property
    def initial(self) -> str:
        """The state every case is opened into."""
        return next(state.name for state in self.states.values() if state.initial)

    def state_named(self, name: str) -> State:
        """A state of this version; one that only an earlier version has goes by its name."""
        return self.states.get(name) or State(name, name, name, False, False, False, "", "")

    @cached_property
    def machine(self) -> "Machine":
        """The engine: one flat machine, built once."""
        from transitions import Machine  # noqa: PLC0415 - who only looks moves nothing

        machine = Machine(
            model=None,
            states=list(self.states),
            initial=self.initial,
            auto_transitions=False,
            send_event=True,
            queued=False,
        )
        for event in self.events.values():
            for arc in event.arcs.values():
                for branch in arc.branches:
                    machine.add_transition(event.name, arc.source, branch.to, conditions=[_condition(arc, branch)])
        return machine

    def fire(self, event: str, state: str, situation: Any) -> str | None:
        """Where `event` leads from `state`, an arc of the chart; none if a guard forbids it."""
        record = Record(state)
        return record.state if self.machine.events[event].trigger(record, situation=situation) else None

    def leads(self, event: str, state: str, situation: Any) -> str | None:
        """As `fire`, read off the arc without the engine: a replay asks it of every step that ever was."""
        arc = self.events[event].arcs[state]
        if all(use.verdict(situation).met for use in arc.guards):
            for branch in arc.branches:
                if all(use.verdict(situation).met for use in branch.when):
                    return branch.to
        return None


def is_figure(raw: Any) -> bool:
    """Whether a parameter of the chart names a policy figure (`@section.key`)."""
    return isinstance(raw, str) and raw.startswith("@")


def is_field(raw: Any) -> bool:
    """Whether a value of the chart stands for a field of the subject (`.pay_by`)."""
    return isinstance(raw, str) and raw.startswith(".")


def _wire(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _condition(arc: Arc, branch: ArcBranch) -> Callable[["EventData"], bool]:
    uses = arc.guards + branch.when

    def holds(event: "EventData") -> bool:
        situation = event.kwargs["situation"]
        return all(use.verdict(situation).met for use in uses)

    return holds
