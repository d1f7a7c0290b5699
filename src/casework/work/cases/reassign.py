"""Giving cases to other owners by hand: to one person, or to whom the rules name; planned first, then through the door.

The plan reads; carrying it out is the door's (`Assign`), which decides every case again. So a preview is the plan and
the door's dry run, and what changed in between is reported case by case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.lifecycle.commands import Done, Mistaken, Outcome, Refused
from casework.people.staff.actor import Actor
from casework.people.staff.roster import Roster
from casework.people.staff.tables import register_version
from casework.rules.statechart.decide import Reason
from casework.rules.statechart.policy import Policy
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.commands import Assign
from casework.work.cases.door import open_cases
from casework.work.cases.gather import CASE_ROWS, business_dates
from casework.work.cases.ownership import (
    BY_RULE,
    Assignment,
    Loads,
    Nobody,
    capacity_of,
    choose,
)
from casework.work.cases.reasons import case_closed, nobody_to_receive, receiver_unfit
from casework.work.cases.receiver import belongs_to

MAX_CASES = 1_000
COMMAND = "case.assign"
SEEN_BY = "case.read"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveWanted:
    """What is asked for: an `owner`, or (none) whom the rules name; `reason` is a code of owners.toml."""

    owner: str | None = None
    handler: str | None = None
    reason: str = BY_RULE


class ReceiverLoad(msgspec.Struct, frozen=True):
    """One person's open cases before and after; `cases` are those they receive, `overdue_fen` is their overdue total.

    `cases` counts closed ones too, which cost no capacity. Who only gives has none.
    """

    staff_no: str
    cases: int
    overdue_fen: int
    before: int
    after: int
    capacity: int | None


@dataclass(frozen=True)
class Plan:
    """Per case asked for, in order: the command for the door, or the outcome where there is nothing to ask it.

    `seen` are the cases as the plan saw them; `loads` everybody's open cases then, `capacity` how many they may have.
    """

    steps: tuple[Assign | Refused | Mistaken, ...]
    seen: Mapping[int, Case]
    loads: Mapping[str, int]
    capacity: Mapping[str, int]

    @property
    def commands(self) -> list[Assign]:
        """For the door, in one batch."""
        return [step for step in self.steps if isinstance(step, Assign)]

    def outcomes(self, of_the_door: Sequence[Outcome]) -> list[Outcome]:
        """An outcome per case asked for, from those of `commands`."""
        answers = iter(of_the_door)
        return [next(answers) if isinstance(step, Assign) else step for step in self.steps]

    def receivers(self, of_the_door: Sequence[Outcome]) -> list[ReceiverLoad]:
        """Who receives and who gives, by staff number; `after` counts what the door did and nothing else."""
        cases, overdue, change = dict[str, int](), dict[str, int](), dict[str, int]()
        for command, outcome in zip(self.commands, of_the_door, strict=True):
            case = self.seen[command.id]
            if not isinstance(outcome, Done) or command.owner == case.owner:
                continue
            cases[command.owner] = cases.get(command.owner, 0) + 1
            overdue[command.owner] = overdue.get(command.owner, 0) + case.overdue_fen
            for who, by in ((command.owner, 1), (case.owner, -1)):
                change[who] = change.get(who, 0) + by * case.live
        return [
            ReceiverLoad(
                who, cases.get(who, 0), overdue.get(who, 0), self.loads.get(who, 0), self.loads.get(who, 0) + by,
                self.capacity.get(who),
            )
            for who, by in sorted(change.items())
        ]  # fmt: skip


def plan(
    conn: Connection, branch: Branch, actor: Actor, named: Sequence[tuple[int, int | None]], wanted: MoveWanted,
    *, clock: Clock = now,
) -> Plan:  # fmt: skip
    """Who is to have each of the cases `named` (id, and the version that the caller saw); reads, changes nothing.

    CallerErrors: unknown_reason, too_many_cases, repeated_case.
    """
    _check(branch, named, wanted)
    today = branch.today(clock())
    roster = branch.roster(conn, conn.execute(sa.select(register_version.c.version)).scalar_one(), today)
    wanted_ids = sorted(case_id for case_id, _ in named)
    found = {row[0]: from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", wanted_ids)}
    dates = business_dates(conn)
    within = branch.rulebook.permissions.within(actor, SEEN_BY, branch.rulebook.policies.at(today))
    found = {case_id: case for case_id, case in found.items() if within.covers(case)}
    loads = Loads(count=lambda people: open_cases(conn, people))
    receivers = {wanted.owner} if wanted.owner is not None else set[str]()
    loads.need({case.owner for case in found.values()} | receivers)
    spreading = _Spreading(branch, actor, wanted, roster, Loads(dict(loads.counts), loads.count))
    steps: list[Assign | Refused | Mistaken] = []
    for case_id, version in named:
        case = found.get(case_id)
        if case is None:
            steps.append(Mistaken("unknown_case", case_id))
        elif version is not None and version != case.version:
            steps.append(Mistaken("stale_version", case_id, case.version))
        else:
            policy = branch.rulebook.policies.at(dates.get(case.institution, today))
            steps.append(spreading.step(case, policy))
    receivers |= {step.owner for step in steps if isinstance(step, Assign)}
    loads.need(receivers)
    usual = branch.rulebook.policies.at(today).capacities
    known = {who: roster.colleagues[who] for who in loads.counts if who in roster.colleagues}
    return Plan(tuple(steps), found, dict(loads.counts), {who: capacity_of(one, usual) for who, one in known.items()})


@dataclass(frozen=True)
class _Spreading:
    """Chooses case by case, in order, counting on."""

    branch: Branch
    actor: Actor
    wanted: MoveWanted
    roster: Roster
    loads: Loads

    def step(self, case: Case, policy: Policy) -> Assign | Refused:
        """The command for one case, or why there is none."""
        wanted = self.wanted
        if wanted.owner is not None:
            return self._command(case, wanted.owner)
        if case.closed_as is not None:
            return _not_asked(case, case_closed(case.closed_as))
        rules = self.branch.rulebook.owners
        named = belongs_to(case, rules, self.roster)
        if case.live:
            self.loads.lift(case.owner)
        found = choose(rules, case, policy, self.roster, self.loads, named=named, strict=True)
        goes = found.owner if isinstance(found, Assignment) else case.owner
        if case.live:
            self.loads.move(goes)
        if isinstance(found, Nobody):
            return _not_asked(case, nobody_to_receive(found.code, found.post, found.rule))
        if found.owner == case.owner and (wanted.handler or found.owner) == case.handler:
            return _not_asked(case, receiver_unfit("receiver_is_owner", found.owner))
        return self._command(case, found.owner, rule=found.rule, post=found.post)

    def _command(self, case: Case, owner: str, *, rule: str | None = None, post: str | None = None) -> Assign:
        return Assign(
            actor=self.actor, id=case.id, owner=owner, handler=self.wanted.handler, reason=self.wanted.reason,
            rule=rule, post=post, permitted_by=COMMAND, version=case.version,
        )  # fmt: skip


def _not_asked(case: Case, reason: Reason) -> Refused:
    return Refused(case.id, case.version, case.state, (reason,), False, None)


def _check(branch: Branch, named: Sequence[tuple[int, int | None]], wanted: MoveWanted) -> None:
    reasons = branch.rulebook.owners.reasons
    stated = reasons.get(wanted.reason)
    if stated is None or not (stated.by_hand or (wanted.owner is None and wanted.reason == BY_RULE)):
        known = [code for code, one in reasons.items() if one.by_hand]
        raise CallerError(
            "unknown_reason", f"原因代码须为：{'、'.join(known)}", f"the reason must be one of {', '.join(known)}",
            known=known,
        )  # fmt: skip
    if len(named) > MAX_CASES:
        raise CallerError("too_many_cases", at_most=MAX_CASES)
    if len({case_id for case_id, _ in named}) < len(named):
        raise CallerError("repeated_case")
