"""The rules that say which post owns a case, read from `statecharts/rules/owners.toml`. Pure but for the file."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from casework.rules.statechart.policy import Policies, Policy
from casework.rules.statechart.shape import (
    RULES,
    body_of,
    checked,
    each,
    either,
    flag,
    label,
    name,
    some,
    table,
    text,
    whole,
)
from casework.work.cases.case import Case

BY_RULE = "by_rule"  # the reason that the service itself gives
DISTRIBUTED = "distributed"  # its reason for who handles a case each morning
FALLBACK = "fallback"
_FILE_NAME: Final = "rules/owners.toml"
_LISTS = ("states", "products", "opened_for", "classes", "teams", "regions", "buckets")
_DAYS = ("npl_by", "overdue_after")
_AMOUNTS = ("principal_from_fen", "principal_below_fen")
_AT_RISK = "at_risk"
_NOT_OF_POLICY = ("states", "opened_for")  # codes of the chart
Test = Callable[[Case], bool]


class OwnerRule(msgspec.Struct, frozen=True):
    """One rule: when it holds, and who owns then.

    `post` owns; with `named_first` it is the person to whom the customer belongs (the rep whom the loan names, or who
    was given the case in house), if they are there and, with `must_hold`, hold that post; with `keep` the owner stays.
    """

    name: str
    when: Mapping[str, Any]
    post: str | None
    named_first: bool
    must_hold: bool
    keep: bool
    rules: tuple[str, ...]
    zh: str
    en: str

    def bound(self, policy: Policy) -> tuple[Test, ...]:
        """Its conditions but for the states, with the policy's figures put in."""
        return tuple(_bound(key, _value(raw, policy)) for key, raw in self.when.items() if key != "states")


class AssignmentReason(msgspec.Struct, frozen=True):
    """Why a case was given to somebody, in words. `by_hand`: a manager may state it."""

    code: str
    by_hand: bool
    zh: str
    en: str


