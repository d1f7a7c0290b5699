"""Subjects of any noun but cases, as somebody is shown them: a child with its case, what is a customer's with theirs.

The reach is that of the door: who reaches the case of a child, or a live case that what is a customer's binds, is shown
it; of a customer without live cases, whoever reaches everything. Nothing here locks or writes.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.codes import texts_of
from casework.customer import Customer, stream_of
from casework.errors import CallerError
from casework.lifecycle.batch import NOBODYS
from casework.lifecycle.gather import select_of
from casework.lifecycle.kept import Kept
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.people.staff.why_not import key_limited
from casework.rules.statechart.decide import Reason, post_reason
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.changed import changed_since
from casework.work.cases.filter import MAX_ID, BusinessDates, check_id, filter_malformed
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.history import HistoryPage, history_of
from casework.work.cases.options import (
    EventOffer,
    FactOffer,
    May,
    OpeningOffer,
    event_offers,
    fact_offers,
    opening_offer,
)
from casework.work.cases.paging import MAX_PAGE, Listing, Place, place_of, read_cursor, write_cursor
from casework.work.cases.queries import CHANGED
from casework.work.cases.reached import cases_within, covered_by
from casework.work.cases.sorts import SortOfNouns
from casework.work.cases.tables import cases


class ShownWanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which subjects: of a case (or, of what is a customer's: that binds it), of a loan, in a state, due by a day.

    `every`: what is over too.
    """

    case_id: int | None = None
    loan_id: str | None = None
    state: str | None = None
    due_by: date | None = None
    every: bool = False


class NounOptions(msgspec.Struct):
    """All that may and may not be done with a subject by the actor who asks, on the business date."""

    id: int
    version: int
    state: str
    business_date: date
    chart: str
    policy: str
    events: list[EventOffer]
    facts: list[FactOffer]


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────


