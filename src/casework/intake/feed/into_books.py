"""The second stage of an import: loans, ways to reach people and payments, checked against the books and put in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from casework.intake.feed.aside import TooManySetAside
from casework.intake.feed.booked import OnBooks, stated_by
from casework.intake.feed.books import known_borrowers
from casework.intake.feed.course import ImportCourse
from casework.intake.feed.feed_sheet import FeedSheet
from casework.intake.feed.payments import disputed_payments
from casework.intake.feed.reconcile import unknown_borrowers, unknown_loans
from casework.intake.feed.row import ContactRow, LoanRow, RepaymentRow
from casework.intake.feed.settling import still_off
from casework.intake.feed.stood_before import StoodBefore
from casework.intake.feed.vanished import LeftBooks, left_books
from casework.intake.feed.write import write_contacts, write_repayments
from casework.intake.feed.write_loans import LoansWritten, write_loans
from casework.rules.statechart.policy import Policy

_NONE_WRITTEN, _NONE_LEFT = LoansWritten(0, 0, frozenset()), LeftBooks()


@dataclass(frozen=True, slots=True)
class LoansTaken:
    """What came of a loans file: the sheet, its rows as the books have them, and what the books know that it lacks.

    `stated`: what the file itself says is outstanding.

    `cut`: rows of people erased, in which name and number were left out.
    """

    sheet: FeedSheet[LoanRow] | None = None
    rows: Sequence[LoanRow] = ()
    stated: OnBooks | None = None
    left: LeftBooks = _NONE_LEFT
    written: LoansWritten = _NONE_WRITTEN
    cut: int = 0


@dataclass(frozen=True, slots=True)
class IntoBooks:
    """What went into the books: the loans, the new payments, and of each file the rows that were set aside.

    `left_out`: of how many rows something stays out, because they are of somebody erased.
    """

    loans: LoansTaken
    payments: Sequence[RepaymentRow]
    sheets: tuple[FeedSheet[Any], ...]
    left_out: int


def take_in(course: ImportCourse, before: StoodBefore) -> IntoBooks:
    """Check and write. `CallerError` too_many_set_aside, loan_elsewhere.

    Loans first: a contact may be of somebody and a payment on a loan that this feed makes known.
    """
    loans = _loans(course, before)
    contacts, without = _contacts(course, before, loans.written)
    repayments, new = _repayments(course)
    sheets = tuple(sheet for sheet in (loans.sheet, contacts, repayments) if sheet is not None)
    return IntoBooks(loans, new, sheets, loans.cut + without)


def check_set_aside(sheet: FeedSheet[Any], policy: Policy) -> None:
    """More than the policy's share of bad rows refuse the feed; a few contacts or payments hold up no snapshot."""
    share = policy.figure("feed.set_aside_share_percent")
    bad = len(sheet.set_aside)
    always = policy.figure("feed.set_aside_rows_always") if sheet.kind in ("contacts", "repayments") else 0
    if bad > always and bad * 100 > share * max(sheet.row_count, 1):
        raise TooManySetAside(sheet, share)


def _loans(course: ImportCourse, before: StoodBefore) -> LoansTaken:
    conn, sheet, as_of = course.conn, course.delivery.loans, course.delivery.as_of
    if sheet is None:
        return LoansTaken()
    check_set_aside(sheet, course.policy)
    institution = course.delivery.institution
    rows = still_off(conn, institution, sheet.rows)
    stated, left = stated_by(sheet, course.loans_known.of_file(rows)), LeftBooks()
    latest_on, digest = before.seen.get("loans", (as_of, ""))
    fresh = sheet.sha256 != digest
    if latest_on <= as_of and (fresh or stated.unnamed):
        left = left_books(conn, institution, stated)
    if not fresh:
        return LoansTaken(sheet, rows, stated, left)
    course.progress("loans", 0, len(sheet.rows))
    allowed, cut = before.erased.loans(rows)
    written = write_loans(
        conn, course.branch, course.left, allowed, course.request.actor, only_new=latest_on > as_of,
        clock=course.request.clock, ahead=course.processes > 1,
    )  # fmt: skip
    return LoansTaken(sheet, rows, stated, left, written, cut)


def _contacts(
    course: ImportCourse, before: StoodBefore, loans: LoansWritten
) -> tuple[FeedSheet[ContactRow] | None, int]:
    """The sheet, and how many of its rows stay out because they are of somebody erased."""
    conn, contacts, as_of = course.conn, course.delivery.contacts, course.delivery.as_of
    if contacts is None:
        return None, 0
    named = {row.borrower_id for row in contacts.rows} | contacts.named_aside("borrower_id")
    people = known_borrowers(conn, course.delivery.institution, named)
    contacts = contacts.also_unknown("borrower_id", "unknown_borrower", people)
    contacts = contacts.put_aside(unknown_borrowers(contacts.rows, people))
    check_set_aside(contacts, course.policy)
    # A row set aside because nobody knew its borrower may be good by now.
    if not loans.inserted and contacts.sha256 == before.seen.get("contacts", (as_of, ""))[1]:
        return contacts, 0
    course.progress("contacts", 0, len(contacts.rows))
    allowed, without = before.erased.contacts(contacts.rows)
    write_contacts(conn, course.branch, course.left, allowed, as_of)
    return contacts, without


def _repayments(course: ImportCourse) -> tuple[FeedSheet[RepaymentRow] | None, list[RepaymentRow]]:
    """The sheet, and the payments that are new."""
    conn, payments = course.conn, course.delivery.repayments
    if payments is None:
        return None, []
    on_books = course.loans_known.of({row.loan_id for row in payments.rows} | payments.named_aside("loan_id"))
    payments = payments.also_unknown("loan_id", "unknown_loan", on_books)
    payments = payments.put_aside(unknown_loans(payments.rows, on_books))
    payments = payments.put_aside(disputed_payments(conn, course.delivery.institution, payments.rows))
    check_set_aside(payments, course.policy)
    return payments, write_repayments(conn, course.left, course.run_id, payments.rows)


def take_in_again(course: ImportCourse, loans: Sequence[LoanRow], back: Iterable[str]) -> None:
    """Who was erased and has a new case by now is on the books again as these files say."""
    contacts, back = course.delivery.contacts, frozenset(back)
    if not back or course.delivery.loans is None:
        return
    theirs = [row for row in loans if row.borrower_id in back]
    write_loans(course.conn, course.branch, course.left, theirs, course.request.actor, clock=course.request.clock)
    if contacts is not None:
        ways = [row for row in contacts.rows if row.borrower_id in back]
        write_contacts(course.conn, course.branch, course.left, ways, course.delivery.as_of)
