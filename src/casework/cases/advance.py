"""The door: the only way to change a case. It takes a batch; one event is a batch of one.

Gather (the only reads), decide each (pure), write state rows and audit entries (one statement each). The caller
commits. Commands on the same case are taken in order, each seeing what the one before it did.
"""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, assert_never

from sqlalchemy.engine import Connection

from casework import rows
from casework.audit.trail import Draft, Head, Trail
from casework.cases import fold
from casework.cases.branch import Branch
from casework.cases.case import CHANGING, COLUMNS, Case, to_change, to_row
from casework.cases.commands import (
    Command,
    Done,
    Fire,
    Measure,
    Mistaken,
    NotDone,
    Note,
    Open,
    Outcome,
    Record,
    Refused,
)
from casework.cases.gather import Gathered, gather
from casework.cases.situation import Situation
from casework.cases.tables import cases
from casework.clock import Clock, branch_date, now
from casework.database import is_conflict
from casework.errors import TryAgain
from casework.staff.actor import Actor
from casework.statechart.decide import Reason, Refusal, decide, decide_opening, post_reason
from casework.statechart.fields import EARLIEST, DataFault, Field, take
from casework.statechart.policy import Policy

_NOTHING: tuple[dict[str, Any], dict[str, str], list[DataFault]] = ({}, {}, [])
_SLICE = 2_500  # commands that are decided while the slice before is written
_SWITCH_INTERVAL_S = 0.0005
_TOGETHER = 300  # cases; beyond it COPY gains more than the round trips saved
RULE_OF_THE_FEED = ("5.4",)
_NOTE = {"note": Field("note", "text", "备注", "note", False, (), False, False, ())}
_EVIDENCE = {"evidence": Field("evidence", "ref", "证据", "evidence", False, (), False, False, ())}


def advance(
    conn: Connection,
    commands: Sequence[Command],
    branch: Branch,
    *,
    clock: Clock = now,
    lock: rows.Lock = "wait",
    atomic: bool = False,
    dry_run: bool = False,
) -> list[Outcome]:
    """Carry out `commands`, each with its own outcome, in the caller's transaction.

    `atomic`: if one is not done, none is (their refusals are still recorded). `dry_run`: decide, write nothing; the
    entry ids are then those that would have been.
    The time is read once the rows are locked, so that it never runs backwards within a case.
    `lock="skip"` answers `case_busy` for a case another transaction holds instead of waiting for it.
    """
    gathered = gather(conn, commands, lock=lock)
    door = _Door(branch, gathered, clock(), missing="case_busy" if lock == "skip" else "unknown_case")
    if len(commands) > _SLICE and not (atomic or dry_run) and conn.dialect.name == "postgresql":
        return _overlapped(conn, commands, door)
    outcomes = [door.take(command) for command in commands]
    if dry_run:
        return outcomes
    if atomic and not all(isinstance(outcome, Done) for outcome in outcomes):
        return _only_refusals(conn, commands, outcomes, branch, clock)
    door.part().write(conn)
    return outcomes


def _overlapped(conn: Connection, commands: Sequence[Command], door: "_Door") -> list[Outcome]:
    """Decide a large batch slice by slice while PostgreSQL takes in the slice before.

    The outcome is that of one slice: everything was gathered before, and deciding asks the database nothing. Only the
    writing thread uses the connection meanwhile.
    """
    outcomes: list[Outcome] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, _SWITCH_INTERVAL_S))  # or the writing thread waits 5 ms for each of its turns
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="casework-door") as behind:
            written: Future[None] | None = None
            for start in range(0, len(commands), _SLICE):
                outcomes += map(door.take, commands[start : start + _SLICE])
                part = door.part()
                if written is not None:
                    written.result()
                written = behind.submit(part.write, conn)
            if written is not None:
                written.result()
    finally:
        sys.setswitchinterval(interval)
    return outcomes