def page_of(
    conn: Connection, branch: Branch, noun: Kept, within: Reach, wanted: ShownWanted, *, limit: int, cursor: str | None,
    sort: SortOfNouns = "id",
) -> tuple[list[Any], str | None]:  # fmt: skip
    """At most `limit` (1 to 200) subjects within a reach, and the cursor after them.

    CallerErrors `filter_malformed`, `cursor_malformed`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    if sort.removeprefix("-") not in noun.table.c:
        raise filter_malformed("sort", "id or -id")
    listed = (noun.word, *msgspec.structs.astuple(wanted))
    place = read_cursor(cursor, listed, sort)
    conditions, case = _asked_for(conn, branch, noun, within, wanted)
    if conditions is None:
        return [], None
    few = cases_within(conn, within) if _by_reach(noun, within, wanted) else None
    listing = Listing(_within(noun, within, few), noun.table.c, conditions, sort)
    found: list[Any] = []
    while len(found) <= limit:
        read = [noun.rows.read(row) for row in listing.fetch(conn, place, limit + 1)]
        found += [one for one in _shown(conn, noun, within, read) if case is None or one.binds(case)]
        if len(read) <= limit:
            break
        place = place_of(read[-1], sort)
    page = found[:limit]
    return page, write_cursor(place_of(page[-1], sort), listed, sort) if len(found) > limit else None


def page_of_changed(
    conn: Connection, branch: Branch, noun: Kept, within: Reach, wanted: ShownWanted, *, since: datetime, limit: int,
    cursor: str | None,
) -> tuple[list[Any], str | None]:  # fmt: skip
    """Those that an entry was written of since, over or not, in the order of the log (`queries.page_of_changed`)."""
    wanted = msgspec.structs.replace(wanted, every=True)
    asked = (noun.word, since, *msgspec.structs.astuple(wanted))
    place = read_cursor(cursor, asked, CHANGED)
    changed = changed_since(conn, noun, since, None if place is None else place.id, limit)
    conditions, case = _asked_for(conn, branch, noun, within, wanted)
    found: dict[int, Any] = {}
    if conditions is not None:
        listed = _within(noun, within).where(*conditions, noun.table.c.id.in_(changed.numbers))
        read = [noun.rows.read(row) for row in conn.execute(listed)]
        found = {one.id: one for one in _shown(conn, noun, within, read) if case is None or one.binds(case)}
    items = [found[number] for number in changed.numbers if number in found]
    return items, None if changed.place is None else write_cursor(Place(None, changed.place), asked, CHANGED)


def _by_reach(noun: Kept, within: Reach, wanted: ShownWanted) -> bool:
    """Whether the reach may single out what is listed: a case or a loan that is asked for does so anyway."""
    return not (within.everything or noun.people or wanted.case_id is not None or wanted.loan_id is not None)


def _asked_for(
    conn: Connection, branch: Branch, noun: Kept, within: Reach, wanted: ShownWanted
) -> tuple[list[sa.ColumnElement[bool]] | None, Any]:
    """The conditions of a filter, none where nothing of it is within reach; and the case that must be bound."""
    conditions = _conditions(branch, noun, wanted)
    if wanted.case_id is None or not noun.of_customer:
        return conditions, None
    case = _case(conn, wanted.case_id)
    if case is None or not within.covers(case):
        return None, case
    columns = noun.table.c
    return [*conditions, columns.institution == case.institution, columns.borrower_id == case.borrower_id], case


def all_of(
    conn: Connection,
    branch: Branch,
    noun: Kept,
    within: Reach,
    wanted: ShownWanted,
    *,
    sort: SortOfNouns = "id",
    at_most: int,
) -> tuple[list[Any], bool]:
    """`at_most` subjects of a filter, page after page, and whether there are more."""
    found: list[Any] = []
    cursor: str | None = None
    while len(found) <= at_most:
        page, cursor = page_of(conn, branch, noun, within, wanted, sort=sort, limit=MAX_PAGE, cursor=cursor)
        found += page
        if cursor is None:
            break
    return found[:at_most], len(found) > at_most


def _conditions(branch: Branch, noun: Kept, wanted: ShownWanted) -> list[sa.ColumnElement[bool]]:
    columns, chart = noun.table.c, branch.rulebook.charts[noun.chart]
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.state is not None:
        if wanted.state not in chart.states:
            raise filter_malformed("state", f"one of {', '.join(sorted(chart.states))}")
        conditions.append(columns.state == wanted.state)
    elif not wanted.every:
        conditions.append(columns.live == sa.true())
    if wanted.loan_id is not None:
        loan_id = check_id("loan_id", wanted.loan_id)
        theirs = sa.select(cases.c.id).where(cases.c.loan_id == loan_id).correlate(None)
        conditions.append(
            columns.loan_id == loan_id if "loan_id" in columns else _column(noun, "parent_id", "loan_id").in_(theirs)
        )
    if wanted.case_id is not None and noun.child:
        conditions.append(columns.parent_id == wanted.case_id)
    if wanted.due_by is not None:
        conditions.append(_column(noun, "due_on", "due_by") <= wanted.due_by)
    return conditions


def _column(noun: Kept, name: str, part: str) -> sa.Column[Any]:
    """CallerError `filter_malformed` where the noun has no such column."""
    if name not in noun.table.c:
        raise filter_malformed(part, f"left out: no {noun.word} has one")
    found: sa.Column[Any] = noun.table.c[name]
    return found


def _within(noun: Kept, within: Reach, few: Collection[int] | None = None) -> sa.Select[Any]:
    """`few`: the cases within the reach, where these are few: then they find what is theirs, not each row its case."""
    columns, wanted = noun.table.c, select_of(noun)
    if within.everything:
        return wanted
    theirs = covered_by(within, cases.c)
    if noun.child:
        own = [columns[name].in_(sorted(within.people)) for name in noun.people]
        its = sa.exists().where(cases.c.id == columns.parent_id, theirs)
        return wanted.where(sa.or_(its if few is None or own else columns.parent_id.in_(few), *own))
    if few is not None:
        wanted = wanted.where(columns.borrower_id.in_(sa.select(cases.c.borrower_id).where(cases.c.id.in_(few))))
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
        (whose,) = whose_are(conn, noun, [subject])
        within = branch.rulebook.permissions.within(actor, f"{noun.word}.read", branch.rulebook.policies.at(today))
        if any(map(within.covers, whose)):
            return subject, whose
    raise unseen_of(branch, noun, number)


def unseen_of(branch: Branch, noun: Kept, number: int) -> CallerError:
    """CallerError `unknown_<noun>`, in the words of its chart."""
    chart = branch.rulebook.charts[noun.chart]
    return CallerError(
        f"unknown_{noun.word}", *texts_of("unknown_noun", {"zh": chart.zh, "en": chart.en.lower()}), id=number
    )


def whose_are(conn: Connection, noun: Kept, read: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """Of each of these subjects the cases through which it is reached."""
    if noun.child:
        parents = rows.select_by_keys(conn, CASE_ROWS, "id", sorted({one.parent_id for one in read}))
        known = {case.id: case for case in map(from_row, parents)}
        return [[known[one.parent_id], *noun.shared(one)] if one.parent_id in known else [] for one in read]
    if noun.of_customer:
        live = _live_cases(conn, {one.borrower_id for one in read})
        return [_bound(one, live) or [NOBODYS] for one in read]
    return [[one] for one in read]


def _case(conn: Connection, number: int) -> Case | None:
    row = conn.execute(CASE_ROWS.where(cases.c.id == number)).one_or_none() if 0 < number <= MAX_ID else None
    return None if row is None else from_row(row)


def _live_cases(conn: Connection, borrowers: Collection[str]) -> list[Case]:
    found = rows.select_by_keys(conn, CASE_ROWS, "borrower_id", sorted(borrowers))
    return [case for case in map(from_row, found) if case.live]


def _bound(subject: Any, live: Sequence[Case]) -> list[Case]:
    whose = (subject.institution, subject.borrower_id)
    return [case for case in live if (case.institution, case.borrower_id) == whose and subject.binds(case)]


def history_of_noun(
    conn: Connection, branch: Branch, noun: Kept, subject: Any, whose: Sequence[Any], actor: Actor, *,
    after: int | None = None, limit: int = 50, newest_first: bool = False,
) -> HistoryPage:  # fmt: skip
    """The entries of a subject in the stream in which it lives, as the history of a case shows them."""
    holder = whose[0] if noun.child else subject
    customer = Customer(holder.institution, holder.borrower_id)
    return history_of(
        conn, branch, stream_of(branch.vault, customer) if noun.of_customer else holder.stream, customer, actor,
        of=(noun.word, subject.id), after=after, limit=limit, newest_first=newest_first,
    )  # fmt: skip


# ── what may be done ────────────────────────────────────────────────────────────────────────────────────────


def options_of(
    branch: Branch, dates: BusinessDates, noun: Kept, subject: Any, whose: Sequence[Any], actor: Actor
) -> NounOptions:
    """Every event of the chart for this subject, actor and business date."""
    chart = branch.rulebook.charts[noun.chart]
    today = dates.of(getattr(subject, "institution", ""))
    policy = branch.rulebook.policies.at(today)
    parent = whose[0] if noun.child else None
    situation = noun.situation(subject, today, policy, actor.id, {}, {}, None, parent)
    may = May(branch.rulebook.permissions, actor, whose, policy)
    return NounOptions(
        subject.id, subject.version, subject.state, today, chart.title, policy.name,
        event_offers(branch, chart, subject, situation, may, f"{noun.word}.event"),
        fact_offers(chart, situation, may, f"{noun.word}.fact"),
    )  # fmt: skip


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
