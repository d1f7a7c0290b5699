"""Where the tasks of a morning come from: each source finds its own; a further one is a line in `SOURCES`.

All of it is what the close of the day before left; a source asks once for the whole branch.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from casework.storage import rows
from casework.storage.rare import rare
from casework.work.cases.call_backs_due import call_backs_due
from casework.work.cases.case import AttemptDay
from casework.work.cases.gather import business_dates
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import PROMISES
from casework.work.cases.tables import cases
from casework.work.cases.task_rules import BY_HAND
from casework.work.duties.tables import duties
from casework.work.duties.taking import reckon, taken
from casework.work.four_eyes.tables import requests
from casework.work.gate.found import found as breaches_found
from casework.work.gate.reviews import waiting
from casework.work.gate.subjects import of_breaches, unasked
from casework.work.promises import BROKEN
from casework.work.tasks.begun import Morning
from casework.work.tasks.papers import papers
from casework.work.tasks.ranking import ADDED, BROKEN_BEFORE, CALL_BACK, Found, why_of
from casework.work.tasks.ranking import BROKEN as BROKEN_YESTERDAY
from casework.work.tasks.tables import task_days, task_standing, tasks

BREACH_REVIEW: Final = "breach_review"
CONTACT_REVIEW: Final = "contact_review"
REQUEST: Final = "request"
_LOOKED_BACK: Final = timedelta(days=7)
"""A promise broken longer ago, or a breach of longer ago that no list had yet, is a matter for the reports."""
_STILL_LISTED: Final = timedelta(days=31)
"""So long a day stands on lists whose contacts nobody reviews for what they lack."""


# ── duties ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_OF_DAY: Final = sa.select(duties.c.case_id, duties.c.duty, duties.c.loan_id, duties.c.due_on, duties.c.owed_by).where(
    duties.c.institution == sa.bindparam("institution"), duties.c.day == sa.bindparam("on", type_=sa.Date),
    duties.c.status != "exempt",
)  # fmt: skip


def open_duties(morning: Morning) -> Iterator[Found]:
    """Of a day that is closed already, what was owed on it."""
    conn, on = morning.conn, morning.on
    for institution in sorted(business_dates(conn)):
        if taken(conn, institution, on):
            owed: Iterable[Any] = conn.execute(_OF_DAY, {"institution": institution, "on": on}).all()
        else:
            owed = (
                (case_id, duty, loan_id, due_on, owed_by)
                for _, case_id, duty, loan_id, status, _, due_on, owed_by, _ in reckon(
                    conn, morning.branch, institution, on, closed=False
                )
                if status in {"open", "late"}
            )
        for case_id, duty, loan_id, due_on, owed_by in owed:
            yield Found(owed_by, duty, why_of(due_on, on), loan_id, case_id, due_on)


# ── promises ────────────────────────────────────────────────────────────────────────────────────────────────────────

_promises = PROMISES.table.c
_PROMISES: Final = (
    sa.select(cases.c.id, cases.c.loan_id, cases.c.handler, cases.c.facts, _promises.pay_by, _promises.ref,
              _promises.judged_on)
    .join(PROMISES.table, _promises.parent_id == cases.c.id)
    .order_by(cases.c.id, _promises.id)
)  # fmt: skip
_BROKEN: Final = _PROMISES.where(
    _promises.state == BROKEN, cases.c.live,
    rare(_promises.judged_on.between(sa.bindparam("first", type_=sa.Date), sa.bindparam("last", type_=sa.Date))),
)  # fmt: skip
_DUE: Final = _PROMISES.where(
    _promises.live, cases.c.live, _promises.pay_by == sa.bindparam("on", type_=sa.Date),
    rare(_promises.due_on >= sa.bindparam("on")),  # the end of its grace, of which there is an index
)  # fmt: skip


class _Facts(msgspec.Struct, gc=False):
    """What broken promises need of a case's facts."""

    attempt_days: list[AttemptDay] = []
    promises: dict[str, date] = {}


_facts: Final = msgspec.json.Decoder(_Facts).decode