def _only_refusals(
    conn: Connection, commands: Sequence[Command], outcomes: list[Outcome], branch: Branch, clock: Clock
) -> list[Outcome]:
    """Of an atomic batch that is not done: record what is refused of the cases as they stand.

    What was refused only because of a command before it in the batch, which now does not happen either, is told to
    the caller and not recorded: nothing of the kind was ever tried on the case as it is.
    """
    told: list[Outcome] = [
        NotDone(outcome.case_id) if isinstance(outcome, Done)
        else replace(outcome, entry_id=None) if isinstance(outcome, Refused)
        else outcome
        for outcome in outcomes
    ]  # fmt: skip
    numbers = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
    while numbers:
        refused = [commands[number] for number in numbers]
        door = _Door(branch, gather(conn, refused, lock="wait"), clock(), missing="unknown_case")
        recorded = dict(zip(numbers, map(door.take, refused), strict=True))
        numbers = [number for number, outcome in recorded.items() if isinstance(outcome, Refused)]
        if len(numbers) == len(recorded):
            door.part().write(conn)
            for number, outcome in recorded.items():
                told[number] = outcome
            break
    return told


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows and entries that belong together; parts are written in the order in which they were made."""

    fresh: list[tuple[Any, ...]]
    changed: list[tuple[Any, ...]]
    refused_openings: list[tuple[str, Draft]]
    trail: Trail

    def write(self, conn: Connection) -> None:
        """State rows, entries and the unsealed queue, one statement each; a small batch in one round trip."""
        for stream, draft in self.refused_openings:
            self.trail.append(conn, stream, draft)
        with rows.together(conn) if not self.fresh and len(self.changed) <= _TOGETHER else nullcontext():
            rows.update_many(conn, cases, "id", self.changed, CHANGING)  # first: it may free a loan for a new case
            _insert(conn, self.fresh)
            self.trail.write(conn)


class _Door:
    """One batch: decides each command against the gathered cases as the commands before it left them."""

    def __init__(self, branch: Branch, gathered: Gathered, now: datetime, *, missing: str) -> None:
        self.chart = branch.rulebook.chart
        self.policies = branch.rulebook.policies
        self.trail: Trail = branch.trail(now)
        self.today = branch_date(now, branch.time_zone)
        self.gathered = gathered
        self.missing = missing
        self.touched: dict[int, Case] = {}
        self.opened: dict[int, Case] = {}
        self.refused_openings: list[tuple[str, Draft]] = []

    def take(self, command: Command) -> Outcome:
        """Decide one command and, if it may be, let it happen to the case in memory."""
        if isinstance(command, Open):
            return self._open(command)
        case = self.gathered.cases.get(command.case_id)
        if case is None:
            return Mistaken(self.missing, command.case_id)
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
            case _:
                assert_never(command)

    def part(self) -> "_Part":
        """What the commands since the last part have changed, ready to be written."""
        fresh = [to_row(case) for case in self.opened.values()]
        changed = [to_change(case) for case_id, case in self.touched.items() if case_id not in self.opened]
        part = _Part(fresh, changed, self.refused_openings, self.trail.part())
        self.touched, self.opened, self.refused_openings = {}, {}, []
        return part

    # ── the commands ────────────────────────────────────────────────────────────────────────────────────────────────

    def _fire(self, command: Fire, case: Case) -> Outcome:
        spec = self.chart.events.get(command.event)
        if spec is None:
            return Mistaken("unknown_event", case.id, case.version)
        today, policy = self._on(case.institution)
        if not spec.posts & command.actor.posts:  # before the data: nobody learns a form that is not his
            reason = post_reason(spec.posts, command.actor.posts, spec.rules)
            return self._refuse(case, command.event, command.actor, Refusal((reason,), True), {}, today, policy)
        given, texts, faults = take(spec.fields, command.data, today=today, latest=max(today, self.today))
        if faults and case.state in spec.arcs:
            return Mistaken("faulty_data", case.id, case.version, tuple(faults))
        gathered = self._beside(case)
        now = Situation(case, today, policy, command.actor.id, given, gathered)
        verdict = decide(self.chart, command.event, case.state, now, command.actor.posts)
        data: dict[str, Any] = {"given": given} | ({"gathered": gathered} if gathered else {})
        if isinstance(verdict, Refusal):
            return self._refuse(case, command.event, command.actor, verdict, data, today, policy)
        data["post"] = min(spec.posts & command.actor.posts)
        draft = self._draft(f"{fold.STEP}{command.event}", command.actor, data, today, policy, spec.rules, texts)
        return self._happen(case, draft, verdict.to, policy)

    def _record(self, command: Record, case: Case) -> Outcome:
        kind = self.chart.facts.get(command.kind)
        if kind is None:
            return Mistaken("unknown_fact", case.id, case.version)
        today, policy = self._on(case.institution)
        if not kind.posts & command.actor.posts:
            reason = post_reason(kind.posts, command.actor.posts, kind.rules)
            return self._refuse(case, command.kind, command.actor, Refusal((reason,), True), {}, today, policy)
        latest = max(today, self.today)
        given, texts, faults = take(kind.fields, command.data, today=today, latest=latest)
        faults += take(_EVIDENCE, {"evidence": command.evidence}, today=today, latest=latest)[2]
        if not EARLIEST <= command.on <= latest:
            en = f"on: must lie between {EARLIEST.isoformat()} and {latest.isoformat()}"
            faults.append(DataFault("on", "out_of_range", "日期过早,或晚于今天", en))
        if faults:
            return Mistaken("faulty_data", case.id, case.version, tuple(faults))
        permitted = self.chart.recorded_by(kind, given)
        if not permitted & command.actor.posts:
            reason = post_reason(permitted, command.actor.posts, kind.rules)
            return self._refuse(case, command.kind, command.actor, Refusal((reason,), True), {}, today, policy)
        data = {
            "on": command.on.isoformat(), "evidence": command.evidence, "given": given,
            "post": min(permitted & command.actor.posts),
        }  # fmt: skip
        draft = self._draft(f"{fold.FACT}{command.kind}", command.actor, data, today, policy, kind.rules, texts)
        return self._happen(case, draft, case.state, policy)

    def _note(self, command: Note, case: Case) -> Outcome:
        today, policy = self._on(case.institution)
        _, texts, faults = take(_NOTE, {"note": command.text}, today=today, latest=today)
        if faults:
            return Mistaken("faulty_data", case.id, case.version, tuple(faults))
        return self._happen(
            case, self._draft(fold.NOTED, command.actor, {}, today, policy, (), texts), case.state, policy
        )

    def _measure(self, command: Measure, case: Case) -> Outcome:
        today, policy = self._on(case.institution)
        data = {"measure": command.measure, "run": command.run}
        draft = self._draft(fold.MEASURED, command.actor, data, today, policy, RULE_OF_THE_FEED)
        return self._happen(case, draft, case.state, policy)

    def _open(self, command: Open) -> Outcome:
        ground = self.chart.openings.get(command.ground)
        if ground is None:
            return Mistaken("unknown_ground", None)
        loan_id, institution = str(command.loan["loan_id"]), str(command.loan["institution"])
        today, policy = self._on(institution)
        given, texts, faults = _NOTHING
        if ground.fields or command.data:
            given, texts, faults = take(ground.fields, command.data, today=today, latest=max(today, self.today))
        if faults and ground.posts & command.actor.posts:
            return Mistaken("faulty_data", None, None, tuple(faults))
        siblings = self.gathered.siblings.get(loan_id, [])
        data = {
            **command.loan, "ground": command.ground, "measure": command.measure, "given": given,
            "earlier_cases": [number for number, _ in siblings], "business_date": today.isoformat(),
        }  # fmt: skip
        new = fold.open_case(0, command.actor.id, self.chart, data)
        refusal = decide_opening(ground, Situation(new, today, policy, command.actor.id, given), command.actor.posts)
        live = next((number for number, was_live in siblings if self._is_live(number, was_live)), None)
        if live is not None and not (refusal and refusal.forbidden):
            refusal = Refusal((*(refusal.reasons if refusal else ()), open_already(live)))
        if refusal is not None:
            return self._refuse_opening(command, refusal, institution, data, policy)
        new.id = next(self.gathered.new_ids)  # only now: a refused opening leaves no gap among the cases
        draft = self._draft(fold.OPENED, command.actor, data, today, policy, ground.rules, texts)
        self.gathered.siblings.setdefault(loan_id, []).append((new.id, True))
        self.gathered.cases[new.id] = self.opened[new.id] = new
        return self._seal(new, draft, None, new.state)

    # ── what they share ─────────────────────────────────────────────────────────────────────────────────────────────

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
        head = self.trail.add(case.stream, Head(case.audit_seq, case.audit_head, case.last_entry_at), draft)
        case.audit_seq, case.audit_head, case.last_entry_at = head
        self.touched[case.id] = case
        return Done(case.id, case.version, came_from, to, f"{case.stream}:{case.audit_seq}")

    def _refuse(
        self,
        case: Case,
        what: str,
        actor: Actor,
        refusal: Refusal,
        data: dict[str, Any],
        today: date,
        policy: Policy,
    ) -> Refused:
        data = {**data, "reasons": [_on_record(reason) for reason in refusal.reasons]}
        draft = self._draft(
            f"{fold.REFUSED}{what}",
            actor,
            data,
            today,
            policy,
            _rules(refusal),
            reason_code=refusal.reasons[0].code,
        )
        done = self._seal(case, draft, case.state, case.state)
        return Refused(case.id, case.version, case.state, refusal.reasons, refusal.forbidden, done.entry_id)

    def _refuse_opening(
        self, command: Open, refusal: Refusal, institution: str, data: dict[str, Any], policy: Policy
    ) -> Refused:
        kept = {key: data[key] for key in ("loan_id", "ground", "given", "business_date")}
        kept["reasons"] = [_on_record(reason) for reason in refusal.reasons]
        draft = Draft(
            fold.REFUSED_OPENING, command.actor.signed, kept, rules=_rules(refusal), chart=self.chart.ref,
            policy=policy.ref, reason_code=refusal.reasons[0].code,
        )  # fmt: skip
        self.refused_openings.append((f"openings:{institution}", draft))
        return Refused(None, None, None, refusal.reasons, refusal.forbidden, None)


def _insert(conn: Connection, fresh: list[tuple[Any, ...]]) -> None:
    """New cases. A loan for which another transaction opened one meanwhile: the next look will see that case."""
    try:
        rows.insert_many(conn, cases, fresh, COLUMNS)
    except Exception as error:
        if is_conflict(error):
            raise TryAgain("database_busy", "a case of the same loan was opened at the same moment") from error
        raise


def _rules(refusal: Refusal) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule for reason in refusal.reasons for rule in reason.rules))


def _on_record(reason: Reason) -> dict[str, Any]:
    """A reason as the entry keeps it: code and facts; the texts are in the chart of that digest."""
    return {"code": reason.code, "saw": dict(reason.saw), "needs": dict(reason.needs)}


def open_already(case_id: int) -> Reason:
    """The loan has a live case already, and may have but one (1.1.1)."""
    return Reason(
        "case_open_already", ("1.1.1",), {"case_id": case_id}, {"live_cases_at_most": 0},
        f"该贷款已有在办案件{case_id}", f"the loan already has a live case, {case_id}",
    )  # fmt: skip
