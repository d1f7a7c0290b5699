"""What may be done next, and if not now, why and from when: for one case, for a set of cases, for a loan.

The answers come from the door's own decisions (statechart.decide); nothing is written, nothing refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import rows
from casework.cases import fold
from casework.cases.advance import open_already
from casework.cases.branch import Branch
from casework.cases.case import Case, from_row
from casework.cases.filter import BusinessDates, CaseFilter
from casework.cases.gather import CASE_ROWS
from casework.cases.queries import walk_cases
from casework.cases.situation import Situation
from casework.cases.tables import cases
from casework.errors import CallerError
from casework.staff.actor import Actor
from casework.statechart.chart import Arc, Chart
from casework.statechart.decide import Option, Reason, decide_opening, options, post_reason
from casework.statechart.fields import Field
from casework.statechart.registry import Verdict

MAX_DRY_RUN = 10_000
_CHUNK = 1_000


class Choice(msgspec.Struct):
    """One of the codes a field may hold, in words."""

    code: str
    zh: str
    en: str


class FieldOffer(msgspec.Struct, omit_defaults=True):
    """One field of the data an event, a fact or an opening takes. Dates are ISO, amounts whole fen."""

    name: str
    type: str
    zh: str
    en: str
    required: bool
    one_of: tuple[Choice, ...] = ()
    not_before_today: bool = False
    not_after_today: bool = False
    rules: tuple[str, ...] = ()


class ReasonOffer(msgspec.Struct):
    """One reason why not, as `statechart.decide.Reason`."""

    code: str
    rules: tuple[str, ...]
    saw: Mapping[str, Any]
    needs: Mapping[str, Any]
    zh: str
    en: str
    opens_on: date | None


class EventOffer(msgspec.Struct):
    """One event as it stands. `posts` could do it; `opens_on` is set where time alone will change the answer.

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


class FactOffer(msgspec.Struct):
    """A kind of fact that may be recorded; each also takes its date `on` and a reference `evidence`."""

    kind: str
    zh: str
    en: str
    allowed: bool
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
    """Whether a case of the loan may be opened on this ground by the actor who asks."""

    ground: str
    zh: str
    en: str
    allowed: bool
    reasons: list[ReasonOffer]
    data: list[FieldOffer]
    posts: tuple[str, ...]
    rules: tuple[str, ...]


class EventTotals(msgspec.Struct):
    """Of the cases asked about: how many may take the event, how many not, and how often for which reason.

    `opens_later` counts those that time alone will open. A case counts once under each of its reasons.
    """

    event: str
    allowed: int = 0
    refused: int = 0
    opens_later: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)


class DryRun(msgspec.Struct):
    """Totals over `cases` cases; `cut`: the filter holds more than that; `unknown`: ids not found."""

    cases: int
    cut: bool
    unknown: list[int]
    by_state: dict[str, int]
    events: list[EventTotals]


# ── one case ────────────────────────────────────────────────────────────────────────────────────────────────


def options_of_case(conn: Connection, branch: Branch, dates: BusinessDates, case: Case, actor: Actor) -> CaseOptions:
    """Every event of the chart and every kind of fact, for this case, actor and business date."""
    chart = branch.rulebook.chart
    today = dates.of(case.institution)
    newer = {} if case.live else _newer_cases(conn, [case])
    situation = _situation(case, branch, today, actor, newer)
    offers = [_event_offer(chart, option) for option in options(chart, case.state, situation, actor.posts)]
    facts = [
        FactOffer(kind.name, kind.zh, kind.en, bool(kind.posts & actor.posts), fields_of(kind.fields, chart),
                  tuple(sorted(kind.posts)), kind.rules)
        for kind in chart.facts.values()
    ]  # fmt: skip
    return CaseOptions(case.id, case.version, case.state, today, chart.title, situation.policy.name, offers, facts)


def _situation(case: Case, branch: Branch, today: date, actor: Actor, newer: Mapping[int, int]) -> Situation:
    gathered = {"newer_case": newer[case.id]} if case.id in newer else {}
    return Situation(case, today, branch.rulebook.policies.at(today), actor.id, gathered=gathered)


def _newer_cases(conn: Connection, asked: Sequence[Case]) -> dict[int, int]:
    """For each closed case the newest later case of its loan, where there is one; one statement."""
    closed = [case for case in asked if not case.live]
    loans = {case.loan_id for case in closed}
    newest: dict[str, int] = {}
    for row in rows.select_by_keys(conn, _OF_LOANS, "loan_id", loans):
        newest[row.loan_id] = max(row.id, newest.get(row.loan_id, 0))
    return {case.id: newest[case.loan_id] for case in closed if newest.get(case.loan_id, 0) > case.id}


_OF_LOANS = sa.select(cases.c.loan_id, cases.c.id)


def _event_offer(chart: Chart, option: Option) -> EventOffer:
    spec = chart.events[option.event]
    return EventOffer(
        spec.name, spec.zh, spec.en, option.allowed, [reason_offer(reason) for reason in option.reasons],
        fields_of(spec.fields, chart), tuple(sorted(spec.posts)), option.leads_to, option.opens_on,
        spec.rules,
    )  # fmt: skip