@dataclass(frozen=True)
class OwnerRules:
    """All rules in order, the posts that stand in where the owning post has nobody, the reasons of assignments.

    `handlers`: the rules that say whose post works on a case; one that keeps leaves it to the owner.
    """

    rules: tuple[OwnerRule, ...]
    fallback: OwnerRule
    fallback_posts: tuple[str, ...]
    reasons: Mapping[str, AssignmentReason]
    text: bytes
    digest: str
    version: int
    handlers: tuple[OwnerRule, ...] = ()
    _bound: dict[tuple[bool, str, str], tuple[tuple[OwnerRule, tuple[Test, ...]], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def title(self) -> str:
        """`owners@version`."""
        return f"owners@{self.version}"

    @cached_property
    def posts(self) -> frozenset[str]:
        """The posts that may own a case."""
        return frozenset({rule.post for rule in self.rules if rule.post is not None}.union(self.fallback_posts))

    @cached_property
    def posts_of_named(self) -> frozenset[str]:
        """The posts of those to whom a customer belongs without anybody's word: reps, not who is only visiting."""
        named = (rule for rule in self.rules if rule.named_first and "states" not in rule.when)
        return frozenset(rule.post for rule in named if rule.post is not None)

    @cached_property
    def _of_measure(self) -> tuple[Callable[[Case], Any], ...]:
        used = {key for rule in self.rules for key in rule.when}
        return tuple(read for key, read in _MEASURED.items() if key in used)

    def looked_at(self, case: Case) -> tuple[Any, ...]:
        """What these rules see of the figures that the feed reports: if it differs, they are to be asked anew."""
        return tuple(read(case) for read in self._of_measure)

    def handling(self, case: Case, policy: Policy) -> OwnerRule:
        """The first rule of handlers whose conditions hold of the case as it stands."""
        return next(self.holding(case, policy, handlers=True))

    def holding(self, case: Case, policy: Policy, *, handlers: bool = False) -> Iterator[OwnerRule]:
        """The rules whose conditions hold of the case as it stands, in order; the last always does."""
        for rule, tests in self.of_state(case.state, policy, handlers=handlers):
            for test in tests:
                if not test(case):
                    break
            else:
                yield rule

    def of_state(
        self, state: str, policy: Policy, *, handlers: bool = False
    ) -> tuple[tuple[OwnerRule, tuple[Test, ...]], ...]:
        """The rules that speak of a state, in order, each with what else must hold of the case."""
        key = (handlers, policy.digest, state)
        bound = self._bound.get(key)
        if bound is None:  # kept: this is asked for every case that opens or moves
            rules = self.handlers if handlers else self.rules
            there = [rule for rule in rules if state in rule.when.get("states", (state,))]
            bound = self._bound[key] = tuple((rule, rule.bound(policy)) for rule in there)
        return bound

    def labels(self, rule: str) -> tuple[str, str]:
        """A rule in words, Chinese and English; its name for one of an earlier version."""
        found = next((one for one in (*self.rules, *self.handlers, self.fallback) if one.name == rule), None)
        return (found.zh, found.en) if found else (rule, rule)

    def reason_labels(self, code: str) -> tuple[str, str]:
        """The reason of an assignment in words; its code for one of an earlier version."""
        found = self.reasons.get(code)
        return (found.zh, found.en) if found else (code, code)


def _value(raw: Any, policy: Policy) -> Any:
    return policy.figure(raw[1:]) if isinstance(raw, str) and raw.startswith("@") else raw


def _bound(key: str, value: Any) -> Test:
    if key in _LISTS:
        of, among = _READS[key], frozenset(value)
        return lambda case: of(case) in among
    if key == "principal_from_fen":
        return lambda case: case.principal_at_opening_fen >= value
    if key == "principal_below_fen":
        return lambda case: case.principal_at_opening_fen < value
    if key == _AT_RISK:
        return lambda case: (case.facts.at_risk is not None) is value
    day = date.fromisoformat(value)
    if key == "npl_by":
        return lambda case: case.facts.npl_since is not None and case.facts.npl_since <= day
    return lambda case: (
        (case.facts.first_overdue_on or case.opened_on) > day
    )  # overdue_after; never in arrears: as it is now


_READS: Mapping[str, Callable[[Case], str | None]] = {
    "products": lambda case: case.product,
    "opened_for": lambda case: case.opened_for,
    "classes": lambda case: case.facts.risk_class,
    "teams": lambda case: case.team,
    "regions": lambda case: case.region,
    "buckets": lambda case: case.bucket,
}
_MEASURED: Mapping[str, Callable[[Case], Any]] = {
    "classes": _READS["classes"],
    "buckets": _READS["buckets"],
    "npl_by": lambda case: case.facts.npl_since,
    "overdue_after": lambda case: case.facts.first_overdue_on,
}


def _figure(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or not value.startswith("@"):
        yield f"{where}: is not a figure of the policy"


_texts = some(text, empty="is empty")
_WHEN = table(
    {},
    dict.fromkeys(_LISTS, either(_figure, _texts)) | dict.fromkeys(_NOT_OF_POLICY, _texts)
    | {_AT_RISK: flag} | dict.fromkeys(_DAYS, _figure) | dict.fromkeys(_AMOUNTS, either(_figure, whole)),
)  # fmt: skip
_RULE = table(
    {"name": name, "rules": RULES, "zh": label, "en": label},
    {"when": _WHEN, "post": name, "person": text, "must_hold": flag, "keep": flag},
)
_FILE = table(
    {"name": name, "version": whole, "rules": some(_RULE, empty="is empty"),
     "fallback": table({"posts": some(name, empty="is empty"), "rules": RULES, "zh": label, "en": label}),
     "reasons": each(table({"zh": label, "en": label}, {"by_hand": flag}))},
    {"handlers": some(_RULE, empty="is empty")},
)  # fmt: skip


def parse_owner_rules(
    body: bytes, policies: Policies, posts: frozenset[str], states: frozenset[str] | None
) -> OwnerRules:
    """Read and check whole; `RulesBroken` with every fault. `states`: of the chart; none: of a version unknown here."""
    document = checked(_FILE_NAME, body, _FILE, lambda document: _meaning(document, policies, posts, states))
    rules, handlers = (tuple(map(_rule, document.get(kind, ()))) for kind in ("rules", "handlers"))
    spec = document["fallback"]
    fallback = OwnerRule(FALLBACK, {}, None, False, False, False, tuple(spec["rules"]), spec["zh"], spec["en"])
    reasons = {
        code: AssignmentReason(code, row.get("by_hand", False), row["zh"], row["en"])
        for code, row in document["reasons"].items()
    }
    digest = hashlib.sha256(body).hexdigest()
    return OwnerRules(rules, fallback, tuple(spec["posts"]), reasons, body, digest, document["version"], handlers)


def _meaning(
    document: Mapping[str, Any], policies: Policies, posts: frozenset[str], states: frozenset[str] | None
) -> Iterator[str]:
    rules, handlers = (tuple(map(_rule, document.get(kind, ()))) for kind in ("rules", "handlers"))
    yield from _of_rules("rules", rules, document["rules"], policies, posts, states)
    yield from _of_rules("handlers", handlers, document.get("handlers", ()), policies, posts, states)
    yield from _of_handlers(handlers, document["reasons"])
    names = [rule.name for rule in (*rules, *handlers)]
    yield from (f"{one}: two rules of this name" for one in sorted({one for one in names if names.count(one) > 1}))
    for policy in policies.all:
        yield from _of_policy(policy, posts, states)
    if rules[-1].when or rules[-1].keep or rules[-1].named_first:
        yield "the last rule must always hold, so that every case has an owning post"
    if BY_RULE not in document["reasons"]:
        yield f"reasons.{BY_RULE}: missing"
    yield from (f"fallback: unknown post {post}" for post in document["fallback"]["posts"] if post not in posts)


def _of_policy(policy: Policy, posts: frozenset[str], states: frozenset[str] | None) -> Iterator[str]:
    by_post: Any = policy.figures.get("staff.capacity_by_post") or ()
    for post in sorted({row["post"] for row in by_post} - posts):
        yield f"policy {policy.name}: staff.capacity_by_post: unknown post {post}"
    own: Any = policy.figures.get("contact.own_posts") or ()
    unknown = ({post for row in own for post in row["posts"]} - posts) | _not_of(states, [row["state"] for row in own])
    yield from (f"policy {policy.name}: contact.own_posts: unknown post or state {one}" for one in sorted(unknown))


def _of_rules(
    kind: str, rules: Sequence[OwnerRule], specs: Sequence[Any], policies: Policies, posts: frozenset[str],
    states: frozenset[str] | None,
) -> Iterator[str]:  # fmt: skip
    for number, (rule, spec) in enumerate(zip(rules, specs, strict=True)):
        at = f"{kind}[{number}] ({rule.name})"
        yield from (f"{at}: {fault}" for fault in _faults(rule, spec, policies, posts))
        yield from (f"{at}: unknown state {state}" for state in sorted(_not_of(states, rule.when.get("states", ()))))


def _of_handlers(handlers: Sequence[OwnerRule], reasons: Mapping[str, Any]) -> Iterator[str]:
    if not handlers:
        return
    if handlers[-1].when or not handlers[-1].keep:
        yield "the last rule of handlers must always hold and keep the case with its owner"
    if any(rule.named_first for rule in handlers):
        yield "a rule of handlers names a post, and no person"
    if DISTRIBUTED not in reasons:
        yield f"reasons.{DISTRIBUTED}: missing"


def _not_of(states: frozenset[str] | None, named: Iterable[str]) -> set[str]:
    return set() if states is None else set(named) - states


def load_owner_rules(folder: Path, policies: Policies, posts: frozenset[str], states: frozenset[str]) -> OwnerRules:
    """`parse_owner_rules` of `statecharts/rules/owners.toml`."""
    return parse_owner_rules(body_of(folder, _FILE_NAME), policies, posts, states)


def _rule(spec: Mapping[str, Any]) -> OwnerRule:
    return OwnerRule(
        spec["name"], spec.get("when", {}), spec.get("post"), spec.get("person") == "named",
        spec.get("must_hold", False), spec.get("keep", False), tuple(spec["rules"]), spec["zh"], spec["en"],
    )  # fmt: skip


def _faults(rule: OwnerRule, spec: Mapping[str, Any], policies: Policies, posts: frozenset[str]) -> Iterator[str]:
    if (rule.post is None) == (not rule.keep):
        yield "must name a post, or keep the owner, and not both"
    if rule.post is not None and rule.post not in posts:
        yield f"unknown post {rule.post}"
    if spec.get("person", "named") != "named":
        yield "person: can only be “named”"
    if (rule.keep and rule.named_first) or (rule.must_hold and not rule.named_first):
        yield "must_hold belongs to a person, and a person to a post"
    for key, raw in rule.when.items():
        if isinstance(raw, str):
            yield from (
                f"{key}: policy {policy.name}: {fault}"
                for policy in policies.all if (fault := _unusable(key, policy.figures.get(raw[1:])))
            )  # fmt: skip


def _unusable(key: str, value: Any) -> str | None:
    """Why a figure of the policy cannot stand for a condition."""
    if value is None:
        return "has no such figure"
    if key in _LISTS:
        return None if isinstance(value, list) and all(isinstance(one, str) for one in value) else "is no list of codes"
    if key in _AMOUNTS:
        return None if type(value) is int else "is no amount"
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return "is no date"
    return None
