"""Who may receive a case, and to whom it goes when a step brings it under another rule of owners.toml. Pure.

The door asks both (casework.work.cases.door); what it is told becomes a refusal, or an entry `case.assigned`.
"""

from typing import Any

from casework.people.staff.person import ACTIVE, UNVERIFIED
from casework.people.staff.roster import Roster
from casework.rules.statechart.decide import Reason
from casework.rules.statechart.policy import Policy
from casework.work.cases.case import Case
from casework.work.cases.commands import Assign
from casework.work.cases.owner_rules import BY_RULE, OwnerRules
from casework.work.cases.ownership import (
    Loads,
    Nobody,
    capacity_of,
    choose,
    owning_rule,
)
from casework.work.cases.reasons import case_closed, receiver_unfit


def unfit(command: Assign, case: Case, rules: OwnerRules, roster: Roster, loads: Loads, policy: Policy) -> list[Reason]:
    """Every reason why owner and handler of `command` may not have the case; empty if they may.

    Whoever owns it already receives nothing.
    """
    if case.closed_as is not None:
        return [case_closed(case.closed_as)]
    owner, handler = command.owner, command.handler or command.owner
    found = [
        receiver_unfit(code, who)
        for who in dict.fromkeys((owner, handler))
        if who != case.owner and (code := _unfit_person(who, rules, roster)) is not None
    ]  # fmt: skip
    if owner == case.owner and handler == case.handler:
        found.append(receiver_unfit("receiver_is_owner", owner))
    if command.keep_capacity and case.live and owner != case.owner and owner in roster.colleagues:
        loads.need([owner])
        most = capacity_of(roster.colleagues[owner], policy.capacities)
        if loads.of(owner) >= most:
            found.append(receiver_unfit("receiver_full", owner, cases=most))
    return found


def _unfit_person(who: str, rules: OwnerRules, roster: Roster) -> str | None:
    colleague = roster.colleagues.get(who)
    if colleague is None:
        return "receiver_unknown"
    if colleague.status != ACTIVE:
        return "receiver_not_there"
    if who in roster.going:
        return "receiver_leaving"
    return None if colleague.posts & rules.posts else "receiver_without_post"


def belongs_to(case: Case, rules: OwnerRules, roster: Roster) -> str | None:
    """To whom the customer belongs: as recorded; where nobody is, the owner if they are a rep."""
    if case.facts.named is not None:
        return case.facts.named
    owner = roster.colleagues.get(case.owner)
    if owner is None or not (owner.status == UNVERIFIED or owner.posts & rules.posts_of_named):
        return None
    return case.owner


def next_owner(
    case: Case, came_from: str, was: str, in_house: frozenset[str], rules: OwnerRules, roster: Roster, loads: Loads,
    policy: Policy,
) -> dict[str, Any] | None:  # fmt: skip
    """What `case.assigned` is to say after a step into another state; none if the case stays where it is (1.1.1).

    It moves if another rule applies than before the step (`was`) and its owner does not hold the post that owns by it,
    or if its owner has gone.
    """
    named = belongs_to(case, rules, roster)
    rule = owning_rule(rules, case, policy, roster, named)
    gone = case.closed_as is None and not roster.is_there(case.owner)
    if not gone:
        owner = roster.colleagues[case.owner]
        if rule.name == was or rule.keep or (rule.post in owner.posts and not rule.named_first):
            return None
    found = choose(rules, case, policy, roster, loads, named=named)
    if isinstance(found, Nobody) or found.owner == case.owner:
        return None
    data: dict[str, Any] = {
        "owner": found.owner, "handler": found.owner, "reason": BY_RULE, "from_owner": case.owner,
        "from_handler": case.handler, "rule": found.rule, "owner_post": found.post,
    }  # fmt: skip
    if case.facts.named is None and named is not None:
        data["named"] = named
    before = case.owner if came_from in in_house and found.owner != case.facts.last_in_house else None
    if came_from in in_house or case.state in in_house:
        data["last_in_house"] = before
    return data