def broken_promises(morning: Morning) -> Iterator[Found]:
    """Those broken yesterday; and of the week before those since which nobody has called, and nothing was promised."""
    yesterday = morning.on - timedelta(days=1)
    for row in morning.conn.execute(_BROKEN, {"first": morning.on - _LOOKED_BACK, "last": yesterday}):
        why = BROKEN_YESTERDAY
        if row.judged_on < yesterday:
            facts, why = _facts(row.facts), BROKEN_BEFORE
            if facts.promises or any(day.on > row.judged_on for day in facts.attempt_days):
                continue
        yield Found(row.handler, "broken_promise", why, row.loan_id, row.id, row.pay_by, row.ref)


def promises_due(morning: Morning) -> Iterator[Found]:
    """Open promises whose last day is today."""
    for row in morning.conn.execute(_DUE, {"on": morning.on}):
        why = why_of(row.pay_by, morning.on)
        yield Found(row.handler, "promise_due", why, row.loan_id, row.id, row.pay_by, row.ref)


def call_backs(morning: Morning) -> Iterator[Found]:
    """Whom somebody is to call again today, at whatever minute."""
    zone = ZoneInfo(morning.branch.time_zone)
    for one in call_backs_due(morning.conn, datetime.combine(morning.on, time.max, zone)):
        due_on = one.due_at.astimezone(zone).date()
        yield Found(one.handler, CALL_BACK, CALL_BACK, one.loan_id, one.case_id, due_on, str(one.id))


# ── holds ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_holds = HOLDS.table.c
_HOLDS: Final = (
    sa.select(_holds.id, _holds.loan_id, _holds.review_by, _holds.last_on, _holds.begins_on, _holds.confirmed_on,
              _holds.opened_for, cases.c.id.label("case_id"), cases.c.handler)
    .join(cases, sa.and_(cases.c.loan_id == _holds.loan_id, cases.c.live), isouter=True)
    .where(
        _holds.live,
        sa.or_(
            _holds.review_by <= sa.bindparam("on", type_=sa.Date), _holds.last_on == sa.bindparam("on"),
            sa.and_(_holds.opened_for == "set", _holds.confirmed_on.is_(None)),
        ),
    )
    .order_by(_holds.id)
)  # fmt: skip


def holds(morning: Morning) -> Iterator[Found]:
    """What the basic-risk post is to confirm or review; and whoever handles the case learns that one ends today."""
    on, post = morning.on, morning.post
    for row in morning.conn.execute(_HOLDS, {"on": on}):
        case, ref = (row.loan_id, row.case_id), str(row.id)
        if row.review_by is not None and row.review_by <= on:
            yield Found(post("hold_review"), "hold_review", why_of(row.review_by, on), *case, row.review_by, ref)
        if row.opened_for == "set" and row.confirmed_on is None and row.begins_on <= on:
            yield Found(post("hold_confirm"), "hold_confirm", why_of(on, on), *case, on, ref)
        if row.last_on == on:
            yield Found(row.handler or post("hold_ends"), "hold_ends", why_of(on, on), *case, on, ref)


# ── requests, reviews ──────────────────────────────────────────────────────────────────────────────────────────────

_WAITING: Final = (
    sa.select(
        requests.c.id, requests.c.subject, requests.c.topic, requests.c.expires_on, requests.c.reviewed_by,
    )
    .where(requests.c.live, requests.c.expires_on >= sa.bindparam("on", type_=sa.Date))
    .order_by(requests.c.id)
)  # fmt: skip
_LOANS: Final = sa.select(cases.c.id, cases.c.loan_id)
_OF_CASE: Final = "case:"


