"""The third stage of an import: what the overdue snapshot says happened, and the guards against short files."""

from dataclasses import dataclass
from typing import Any

from casework.intake.feed import respelled
from casework.intake.feed import run as runs
from casework.intake.feed.course import ImportCourse
from casework.intake.feed.feed_sheet import FeedSheet
from casework.intake.feed.into_books import LoansTaken, check_set_aside
from casework.intake.feed.reconcile import Reconciliation, Snapshot, reconcile, unknown_loans
from casework.intake.feed.row import OverdueRow
from casework.intake.feed.stood_before import StoodBefore
from casework.intake.feed.vanished import compared, refusal


@dataclass(frozen=True, slots=True)
class WhatHappened:
    """The snapshot as far as its rows can be used, and what it says happened.

    `since_before` since the last earlier day, which the run's figures tell; `now` since what had been applied last: the
    same, unless this feed corrects one of its own day.
    """

    overdue: FeedSheet[OverdueRow]
    since_before: Reconciliation
    now: Reconciliation


def what_happened(course: ImportCourse, before: StoodBefore) -> WhatHappened:
    """Compare the snapshot with those before it. `CallerError` too_many_set_aside."""
    previous = runs.snapshot_of(course.conn, before.earlier)
    overdue = _usable(course, previous)
    check_set_aside(overdue, course.policy)
    found = _compare(course, overdue, previous)
    if before.corrected is None:
        return WhatHappened(overdue, found, found)
    return WhatHappened(overdue, found, _compare(course, overdue, runs.snapshot_of(course.conn, before.corrected)))


def check_vanished(course: ImportCourse, before: StoodBefore, loans: LoansTaken, happened: WhatHappened) -> None:
    """Nothing vanishes in great numbers, or comes under another number, unasked (5.4).

    `CallerError` loans_vanished, loans_respelled.
    """
    _check_vanished(course, before, loans, happened.overdue, happened.now, before.corrected or before.earlier)
    # Several corrections of a day together take no more than the day.
    _check_vanished(course, before, loans, happened.overdue, happened.since_before, before.earlier)


def _check_vanished(
    course: ImportCourse, before: StoodBefore, loans: LoansTaken, overdue: FeedSheet[Any], found: Reconciliation,
    since: runs.Run | None,
) -> None:  # fmt: skip
    policy, request, delivery = course.policy, course.request, course.delivery
    gone = found.before, len(found.gone), since.as_of if since else None
    both = compared(policy, delivery.as_of, gone, loans.left, before.loans_on)
    named_anew = respelled.by_file(found, overdue, loans.left.omitted, delivery.loans)
    if not any(named_anew.values()) and not any(one.too_many for one in both):
        return
    confirming = set(policy.figure("feed.confirming_posts"))
    if not (request.confirm_vanished and request.actor.posts & confirming):
        raise respelled.refusal(named_anew, confirming) if any(named_anew.values()) else refusal(both, confirming)


def _usable(course: ImportCourse, previous: Snapshot | None) -> FeedSheet[OverdueRow]:
    """The sheet without the rows of loans that neither the snapshot before nor the books know."""
    overdue = course.delivery.overdue
    named = {row[0] for row in overdue.rows} | overdue.named_aside("loan_id")
    unknown = course.loans_known.unknown_among(named.difference(previous.rows if previous else ()))
    if not unknown:
        return overdue
    known = named - unknown
    overdue = overdue.also_unknown("loan_id", "unknown_loan", known)
    return overdue.put_aside(unknown_loans(overdue.rows, known))


def _compare(course: ImportCourse, overdue: FeedSheet[OverdueRow], previous: Snapshot | None) -> Reconciliation:
    loans, unnamed = overdue.set_aside_keys()
    return reconcile(
        previous, course.delivery.as_of, overdue.rows, set_aside=len(overdue.set_aside), set_aside_loans=loans,
        unnamed=unnamed, bucket=course.policy.bucket,
    )  # fmt: skip
