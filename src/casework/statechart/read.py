"""From a chart's TOML document to the frozen chart, with the place of every fault."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from casework.statechart.chart import (
    Approval,
    Arc,
    Branch,
    Chart,
    EffectUse,
    Event,
    FactKind,
    GuardUse,
    Opening,
    State,
)
from casework.statechart.chart import is_figure
from casework.statechart.fields import Field, read_fields
from casework.statechart.policy import Policies
from casework.statechart.registry import ParamKind, Registry

_TOP = {
    "name", "version", "zh", "en", "posts", "groups", "targets", "states", "events", "facts", "openings",
    "approvals", "guards", "laws",
}  # fmt: skip
_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]{0,15}")  # as audit entries cite it
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class _Reader:
    """Reads one document; every fault is appended, none raised, so that an author sees all of them at once."""

    def __init__(
        self, document: Mapping[str, Any], registry: Registry, policies: Policies, faults: list[str]
    ) -> None:
        self.document = document
        self.registry = registry
        self.policies = policies
        self.faults = faults
        self.posts: Mapping[str, Any] = document.get("posts", {})
        self.state_names = set(document.get("states", {}))
        self.used_guards: set[str] = set()

    def fault(self, where: str, reason: str) -> None:
        self.faults.append(f"{where}: {reason}")

    def known(self, where: str, table: Mapping[str, Any], keys: set[str]) -> None:
        for key in sorted(set(table) - keys):
            self.fault(f"{where}.{key}", "unknown key")

    def labels(self, where: str, table: Mapping[str, Any]) -> tuple[str, str]:
        for key in ("zh", "en"):
            if not isinstance(table.get(key), str) or not table[key]:
                self.fault(f"{where}.{key}", "missing label")
        return str(table.get("zh", "")), str(table.get("en", ""))

    def rules(self, where: str, table: Mapping[str, Any]) -> tuple[str, ...]:
        rules = table.get("rules", [])
        if not rules:
            self.fault(f"{where}.rules", "names no rule")
        for rule in rules:
            if _RULE.fullmatch(str(rule)) is None:
                self.fault(f"{where}.rules", f"{rule!r} is not a rule's number")
        return tuple(str(rule) for rule in rules)

    def post_set(self, where: str, names: Any) -> frozenset[str]:
        if not names:
            self.fault(where, "no post may do this")
        for name in names or []:
            if name not in self.posts:
                self.fault(where, f"unknown post {name}")
        return frozenset(names or [])

    def states_of(self, where: str, names: Iterable[str]) -> list[str]:
        out: list[str] = []
        for name in names:
            if name.startswith("@"):
                group = self.document.get("groups", {}).get(name[1:])
                if group is None:
                    self.fault(where, f"unknown group {name}")
                out += group or []
            else:
                out.append(name)
        for name in out:
            if name not in self.state_names:
                self.fault(where, f"unknown state {name}")
        return [name for name in out if name in self.state_names]

    def params(self, where: str, given: Mapping[str, Any], declared: Mapping[str, ParamKind]) -> None:
        for name in sorted(set(declared) - set(given)):
            self.fault(f"{where}.{name}", "missing parameter")
        for name, raw in given.items():
            if name not in declared:
                self.fault(f"{where}.{name}", "unknown parameter")
                continue
            for value in self.figure_values(f"{where}.{name}", raw):
                kind = {int: "int", str: "text", list: "texts"}.get(type(value))
                if kind != declared[name]:
                    self.fault(f"{where}.{name}", f"is not of kind {declared[name]}")

    def figure_values(self, where: str, raw: Any) -> list[Any]:
        if not is_figure(raw):
            return [raw]
        if raw[1:] not in self.policies.all[0].figures:
            self.fault(where, f"no policy figure {raw[1:]}")
            return []
        return [
            policy.figures[raw[1:]] for policy in self.policies.all if policy.figures[raw[1:]] is not None
        ]

    def guard_use(self, where: str, spec: Any) -> GuardUse | None:
        name = spec.get("guard") if isinstance(spec, dict) else None
        guard = self.registry.guards.get(str(name))
        text = self.document.get("guards", {}).get(name)
        if guard is None or text is None:
            self.fault(
                where,
                f"unknown guard {name!r}" if guard is None else f"guard {name} has no texts in [guards]",
            )
            return None
        self.used_guards.add(guard.name)
        params = {key: value for key, value in spec.items() if key not in {"guard", "rules"}}
        self.params(f"{where}.{name}", params, guard.params)
        rules = tuple(spec.get("rules", text.get("rules", ())))
        return GuardUse(guard, params, rules, str(text.get("zh", "")), str(text.get("en", "")))

    def guard_uses(self, where: str, specs: Any) -> tuple[GuardUse, ...]:
        uses = [self.guard_use(f"{where}[{number}]", spec) for number, spec in enumerate(specs or [])]
        return tuple(use for use in uses if use is not None)

    def effect_uses(self, where: str, specs: Any) -> tuple[EffectUse, ...]:
        uses = []
        for number, spec in enumerate(specs or []):
            effect = self.registry.effects.get(str(spec.get("effect")))
            if effect is None:
                self.fault(f"{where}[{number}]", f"unknown effect {spec.get('effect')!r}")
                continue
            params = {key: value for key, value in spec.items() if key != "effect"}
            self.params(f"{where}[{number}]", params, effect.params)
            uses.append(EffectUse(effect, params))
        return tuple(uses)

    def branches(self, where: str, to: Any, source: str) -> tuple[Branch, ...]:
        if isinstance(to, str) and to.startswith("@"):
            target = self.document.get("targets", {}).get(to[1:])
            if target is None:
                self.fault(where, f"unknown target {to}")
                return ()
            to = target
        if isinstance(to, str):
            to = [{"state": to}]
        out = []
        for number, branch in enumerate(to if isinstance(to, list) else []):
            state = source if branch.get("state") == "same" else branch.get("state")
            if state not in self.state_names:
                self.fault(f"{where}[{number}]", f"unknown state {state!r}")
            out.append(Branch(str(state), self.guard_uses(f"{where}[{number}].when", branch.get("when"))))
        if not out:
            self.fault(where, "leads nowhere")
        return tuple(out)

    def event(self, name: str, table: Mapping[str, Any]) -> Event:
        where = f"events.{name}"
        self.known(
            where, table, {"zh", "en", "posts", "rules", "data", "after_closing", "guards", "effects", "arcs"}
        )
        zh, en = self.labels(where, table)
        arcs: dict[str, Arc] = {}
        for number, spec in enumerate(table.get("arcs", [])):
            place = f"{where}.arcs[{number}]"
            self.known(place, spec, {"from", "to", "guards", "effects"})
            for source in self.states_of(f"{place}.from", spec.get("from", [])):
                if source in arcs:
                    self.fault(
                        place,
                        f"a second arc from {source}; make it a branch, so that the order is on purpose",
                    )
                guards = self.guard_uses(f"{where}.guards", table.get("guards"))
                guards += self.guard_uses(f"{place}.guards", spec.get("guards"))
                effects = self.effect_uses(f"{where}.effects", table.get("effects"))
                effects += self.effect_uses(f"{place}.effects", spec.get("effects"))
                arcs[source] = Arc(
                    name, source, guards, self.branches(f"{place}.to", spec.get("to"), source), effects
                )
        if not arcs:
            self.fault(f"{where}.arcs", "the event leads nowhere")
        return Event(
            name, zh, en, self.post_set(f"{where}.posts", table.get("posts")), self.rules(where, table),
            read_fields(where, table.get("data", {}), self.faults), bool(table.get("after_closing", False)), arcs,
        )  # fmt: skip

    def state(self, name: str, table: Mapping[str, Any]) -> State:
        where = f"states.{name}"
        self.known(where, table, {"zh", "en", "initial", "closed", "final", "deadline"})
        zh, en = self.labels(where, table)
        deadline_zh, deadline_en = self.labels(f"{where}.deadline", table.get("deadline", {}))
        return State(
            name, zh, en, bool(table.get("initial")), bool(table.get("closed")), bool(table.get("final")),
            deadline_zh, deadline_en,
        )  # fmt: skip

    def fact(self, name: str, table: Mapping[str, Any]) -> FactKind | None:
        where = f"facts.{name}"
        self.known(where, table, {"zh", "en", "posts", "rules", "data"})
        zh, en = self.labels(where, table)
        recorder = self.registry.recorders.get(name)
        if recorder is None:
            self.fault(where, "nothing in the service records this fact")
            return None
        fields = read_fields(where, table.get("data", {}), self.faults)
        posts = self.post_set(f"{where}.posts", table.get("posts"))
        return FactKind(name, zh, en, posts, self.rules(where, table), fields, recorder)

    def opening(self, name: str, table: Mapping[str, Any]) -> Opening:
        where = f"openings.{name}"
        self.known(where, table, {"zh", "en", "posts", "rules", "data", "guards"})
        zh, en = self.labels(where, table)
        fields = read_fields(where, table.get("data", {}), self.faults)
        posts = self.post_set(f"{where}.posts", table.get("posts"))
        guards = self.guard_uses(f"{where}.guards", table.get("guards"))
        return Opening(name, zh, en, posts, self.rules(where, table), fields, guards)

    def approval(self, name: str, table: Mapping[str, Any]) -> Approval:
        where = f"approvals.{name}"
        self.known(where, table, {"zh", "en", "proposed_by", "approved_by"})
        zh, en = self.labels(where, table)
        proposed_by = self.post_set(f"{where}.proposed_by", table.get("proposed_by"))
        return Approval(
            name, zh, en, proposed_by, self.post_set(f"{where}.approved_by", table.get("approved_by"))
        )

    def guard_texts(self) -> None:
        for name, table in self.document.get("guards", {}).items():
            where = f"guards.{name}"
            self.known(where, table, {"zh", "en", "rules"})
            self.rules(where, table)
            guard = self.registry.guards.get(name)
            if guard is None:
                self.fault(where, "unknown guard")
                continue
            if name not in self.used_guards:
                self.fault(where, "used nowhere in this chart")
            for text in self.labels(where, table):
                for placeholder in sorted(set(_PLACEHOLDER.findall(text)) - guard.facts):
                    self.fault(where, f"quotes {{{placeholder}}}, which the guard does not report")


def read_chart(
    document: Mapping[str, Any],
    registry: Registry,
    policies: Policies,
    faults: list[str],
    *,
    text: bytes,
    digest: str,
) -> Chart | None:
    """The frozen chart of `document`, or none with `faults` filled."""
    reader = _Reader(document, registry, policies, faults)
    reader.known("chart", document, _TOP)
    zh, en = reader.labels("chart", document)
    name, version = document.get("name"), document.get("version")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        reader.fault("name", "is not a chart name")
    if type(version) is not int or version < 1:
        reader.fault("version", "is not a whole number from 1")
    for post, labels in reader.posts.items():
        reader.labels(f"posts.{post}", labels)
    for key in ("states", "events", "facts", "openings", "approvals", "guards"):
        for item in document.get(key, {}):
            if _NAME.fullmatch(item) is None:
                reader.fault(f"{key}.{item}", "is not a name")
    states = {key: reader.state(key, table) for key, table in document.get("states", {}).items()}
    groups = {
        key: frozenset(reader.states_of(f"groups.{key}", names))
        for key, names in document.get("groups", {}).items()
    }
    events = {key: reader.event(key, table) for key, table in document.get("events", {}).items()}
    facts = {key: reader.fact(key, table) for key, table in document.get("facts", {}).items()}
    openings = {key: reader.opening(key, table) for key, table in document.get("openings", {}).items()}
    approvals = {key: reader.approval(key, table) for key, table in document.get("approvals", {}).items()}
    reader.guard_texts()
    if faults:
        return None
    return Chart(
        str(name), int(str(version)), zh, en, text, digest, states, groups, events,
        {key: fact for key, fact in facts.items() if fact is not None}, openings, approvals, reader.posts,
    )  # fmt: skip


__all__ = ["Field", "read_chart"]
