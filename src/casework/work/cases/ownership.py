"""Choosing the owner of a case by rule: the owning post, then territory, then load against capacity. Pure.

Reproducible: the same case, register, loads and rules give the same person.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Protocol

import msgspec

from casework.people.staff.person import ACTIVE
from casework.people.staff.roster import Colleague, Roster
from casework.rules.statechart.policy import Capacities, Policy
from casework.work.cases.case import Case
from casework.work.cases.owner_rules import BY_RULE, OwnerRule, OwnerRules

__all__ = ["BY_RULE", "Assignment", "Loads", "Nobody", "capacity_of", "choose", "is_barred", "owning_rule", "pick"]


class Placed(Protocol):
    """What a case is to who looks for somebody near it."""

    @property
    def team(self) -> str | None:
        """Where it belongs."""

    @property
    def region(self) -> str | None:
        """Where it belongs."""

    @property
    def live(self) -> bool:
        """Whether it costs whoever has it any capacity."""


class Assignment(msgspec.Struct, frozen=True):
    """Who is to own the case, for which post, by which rule of owners.toml (and rules of the branch).

    `post` is none where the rep named holds none (a feed named them and nobody registered them yet). `over_capacity`:
    all holders of the post are full (a rep's own customers are theirs, however many).
    """

    owner: str
    post: str | None
    rule: str
    rules: tuple[str, ...]
    over_capacity: bool = False


class Nobody(msgspec.Struct, frozen=True):
    """Nobody may have the case: for which post, by which rule; code `no_holder` or `all_full`."""

    code: str
    post: str | None
    rule: str


@dataclass
class Loads:
    """Open cases per person as they stand, counted on as cases are given out.

    `count` is asked once for people who are not known yet; without it they have none.
    """

    counts: dict[str, int] = field(default_factory=dict)
    count: Callable[[Sequence[str]], Mapping[str, int]] | None = None
    lightened: list[str] = field(default_factory=list, repr=False)  # whom a case was taken from, in order
    _pools: dict[tuple[int, str, Capacities], "_Pool"] = field(default_factory=dict, repr=False)

    def need(self, people: Iterable[str]) -> None:
        """These people are about to be asked for."""
        unknown = sorted({one for one in people if one not in self.counts})
        if unknown:
            found = self.count(unknown) if self.count else {}
            self.counts.update({one: found.get(one, 0) for one in unknown})

    def of(self, staff_no: str) -> int:
        """How many they have."""
        return self.counts.get(staff_no, 0)

    def move(self, to: str, *, was: str | None = None) -> None:
        """A case goes to `to`."""
        if to not in self.counts or (was is not None and was not in self.counts):
            self.need([to] if was is None else [to, was])
        self.counts[to] += 1
        if was is not None:
            self.lift(was)

    def lift(self, was: str) -> None:
        """One of their cases is looked at as if nobody had it; it goes to somebody with `move`."""
        self.need([was])
        self.counts[was] -= 1
        self.lightened.append(was)

    def holders(self, roster: Roster, post: str, usual: Capacities) -> "_Pool":
        """The holders of a post, ranked; kept for as long as the batch asks for them."""
        key = (id(roster), post, usual)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = _Pool(roster.by_post.get(post, ()), self, usual, roster)
        return pool


def owning_rule(rules: OwnerRules, case: Case, policy: Policy, roster: Roster, named: str | None) -> OwnerRule:
    """The first rule that holds; one for the person named holds only while they are there and may own by it."""
    for rule, tests in rules.of_state(case.state, policy):
        for test in tests:
            if not test(case):
                break
        else:
            if not rule.named_first or _may_be_named(rule, rules, case, roster, named):
                return rule
    return rules.rules[-1]  # it always holds (checked when the rules are read)


def choose(
    rules: OwnerRules, case: Case, policy: Policy, roster: Roster, loads: Loads, *, named: str | None = None,
    without: frozenset[str] = frozenset(), strict: bool = False,
) -> Assignment | Nobody:  # fmt: skip
    """The owner by rule. `named`: to whom the customer belongs (`Facts.named`); `without`: who may not have it.

    `strict`: for a case that somebody has already. Nobody gets more open cases than their capacity, nor does a rep, and
    only an active holder of an owning post gets one. Otherwise, where all holders of the owning post are full, the
    least laden of them gets it. A case that is not open costs nobody any capacity.
    Who is going (`Roster.going`) gets none, unless a new case would else have nobody.
    """
    going = without | roster.going if roster.going else without
    found = _choose(rules, case, policy, roster, loads, named, going, strict=strict)
    if isinstance(found, Nobody) and roster.going and not strict:
        return _choose(rules, case, policy, roster, loads, named, without, strict=strict)
    return found


def _choose(
    rules: OwnerRules, case: Case, policy: Policy, roster: Roster, loads: Loads, named: str | None,
    without: frozenset[str], *, strict: bool,
) -> Assignment | Nobody:  # fmt: skip
    usual = policy.capacities
    named = roster.known(named)
    if named in without or (strict and not _can_take(named, rules, case, roster, loads, usual)):
        named = None
    rule = owning_rule(rules, case, policy, roster, named)
    if rule.keep and roster.is_there(case.owner) and case.owner not in without:
        return Assignment(case.owner, None, rule.name, rule.rules)
    if rule.keep:  # the last owner has gone: as if the case were in house again
        rule = _rule_without_keeping(rules, case, policy, roster, named)
    if rule.named_first and named is not None:
        posts = roster.colleagues[named].posts
        return Assignment(named, rule.post if rule.post in posts else min(posts, default=None), rule.name, rule.rules)
    back = _had_it(rule, case, roster, loads, usual, without)
    if back is not None:
        return back
    full: Assignment | None = None
    for post, why in [(str(rule.post), rule), *((post, rules.fallback) for post in rules.fallback_posts)]:
        picked = loads.holders(roster, post, usual).nearest(case, without)
        if picked is None:
            continue
        colleague, fits = picked
        if fits:
            return Assignment(colleague.staff_no, post, why.name, why.rules)
        full = full or Assignment(colleague.staff_no, post, why.name, why.rules, over_capacity=True)
        if why is rule and not strict:
            break  # better one of the owning post with too many cases than somebody of another post
    if full is not None and not strict:
        return full
    if named is not None and roster.is_there(named):  # better the rep whom the loan names than nobody
        held = min(roster.colleagues[named].posts, default=None)
        return Assignment(named, held, rules.fallback.name, rules.fallback.rules)
    return Nobody("all_full" if full else "no_holder", rule.post, rule.name)


def pick(people: Iterable[Colleague], case: Case, loads: Loads, policy: Policy) -> tuple[Colleague, bool] | None:
    """Of these people the nearest who has room, and the least laden among them; if none has, the least laden (False).

    Somebody away comes after everybody who is there.
    """
    pool = _Pool(tuple(people), loads, policy.capacities, None)
    return pool.nearest(case, frozenset())


def capacity_of(colleague: Colleague, usual: Capacities) -> int:
    """How many open cases somebody may have: their own figure, else the policy's for their posts."""
    return usual.of(colleague.posts) if colleague.capacity is None else colleague.capacity


# ── the person named ────────────────────────────────────────────────────────────────────────────────────────────────


def _may_be_named(rule: OwnerRule, rules: OwnerRules, case: Case, roster: Roster, named: str | None) -> bool:
    colleague = roster.colleagues.get(named) if named else None
    if colleague is None or not colleague.is_there:
        return False
    since = case.facts.named_on or case.opened_on
    if colleague.returned_on is not None and since < colleague.returned_on:
        return False  # who comes back gets no old cases by itself
    if is_barred(colleague, rules):
        return False
    # Nobody knows the posts of somebody unverified: the feed says that the customer is theirs.
    return not rule.must_hold or rule.post in colleague.posts or colleague.status != ACTIVE


def is_barred(colleague: Colleague, rules: OwnerRules) -> bool:
    """Whether a feed may name them as much as it likes: none of the posts they hold owns cases (auditors, say)."""
    return colleague.status == ACTIVE and bool(colleague.posts) and colleague.posts.isdisjoint(rules.posts)


def _can_take(
    named: str | None, rules: OwnerRules, case: Case, roster: Roster, loads: Loads, usual: Capacities
) -> bool:
    colleague = roster.colleagues.get(named) if named else None
    if colleague is None or colleague.status != ACTIVE or not colleague.posts & rules.posts:
        return False
    return _has_room(colleague, case, loads, usual)


def _had_it(
    rule: OwnerRule, case: Case, roster: Roster, loads: Loads, usual: Capacities, without: frozenset[str]
) -> Assignment | None:
    """Whoever had the case before it left the house gets it back, if they still hold the owning post."""
    before = case.facts.last_in_house
    colleague = roster.colleagues.get(before) if before else None
    if colleague is None or colleague.staff_no in without or colleague.status != ACTIVE:
        return None
    if colleague.away or rule.post not in colleague.posts or not _has_room(colleague, case, loads, usual):
        return None
    return Assignment(colleague.staff_no, rule.post, rule.name, rule.rules)


def _has_room(colleague: Colleague, case: Case, loads: Loads, usual: Capacities) -> bool:
    if not case.live or case.owner == colleague.staff_no:
        return True
    loads.need([colleague.staff_no])
    return loads.of(colleague.staff_no) < capacity_of(colleague, usual)


def _rule_without_keeping(
    rules: OwnerRules, case: Case, policy: Policy, roster: Roster, named: str | None
) -> OwnerRule:
    for rule in rules.holding(case, policy):
        if not rule.keep and (not rule.named_first or _may_be_named(rule, rules, case, roster, named)):
            return rule
    return rules.rules[-1]


# ── the holders of a post ───────────────────────────────────────────────────────────────────────────────────────────

_Rank = tuple[float, str, int]  # load after one more case ÷ capacity, staff number, the load it was computed for


class _Pool:
    """People ranked by load, for everybody and for each team and region: the nearest is found without sorting.

    A rank is checked when it comes to the top: cases given out since make it too low, which is put right there and
    then; cases taken away make it too high, for which the person is ranked anew beforehand.
    """

    def __init__(self, people: Sequence[Colleague], loads: Loads, usual: Capacities, roster: Roster | None) -> None:
        loads.need(one.staff_no for one in people)
        self._loads = loads
        self._usual = usual
        self._roster = roster  # held, so that the identity under which the pool is kept stays its own
        self._people = {one.staff_no: one for one in people}
        self._heard = len(loads.lightened)
        self._rings: dict[tuple[bool, str, str | None], list[_Rank]] = {}
        for one in people:
            for ring in self._rings_of(one):
                self._rings.setdefault(ring, []).append(self._rank(one))
        for heap in self._rings.values():
            heapify(heap)

    def nearest(self, case: Placed, without: frozenset[str]) -> tuple[Colleague, bool] | None:
        """The nearest with room (True), else the least laden (False); none if nobody is left."""
        self._hear()
        least: Colleague | None = None
        for away in (False, True):
            for ring in self._from(away, case):
                colleague = self._top(ring, without)
                if colleague is None:
                    continue
                room = self._loads.of(colleague.staff_no) < capacity_of(colleague, self._usual)
                if room or not case.live:
                    return colleague, True
                if ring[1] == "all":
                    least = least or colleague
        return None if least is None else (least, False)

    def _from(self, away: bool, case: Placed) -> list[tuple[bool, str, str | None]]:
        """The rings around a case, the nearest first; the last holds everybody."""
        rings: list[tuple[bool, str, str | None]] = []
        if case.team is not None:
            rings.append((away, "team", case.team))
        if case.region is not None:
            rings.append((away, "region", case.region))
        return [*rings, (away, "all", None)]

    def _rings_of(self, one: Colleague) -> list[tuple[bool, str, str | None]]:
        places = (("team", one.team), ("region", one.region))
        return [(one.away, what, code) for what, code in places if code is not None] + [(one.away, "all", None)]

    def _rank(self, one: Colleague) -> _Rank:
        load, capacity = self._loads.of(one.staff_no), capacity_of(one, self._usual)
        return ((load + 1) / capacity if capacity else 1e9 + load, one.staff_no, load)

    def _top(self, ring: tuple[bool, str, str | None], without: frozenset[str]) -> Colleague | None:
        """The least laden of a ring."""
        heap, set_aside = self._rings.get(ring, []), list[_Rank]()
        found = None
        while heap:
            rank = heap[0]
            colleague = self._people[rank[1]]
            if rank[2] != self._loads.of(rank[1]):
                heappop(heap)
                heappush(heap, self._rank(colleague))
            elif rank[1] in without:
                set_aside.append(heappop(heap))
            else:
                found = colleague
                break
        for rank in set_aside:
            heappush(heap, rank)
        return found

    def _hear(self) -> None:
        """Rank anew whom the batch has taken cases from since the last time."""
        lightened = self._loads.lightened
        if self._heard < len(lightened):
            for staff_no in set(lightened[self._heard :]) & self._people.keys():
                colleague = self._people[staff_no]
                for ring in self._rings_of(colleague):
                    heappush(self._rings[ring], self._rank(colleague))
            self._heard = len(lightened)
