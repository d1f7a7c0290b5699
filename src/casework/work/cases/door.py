"""What the door of cases adds to every noun's: figures of the feed, owners, and the opening of a case of a loan.

Pure but for `prepare`, which reads what they need once a batch.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.lifecycle.commands import Done, Mistaken, Outcome, Refused
from casework.lifecycle.door import Door
from casework.lifecycle.gather import Gathered
from casework.lifecycle.kept import Kept
from casework.lifecycle.opening import no_such_ground
from casework.lifecycle.reasons import by, changed_since_asked, on_record, rules_of
from casework.log.write.trail import Draft
from casework.people.staff.actor import SYSTEM_POST, Actor
from casework.people.staff.permissions import Authority
from casework.people.staff.roster import Roster
from casework.rules.statechart.decide import Refusal, decide_opening
from casework.rules.statechart.fields import DataFault, take
from casework.rules.statechart.policy import Policy
from casework.storage import rows
from casework.work.cases import fold
from casework.work.cases.case import Case
from casework.work.cases.commands import Assign, Measure, OpenCase
from casework.work.cases.owner_rules import OwnerRules
from casework.work.cases.ownership import (
    BY_RULE,
    Loads,
    Nobody,
    choose,
    owning_rule,
)
from casework.work.cases.reasons import no_owner, open_already
from casework.work.cases.receiver import belongs_to, next_owner, unfit
from casework.work.cases.situation import CaseSituation, gathered_of
from casework.work.cases.tables import cases, owner_history
from casework.work.risks import RISK

if TYPE_CHECKING:
    from casework.work.cases.branch import Branch

RULE_OF_THE_FEED = ("5.4",)
RULE_OF_OWNERS = ("1.1.1",)
_NOTHING: tuple[dict[str, Any], dict[str, str], list[DataFault]] = ({}, {}, [])
_HISTORY = ("case_id", "stream_seq", "since_on", "since_at", "owner", "handler", "post", "reason", "rule")
_OWNERS = sa.select(cases.c.borrower_id, cases.c.institution, cases.c.owner).where(cases.c.live)
_SIBLINGS = sa.select(cases.c.loan_id, cases.c.id, cases.c.live)


class Owning(msgspec.Struct):
    """Who is there and how much they have; and every loan's cases in order of opening.

    `owners`: of the living cases of customers at risk of whom another is opened.
    """

    rules: OwnerRules
    roster: Roster
    loads: Loads
    siblings: dict[str, list[tuple[int, bool]]]
    owners: dict[Customer, list[str]] = msgspec.field(default_factory=dict)

    def ask_all(self) -> None:
        """Ask the database now for all that may be asked later."""
        self.loads.need(self.roster.colleagues)


def prepare(conn: Connection, branch: "Branch", commands: Sequence[Any], gathered: Gathered, today: date) -> Owning:
    """The register as it is now, and the other cases of the loans that the batch is about."""
    roster = branch.roster(conn, gathered.register_version, today)
    loans = {str(command.loan["loan_id"]) for command in commands if isinstance(command, OpenCase)}
    loans |= {one.loan_id for one in gathered.subjects.values() if isinstance(one, Case) and not one.live}
    siblings: dict[str, list[tuple[int, bool]]] = {}
    for loan_id, case_id, live in rows.select_by_keys(conn, _SIBLINGS, "loan_id", sorted(loans)):
        siblings.setdefault(loan_id, []).append((case_id, live))
    for known in siblings.values():
        known.sort()
    loads = Loads(count=lambda people: open_cases(conn, people))
    return Owning(branch.rulebook.owners, roster, loads, siblings, _owners_at_risk(conn, gathered))


def _owners_at_risk(conn: Connection, gathered: Gathered) -> dict[Customer, list[str]]:
    at_risk = {
        customer for customer, found in gathered.in_force.items() if any(noun.chart == RISK.chart for noun, _ in found)
    }
    owners: dict[Customer, list[str]] = {}
    for row in rows.select_by_keys(conn, _OWNERS, "borrower_id", sorted({one.borrower_id for one in at_risk})):
        if (customer := Customer(row.institution, row.borrower_id)) in at_risk:
            owners.setdefault(customer, []).append(row.owner)
    return owners


def open_cases(conn: Connection, people: Sequence[str]) -> dict[str, int]:
    """How many open cases each of these people owns: an index range each, bounded by what one person can have."""
    counted = sa.select(cases.c.owner, sa.func.count()).where(
        cases.c.owner.in_(sorted(people)), cases.c.live == sa.true()
    )
    return {row[0]: row[1] for row in conn.execute(counted.group_by(cases.c.owner))}


def about(_conn: Connection, openings: Sequence[OpenCase]) -> list[dict[str, Any]]:
    """Whose loan each is of."""
    return [
        {"institution": str(one.loan["institution"]), "borrower_id": str(one.loan["borrower_id"])} for one in openings
    ]


def beside(door: Door, case: Case, _given: Mapping[str, Any]) -> dict[str, Any]:
    """What guards need from outside the case."""
    siblings = () if case.live else owning_of(door).siblings.get(case.loan_id, ())
    newer = max((number for number, _ in siblings if number > case.id), default=None)
    return gathered_of(newer, door.on(door.main, case)[0], door.gathered.closed.get(case.institution))


def following(door: Door, case: Case, to: str, _texts: Mapping[str, str]) -> Callable[[Actor], None] | None:
    """The owner whom the rules now name: after a step into another state (1.1.1), a flag that was set or lifted."""
    came_from = case.state
    if to == came_from:
        return partial(_learnt, door, case, case.facts.at_risk)
    today, policy = door.on(door.main, case)
    was = _rule_of(door, case, policy)
    return lambda actor: _follow(door, case, came_from, was, actor, today, policy)


# ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(door: Door, command: Measure, case: Case) -> Outcome:
    """The feed reports other figures."""
    today, policy = door.on(door.main, case)
    data = {"measure": command.measure, "run": command.run}
    draft = door.draft(door.main, fold.MEASURED, command.actor, data, today, policy, RULE_OF_THE_FEED)
    rules = owning_of(door).rules
    seen, was = rules.looked_at(case), _rule_of(door, case, policy) if case.live else None
    done = door.happen(door.main, case, draft, case.state, policy)
    if was is None or rules.looked_at(case) == seen:
        return done
    _follow(door, case, case.state, was, command.actor, today, policy)
    return Done(case.id, case.version, done.from_state, done.state, done.entry_id)


# ── a customer at risk ──────────────────────────────────────────────────────────────────────────────────────────────


def _learnt(door: Door, case: Case, at_risk: str | None, actor: Actor) -> None:
    """Owner and handler go where the rules say now; of a customer all cases to one person, as far as it can be."""
    if case.facts.at_risk == at_risk:
        return
    today, policy = door.on(door.main, case)
    owning, in_house = owning_of(door), door.charts[door.main.chart].groups["in_house"]
    data = next_owner(case, case.state, "", in_house, owning.rules, owning.roster, owning.loads, policy)
    if case.facts.at_risk is not None:
        post = next(owning.rules.holding(case, policy)).post
        if data is not None and data["owner_post"] == post:
            same = _has_another(door, case, str(post)) or data["owner"]
            data |= {"owner": same, "handler": same}
        elif data is None and case.handler != case.owner:
            data = {
                "owner": case.owner, "handler": case.owner, "reason": BY_RULE, "from_owner": case.owner,
                "from_handler": case.handler, "rule": next(owning.rules.holding(case, policy)).name, "owner_post": post,
            }  # fmt: skip
    if data is not None:
        _given(door, case, data, actor, today, policy)


def _has_another(door: Door, case: Case, post: str) -> str | None:
    """Who holds the post and owns another case of the customer."""
    owning, about = owning_of(door), {"institution": case.institution, "borrower_id": case.borrower_id}
    others = [one.owner for one in door.of_customer(about) if one.id != case.id]
    for owner in (*others, *sorted(owning.owners.get(case.customer, ()))):
        colleague = owning.roster.colleagues.get(owner)
        if colleague is not None and colleague.is_there and post in colleague.posts:
            return str(owner)
    return None


# ── owners ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def assign(door: Door, command: Assign, case: Case) -> Outcome:
    """Give the case to somebody else."""
    owning, main = owning_of(door), door.main
    today, policy = door.on(main, case)
    row = door.permissions.commands[command.permitted_by]
    posts = row.posts | (command.actor.posts & {SYSTEM_POST})  # what the rules ask for, the service may carry out
    authority = door.authority(command.actor, posts, main, case, policy, row.rules)
    if isinstance(authority, Refusal):
        return door.refuse(main, case, "assign", command.actor, authority, {}, today, policy)
    if command.reason not in owning.rules.reasons:
        fault = DataFault("reason", "unknown_code", "没有这个原因代码", "reason: there is no such code")
        return Mistaken("faulty_data", case.id, case.version, (fault,))
    reasons = unfit(command, case, owning.rules, owning.roster, owning.loads, policy)
    if command.material_version not in (None, case.facts.material_version):
        reasons.append(changed_since_asked(case.facts.material_version, command.material_version or 0))
    said = {"owner": command.owner, "handler": command.handler or command.owner, "reason": command.reason}
    if reasons:
        return door.refuse(main, case, "assign", command.actor, Refusal(tuple(reasons)), said, today, policy)
    data = {
        **said, "from_owner": case.owner, "from_handler": case.handler, "rule": command.rule,
        "owner_post": command.post or _owning_post(owning, command.owner), "command": command.permitted_by,
        **command.cause, **by(authority),
    }  # fmt: skip
    if case.state in door.charts[main.chart].groups["in_house"] and command.owner != case.owner:
        data["named"] = command.owner
    return _given(door, case, data, command.actor, today, policy)


def owning_of(door: Door) -> Owning:
    """What was prepared for the batch: the register, and who has how much."""
    owning: Owning = door.prepared[door.main.chart]
    return owning


def _rule_of(door: Door, case: Case, policy: Policy) -> str:
    owning = owning_of(door)
    named = belongs_to(case, owning.rules, owning.roster)
    return owning_rule(owning.rules, case, policy, owning.roster, named).name


def _follow(door: Door, case: Case, came_from: str, was: str, actor: Actor, today: date, policy: Policy) -> None:
    owning, in_house = owning_of(door), door.charts[door.main.chart].groups["in_house"]
    data = next_owner(case, came_from, was, in_house, owning.rules, owning.roster, owning.loads, policy)
    if data is not None:
        _given(door, case, data, actor, today, policy)


def _given(door: Door, case: Case, data: dict[str, Any], actor: Actor, today: date, policy: Policy) -> Done:
    was = case.owner
    draft = door.draft(door.main, fold.ASSIGNED, actor, data, today, policy, RULE_OF_OWNERS)
    done = door.happen(door.main, case, draft, case.state, policy)
    if case.live and was != case.owner:
        owning_of(door).loads.move(case.owner, was=was)
    _remember(door, case, today, data["owner_post"], data["reason"], data["rule"])
    return done


def _remember(door: Door, case: Case, today: date, post: str | None, reason: str, rule: str | None) -> None:
    since = (today, case.last_entry_at)
    row = (case.id, case.audit_seq, *since, case.owner, case.handler, post, reason, rule)
    door.write_beside(owner_history, _HISTORY, row)


def _owning_post(owning: Owning, staff_no: str) -> str | None:
    return min(owning.roster.colleagues[staff_no].posts & owning.rules.posts, default=None)


# ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def open_case(door: Door, noun: Kept, command: OpenCase) -> Outcome:
    """Open a case of a loan, with the owner whom the rules choose."""
    chart, owning = door.charts[noun.chart], owning_of(door)
    ground = chart.openings.get(command.ground)
    if ground is None:
        return no_such_ground(chart, command.ground)
    loan_id, institution = str(command.loan["loan_id"]), str(command.loan["institution"])
    today, policy = door.of_institution(institution)
    given, texts, faults = _NOTHING
    if ground.fields or command.data:
        given, texts, faults = take(
            ground.fields, command.data, today=today, latest=max(today, door.today), policy=policy
        )
    if faults and ground.posts & command.actor.posts:
        return Mistaken("faulty_data", None, None, tuple(faults))
    siblings = owning.siblings.get(loan_id, [])
    named = owning.roster.known(command.loan["owner"])
    data: dict[str, Any] = {
        **command.loan, "owner": named or "", "named": named, "ground": command.ground, "measure": command.measure,
        "given": given, "earlier_cases": [number for number, _ in siblings], "business_date": today.isoformat(),
    }  # fmt: skip
    new = fold.open_case(0, command.actor.id, chart, data)
    authority = _may_open(door, command, new, today, policy, given)
    refusal = authority if isinstance(authority, Refusal) else None
    live = _live_of(door, siblings) if siblings else None
    if live is not None and not (refusal and refusal.forbidden):
        refusal = Refusal((*(refusal.reasons if refusal else ()), open_already(live)))
    found = choose(owning.rules, new, policy, owning.roster, owning.loads, named=named)
    if isinstance(found, Nobody):
        refusal = refusal or Refusal((no_owner(found.rule),))
    if refusal is not None or isinstance(found, Nobody) or isinstance(authority, Refusal):
        return _refuse_opening(door, command, refusal or Refusal(()), institution, data, policy)
    _home(owning, command.loan, data, new, found.owner)
    new.owner = new.handler = found.owner
    data |= {"owner": found.owner, "owner_rule": found.rule, "owner_post": found.post, **by(authority)}
    new.reckon(chart, policy)
    owning.loads.move(found.owner)
    new.id = next(door.gathered.new_ids[noun.chart])  # only now: a refused opening leaves no gap among the cases
    draft = door.draft(noun, fold.SAYS.opened, command.actor, data, today, policy, ground.rules, texts)
    owning.siblings.setdefault(loan_id, []).append((new.id, True))
    done = door.opened(noun, new, draft)
    _remember(door, new, today, found.post, BY_RULE, found.rule)
    if door.tell_in_force(new, command.actor):
        return Done(new.id, new.version, done.from_state, done.state, done.entry_id)
    return done


def _may_open(
    door: Door, command: OpenCase, new: Case, today: date, policy: Policy, given: Mapping[str, Any]
) -> Authority | Refusal:
    ground = door.charts[door.main.chart].openings[command.ground]
    authority = door.authority(command.actor, ground.posts, door.main, new, policy, ground.rules)
    if isinstance(authority, Refusal):
        return authority
    return decide_opening(ground, CaseSituation(new, today, policy, command.actor.id, given), ground.posts) or authority


def _home(owning: Owning, loan: Mapping[str, str | None], data: dict[str, Any], new: Case, owner: str) -> None:
    """Every case has a home team (1.1.1): where the loan names none, its owner's."""
    colleague = owning.roster.colleagues[owner]
    if loan["team"] is None and loan["region"] is None:
        new.team, new.region = data["team"], data["region"] = colleague.team, colleague.region


def _live_of(door: Door, siblings: Sequence[tuple[int, bool]]) -> int | None:
    """The live case of a loan as the commands before left it; one that the batch does not name is as it was read."""
    for case_id, was_live in siblings:
        case = door.gathered.subjects.get((door.main.chart, case_id))
        if was_live if case is None else case.live:
            return case_id
    return None


def _refuse_opening(
    door: Door, command: OpenCase, refusal: Refusal, institution: str, data: dict[str, Any], policy: Policy
) -> Refused:
    kept = {key: data[key] for key in ("loan_id", "ground", "given", "business_date")}
    kept["reasons"] = [on_record(reason) for reason in refusal.reasons]
    draft = Draft(
        fold.SAYS.refused_opening, command.actor.signed, kept, rules=rules_of(refusal),
        chart=door.charts[door.main.chart].ref, policy=policy.ref, reason_code=refusal.reasons[0].code,
    )  # fmt: skip
    door.refused_apart(f"openings:{institution}", draft)
    return Refused(None, None, None, refusal.reasons, refusal.forbidden, None)
