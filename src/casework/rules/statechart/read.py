"""From a chart's TOML document to the frozen chart, with the place of every fault.

`shape` has already seen that keys and types are right; here it is what the names mean.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from casework.rules.statechart.chart import (
    Approval,
    Arc,
    ArcBranch,
    Chart,
    Due,
    EffectUse,
    Event,
    FactKind,
    Fires,
    GuardUse,
    Opening,
    State,
    Tell,
    is_figure,
)
from casework.rules.statechart.fields import read_fields
from casework.rules.statechart.policy import Policies
from casework.rules.statechart.registry import Guard, ParamKind, Registry
from casework.rules.statechart.shape import CHART, shape_faults
from casework.rules.statechart.wording import (
    FORMS,
    Words,
    figures_quoted,
    has_bare_digit,
    quoted,
)

_KINDS = {int: "int", str: "text", list: "texts"}
Table = Mapping[str, Any]


class _Reader:
    """Reads one document; every fault is appended, none raised, so that an author sees all at once."""

    def __init__(
        self, document: Table, registry: Registry, policies: Policies, faults: list[str], *, past: bool
    ) -> None:
        self.past = past
        self.document = document
        self.registry = registry
        self.policies = policies
        self.faults = faults
        self.words = self.read_words()
        self.used_guards: set[str] = set()

    def fault(self, where: str, reason: str) -> None:
        self.faults.append(f"{where}: {reason}")

    def part(self, key: str) -> Table:
        part: Table = self.document.get(key, {})
        return part

    def read_words(self) -> Words:
        """Every code in words: the chart's own names by their labels, and what `[words]` adds."""
        words: dict[str, Mapping[str, str]] = {}
        for key in ("states", "openings", "approvals", "words"):
            for code, table in self.part(key).items():
                if code in words and key == "words":
                    self.fault(f"words.{code}", "the chart has a label for it already")
                words[code] = {"zh": table["zh"], "en": table["en"]}
        return words

    # ── what names mean ───────────────────────────────────────────────────────────────────────────────────

    def post_set(self, where: str, names: list[str]) -> frozenset[str]:
        for name in names:
            if name not in self.part("posts"):
                self.fault(where, f"unknown post {name}")
        return frozenset(names)

    def only_own(self, where: str, table: Table) -> Mapping[str, tuple[str, ...]]:
        for post in sorted(table.get("only_own", {}).keys() - set(table["posts"])):
            self.fault(f"{where}.only_own", f"{post} is none of its posts")
        return {post: tuple(rules) for post, rules in table.get("only_own", {}).items()}

    def states_of(self, where: str, names: Iterable[str]) -> list[str]:
        out: list[str] = []
        for name in names:
            if name.startswith("@"):
                group = self.part("groups").get(name[1:])
                if group is None:
                    self.fault(where, f"unknown group {name}")
                out += group or []
            else:
                out.append(name)
        for name in out:
            if name not in self.part("states"):
                self.fault(where, f"unknown state {name}")
        return [name for name in out if name in self.part("states")]

    def fields(self, where: str, table: Table) -> Mapping[str, Any]:
        for name, spec in table.get("data", {}).items():
            place = f"{where}.data.{name}.within_days"
            for value in self.figure_values(place, spec["within_days"]) if "within_days" in spec else ():
                if type(value) is not int:
                    self.fault(place, "is neither a whole number nor a figure that is one")
        return read_fields(where, table.get("data", {}), self.words, self.faults)

    # ── guards and effects where they are used ────────────────────────────────────────────────────────────

    def params(self, where: str, given: Table, declared: Mapping[str, ParamKind]) -> None:
        for name in sorted(set(declared) - set(given)):
            self.fault(f"{where}.{name}", "missing parameter")
        for name, raw in given.items():
            if name not in declared:
                self.fault(f"{where}.{name}", "unknown parameter")
                continue
            for value in self.figure_values(f"{where}.{name}", raw):
                if _KINDS.get(type(value)) != declared[name]:
                    self.fault(f"{where}.{name}", f"is not of kind {declared[name]}")

    def figure_values(self, where: str, raw: Any) -> list[Any]:
        """A parameter's value in every policy; an empty figure would stop the event, so it is a fault.

        A chart of the past was not in force together with every policy that has been published since.
        """
        if not is_figure(raw):
            return [raw]
        if self.past:
            known = [policy.figures.get(raw[1:]) for policy in self.policies.all]
            return [value for value in known if value is not None]
        values = []
        for policy in self.policies.all:
            if raw[1:] not in policy.figures:
                self.fault(where, f"policy {policy.name} has no figure {raw[1:]}")
            elif policy.figures[raw[1:]] is None:
                self.fault(where, f"policy {policy.name} leaves {raw[1:]} empty; the branch must enter it first")
            else:
                values.append(policy.figures[raw[1:]])
        return values

    def guard_use(self, where: str, spec: Table) -> GuardUse | None:
        name = spec["guard"]
        guard, told = self.registry.guards.get(name), self.part("guards").get(name)
        if guard is None:
            self.fault(where, f"unknown guard {name!r}")
            return None
        if told is None:
            self.fault(where, f"guard {name} has no texts in [guards]")
            return None
        self.used_guards.add(name)
        self.retired(where, name)
        params = {key: value for key, value in spec.items() if key not in {"guard", "rules"}}
        self.params(f"{where}.{name}", params, guard.params)
        rules = tuple(spec.get("rules", told["rules"]))
        return GuardUse(guard, params, rules, told["zh"], told["en"], self.words, told.get("without", {}))

    def retired(self, where: str, name: str) -> None:
        if name in self.registry.retired and not self.past:
            self.fault(where, f"{name} is retired: only charts of the past may name it")

    def guard_uses(self, where: str, specs: Iterable[Table]) -> tuple[GuardUse, ...]:
        uses = [self.guard_use(f"{where}[{number}]", spec) for number, spec in enumerate(specs)]
        return tuple(use for use in uses if use is not None)

    def effect_uses(self, where: str, specs: Iterable[Table]) -> tuple[EffectUse, ...]:
        uses = []
        for number, spec in enumerate(specs):
            effect = self.registry.effects.get(spec["effect"])
            if effect is None:
                self.fault(f"{where}[{number}]", f"unknown effect {spec['effect']!r}")
                continue
            self.retired(f"{where}[{number}]", effect.name)
            params = {key: value for key, value in spec.items() if key != "effect"}
            self.params(f"{where}[{number}].{effect.name}", params, effect.params)
            uses.append(EffectUse(effect, params))
        return tuple(uses)

    # ── the parts of a chart ──────────────────────────────────────────────────────────────────────────────

    def branches(self, where: str, to: Any, source: str) -> tuple[ArcBranch, ...]:
        if isinstance(to, str) and to.startswith("@"):
            if to[1:] not in self.part("targets"):
                self.fault(where, f"unknown target {to}")
                return ()
            to = self.part("targets")[to[1:]]
        if isinstance(to, str):
            to = [{"state": to}]
        out = []
        for number, branch in enumerate(to):
            state = source if branch["state"] == "same" else branch["state"]
            if state not in self.part("states"):
                self.fault(f"{where}[{number}]", f"unknown state {state}")
            when = self.guard_uses(f"{where}[{number}].when", branch.get("when", ()))
            out.append(ArcBranch(state, when))
        return tuple(out)

    def event(self, name: str, table: Table) -> Event:
        where = f"events.{name}"
        shared_guards = self.guard_uses(f"{where}.guards", table.get("guards", ()))
        shared_effects = self.effect_uses(f"{where}.effects", table.get("effects", ()))
        flags = self.guard_uses(f"{where}.flags", table.get("flags", ()))
        if flags and "four_eyes" not in table:
            self.fault(f"{where}.flags", "nobody would see them: the event is under no four eyes")
        arcs: dict[str, Arc] = {}
        for number, spec in enumerate(table["arcs"]):
            place = f"{where}.arcs[{number}]"
            guards = shared_guards + self.guard_uses(f"{place}.guards", spec.get("guards", ()))
            effects = shared_effects + self.effect_uses(f"{place}.effects", spec.get("effects", ()))
            for source in self.states_of(f"{place}.from", spec["from"]):
                if source in arcs:
                    reason = f"a second arc from {source}; make it a branch, so that the order is on purpose"
                    self.fault(place, reason)
                branches = self.branches(f"{place}.to", spec["to"], source)
                arcs[source] = Arc(name, source, guards, branches, effects)
        return Event(
            name, table["zh"], table["en"], self.post_set(f"{where}.posts", table["posts"]),
            tuple(table["rules"]), self.fields(where, table), table.get("after_closing", False), arcs,
            table.get("four_eyes"), self.only_own(where, table), flags, self.tells(table), self.fires(table),
        )  # fmt: skip

    def fact(self, name: str, table: Table) -> FactKind | None:
        where = f"facts.{name}"
        posts, fields = self.post_set(f"{where}.posts", table["posts"]), self.fields(where, table)
        recorder = self.registry.recorders.get(name)
        if recorder is None:
            self.fault(where, "nothing in the service records this fact")
            return None
        self.retired(where, name)
        guards = self.guard_uses(f"{where}.guards", table.get("guards", ()))
        return FactKind(name, table["zh"], table["en"], posts, tuple(table["rules"]), fields, recorder, guards,
                        self.only_own(where, table))  # fmt: skip

    def opening(self, name: str, table: Table) -> Opening:
        where = f"openings.{name}"
        posts = self.post_set(f"{where}.posts", table["posts"])
        guards = self.guard_uses(f"{where}.guards", table.get("guards", ()))
        fields = self.fields(where, table)
        told = self.tells(table)
        return Opening(name, table["zh"], table["en"], posts, tuple(table["rules"]), fields, guards, told,
                       self.fires(table))  # fmt: skip

    def tells(self, table: Table) -> tuple[Tell, ...]:
        """What the parent is told; that it knows the fact is for `lifecycle.laws`, which sees both charts."""
        return tuple(Tell(one["fact"], one.get("data", {}), one.get("on")) for one in table.get("tells", ()))

    def fires(self, table: Table) -> Fires | None:
        """What happens to the parent; that it knows the event is for `lifecycle.laws`."""
        spec = table.get("fires")
        return None if spec is None else Fires(spec["event"], tuple(spec.get("data", ())))

    def dues(self, where: str, spec: Table | list[Table]) -> Iterator[Due]:
        """What time alone makes due in a state: one thing, or a list of them."""
        listed = spec if isinstance(spec, list) else [spec]
        for number, one in enumerate(listed):
            at, days = where if listed is not spec else f"{where}[{number}]", one.get("days", 0)
            if any(type(value) is not int for value in self.figure_values(f"{at}.days", days)):
                self.fault(f"{at}.days", "is neither a whole number nor a figure that is one")
            yield Due(one["from"], days)

    def approval(self, name: str, table: Table) -> Approval:
        where = f"approvals.{name}"
        proposed_by = self.post_set(f"{where}.proposed_by", table["proposed_by"])
        approved_by = self.post_set(f"{where}.approved_by", table["approved_by"])
        reviewed_by = self.post_set(f"{where}.reviewed_by", table.get("reviewed_by", []))
        return Approval(name, table["zh"], table["en"], proposed_by, approved_by, reviewed_by, table.get("at_least", 1))

    def guard_texts(self) -> None:
        """Every guard described is known, used, and quotes only what it reports."""
        for name, table in self.part("guards").items():
            where = f"guards.{name}"
            guard = self.registry.guards.get(name)
            if guard is None:
                self.fault(where, "unknown guard")
                continue
            if name not in self.used_guards:
                self.fault(where, "used nowhere in this chart")
            for fact, labels in table.get("without", {}).items():
                if fact not in guard.facts:
                    self.fault(f"{where}.without.{fact}", "the guard does not report it")
                self.quotes(f"{where}.without.{fact}", labels, guard)
            self.quotes(where, table, guard)

    def quotes(self, where: str, labels: Table, guard: Guard) -> None:
        for lang in ("zh", "en"):
            for key, form in quoted(labels[lang]):
                if key not in guard.facts:
                    self.fault(f"{where}.{lang}", f"quotes {{{key}}}, which the guard does not report")
                if form not in FORMS:
                    self.fault(f"{where}.{lang}", f"quotes {{{key}:{form}}}, and there is no such form")

    def moves(self) -> Mapping[str, str]:
        """Where a later version takes the cases of the one before it, state by state."""
        moves: Mapping[str, str] = self.part("moves")
        if self.document["version"] > 1 and not moves:
            self.fault("moves", "a later version must name where each live state of the one before goes")
        if self.document["version"] == 1 and moves:
            self.fault("moves", "there is no version before the first")
        for old, new in moves.items():
            self.states_of(f"moves.{old}", [new])
        return moves

    def deadline(self, where: str, labels: Table) -> None:
        """What moves a case out of the state: its figures are the policy's and stand in no text."""
        for lang in ("zh", "en"):
            for key, form in figures_quoted(labels[lang]):
                if form not in {None, "yuan"}:
                    self.fault(f"{where}.{lang}", f"quotes {{@{key}:{form}}}, and there is no such form")
                self.figure_values(f"{where}.{lang}", f"@{key}")
            if has_bare_digit(labels[lang]) and not self.past:
                self.fault(f"{where}.{lang}", "a figure stands in the text; quote one of the policy ({@section.key})")

    def states(self) -> Mapping[str, State]:
        for name, table in self.part("states").items():
            self.deadline(f"states.{name}.deadline", table["deadline"])
        return {
            name: State(
                name, table["zh"], table["en"], table.get("initial", False), table.get("closed", False),
                table.get("final", False), table["deadline"]["zh"], table["deadline"]["en"],
                table.get("ended_as", {}), tuple(self.dues(f"states.{name}.due", table.get("due", []))),
            )
            for name, table in self.part("states").items()
        }  # fmt: skip


def read_chart(
    document: Table, registry: Registry, policies: Policies, faults: list[str], *, text: bytes, digest: str, past: bool
) -> Chart | None:
    """The frozen chart of `document`, or none with `faults` filled; `past` as of `parse_chart`."""
    faults += shape_faults(CHART, document)
    if faults:
        return None
    reader = _Reader(document, registry, policies, faults, past=past)
    facts = {name: reader.fact(name, table) for name, table in reader.part("facts").items()}
    chart = Chart(
        name=document["name"], version=document["version"], zh=document["zh"], en=document["en"],
        text=text, digest=digest,
        states=reader.states(),
        groups={
            name: frozenset(reader.states_of(f"groups.{name}", names))
            for name, names in reader.part("groups").items()
        },
        events={name: reader.event(name, table) for name, table in reader.part("events").items()},
        facts={name: fact for name, fact in facts.items() if fact is not None},
        openings={name: reader.opening(name, table) for name, table in reader.part("openings").items()},
        approvals={name: reader.approval(name, table) for name, table in reader.part("approvals").items()},
        posts=reader.part("posts"), words=reader.words, moves=reader.moves(),
    )  # fmt: skip
    reader.guard_texts()
    return None if faults else chart
