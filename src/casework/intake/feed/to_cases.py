"""The fourth stage of an import: what happened is told to the door, which decides and writes (`changes`)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from casework.intake.feed import run as runs
from casework.intake.feed.booked import Booked, OnBooks
from casework.intake.feed.books import reversals_of
from casework.intake.feed.changes import Changes
from casework.intake.feed.corrections import owed_as_before, settled_by_feed, wrongly_settled
from casework.intake.feed.course import ImportCourse
from casework.intake.feed.erased import returned
from casework.intake.feed.into_books import IntoBooks, take_in_again
from casework.intake.feed.promised import judge
from casework.intake.feed.reconcile import Reconciliation
from casework.intake.feed.remitted import told
from casework.intake.feed.row import OverdueRow
from casework.intake.feed.settling import Word, cases_not_overdue, word_on
from casework.intake.feed.stood_before import StoodBefore
from casework.intake.feed.what_happened import WhatHappened
from casework.intake.feed.without_case import live_loans
from casework.lifecycle.tables import institutions
from casework.people.staff.actor import system
from casework.storage import rows
from casework.storage.behind import indexes_behind
from casework.work.cases.tables import cases, owner_history


@dataclass(frozen=True, slots=True)
class ToldToCases:
    """What came of it in the cases: how often each thing happened; whose loan left the books without being paid."""

    counts: Mapping[str, int]
    unpaid: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class _Corrected:
    """What a correction of the last day has to take back.

    `opened_in_error`: loans in arrears by the word of the run corrected alone. `held`: in arrears before it, and now by
    a row that was set aside. `earlier`: the snapshot of the day before.
    """

    opened_in_error: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    earlier: Mapping[str, OverdueRow] = field(default_factory=dict)


def tell_cases(course: ImportCourse, before: StoodBefore, books: IntoBooks, happened: WhatHappened) -> ToldToCases:
    """What the feed says of its day, in order: money, arrears that began or changed, what left them."""
    conn, institution, found = course.conn, course.delivery.institution, happened.now
    _to_date(course)
    changes = _changes(course)
    corrected = _Corrected() if before.corrected is None else _corrected(course, before, happened)
    if before.corrected is not None:
        _take_back(course, changes, books.loans.stated, found, corrected)
    measured = _measured(course, before, books, found, changes)
    fresh = {row.loan_id for row in found.opened}
    touched = [row.loan_id for row in chain(found.opened, measured)]
    loans, known = course.loans_known.of(touched), changes.known(touched)
    reversals = reversals_of(conn, fresh & {loan for loan, case in known.items() if case.settled})
    with indexes_behind(conn, cases, owner_history, rows=len(fresh), asked=("loan_id", "owner")):
        changes.arrived(found, loans, known, reversals)
    changes.changed(measured, loans, known)
    overdue = found.snapshot.rows.keys()
    live = live_loans(conn, institution)  # asked once: what follows ends no case of a loan that is in arrears
    changes.count_without_case(found.snapshot.rows, live)
    off = cases_not_overdue(conn, live, corrected.held | overdue)
    words, booked_off = _words_on(course, books.loans.stated, {case.loan_id for case in off})
    previous = before.previous_as_of
    changes.left(
        off, {row.loan_id: row for row in found.gone}, booked_off, words, reclassified=books.loans.written.reclassified,
        opened_in_error=corrected.opened_in_error, since=(previous, before.loans_on or previous),
    )  # fmt: skip
    undone = {row.loan_id for row in books.payments if row.reverses is not None}
    snapshot, clock = (course.run_id, overdue), course.request.clock
    judge(conn, course.branch, institution, via="feed", snapshot=snapshot, reversed_of=undone, clock=clock)
    told(conn, course.branch, institution, course.run_id, course.delivery.as_of, overdue, clock=clock)
    take_in_again(course, books.loans.rows, returned(conn, institution))
    return ToldToCases(changes.counts, changes.unpaid)


def tell_late(course: ImportCourse, before: StoodBefore, books: IntoBooks, last: runs.Run) -> ToldToCases:
    """What a correction of a day before that of `last` says and still holds: money, and of what class loans are."""
    changes = _changes(course)
    changes.received(books.payments, before.previous_as_of)
    latest = runs.snapshot_of(course.conn, last)
    if latest is not None:
        reclassified = books.loans.written.reclassified
        measured = [row for loan_id in reclassified if (row := latest.rows.get(loan_id)) is not None]
        loan_ids = [row.loan_id for row in measured]
        as_known = replace(changes, as_of=latest.as_of, policy=course.branch.rulebook.policies.at(latest.as_of))
        as_known.changed(measured, course.loans_known.of(loan_ids), changes.known(loan_ids))
        changes.count_without_case(latest.rows, live_loans(course.conn, course.delivery.institution))
    return ToldToCases(changes.counts)


def _to_date(course: ImportCourse) -> None:
    """The institution's business date is the feed's day."""
    delivery = course.delivery
    course.left.to_date(delivery.as_of)
    dated = [(delivery.institution, delivery.as_of)]
    rows.insert_many(course.conn, institutions, dated, ("institution", "business_date"), skip_existing=True)
    rows.update_many(course.conn, institutions, "institution", dated, ("business_date",))


def _measured(
    course: ImportCourse, before: StoodBefore, books: IntoBooks, found: Reconciliation, changes: Changes
) -> list[OverdueRow]:
    """The loans in arrears whose cases are to be measured anew, once the money is told."""
    now, fresh = found.snapshot.rows, {row.loan_id for row in found.opened}
    reclassified = [row for loan_id in books.loans.written.reclassified if (row := now.get(loan_id)) is not None]
    measured = list({row.loan_id: row for row in [*found.changed, *reclassified]}.values())
    measured = [row for row in measured if row.loan_id not in fresh]
    changes.received(books.payments, before.previous_as_of)
    again = changes.on_agreements(course.delivery.institution) - fresh - {row.loan_id for row in measured}
    return measured + [row for loan_id in sorted(again) if (row := now.get(loan_id)) is not None]


def _corrected(course: ImportCourse, before: StoodBefore, happened: WhatHappened) -> _Corrected:
    earlier = runs.snapshot_of(course.conn, before.earlier)
    rows_before = earlier.rows if earlier else {}
    in_error = frozenset(row.loan_id for row in happened.now.gone if row.loan_id not in rows_before)
    return _Corrected(in_error, frozenset(happened.overdue.set_aside_keys()[0] & rows_before.keys()), rows_before)


def _take_back(
    course: ImportCourse, changes: Changes, stated: OnBooks | None, found: Reconciliation, corrected: _Corrected
) -> None:
    """Settlements that the run corrected had caused and this feed denies."""
    settled = settled_by_feed(course.conn, course.delivery.institution, course.delivery.as_of)
    words, loans = _words_on(course, stated, {one.loan_id for one in settled})
    overdue, held = found.snapshot.rows.keys(), corrected.held
    wrongly = wrongly_settled(settled, held | overdue, words)
    changes.taken_back(wrongly, owed_as_before(wrongly, overdue, held, corrected.earlier, words), loans)


def _words_on(
    course: ImportCourse, on_books: OnBooks | None, loan_ids: Collection[str]
) -> tuple[Callable[[str], Word], Mapping[str, Booked]]:
    """What the books say of these loans, those that the feed's own file omits too."""
    loans = course.loans_known.of(loan_ids)
    return (lambda loan_id: word_on(loan_id, on_books, loans.get(loan_id))), loans


def _changes(course: ImportCourse) -> Changes:
    """What the feed reports the service does itself; who had it imported is in the run and its entry."""
    return Changes(
        course.conn, course.branch, system("feed"), course.run_id, course.delivery.as_of, course.policy,
        lambda done, total: course.progress("cases", done, total), course.request.clock, course.processes > 1,
    )  # fmt: skip
