"""Deciding a batch: each command against the gathered cases as the commands before it left them.

It asks for nothing but loads. `casework.cases.advance` gathers, hands commands to a `Door`, and writes what it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, assert_never

from casework.audit.trail import Draft, Head, Trail
from casework.cases import fold
from casework.cases.branch import Branch
from casework.cases.case import Case, to_change, to_row
from casework.cases.commands import Assign, Command, Measure, OpenCase
from casework.cases.days import day_faults
from casework.cases.gather import Gathered
from casework.cases.ownership import BY_RULE, Loads, Nobody, choose, owning_rule
from casework.cases.reasons import (
    changed_since_asked,
    involved_before,
    no_owner,
    no_request_needed,
    open_already,
    out_of_reach,
    request_needed,
)
from casework.cases.receiver import belongs_to, next_owner, unfit
from casework.cases.situation import Situation
from casework.customer import stream_of
from casework.lifecycle.commands import Done, Fire, Mistaken, Note, Outcome, Record, Refused
from casework.staff.actor import SYSTEM_POST, Actor
from casework.staff.permissions import Authority
from casework.staff.roster import Roster
from casework.statechart.chart import Event
from casework.statechart.decide import Reason, Refusal, Step, decide, decide_opening, post_reason, unmet
from casework.statechart.fields import DataFault, Field, take
from casework.statechart.policy import Policy

RULE_OF_THE_FEED = ("5.4",)
RULE_OF_OWNERS = ("1.1.1",)
_NO_POSTS: Mapping[str, tuple[str, ...]] = {}
_NOTHING: tuple[dict[str, Any], dict[str, str], list[DataFault]] = ({}, {}, [])
_NOTE = {"note": Field("note", "text", "备注", "note", False, {}, False, False, ())}
_EVIDENCE = {"evidence": Field("evidence", "ref", "证据", "evidence", False, {}, False, False, ())}


@dataclass(frozen=True, slots=True)
class Part:
    """Rows and entries that belong together; parts are written in the order in which they were made."""

    fresh: list[tuple[Any, ...]]
    changed: list[tuple[Any, ...]]
    owners: list[tuple[Any, ...]]
    refused_openings: list[tuple[str, Draft]]
    trail: Trail


class Door:
    """One batch: decides each command against the gathered cases as the commands before it left them."""

    def __init__(
        self, branch: Branch, gathered: Gathered, now: datetime, roster: Roster, loads: Loads, *, missing: str
    ) -> None:
        self.branch = branch
        self.chart = branch.rulebook.chart
        self.policies = branch.rulebook.policies
        self.permissions = branch.rulebook.permissions
        self.owner_rules = branch.rulebook.owners
        self.trail: Trail = branch.trail(now)
        self.today = branch.today(now)
        self.gathered = gathered
        self.roster = roster
        self.loads = loads
        self.missing = missing
        self.touched: dict[int, Case] = {}
        self.opened: dict[int, Case] = {}
        self.owners: list[tuple[Any, ...]] = []
        self.refused_openings: list[tuple[str, Draft]] = []

    def take(self, command: Command) -> Outcome:
        """Decide one command and, if it may be, let it happen to the case in memory."""
        if isinstance(command, OpenCase):
            return self._open(command)
        case = self.gathered.cases.get(command.id)
        if case is None or not self._sees(command.actor, case):  # first of all: strangers learn nothing, not even a 412
            return Mistaken(self.missing, command.id)
        if command.version is not None and command.version != case.version:
            return Mistaken("stale_version", case.id, case.version)
        match command:
            case Fire():
                return self._fire(command, case)
            case Record():
                return self._record(command, case)
            case Note():
                return self._note(command, case)
            case Measure():
                return self._measure(command, case)
            case Assign():
                return self._assign(command, case)
            case _:
                assert_never(command)

    def part(self) -> Part:
        """What the commands since the last part have changed, ready to be written."""
        fresh = [to_row(case) for case in self.opened.values()]
        changed = [to_change(case) for case_id, case in self.touched.items() if case_id not in self.opened]
        part = Part(fresh, changed, self.owners, self.refused_openings, self.trail.part())
        self.touched, self.opened, self.owners, self.refused_openings = {}, {}, [], []
        return part

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _fire(self, command: Fire, case: Case) -> Outcome:
        spec = self.chart.events.get(command.event)
        if spec is None:
            return Mistaken("unknown_event", case.id, case.version)
        today, policy = self._on(case.institution)
        posts = command.cleared.approvers if command.cleared else spec.posts
        authority = self._authority(command.actor, posts, case, policy, spec.rules, spec.only_own)
        if isinstance(authority, Refusal):  # before the data: nobody learns a form that is not his
            return self._refuse(case, command.event, command.actor, authority, {}, today, policy)
        given, texts, faults = take(
            spec.fields, command.data, today=today, latest=max(today, self.today), policy=policy
        )
        if faults and case.state in spec.arcs:
            return Mistaken("faulty_data", case.id, case.version, tuple(faults))
        gathered = self._beside(case)
        now = Situation(case, today, policy, command.actor.id, given, gathered)
        verdict = self._verdict(command, spec, case, now)
        data: dict[str, Any] = {"given": given} | ({"gathered": gathered} if gathered else {})
        if command.cleared is not None:
            data["four_eyes"] = _on_file(command)
        if isinstance(verdict, Refusal):
            asking = {"asking": True} if command.asking is not None else {}
            return self._refuse(case, command.event, command.actor, verdict, data | asking, today, policy)
        data |= _by(authority)
        if flags := unmet(spec.flags, now):
            data["flags"] = [_on_record(flag) for flag in flags]
        if command.asking is not None:
            data["request"] = command.asking
            draft = self._draft(f"{fold.ASKED}{command.event}", command.actor, data, today, policy, spec.rules, texts)
            return self._happen(case, draft, case.state, policy)
        came_from = case.state
        was = self._rule_of(case, policy) if verdict.to != came_from else None
        draft = self._draft(f"{fold.STEP}{command.event}", command.actor, data, today, policy, spec.rules, texts)
        done = self._happen(case, draft, verdict.to, policy)
        if was is None:
            return done
        self._follow(case, came_from, was, command.actor, today, policy)
        return Done(case.id, case.version, done.from_state, done.state, done.entry_id)

    def _verdict(self, command: Fire, spec: Event, case: Case, now: Situation) -> Step | Refusal:
        """What chart and four eyes say together."""
        verdict = decide(self.chart, command.event, case.state, now, spec.posts)
        more: list[Reason] = []
        if command.cleared is not None:
            pinned = command.cleared.material_version
            if pinned != case.facts.material_version:
                more.append(changed_since_asked(case.facts.material_version, pinned))
            if command.actor.people & command.cleared.involved:
                more.append(involved_before(command.actor.people & command.cleared.involved))
        elif spec.four_eyes is not None and command.asking is None:
            more.append(request_needed(spec))
        elif spec.four_eyes is None and command.asking is not None:
            more.append(no_request_needed(spec))
        if not more:
            return verdict
        return Refusal((*more, *(verdict.reasons if isinstance(verdict, Refusal) else ())))

    # ── facts, notes, figures ───────────────────────────────────────────────────────────────────────────────────────

    def _record(self, command: Record, case: Case) -> Outcome:
        kind = self.chart.facts.get(command.kind)
        if kind is None:
            return Mistaken("unknown_fact", case.id, case.version)
        today, policy = self._on(case.institution)
        authority = self._authority(command.actor, kind.posts, case, policy, kind.rules, kind.only_own)
        if isinstance(authority, Refusal):
            return self._refuse(case, command.kind, command.actor, authority, {}, today, policy)
        latest = max(today, self.today)
        given, texts, faults = take(kind.fields, command.data, today=today, latest=latest, policy=policy)
        faults += take(_EVIDENCE, {"evidence": command.evidence}, today=today, latest=latest)[2]
        faults += day_faults(case, command.on, latest, policy)
        if faults:
            return Mistaken("faulty_data", case.id, case.version, tuple(faults))
        data = {"on": command.on.isoformat(), "evidence": command.evidence, "given": given}
        reasons = unmet(kind.guards, Situation(case, today, policy, command.actor.id, given, on=command.on))
        if reasons:
            return self._refuse(case, command.kind, command.actor, Refusal(reasons), data, today, policy)
        data |= _by(authority)
        draft = self._draft(f"{fold.FACT}{command.kind}", command.actor, data, today, policy, kind.rules, texts)
        return self._happen(case, draft, case.state, policy)

    def _note(self, command: Note, case: Case) -> Outcome:
        today, policy = self._on(case.institution)
        row = self.permissions.commands["case.note"]
        authority = self._authority(command.actor, row.posts, case, policy, row.rules)
        if isinstance(authority, Refusal):
            return self._refuse(case, "note", command.actor, authority, {}, today, policy)
        _, texts, faults = take(_NOTE, {"note": command.text}, today=today, latest=today)
        if faults:
            return Mistaken("faulty_data", case.id, case.version, tuple(faults))
        data = _by(authority)
        return self._happen(
            case, self._draft(fold.NOTED, command.actor, data, today, policy, (), texts), case.state, policy
        )

    def _measure(self, command: Measure, case: Case) -> Outcome:
        today, policy = self._on(case.institution)
        data = {"measure": command.measure, "run": command.run}
        draft = self._draft(fold.MEASURED, command.actor, data, today, policy, RULE_OF_THE_FEED)
        seen, was = self.owner_rules.looked_at(case), self._rule_of(case, policy) if case.live else None
        done = self._happen(case, draft, case.state, policy)
        if was is None or self.owner_rules.looked_at(case) == seen:
            return done
        self._follow(case, case.state, was, command.actor, today, policy)
        return Done(case.id, case.version, done.from_state, done.state, done.entry_id)

    # ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, command: OpenCase) -> Outcome:
        ground = self.chart.openings.get(command.ground)
        if ground is None:
            return Mistaken("unknown_ground", None)
        loan_id, institution = str(command.loan["loan_id"]), str(command.loan["institution"])
        today, policy = self._on(institution)
        given, texts, faults = _NOTHING
        if ground.fields or command.data:
            given, texts, faults = take(
                ground.fields, command.data, today=today, latest=max(today, self.today), policy=policy
            )
        if faults and ground.posts & command.actor.posts:
            return Mistaken("faulty_data", None, None, tuple(faults))
        siblings = self.gathered.siblings.get(loan_id, [])
        named = self.roster.known(command.loan["owner"])
        data: dict[str, Any] = {
            **command.loan, "owner": named or "", "named": named, "ground": command.ground, "measure": command.measure,
            "given": given, "earlier_cases": [number for number, _ in siblings], "business_date": today.isoformat(),
        }  # fmt: skip
        new = fold.open_case(0, command.actor.id, self.chart, data)
        authority = self._may_open(command, new, today, policy, given)
        refusal = authority if isinstance(authority, Refusal) else None
        live = next((number for number, was_live in siblings if self._is_live(number, was_live)), None)
        if live is not None and not (refusal and refusal.forbidden):
            refusal = Refusal((*(refusal.reasons if refusal else ()), open_already(live)))
        found = choose(self.owner_rules, new, policy, self.roster, self.loads, named=named)
        if isinstance(found, Nobody):
            refusal = refusal or Refusal((no_owner(found.rule),))
        if refusal is not None or isinstance(found, Nobody) or isinstance(authority, Refusal):
            return self._refuse_opening(command, refusal or Refusal(()), institution, data, policy)
        self._home(command.loan, data, new, found.owner)
        new.owner = new.handler = found.owner
        data |= {"owner": found.owner, "owner_rule": found.rule, "owner_post": found.post, **_by(authority)}
        self.loads.move(found.owner)
        new.id = next(self.gathered.new_ids)  # only now: a refused opening leaves no gap among the cases
        draft = self._draft(fold.OPENED, command.actor, data, today, policy, ground.rules, texts)
        self.gathered.siblings.setdefault(loan_id, []).append((new.id, True))
        self.gathered.cases[new.id] = self.opened[new.id] = new
        done = self._seal(new, draft, None, new.state)
        self._remember(new, today, found.post, BY_RULE, found.rule)
        return done

    def _may_open(
        self, command: OpenCase, new: Case, today: date, policy: Policy, given: Mapping[str, Any]
    ) -> Authority | Refusal:
        ground = self.chart.openings[command.ground]
        authority = self._authority(command.actor, ground.posts, new, policy, ground.rules)
        if isinstance(authority, Refusal):
            return authority
        return decide_opening(ground, Situation(new, today, policy, command.actor.id, given), ground.posts) or authority

    def _home(self, loan: Mapping[str, str | None], data: dict[str, Any], new: Case, owner: str) -> None:
        """Every case has a home team (1.1.1): where the loan names none, its owner's."""
        colleague = self.roster.colleagues[owner]
        if loan["team"] is None and loan["region"] is None:
            new.team, new.region = data["team"], data["region"] = colleague.team, colleague.region

    # ── owners ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _assign(self, command: Assign, case: Case) -> Outcome:
        today, policy = self._on(case.institution)
        row = self.permissions.commands[command.permitted_by]
        posts = row.posts | (command.actor.posts & {SYSTEM_POST})  # what the rules ask for, the service may carry out
        authority = self._authority(command.actor, posts, case, policy, row.rules)
        if isinstance(authority, Refusal):
            return self._refuse(case, "assign", command.actor, authority, {}, today, policy)
        if command.reason not in self.owner_rules.reasons:
            fault = DataFault("reason", "unknown_code", "没有这个原因代码", "reason: there is no such code")
            return Mistaken("faulty_data", case.id, case.version, (fault,))
        reasons = unfit(command, case, self.owner_rules, self.roster, self.loads, policy)
        if command.material_version not in (None, case.facts.material_version):
            reasons.append(changed_since_asked(case.facts.material_version, command.material_version or 0))
        said = {"owner": command.owner, "handler": command.handler or command.owner, "reason": command.reason}
        if reasons:
            return self._refuse(case, "assign", command.actor, Refusal(tuple(reasons)), said, today, policy)
        data = {
            **said, "from_owner": case.owner, "from_handler": case.handler, "rule": command.rule,
            "owner_post": command.post or self._owning_post(command.owner), "command": command.permitted_by,
            **command.cause, **_by(authority),
        }  # fmt: skip
        if case.state in self.chart.groups["in_house"] and command.owner != case.owner:
            data["named"] = command.owner
        return self._given(case, data, command.actor, today, policy)

    def _rule_of(self, case: Case, policy: Policy) -> str:
        named = belongs_to(case, self.owner_rules, self.roster)
        return owning_rule(self.owner_rules, case, policy, self.roster, named).name

    def _follow(self, case: Case, came_from: str, was: str, actor: Actor, today: date, policy: Policy) -> None:
        """After a step into another state: the owner whom the rules now name, where another rule applies (1.1.1)."""
        in_house = self.chart.groups["in_house"]
        data = next_owner(case, came_from, was, in_house, self.owner_rules, self.roster, self.loads, policy)
        if data is not None:
            self._given(case, data, actor, today, policy)

    def _given(self, case: Case, data: dict[str, Any], actor: Actor, today: date, policy: Policy) -> Done:
        was = case.owner
        done = self._happen(
            case, self._draft(fold.ASSIGNED, actor, data, today, policy, RULE_OF_OWNERS), case.state, policy
        )
        if case.live and was != case.owner:
            self.loads.move(case.owner, was=was)
        self._remember(case, today, data["owner_post"], data["reason"], data["rule"])
        return done

    def _remember(self, case: Case, today: date, post: str | None, reason: str, rule: str | None) -> None:
        since = (today, case.last_entry_at)
        self.owners.append((case.id, case.audit_seq, *since, case.owner, case.handler, post, reason, rule))

    def _owning_post(self, staff_no: str) -> str | None:
        return min(self.roster.colleagues[staff_no].posts & self.owner_rules.posts, default=None)

    # ── what they share ─────────────────────────────────────────────────────────────────────────────────────────────

    def _authority(
        self, actor: Actor, posts: frozenset[str], case: Case, policy: Policy, rules: tuple[str, ...],
        only_own: Mapping[str, tuple[str, ...]] = _NO_POSTS,
    ) -> Authority | Refusal:  # fmt: skip
        """By which post the actor may act on this case, or why not."""
        authority = self.permissions.authority(actor, posts, case, policy, only_own)
        if authority is not None:
            return authority
        held = actor.posts.union(*(principal.posts for principal in actor.principals))
        if not posts & held:
            return Refusal((post_reason(posts, actor.posts, rules),), forbidden=True)
        return Refusal((out_of_reach(posts & held, rules, only_own),), forbidden=True)

    def _sees(self, actor: Actor, case: Case) -> bool:
        return actor.kind == "system" or self.permissions.may_see(actor, case, self._on(case.institution)[1])

    def _on(self, institution: str) -> tuple[date, Policy]:
        today = self.gathered.business_dates.get(institution, self.today)
        return today, self.policies.at(today)

    def _is_live(self, case_id: int, was_live: bool) -> bool:
        """A case as the commands before left it; one that the batch does not name is as it was read."""
        case = self.gathered.cases.get(case_id)
        return was_live if case is None else case.live

    def _beside(self, case: Case) -> dict[str, Any]:
        """What guards need from outside the case: today, whether the loan has a newer case."""
        if case.live:
            return {}
        newer = [number for number, _ in self.gathered.siblings.get(case.loan_id, []) if number > case.id]
        return {"newer_case": max(newer)} if newer else {}

    def _draft(
        self, event: str, actor: Actor, data: dict[str, Any], today: date, policy: Policy, rules: tuple[str, ...],
        texts: Mapping[str, str] | None = None, reason_code: str | None = None,
    ) -> Draft:  # fmt: skip
        data["business_date"] = today.isoformat()
        return Draft(
            event, actor.signed, data, rules=rules, chart=self.chart.ref, policy=policy.ref, texts=texts or {},
            reason_code=reason_code,
        )  # fmt: skip

    def _happen(self, case: Case, draft: Draft, to: str, policy: Policy) -> Done:
        came_from = case.state
        fold.apply(case, draft.event, to, draft.actor.id, draft.data, self.chart, policy)
        return self._seal(case, draft, came_from, to)

    def _seal(self, case: Case, draft: Draft, came_from: str | None, to: str) -> Done:
        draft.from_, draft.to = came_from, to
        if draft.texts:
            draft.subject = stream_of(self.branch.vault, case.customer)
        head = self.trail.add(case.stream, Head(case.audit_seq, case.audit_head, case.last_entry_at), draft)
        case.audit_seq, case.audit_head, case.last_entry_at = head
        self.touched[case.id] = case
        return Done(case.id, case.version, came_from, to, f"{case.stream}:{case.audit_seq}")

    def _refuse(
        self, case: Case, what: str, actor: Actor, refusal: Refusal, data: dict[str, Any], today: date, policy: Policy
    ) -> Refused:
        data = {**data, "reasons": [_on_record(reason) for reason in refusal.reasons]}
        draft = self._draft(
            f"{fold.REFUSED}{what}", actor, data, today, policy, _rules(refusal), reason_code=refusal.reasons[0].code
        )
        done = self._seal(case, draft, case.state, case.state)
        return Refused(case.id, case.version, case.state, refusal.reasons, refusal.forbidden, done.entry_id)

    def _refuse_opening(
        self, command: OpenCase, refusal: Refusal, institution: str, data: dict[str, Any], policy: Policy
    ) -> Refused:
        kept = {key: data[key] for key in ("loan_id", "ground", "given", "business_date")}
        kept["reasons"] = [_on_record(reason) for reason in refusal.reasons]
        draft = Draft(
            fold.REFUSED_OPENING, command.actor.signed, kept, rules=_rules(refusal), chart=self.chart.ref,
            policy=policy.ref, reason_code=refusal.reasons[0].code,
        )  # fmt: skip
        self.refused_openings.append((f"openings:{institution}", draft))
        return Refused(None, None, None, refusal.reasons, refusal.forbidden, None)


def _by(authority: Authority) -> dict[str, Any]:
    """By which post it was done, and for whom if a deputy did it: the log names both."""
    if authority.acting_for is None:
        return {"post": authority.post}
    return {"post": authority.post, "acting_for": authority.acting_for}


def _on_file(command: Fire) -> dict[str, Any]:
    """The request that cleared the event, as its entry keeps it."""
    cleared = command.cleared
    if cleared is None:
        raise ValueError("only what four eyes cleared has a request")
    return {
        "request": cleared.request_id, "topic": cleared.topic, "asked_by": cleared.asked_by,
        "reviewed_by": cleared.reviewed_by, "material_version": cleared.material_version,
    }  # fmt: skip


def _rules(refusal: Refusal) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule for reason in refusal.reasons for rule in reason.rules))


def _on_record(reason: Reason) -> dict[str, Any]:
    """A reason as the entry keeps it: code and facts; the texts are in the chart of that digest."""
    return {"code": reason.code, "saw": dict(reason.saw), "needs": dict(reason.needs)}
