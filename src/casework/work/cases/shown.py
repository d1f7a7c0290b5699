"""Subjects of any noun but cases, as somebody is shown them: a child with its case, what is a customer's with theirs.

The reach is that of the door: who reaches the case of a child, or a live case that what is a customer's binds, is shown
it; of a customer without live cases, whoever reaches everything. Nothing here locks or writes.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.lifecycle.batch import NOBODYS
from casework.lifecycle.gather import select_of
from casework.lifecycle.kept import Kept
from casework.lifecycle.versions import options_under
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.people.staff.why_not import key_limited
from casework.rules.statechart.decide import Reason, post_reason
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.filter import (
    MAX_ID,
    BusinessDates,
    check_id,
    filter_malformed,
)
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.options import (
    EventOffer,
    May,
    OpeningOffer,
    event_offer,
    opening_offer,
)
from casework.work.cases.queries import MAX_PAGE, cursor_after, place_of
from casework.work.cases.reached import covered_by
from casework.work.cases.tables import cases
from casework.work.cases.unseen import texts_of_unseen


class Wanted(msgspec.Struct, frozen=True):
    """A filter of a list: of a case (or, of what is a customer's: that binds it), of a loan, in a state.

    `every`: what is over too.
    """

    case_id: int | None = None
    loan_id: str | None = None
    state: str | None = None
    every: bool = False


class Options(msgspec.Struct):
    """All that may and may not be done with a subject by the actor who asks, on the business date."""

    id: int
    version: int
    state: str
    business_date: date
    chart: str
    policy: str
    events: list[EventOffer]


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────


def page_of(
    conn: Connection, branch: Branch, noun: Kept, within: Reach, wanted: Wanted, *, limit: int, cursor: str | None
) -> tuple[list[Any], str | None]:
    """At most `limit` (1 to 200) subjects within a reach in the order of their numbers, and the cursor after them.

    CallerErrors `filter_malformed`, `cursor_malformed`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    listed = (noun.word, *msgspec.structs.astuple(wanted))
    after, case = place_of(cursor, listed), None
    conditions = _conditions(branch, noun, wanted)
    if wanted.case_id is not None and noun.of_customer:
        case = _case(conn, wanted.case_id)
        if case is None or not within.covers(case):
            return [], None
        conditions += [noun.table.c.institution == case.institution, noun.table.c.borrower_id == case.borrower_id]
    found: list[Any] = []
    while len(found) <= limit:
        read = [noun.rows.read(row) for row in conn.execute(_statement(noun, within, conditions, after, limit + 1))]
        found += [
            one for one in _shown(conn, noun, within, read) if case is None or one.binds(case)
        ]  # fmt: skip
        if len(read) <= limit:
            break
        after = read[-1].id
    page = found[:limit]
    return page, cursor_after(page[-1].id, listed) if len(found) > limit else None


def _conditions(branch: Branch, noun: Kept, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    columns, chart = noun.table.c, branch.rulebook.charts[noun.chart]
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.state is not None:
        if wanted.state not in chart.states:
            raise filter_malformed("state", f"one of {', '.join(sorted(chart.states))}")
        conditions.append(columns.state == wanted.state)
    elif not wanted.every:
        conditions.append(columns.live == sa.true())
    if wanted.loan_id is not None:
        conditions.append(columns.loan_id == check_id("loan_id", wanted.loan_id))
    if wanted.case_id is not None and noun.child:
        conditions.append(columns.parent_id == wanted.case_id)
    return conditions


def _statement(
    noun: Kept, within: Reach, conditions: Sequence[sa.ColumnElement[bool]], after: int, limit: int
) -> sa.Select[Any]:
    columns = noun.table.c
    wanted = select_of(noun).where(columns.id > after, *conditions).order_by(columns.id).limit(limit)
    if within.everything:
        return wanted
    theirs = covered_by(within, cases.c)
    if noun.child:
        return wanted.join_from(noun.table, cases, cases.c.id == columns.parent_id).where(theirs)
    return wanted.where(
        sa.exists().where(
            cases.c.institution == columns.institution, cases.c.borrower_id == columns.borrower_id,
            cases.c.live == sa.true(), theirs,
        )
    )  # fmt: skip


def _shown(conn: Connection, noun: Kept, within: Reach, read: Sequence[Any]) -> Iterable[Any]:
    """Those of them that bind a case within the reach: what binds one loan is not shown with another."""
    if within.everything or not noun.of_customer:
        return read
    live = _live_cases(conn, {one.borrower_id for one in read})
    return [one for one in read if any(map(within.covers, _bound(one, live)))]


# ── one ─────────────────────────────────────────────────────────────────────────────────────────────────────


def seen(
    conn: Connection, branch: Branch, noun: Kept, actor: Actor, number: int, today: date
) -> tuple[Any, Sequence[Any]]:
    """The subject and the cases through which it is reached; CallerError `unknown_<noun>`, the same where none is."""
    row = None
    if 0 < number <= MAX_ID:
        row = conn.execute(select_of(noun).where(noun.table.c.id == number)).one_or_none()
    if row is not None:
        subject = noun.rows.read(row)
        whose = _whose(conn, noun, subject)
        within = branch.rulebook.permissions.within(actor, f"{noun.word}.read", branch.rulebook.policies.at(today))
        if any(map(within.covers, whose)):
            return subject, whose
    raise unseen_of(branch, noun, number)


def unseen_of(branch: Branch, noun: Kept, number: int) -> CallerError:
    """CallerError `unknown_<noun>`, in the words of its chart."""
    chart = branch.rulebook.charts[noun.chart]
    return CallerError(f"unknown_{noun.word}", *texts_of_unseen(chart.zh, chart.en.lower()), id=number)


def _whose(conn: Connection, noun: Kept, subject: Any) -> Sequence[Any]:
    if noun.child:
        return [case for case in [_case(conn, subject.parent_id)] if case is not None]
    if noun.of_customer:
        return _bound(subject, _live_cases(conn, {subject.borrower_id})) or [NOBODYS]
    return [subject]


def _case(conn: Connection, number: int) -> Case | None:
    row = conn.execute(CASE_ROWS.where(cases.c.id == number)).one_or_none() if 0 < number <= MAX_ID else None
    return None if row is None else from_row(row)


def _live_cases(conn: Connection, borrowers: Collection[str]) -> list[Case]:
    found = rows.select_by_keys(conn, CASE_ROWS, "borrower_id", sorted(borrowers))
    return [case for case in map(from_row, found) if case.live]


def _bound(subject: Any, live: Sequence[Case]) -> list[Case]:
    whose = (subject.institution, subject.borrower_id)
    return [case for case in live if (case.institution, case.borrower_id) == whose and subject.binds(case)]


# ── what may be done ────────────────────────────────────────────────────────────────────────────────────────


def options_of(
    branch: Branch, dates: BusinessDates, noun: Kept, subject: Any, whose: Sequence[Any], actor: Actor
) -> Options:
    """Every event of the chart for this subject, actor and business date."""
    chart = branch.rulebook.charts[noun.chart]
    today = dates.of(getattr(subject, "institution", ""))
    policy = branch.rulebook.policies.at(today)
    parent = whose[0] if noun.child else None
    situation = noun.situation(subject, today, policy, actor.id, {}, {}, None, parent)
    may = May(branch.rulebook.permissions, actor, whose, policy)
    command = f"{noun.word}.event"
    events = [
        event_offer(branch, chart, option, situation, may(command, spec := chart.events[option.event], spec.only_own))
        for option in options_under(chart, subject, situation)
    ]
    return Options(subject.id, subject.version, subject.state, today, chart.title, policy.name, events)


def openings_of(branch: Branch, noun: Kept, actor: Actor, today: date) -> list[OpeningOffer]:
    """The grounds of the chart and what each takes; allowed by post alone, guards judge what is given."""
    policy, command = branch.rulebook.policies.at(today), f"{noun.word}.open"
    held = actor.posts.union(*(principal.posts for principal in actor.principals))
    offers = []
    for ground in branch.rulebook.charts[noun.chart].openings.values():
        reasons: list[Reason] = []
        if actor.commands is not None and command not in actor.commands:
            reasons.append(key_limited(command, actor.commands))
        elif not ground.posts & held:
            reasons.append(post_reason(ground.posts, actor.posts, ground.rules))
        offers.append(opening_offer(ground, reasons, policy))
    return offers
