"""Giving cases out each morning to who works on them (1.3.1a, e): by rule, one debtor one caller; owners stay.

The plan reads; carrying it out is the door's (`Assign`). Reproducible: the same cases, register and rules give the same
people. Whoever handles a case keeps it while the rule still names their post and they are there; what a manager moved
by hand stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.people.shifts.answering import Answer, Answers, answers_on
from casework.people.staff.actor import Actor
from casework.people.staff.person import ACTIVE
from casework.people.staff.roster import Roster
from casework.people.staff.tables import register_version
from casework.rules.statechart.policy import Policy
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.commands import Assign
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.owner_rules import DISTRIBUTED, OwnerRule
from casework.work.cases.ownership import Loads, capacity_of
from casework.work.cases.tables import cases, owner_history

COMMAND: Final = "case.distribute"
_IN_HOUSE: Final = CASE_ROWS.where(
    cases.c.live, cases.c.state.in_(sa.bindparam("states", expanding=True)), cases.c.id > sa.bindparam("after")
).order_by(cases.c.id).limit(5_000)  # fmt: skip
_HANDLED: Final = sa.select(cases.c.handler, sa.func.count()).where(cases.c.live).group_by(cases.c.handler)
_later = owner_history.alias("later")
_BY_HAND: Final = sa.select(owner_history.c.case_id, owner_history.c.owner, owner_history.c.handler).where(
    owner_history.c.reason.in_(sa.bindparam("reasons", expanding=True)),
    ~sa.exists().where(
        _later.c.case_id == owner_history.c.case_id, _later.c.stream_seq > owner_history.c.stream_seq
    ),
)  # fmt: skip
_HISTORY: Final = sa.select(owner_history.c.case_id, owner_history.c.stream_seq, owner_history.c.owner)


class Handled(NamedTuple):
    """A case as the distribution sees it."""

    id: int
    institution: str
    borrower_id: str
    loan_id: str
    team: str | None
    region: str | None
    owner: str
    handler: str
    version: int
    live: bool
    rule: OwnerRule


class Move(NamedTuple):
    """Who is to work on a case, by which rule; `post` none: its owner."""

    case: Handled
    handler: str
    rule: OwnerRule
    post: str | None


class Unplaced(NamedTuple):
    """Nobody of the post may have the case, so that its owner works on it: `no_holder`, `no_capacity` or `all_full`."""

    case: Handled
    post: str
    code: str


@dataclass(slots=True)
class Distribution:
    """A plan. `by_hand`: cases that a manager gave to somebody, who keeps them; the loads before and after.

    `answers`: who answers that day in the place of handlers who are off; their cases stay with them.
    """

    on: date
    cases: int = 0
    moves: list[Move] = field(default_factory=list)
    by_hand: list[int] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    capacity: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)

    def commands(self, actor: Actor) -> Iterator[Assign]:
        """For the door."""
        for move in self.moves:
            yield Assign(
                actor=actor, id=move.case.id, owner=move.case.owner, handler=move.handler, reason=DISTRIBUTED,
                rule=move.rule.name, permitted_by=COMMAND, keep_capacity=False, version=move.case.version,
            )  # fmt: skip


def plan(conn: Connection, branch: Branch, on: date, *, clock: Clock = now) -> Distribution:
    """Who is to work on each case in house on that day; reads, changes nothing.

    For a morning that is over the register is as it is today: nobody gives cases to who was there once.
    """
    known = conn.execute(sa.select(register_version.c.version)).scalar_one()
    policy = branch.rulebook.policies.at(on)
    answers = answers_on(conn, branch.rulebook.shifts, policy, on)
    roster = _off_are_away(branch.roster(conn, known, max(on, branch.today(clock()))), answers)
    found = list(_in_house(conn, branch, policy))
    before = {row.handler: row[1] for row in conn.execute(_HANDLED)}
    made = Distribution(on, len(found), before=before)
    by_hand = _by_hand(conn, branch, found)
    spreading = _Spreading(made, roster, policy, Loads(dict(before), count=lambda _: {}), by_hand)
    found.sort(key=lambda one: (one.institution, one.borrower_id, str(one.rule.post), one.id))
    for _, together in groupby(found, key=lambda one: (one.institution, one.borrower_id, str(one.rule.post))):
        spreading.spread(list(together))
    made.moves.sort(key=lambda move: move.case.id)
    made.after = {who: number for who, number in spreading.loads.counts.items() if number or who in before}
    made.capacity = {
        who: capacity_of(colleague, policy.capacities)
        for who in made.after if (colleague := roster.colleagues.get(who)) is not None
    }  # fmt: skip
    handling = made.after.keys()
    made.answers = {who: answer for who, answer in answers.who_of_all().items() if who in handling}
    return made


def _off_are_away(roster: Roster, answers: Answers) -> Roster:
    """Who is off that day comes after everybody who is there, as who is on leave does."""
    colleagues = {
        who: replace(one, away=True) if not one.away and answers.is_off(who) else one
        for who, one in roster.colleagues.items()
    }
    return replace(roster, colleagues=colleagues)


def _in_house(conn: Connection, branch: Branch, policy: Policy) -> Iterator[Handled]:
    rules, after = branch.rulebook.owners, 0
    states = sorted(branch.rulebook.chart.groups["in_house"])
    while page := conn.execute(_IN_HOUSE, {"states": states, "after": after}).all():
        for row in page:
            case: Case = from_row(row)
            yield Handled(
                case.id, case.institution, case.borrower_id, case.loan_id, case.team, case.region, case.owner,
                case.handler, case.version, case.live, rules.handling(case, policy),
            )  # fmt: skip
        after = page[-1].id


def _by_hand(conn: Connection, branch: Branch, found: Sequence[Handled]) -> frozenset[int]:
    """The cases whose handler, not their owner, a manager named last: somebody else, or their owner after all."""
    reasons = sorted(code for code, one in branch.rulebook.owners.reasons.items() if one.by_hand)
    now_ = {one.id: one.handler for one in found}
    named = [row for row in conn.execute(_BY_HAND, {"reasons": reasons}) if now_.get(row.case_id) == row.handler]
    kept = {row.case_id for row in named if row.handler != row.owner}
    unsure = {row.case_id: row.owner for row in named if row.handler == row.owner}
    before: dict[int, list[Any]] = {}
    for row in rows.select_by_keys(conn, _HISTORY, "case_id", sorted(unsure)):
        before.setdefault(row.case_id, []).append(row)
    for case_id, of_case in before.items():
        of_case.sort(key=lambda row: row.stream_seq)
        if len(of_case) > 1 and of_case[-2].owner == unsure[case_id]:
            kept.add(case_id)
    return frozenset(kept)


@dataclass(frozen=True)
class _Spreading:
    """Chooses debtor by debtor, in order, counting on."""

    made: Distribution
    roster: Roster
    policy: Policy
    loads: Loads
    by_hand: frozenset[int]

    def spread(self, together: Sequence[Handled]) -> None:
        """The cases of one debtor that are for one post, or for their owners."""
        kept = [one for one in together if one.id in self.by_hand and self._may_stay(one)]
        self.made.by_hand += [one.id for one in kept]
        others = [one for one in together if one not in kept]
        post = together[0].rule.post
        if not others:
            return
        if post is None:
            for one in others:
                self._give(one, one.owner, None)
            return
        handler = self._caller(together, kept, others[0], post)
        for one in others:
            self._give(one, handler or one.owner, post if handler else None)

    def _caller(
        self, together: Sequence[Handled], kept: Sequence[Handled], first: Handled, post: str
    ) -> str | None:  # fmt: skip
        """Who calls the debtor: whoever does by a manager's word, or did until now, else the nearest with room."""
        for one in (*kept, *together):
            colleague = self.roster.colleagues.get(one.handler)
            if colleague is not None and self._is_there(one.handler) and post in colleague.posts:
                return one.handler
        picked = self.loads.holders(self.roster, post, self.policy.capacities).nearest(first, self.roster.going)
        if picked is not None and picked[1]:
            return picked[0].staff_no
        code = "no_holder" if picked is None else "all_full" if self._may_have_any(post) else "no_capacity"
        self.made.unplaced += [Unplaced(one, post, code) for one in together if one not in kept]
        return None

    def _may_have_any(self, post: str) -> bool:
        """Whether anybody of the post may have any case at all."""
        holders = self.roster.by_post.get(post, ())
        return any(capacity_of(one, self.policy.capacities) for one in holders if one.staff_no not in self.roster.going)

    def _may_stay(self, one: Handled) -> bool:
        return one.handler == one.owner or self._is_there(one.handler)

    def _is_there(self, staff_no: str) -> bool:
        colleague = self.roster.colleagues.get(staff_no)
        return colleague is not None and colleague.status == ACTIVE and staff_no not in self.roster.going

    def _give(self, one: Handled, handler: str, post: str | None) -> None:
        if handler == one.handler:
            return
        self.loads.move(handler, was=one.handler)
        self.made.moves.append(Move(one, handler, one.rule, post))
