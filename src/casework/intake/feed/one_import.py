"""One import inside its transaction: read → books → reconcile → cases → end, a value handed on from each to the next.

What stood before (`stood_before`), what went into the books (`into_books`), what the snapshot says happened and
whether so much may vanish (`what_happened`), what came of it in the cases (`to_cases`), and the run's own record of it
(`finish`). Nothing that one stage made does a later one change.
"""

from casework.intake.feed import run as runs
from casework.intake.feed.course import ImportCourse, hold_feeds, what_came
from casework.intake.feed.finish import finish
from casework.intake.feed.into_books import take_in
from casework.intake.feed.stood_before import read_before
from casework.intake.feed.to_cases import tell_cases, tell_late
from casework.intake.feed.what_happened import check_vanished, what_happened
from casework.intake.feed.write import mark_omitted


def carry_out(course: ImportCourse) -> None:
    """Carry a delivery into the books and the cases, or raise and leave nothing behind."""
    conn, delivery = course.conn, course.delivery
    hold_feeds(conn, delivery.institution)
    if runs.applied_digest(conn, delivery.institution, delivery.as_of, delivery.digest) is not None:
        runs.mark_interrupted(conn, delivery.institution, course.run_id)
        runs.finish(conn, course.run_id, runs.REPEATED, clock=course.request.clock, **what_came(delivery))
        return
    before = read_before(course)
    books = take_in(course, before)
    happened = what_happened(course, before)
    check_vanished(course, before, books.loans, happened)
    mark_omitted(conn, course.left, books.loans.left.omitted, delivery.as_of)
    if before.later is not None:  # the day is past, but money that it turns out to have brought is money all the same
        told = tell_late(course, before, books, before.later)
    else:
        told = tell_cases(course, before, books, happened)
    finish(course, before, books, happened, told)