def reason_offer(reason: Reason) -> ReasonOffer:
    """A reason in its wire form."""
    return ReasonOffer(reason.code, reason.rules, reason.saw, reason.needs, reason.zh, reason.en, reason.opens_on)


def fields_of(fields: Mapping[str, Field], chart: Chart) -> list[FieldOffer]:
    """Declared fields in their wire form."""
    return [
        FieldOffer(field.name, field.type, field.zh, field.en, not field.optional, _choices(field, chart),
                   field.not_before_today, field.not_after_today, field.rules)
        for field in fields.values()
    ]  # fmt: skip


def _choices(field: Field, chart: Chart) -> tuple[Choice, ...]:
    words = [(code, chart.words.get(code, {})) for code in field.one_of]
    return tuple(Choice(code, told.get("zh", code), told.get("en", code)) for code, told in words)


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
        data = {**loan, "ground": ground.name, "measure": measure, "business_date": today.isoformat()}
        case = fold.open_case(0, actor.id, chart, data)
        refusal = decide_opening(ground, Situation(case, today, policy, actor.id), actor.posts | ground.posts)
        reasons = list(refusal.reasons) if refusal else []
        if not ground.posts & actor.posts:
            reasons.insert(0, post_reason(ground.posts, actor.posts, ground.rules))
        if live is not None:
            reasons.append(open_already(live))
        offers.append(
            OpeningOffer(ground.name, ground.zh, ground.en, not reasons, [reason_offer(r) for r in reasons],
                         fields_of(ground.fields, chart), tuple(sorted(ground.posts)), ground.rules)
        )  # fmt: skip
    return offers


# ── a set of cases ──────────────────────────────────────────────────────────────────────────────────────────


def dry_run(
    conn: Connection,
    branch: Branch,
    dates: BusinessDates,
    asked: CaseFilter | Sequence[int],
    actor: Actor,
    *,
    events: Iterable[str] = (),
) -> DryRun:
    """What could be done with these cases: totals by event (all, or those named) and by reason.

    At most 10,000 cases: more ids are a CallerError `too_many_cases`, a larger filter is `cut`. CallerError
    `unknown_event` for an event the chart does not know.
    """
    chart = branch.rulebook.chart
    names = tuple(dict.fromkeys(events)) or tuple(chart.events)
    for name in names:
        if name not in chart.events:
            short = name[:64]
            raise CallerError("unknown_event", f"没有事件 {short}", f"there is no event {short}", event=short)
    result = DryRun(0, False, [], {}, [EventTotals(name) for name in names])
    if isinstance(asked, CaseFilter):
        chunks: Iterable[list[int]] = (
            [line.id for line in lines] for lines in walk_cases(conn, dates, asked, at_most=MAX_DRY_RUN + 1)
        )
    else:
        wanted = sorted(set(asked))
        if len(wanted) > MAX_DRY_RUN:
            zh, en = f"一次最多{MAX_DRY_RUN}个案件", f"at most {MAX_DRY_RUN} cases at once"
            raise CallerError("too_many_cases", zh, en, at_most=MAX_DRY_RUN)
        chunks = (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))
    for chunk in chunks:
        ids = chunk[: MAX_DRY_RUN - result.cases]
        result.cut = len(ids) < len(chunk)
        found = [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", ids)]
        if len(found) < len(ids):
            result.unknown += sorted(set(ids) - {case.id for case in found})
        newer = _newer_cases(conn, found)
        for case in found:
            today = dates.of(case.institution)
            _count(result, chart, _situation(case, branch, today, actor, newer), actor)
    return result


def _count(result: DryRun, chart: Chart, situation: Situation, actor: Actor) -> None:
    case = situation.case
    result.cases += 1
    result.by_state[case.state] = result.by_state.get(case.state, 0) + 1
    for totals in result.events:
        spec = chart.events[totals.event]
        codes = [] if spec.posts & actor.posts else ["post_not_permitted"]
        arc = spec.arcs.get(case.state)
        if arc is None:
            codes.append("wrong_state")
        else:
            # The texts of ten thousand cases' reasons would never be read: verdicts are enough.
            unmet = [(use.guard.name, verdict) for use in arc.guards if not (verdict := use.verdict(situation)).met]
            totals.opens_later += not codes and _opens_later(arc, [verdict for _, verdict in unmet], situation)
            codes += [name for name, _ in unmet]
        totals.allowed += not codes
        totals.refused += bool(codes)
        for code in dict.fromkeys(codes):
            totals.reasons[code] = totals.reasons.get(code, 0) + 1


def _opens_later(arc: Arc, unmet: Sequence[Verdict], situation: Situation) -> bool:
    """As `statechart.decide` says of one option: time alone meets every guard, and none lapses first."""
    days = [verdict.opens_on for verdict in unmet if verdict.opens_on is not None]
    if not days or len(days) < len(unmet):
        return False
    then = situation.at(max(days))
    return all(use.verdict(then).met for use in arc.guards)