def waiting_requests(morning: Morning) -> Iterator[Found]:
    """For each post that has the next step; who asked for it, or had a part in it, is not shown it (`own.tasks_of`)."""
    chart, policy = morning.branch.rulebook.requests, morning.branch.rulebook.policies.at(morning.on)
    waiting = morning.conn.execute(_WAITING, {"on": morning.on}).all()
    about = {row.id: int(row.subject.removeprefix(_OF_CASE)) for row in waiting if row.subject.startswith(_OF_CASE)}
    loans = {row.id: row.loan_id for row in rows.select_by_keys(morning.conn, _LOANS, "id", sorted({*about.values()}))}
    for row in waiting:
        topic, case_id = chart.approvals[row.topic], about.get(row.id)
        first = policy.figure(f"approval.{row.topic}") > 1 and row.reviewed_by is None
        for post in sorted(topic.reviewed_by if first else topic.approved_by):
            yield Found(
                post, REQUEST, why_of(row.expires_on, morning.on), loans.get(case_id or 0, ""), case_id,
                row.expires_on, str(row.id),
            )  # fmt: skip


_LAST_MADE: Final = sa.select(sa.func.max(task_days.c.day)).where(task_days.c.day < sa.bindparam("on", type_=sa.Date))
_LISTED: Final = sa.select(tasks.c.due_on).where(
    tasks.c.day == sa.bindparam("on", type_=sa.Date), tasks.c.task == sa.bindparam("task")
)


def breaches(morning: Morning) -> Iterator[Found]:
    """Contacts against the gate that nobody has reviewed: of the days since the last lists, and those on them still."""
    conn, branch, on = morning.conn, morning.branch, morning.on
    since, listed = _days_of(morning, BREACH_REVIEW)
    first = min([since, *listed])
    found = list(of_breaches(branch, breaches_found(conn, branch, morning.arrears, first, on - timedelta(days=1))))
    for contact, _, _ in waiting(conn, found):
        day = branch.today(contact.started_at)
        ref = f"{contact.source}:{contact.contact_ref}"[:128]
        yield Found(morning.post(BREACH_REVIEW), BREACH_REVIEW, why_of(on, on), contact.loan_id, None, day, ref)


def contacts_to_review(morning: Morning) -> Iterator[Found]:
    """The days since the last lists, and those on them still, of which a contact lacks something and nobody said why.

    One task a day, however many they are: a dialler that records nothing would fill the list.
    """
    on = morning.on
    since, listed = _days_of(morning, CONTACT_REVIEW)
    earlier = {day for day in listed if on - _STILL_LISTED <= day < since}
    for day in sorted({since + timedelta(days=past) for past in range((on - since).days)} | earlier):
        if waiting(morning.conn, unasked(morning.conn, morning.branch, day, day)):
            yield Found(morning.post(CONTACT_REVIEW), CONTACT_REVIEW, why_of(on, on), "", None, day, str(day))


def _days_of(morning: Morning, task: str) -> tuple[date, list[date]]:
    """The day of the lists before, of the week past; and the days of which those hold such a task."""
    last = morning.conn.execute(_LAST_MADE, {"on": morning.on}).scalar_one_or_none()
    asked = {"on": last, "task": task}
    listed = [] if last is None else list(morning.conn.execute(_LISTED, asked).scalars())
    return max(last or date.min, morning.on - _LOOKED_BACK), listed


# ── added by hand ───────────────────────────────────────────────────────────────────────────────────────────────────

_ADDED: Final = (
    sa.select(tasks.c.owed_by, tasks.c.loan_id, tasks.c.case_id, tasks.c.due_on, tasks.c.ref)
    .join(task_standing, task_standing.c.task_id == tasks.c.id, isouter=True)
    .where(
        tasks.c.edition == sa.literal_column("0"), tasks.c.day < sa.bindparam("on", type_=sa.Date),
        task_standing.c.done_on.is_(None),
    )
    .order_by(tasks.c.id)
)  # fmt: skip


def added_before(morning: Morning) -> Iterator[Found]:
    """What people added on earlier days and nobody has done yet."""
    for row in morning.conn.execute(_ADDED, {"on": morning.on}):
        yield Found(row.owed_by, BY_HAND, ADDED, row.loan_id, row.case_id, row.due_on, row.ref)


SOURCES: Final[tuple[Callable[[Morning], Iterator[Found]], ...]] = (
    open_duties, broken_promises, promises_due, call_backs, holds, waiting_requests, breaches, contacts_to_review,
    papers, added_before,
)  # fmt: skip
