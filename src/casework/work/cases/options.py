"""What may be done next, and if not now, why and from when: for one case, for a loan.

The answers come from the door's own decisions (statechart.decide); nothing is written, nothing refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.versions import options_under
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Permissions
from casework.people.staff.why_not import key_limited, out_of_reach
from casework.rules.statechart.chart import Chart, Event, Opening
from casework.rules.statechart.decide import (
    Option,
    Reason,
    decide_opening,
    post_reason,
    unmet,
)
from casework.rules.statechart.fields import Field
from casework.rules.statechart.policy import Policy
from casework.storage import rows
from casework.work.cases import fold
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.filter import BusinessDates
from casework.work.cases.gather import days_closed
from casework.work.cases.reasons import open_already, topic_posts
from casework.work.cases.situation import CaseSituation, gathered_of
from casework.work.cases.tables import cases


class Choice(msgspec.Struct):
    """One of the codes a field may hold, in words."""

    code: str
    zh: str
    en: str


class FieldOffer(msgspec.Struct, omit_defaults=True):
    """One field of the data an event, a fact or an opening takes. Dates are ISO, amounts whole fen.

    `hint_zh`, `hint_en`: what a form says beside it.
    """

    name: str
    type: str
    zh: str
    en: str
    required: bool
    one_of: tuple[Choice, ...] = ()
    not_before_today: bool = False
    not_after_today: bool = False
    rules: tuple[str, ...] = ()
    within_days: int | None = None
    above_zero: bool = False
    hint_zh: str | None = None
    hint_en: str | None = None


class ReasonOffer(msgspec.Struct):
    """One reason why not, as `statechart.decide.Reason`."""

    code: str
    rules: tuple[str, ...]
    saw: Mapping[str, Any]
    needs: Mapping[str, Any]
    zh: str
    en: str
    opens_on: date | None


class FourEyesOffer(msgspec.Struct):
    """The topic that an event is under, and the posts that may ask for it, review and approve it: three people."""

    topic: str
    ask: list[str]
    review: list[str]
    approve: list[str]


class PendingRequest(msgspec.Struct):
    """What was asked for already: `missing` is who still has to act; `changed` or `void`: it can only be returned."""

    id: int
    state: str
    asked_by: str
    reviewed_by: str | None
    expires_on: date
    missing: list[str]
    changed: bool
    void: bool


class EventOffer(msgspec.Struct):
    """One event as it stands. `posts` could do it; `opens_on` is set where time alone will change the answer.

    `allowed` by chart, post and reach; with `four_eyes` the event is asked for, and others decide.

    A guard that judges the data given (the agency to place with) is judged here without it.
    """

    event: str
    zh: str
    en: str
    allowed: bool
    reasons: list[ReasonOffer]
    data: list[FieldOffer]
    posts: tuple[str, ...]
    leads_to: tuple[str, ...]
    opens_on: date | None
    rules: tuple[str, ...]
    four_eyes: FourEyesOffer | None = None
    flags: list[ReasonOffer] = []  # what speaks against it and forbids nothing; as the case is, the data aside
    request: PendingRequest | None = None  # filled in by casework.work.four_eyes.listing


class FactOffer(msgspec.Struct):
    """A kind of fact that may be recorded; each also takes its date `on` and a reference `evidence`.

    A guard that judges the data given, or the day, is judged here without them.
    """

    kind: str
    zh: str
    en: str
    allowed: bool
    reasons: list[ReasonOffer]
    data: list[FieldOffer]
    posts: tuple[str, ...]
    rules: tuple[str, ...]


class CaseOptions(msgspec.Struct):
    """All that may and may not be done with a case by the actor who asks, on the business date."""

    case_id: int
    version: int
    state: str
    business_date: date
    chart: str
    policy: str
    events: list[EventOffer]
    facts: list[FactOffer]


class OpeningOffer(msgspec.Struct):
    """Whether something may be opened on this ground by the actor who asks."""

    ground: str
    zh: str
    en: str
    allowed: bool
    reasons: list[ReasonOffer]
    data: list[FieldOffer]
    posts: tuple[str, ...]
    rules: tuple[str, ...]


# ── one case ────────────────────────────────────────────────────────────────────────────────────────────────


def options_of_case(conn: Connection, branch: Branch, dates: BusinessDates, case: Case, actor: Actor) -> CaseOptions:
    """Every event of the chart and every kind of fact, for this case, actor and business date."""
    chart = branch.rulebook.chart
    today = dates.of(case.institution)
    newer = {} if case.live else newer_cases(conn, [case])
    situation = situation_of(case, branch, today, actor.id, newer, days_closed(conn))
    may = May(branch.rulebook.permissions, actor, [case], situation.policy)
    return CaseOptions(
        case.id, case.version, case.state, today, chart.title, situation.policy.name,
        event_offers(branch, chart, case, situation, may, "case.event"),
        fact_offers(chart, situation, may, "case.fact"),
    )  # fmt: skip


class _Part(Protocol):
    """An event, a kind of fact or a ground of opening: who may, by which rules."""

    @property
    def posts(self) -> frozenset[str]: ...
    @property
    def rules(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class May:
    """Why the actor may not do a part of a chart to any of these cases, guards aside; as route and door would say."""

    permissions: Permissions
    actor: Actor
    whose: Sequence[Any]
    policy: Policy

    def __call__(
        self, command: str, part: _Part, only_own: Mapping[str, tuple[str, ...]] | None = None
    ) -> list[Reason]:
        """The reasons; none if they may."""
        if self.actor.commands is not None and command not in self.actor.commands:
            return [key_limited(command, self.actor.commands)]
        for one in self.whose:
            if self.permissions.authority(self.actor, part.posts, one, self.policy, only_own or ()) is not None:
                return []
        held = self.actor.posts.union(*(principal.posts for principal in self.actor.principals))
        if not part.posts & held:
            return [post_reason(part.posts, self.actor.posts, part.rules)]
        return [out_of_reach(part.posts & held, part.rules, only_own)]


def situation_of(
    case: Case, branch: Branch, today: date, actor_id: str, newer: Mapping[int, int], closed: Mapping[str, date],
) -> CaseSituation:  # fmt: skip
    """What guards look at, as the door would show it to them."""
    gathered = gathered_of(newer.get(case.id), today, closed.get(case.institution))
    return CaseSituation(case, today, branch.rulebook.policies.at(today), actor_id, {}, gathered)


def newer_cases(conn: Connection, asked: Sequence[Case]) -> dict[int, int]:
    """For each closed case the newest later case of its loan, where there is one; one statement."""
    closed = [case for case in asked if not case.live]
    loans = {case.loan_id for case in closed}
    newest: dict[str, int] = {}
    for row in rows.select_by_keys(conn, _OF_LOANS, "loan_id", loans):
        newest[row.loan_id] = max(row.id, newest.get(row.loan_id, 0))
    return {case.id: newest[case.loan_id] for case in closed if newest.get(case.loan_id, 0) > case.id}


_OF_LOANS = sa.select(cases.c.loan_id, cases.c.id)


def event_offers(
    branch: Branch, chart: Chart, subject: Any, situation: Any, may: May, command: str
) -> list[EventOffer]:
    """Every event of the chart as it stands, with all that speaks against it."""
    return [
        _event_offer(branch, chart, option, situation, may(command, spec := chart.events[option.event], spec.only_own))
        for option in options_under(chart, subject, situation)
    ]


def fact_offers(chart: Chart, situation: Any, may: May, command: str) -> list[FactOffer]:
    """Every kind of fact, with all that speaks against recording one."""
    offers = []
    for kind in chart.facts.values():
        why_not = [*may(command, kind, kind.only_own), *unmet(kind.guards, situation)]
        offers.append(
            FactOffer(kind.name, kind.zh, kind.en, not why_not, [reason_offer(reason) for reason in why_not],
                      fields_of(kind.fields, situation.policy), tuple(sorted(kind.posts)), kind.rules)
        )  # fmt: skip
    return offers


def _event_offer(branch: Branch, chart: Chart, option: Option, situation: Any, why_not: list[Reason]) -> EventOffer:
    spec = chart.events[option.event]
    reasons = [reason_offer(reason) for reason in (*why_not, *option.reasons)]
    return EventOffer(
        spec.name, spec.zh, spec.en, option.allowed and not why_not, reasons, fields_of(spec.fields, situation.policy),
        tuple(sorted(spec.posts)), option.leads_to, option.opens_on, spec.rules, _four_eyes(branch, spec),
        [reason_offer(flag) for flag in unmet(spec.flags, situation)] if option.leads_to else [],
    )  # fmt: skip


def _four_eyes(branch: Branch, spec: Event) -> FourEyesOffer | None:
    if spec.four_eyes is None:
        return None
    return FourEyesOffer(spec.four_eyes, **topic_posts(branch.rulebook.requests.approvals[spec.four_eyes]))


def reason_offer(reason: Reason) -> ReasonOffer:
    """A reason in its wire form."""
    return ReasonOffer(reason.code, reason.rules, reason.saw, reason.needs, reason.zh, reason.en, reason.opens_on)


def fields_of(fields: Mapping[str, Field], policy: Policy) -> list[FieldOffer]:
    """Declared fields in their wire form, as `policy` bounds them."""
    return [
        FieldOffer(field.name, field.type, field.zh, field.en, not field.optional, _choices(field),
                   field.not_before_today, field.not_after_today, field.rules, field.days_ahead(policy),
                   field.above_zero, *((None, None) if field.hint is None else (field.hint["zh"], field.hint["en"])))
        for field in fields.values()
    ]  # fmt: skip


def _choices(field: Field) -> tuple[Choice, ...]:
    return tuple(Choice(code, words["zh"], words["en"]) for code, words in field.choices.items())


# ── a loan ──────────────────────────────────────────────────────────────────────────────────────────────────


def openings_of_loan(
    conn: Connection,
    branch: Branch,
    dates: BusinessDates,
    actor: Actor,
    *,
    loan: Mapping[str, str | None],
    measure: Mapping[str, Any],
) -> list[OpeningOffer]:
    """On which grounds a case of this loan may be opened; `loan` and `measure` as in `commands.Open`."""
    chart = branch.rulebook.chart
    today = dates.of(str(loan["institution"]))
    policy = branch.rulebook.policies.at(today)
    live = conn.execute(
        sa.select(cases.c.id).where(cases.c.loan_id == loan["loan_id"], cases.c.live == sa.true())
    ).scalar()
    offers = []
    for ground in chart.openings.values():
        # As the door asks it: the rep whom the loan names counts as the owner until the rules have chosen one.
        data = {
            **loan, "owner": loan["owner"] or "", "named": loan["owner"], "ground": ground.name, "measure": measure,
            "business_date": today.isoformat(),
        }  # fmt: skip
        case = fold.open_case(0, actor.id, chart, data)
        refusal = decide_opening(ground, CaseSituation(case, today, policy, actor.id), ground.posts)
        reasons = May(branch.rulebook.permissions, actor, [case], policy)("case.open", ground)
        reasons += refusal.reasons if refusal else ()
        if live is not None:
            reasons.append(open_already(live))
        offers.append(opening_offer(ground, reasons, policy))
    return offers


def opening_offer(ground: Opening, reasons: Sequence[Reason], policy: Policy) -> OpeningOffer:
    """A ground in its wire form, with every reason against it."""
    return OpeningOffer(
        ground.name, ground.zh, ground.en, not reasons, [reason_offer(one) for one in reasons],
        fields_of(ground.fields, policy), tuple(sorted(ground.posts)), ground.rules,
    )  # fmt: skip
