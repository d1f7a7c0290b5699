"""Where each case of somebody who goes is to go: by rule, or among receivers named by hand. Pure but for loads.

The cases are taken in order of their ids and every choice counts on, so that the same cases, register and loads give
the same moves.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import msgspec

from casework.people.staff.permissions import Permissions
from casework.people.staff.person import ACTIVE
from casework.people.staff.roster import Colleague, Roster
from casework.rules.statechart.policy import Capacities, Policy
from casework.work.cases.case import Case
from casework.work.cases.owner_rules import BY_RULE, OwnerRules
from casework.work.cases.ownership import Assignment, Loads, Nobody, capacity_of, choose, owning_rule
from casework.work.cases.receiver import belongs_to

NAMED: Final = "named"
OWNER_STAYS: Final = "owner_stays"
"""They only handled it: its owner, who stays, handles it too."""

_UNBOUND = frozenset({"all", "product"})  # posts that reach these work wherever their team is


class Move(msgspec.Struct, frozen=True, array_like=True):
    """One case of the plan, as it was seen, and who is to have it; no `receiver`: it cannot be placed, see `reason`.

    The fields are the columns of `handover_moves`, in this order. `overdue_fen` in fen.
    """

    case_id: int
    material_version: int
    was_owner: bool
    was_handler: bool
    receiver: str | None
    handler: str | None
    post: str | None
    rule: str | None
    reason: str
    overdue_fen: int
    state: str


MOVE_COLUMNS: Final = Move.__struct_fields__


@dataclass(frozen=True, slots=True)
class Candidates:
    """Among whom may be chosen: the register of the day, the rules, who is named by hand, who may get nothing."""

    rules: OwnerRules
    roster: Roster
    policy_of: Callable[[Case], Policy]
    named: tuple[Colleague, ...]
    without: frozenset[str]


def choose_moves(cases: Iterable[Case], goes: str, among: Candidates, loads: Loads) -> list[Move]:
    """A move for each of `cases`, in the order given; `loads` are counted on as cases are given out."""
    usual: dict[str, Capacities] = {}
    moves = []
    for case in cases:
        policy = among.policy_of(case)
        most = usual.setdefault(policy.ref, policy.capacities)
        moves.append(_move(case, goes, among, loads, policy, most))
    return moves


def _move(case: Case, goes: str, among: Candidates, loads: Loads, policy: Policy, usual: Capacities) -> Move:
    owner = among.roster.colleagues.get(case.owner)
    if case.owner != goes and owner is not None and owner.status == ACTIVE:
        return _seen(case, goes, case.owner, case.owner, None, None, OWNER_STAYS)
    if among.named:
        receiver = _least_laden(among.named, loads, usual, counts=case.live)
        if receiver is None:
            return _seen(case, goes, None, None, None, None, "all_full")
        if case.live:
            loads.move(receiver.staff_no)
        return _seen(case, goes, receiver.staff_no, _handler(case, goes, receiver.staff_no, among), None, None, NAMED)
    found = _by_rule(case, among, loads, policy, usual)
    if isinstance(found, Nobody):
        return _seen(case, goes, None, None, found.post, found.rule, found.code)
    if case.live:
        loads.move(found.owner)
    return _seen(case, goes, found.owner, _handler(case, goes, found.owner, among), found.post, found.rule, BY_RULE)


def _by_rule(case: Case, among: Candidates, loads: Loads, policy: Policy, usual: Capacities) -> Assignment | Nobody:
    """The owner by rule whom the door will take: the rules prefer some (the named rep) who may not be fit for it."""
    named, without = belongs_to(case, among.rules, among.roster), among.without
    while True:
        found = choose(among.rules, case, policy, among.roster, loads, named=named, without=without, strict=True)
        if isinstance(found, Nobody):
            return found
        colleague = among.roster.colleagues[found.owner]
        loads.need([found.owner])
        room = not case.live or loads.of(found.owner) < capacity_of(colleague, usual)
        if colleague.status == ACTIVE and colleague.posts & among.rules.posts and room:
            return found
        named, without = None, without | {found.owner}


def _seen(
    case: Case, goes: str, receiver: str | None, handler: str | None, post: str | None, rule: str | None, reason: str
) -> Move:
    return Move(
        case.id, case.facts.material_version, case.owner == goes, case.handler == goes, receiver, handler, post, rule,
        reason, case.overdue_fen, case.state,
    )  # fmt: skip


def _handler(case: Case, goes: str, receiver: str, among: Candidates) -> str:
    """Somebody else who works on the case goes on doing so."""
    handler = among.roster.colleagues.get(case.handler)
    stays = case.handler != goes and case.handler not in among.without
    fit = handler is not None and handler.status == ACTIVE and handler.posts & among.rules.posts
    return case.handler if stays and fit else receiver


def _least_laden(people: Sequence[Colleague], loads: Loads, usual: Capacities, *, counts: bool) -> Colleague | None:
    """The one with the smallest share of their capacity; a case that is not live takes no room of it."""
    loads.need(one.staff_no for one in people)
    room = [one for one in people if not counts or loads.of(one.staff_no) < capacity_of(one, usual)]
    if not room:
        return None
    return min(room, key=lambda one: (one.away, _share(one, loads, usual), one.staff_no))


def _share(colleague: Colleague, loads: Loads, usual: Capacities) -> Fraction:
    return Fraction(loads.of(colleague.staff_no) + 1, max(capacity_of(colleague, usual), 1))


def stays(
    case: Case, mover: Colleague, home: tuple[str | None, str | None], among: Candidates, table: Permissions
) -> bool:
    """Whether a case stays with somebody who moves to `home` (team, region).

    It does where it lies in the new home (its team, or for a case without one its region; 1.1.1), and where its owning
    post is one of theirs that is bound to no place: asset-preservation officers keep suits wherever they are (5.6).
    """
    team, region = home
    if case.team is not None:
        if case.team == team:
            return True
    elif case.region is not None and case.region == region:
        return True
    named = belongs_to(case, among.rules, among.roster)
    rule = owning_rule(among.rules, case, among.policy_of(case), among.roster, named)
    reach = table.posts.get(rule.post or "")
    return rule.post in mover.posts and not rule.named_first and reach is not None and reach.acts in _UNBOUND


def digest_of(options: bytes, preview: bytes, moves: Iterable[Move]) -> str:
    """SHA-256 of what is approved: what was asked for, what was shown, and every move."""
    hashed = hashlib.sha256()
    for part in (options, preview, _encode(list(moves))):
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.hexdigest()


def pin_of(digest: str) -> int:
    """A plan's digest as four eyes pin it: its first 48 bits."""
    return int(digest[:12], 16)


def receivers_of(moves: Iterable[Move]) -> Mapping[str, list[Move]]:
    """The moves by receiver, by their number; what cannot be placed is left out."""
    found: dict[str, list[Move]] = {}
    for move in moves:
        if move.receiver is not None:
            found.setdefault(move.receiver, []).append(move)
    return dict(sorted(found.items()))


_encode = msgspec.json.Encoder(order="deterministic").encode
