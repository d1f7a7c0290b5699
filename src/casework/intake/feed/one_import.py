"""One import inside its transaction: the books, the reconciliation, the guards against short files, and the door."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from casework.clock import branch_date, now
from casework.intake.feed import respelled
from casework.intake.feed import run as runs
from casework.intake.feed.aside import TooManySetAside
from casework.intake.feed.booked import Booked, of_row, stated_by
from casework.intake.feed.books import known_borrowers, reversals_of
from casework.intake.feed.changes import Changes
from casework.intake.feed.corrections import owed_as_before, settled_by_feed, wrongly_settled
from casework.intake.feed.course import ImportCourse, hold_feeds
from casework.intake.feed.erased import ErasedPeople, returned
from casework.intake.feed.finish import finish
from casework.intake.feed.folder import FeedSheet
from casework.intake.feed.institutions import register_or_refuse
from casework.intake.feed.may_import import check_may_import
from casework.intake.feed.payments import disputed_payments
from casework.intake.feed.promised import judge
from casework.intake.feed.reconcile import (
    Reconciliation,
    Snapshot,
    reconcile,
    unknown_borrowers,
    unknown_loans,
)
from casework.intake.feed.remitted import told
from casework.intake.feed.row import OverdueRow, RepaymentRow
from casework.intake.feed.settling import (
    Word,
    cases_not_overdue,
    still_off,
    word_on,
)
from casework.intake.feed.vanished import compared, left_books, refusal
from casework.intake.feed.write import (
    LoansWritten,
    mark_omitted,
    write_contacts,
    write_loans,
    write_repayments,
)
from casework.lifecycle.tables import institutions
from casework.people.staff.actor import system
from casework.storage import rows


class OneImport(ImportCourse):
    """Carries a delivery into the books and the cases."""

    def carry_out(self) -> None:
        """Import, or raise and leave nothing behind."""
        delivery, conn = self.delivery, self.conn
        hold_feeds(conn, delivery.institution)
        last = runs.last_applied(conn, delivery.institution)
        if runs.applied_digest(conn, delivery.institution, delivery.as_of, delivery.digest) is not None:
            runs.mark_interrupted(conn, delivery.institution, self.run_id)
            runs.finish(conn, self.run_id, runs.REPEATED, **self.came)
            return
        today = branch_date(now(), self.branch.time_zone)
        check_may_import(delivery.as_of, last, self.request.actor, self.policy, today, self.request.correction)
        trail = self.branch.trail(now())
        self.registered = register_or_refuse(conn, trail, self.request.actor, delivery.institution, self.run_id)
        trail.write(conn)
        runs.mark_interrupted(conn, delivery.institution, self.run_id)  # not before: it locks rows that others wait for
        self.erased = ErasedPeople.read(conn, delivery.institution)
        seen = runs.last_files(conn, delivery.institution)
        written, new_payments = self._books(seen)
        before = runs.last_applied(conn, delivery.institution, before=delivery.as_of)
        self.previous_as_of, found = (before and before.as_of) or delivery.as_of, self._reconcile(before)
        # A correction of the last day: what happens follows from what the run it corrects had applied.
        corrected = last if last is not None and last.as_of == delivery.as_of else None
        happened = self._compare(self.sheets[-1], runs.snapshot_of(conn, corrected)) if corrected else found
        later = last if last is not None and last.as_of is not None and delivery.as_of < last.as_of else None
        self._check_vanished(happened, corrected or before, seen)
        self._check_vanished(found, before, seen)  # several corrections of a day together take no more than the day
        mark_omitted(conn, self.left, self.left_books.omitted, delivery.as_of)
        if later is not None:  # the day is past, but money that it turns out to have brought is money all the same
            counts = self._learn_late(later, written, new_payments)
        else:
            counts = self._apply(happened, written, new_payments, before, correcting=corrected is not None)
        finish(self, found, counts, before, restates_only=later is not None)

    # ── checks ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _check_set_aside(self, sheet: FeedSheet[Any]) -> None:
        """More than the policy's share of bad rows refuse the feed; a few contacts or payments hold up no snapshot."""
        share = self.policy.figure("feed.set_aside_share_percent")
        bad = len(sheet.set_aside)
        always = self.policy.figure("feed.set_aside_rows_always") if sheet.kind in ("contacts", "repayments") else 0
        if bad > always and bad * 100 > share * max(sheet.row_count, 1):
            raise TooManySetAside(sheet, share)
        self.sheets.append(sheet)

    def _check_vanished(
        self, overdue: Reconciliation, before: runs.Run | None, seen: Mapping[str, tuple[date, str]]
    ) -> None:
        """Nothing vanishes in great numbers, or comes under another number, unasked (5.4)."""
        gone = (overdue.before, len(overdue.gone), before.as_of if before else None)
        latest_on = seen["loans"][0] if "loans" in seen else None
        found = compared(self.policy, self.delivery.as_of, gone, self.left_books, latest_on)
        omitted = self.left_books.omitted
        named_anew = respelled.by_file(overdue, self.sheets[-1], omitted, self.delivery.loans)
        if not any(named_anew.values()) and not any(one.too_many for one in found):
            return
        confirming = set(self.policy.figure("feed.confirming_posts"))
        if not (self.request.confirm_vanished and self.request.actor.posts & confirming):
            raise respelled.refusal(named_anew, confirming) if any(named_anew.values()) else refusal(found, confirming)

    # ── the books ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _books(self, seen: Mapping[str, tuple[date, str]]) -> tuple[LoansWritten, list[RepaymentRow]]:
        conn, delivery = self.conn, self.delivery
        self.loans_before = seen["loans"][0] if "loans" in seen else None
        written = LoansWritten(0, 0, frozenset())
        if delivery.loans is not None:
            self._check_set_aside(delivery.loans)
            self.loan_rows = still_off(conn, delivery.institution, delivery.loans.rows)
            self.on_books = {row.loan_id: of_row(row, delivery.institution) for row in self.loan_rows}
            latest_on, digest = seen.get("loans", (delivery.as_of, ""))
            stated = stated_by(delivery.loans)
            fresh = delivery.loans.sha256 != digest
            if stated is not None and latest_on <= delivery.as_of and (fresh or stated.unnamed):
                self.left_books = left_books(conn, delivery.institution, stated)
            if fresh:
                self.progress("loans", 0, len(delivery.loans.rows))
                written = write_loans(
                    conn, self.branch, self.left, self.erased.loans(self.loan_rows), self.request.actor,
                    only_new=latest_on > delivery.as_of,
                )  # fmt: skip
                self.unverified = written.unverified
        if delivery.contacts is not None:
            named = {row.borrower_id for row in delivery.contacts.rows} | delivery.contacts.named_aside("borrower_id")
            people = known_borrowers(conn, delivery.institution, named)
            contacts = delivery.contacts.also_unknown("borrower_id", "unknown_borrower", people)
            contacts = contacts.put_aside(unknown_borrowers(contacts.rows, people))
            self._check_set_aside(contacts)
            # A row set aside because nobody knew its borrower may be good by now.
            if written.inserted or contacts.sha256 != seen.get("contacts", (delivery.as_of, ""))[1]:
                self.progress("contacts", 0, len(contacts.rows))
                write_contacts(conn, self.branch, self.left, self.erased.contacts(contacts.rows), delivery.as_of)
        new_payments: list[RepaymentRow] = []
        if delivery.repayments is not None:
            payments = delivery.repayments
            on_books = self.booked_of({row.loan_id for row in payments.rows} | payments.named_aside("loan_id"))
            payments = payments.also_unknown("loan_id", "unknown_loan", on_books)
            payments = payments.put_aside(unknown_loans(payments.rows, on_books))
            payments = payments.put_aside(disputed_payments(conn, delivery.institution, payments.rows))
            self._check_set_aside(payments)
            new_payments = write_repayments(conn, self.left, self.run_id, payments.rows)
        return written, new_payments

    def _reconcile(self, before: runs.Run | None) -> Reconciliation:
        previous = runs.snapshot_of(self.conn, before)
        known = previous.rows if previous else {}
        overdue = self.delivery.overdue
        named = {row.loan_id for row in overdue.rows} | overdue.named_aside("loan_id")
        unseen = self.booked_of(named - known.keys())
        overdue = overdue.also_unknown("loan_id", "unknown_loan", known.keys() | unseen.keys())
        faults = {
            index: note for index, note in unknown_loans(overdue.rows, unseen).items()
            if overdue.rows[index].loan_id not in known
        }  # fmt: skip
        overdue = overdue.put_aside(faults)
        self._check_set_aside(overdue)
        return self._compare(overdue, previous)

    def _compare(self, overdue: FeedSheet[Any], previous: Snapshot | None) -> Reconciliation:
        loans, unnamed = overdue.set_aside_keys()
        return reconcile(
            previous, self.delivery.as_of, overdue.rows, set_aside=len(overdue.set_aside), set_aside_loans=loans,
            unnamed=unnamed, bucket=self.policy.bucket,
        )  # fmt: skip

    # ── the door ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _apply(
        self, found: Reconciliation, written: LoansWritten, payments: list[RepaymentRow], before: runs.Run | None,
        *, correcting: bool,
    ) -> dict[str, int]:  # fmt: skip
        conn, delivery = self.conn, self.delivery
        self.left.to_date(delivery.as_of)
        date_row = [(delivery.institution, delivery.as_of)]
        rows.insert_many(conn, institutions, date_row, ("institution", "business_date"), skip_existing=True)
        rows.update_many(conn, institutions, "institution", date_row, ("business_date",))
        changes = self._changes()
        opened_in_error: frozenset[str] = frozenset()
        held: set[str] = set()  # in arrears before the run corrected, and now by a row that was set aside
        if correcting:
            earlier = runs.snapshot_of(conn, before)
            opened_in_error = frozenset(
                row.loan_id for row in found.gone if not earlier or row.loan_id not in earlier.rows
            )
            rows_before = earlier.rows if earlier else {}
            held = self.sheets[-1].set_aside_keys()[0] & rows_before.keys()
            self._take_back(changes, found, rows_before, held)
        reclassified = [
            row for loan_id in written.reclassified if (row := found.snapshot.rows.get(loan_id)) is not None
        ]
        measured = list({row.loan_id: row for row in [*found.changed, *reclassified]}.values())
        fresh = {row.loan_id for row in found.opened}
        measured = [row for row in measured if row.loan_id not in fresh]
        changes.received(payments, self.previous_as_of)
        again = changes.on_agreements(delivery.institution) - fresh - {row.loan_id for row in measured}
        measured += [row for loan_id in sorted(again) if (row := found.snapshot.rows.get(loan_id)) is not None]
        touched = {row.loan_id for row in (*found.opened, *measured)}
        loans, known = self.booked_of(touched), changes.known(touched)
        changes.arrived(
            found, loans, known, reversals_of(conn, fresh & {loan for loan, case in known.items() if case.settled})
        )
        changes.changed(measured, loans, known)
        gone = {row.loan_id: row for row in found.gone}
        off = cases_not_overdue(conn, delivery.institution, held | found.snapshot.rows.keys())
        words, booked_off = self._words_on({case.loan_id for case in off})
        changes.left(
            off, gone, booked_off, words, reclassified=written.reclassified, opened_in_error=opened_in_error,
            since=(self.previous_as_of, self.loans_before or self.previous_as_of),
        )  # fmt: skip
        self.unpaid = changes.unpaid
        undone = {row.loan_id for row in payments if row.reverses is not None}
        judge(
            conn, self.branch, delivery.institution, via="feed", snapshot=(self.run_id, found.snapshot.rows.keys()),
            reversed_of=undone,
        )  # fmt: skip
        told(conn, self.branch, delivery.institution, self.run_id, delivery.as_of, found.snapshot.rows.keys())
        changes.count_without_case(delivery.institution, found.snapshot.rows)
        self._take_in_again()
        return changes.counts

    def _learn_late(self, last: runs.Run, written: LoansWritten, payments: list[RepaymentRow]) -> dict[str, int]:
        """What a correction of a day before that of `last` says and still holds: money, and of what class loans are."""
        changes = self._changes()
        changes.received(payments, self.previous_as_of)
        latest = runs.snapshot_of(self.conn, last)
        if latest is not None:
            measured = [row for loan_id in written.reclassified if (row := latest.rows.get(loan_id)) is not None]
            loan_ids = [row.loan_id for row in measured]
            as_known = replace(changes, as_of=latest.as_of, policy=self.branch.rulebook.policies.at(latest.as_of))
            as_known.changed(measured, self.booked_of(loan_ids), changes.known(loan_ids))
            changes.count_without_case(self.delivery.institution, latest.rows)
        return changes.counts

    def _take_back(
        self, changes: Changes, found: Reconciliation, earlier: Mapping[str, OverdueRow], held: set[str]
    ) -> None:
        """Settlements that the run corrected had caused and this feed denies."""
        settled = settled_by_feed(self.conn, self.delivery.institution, self.delivery.as_of)
        words, loans = self._words_on({one.loan_id for one in settled})
        overdue = found.snapshot.rows.keys()
        wrongly = wrongly_settled(settled, held | overdue, words)
        changes.taken_back(wrongly, owed_as_before(wrongly, overdue, held, earlier, words), loans)

    def _words_on(self, loan_ids: Collection[str]) -> tuple[Callable[[str], Word], dict[str, Booked]]:
        """What the books say of these loans, those that the feed's own file omits too."""
        on_books, loans = stated_by(self.delivery.loans), self.booked_of(loan_ids)
        return (lambda loan_id: word_on(loan_id, on_books, loans.get(loan_id))), loans

    def _changes(self) -> Changes:
        """What the feed reports the service does itself; who had it imported is in the run and its entry."""
        return Changes(
            self.conn, self.branch, system("feed"), self.run_id, self.delivery.as_of, self.policy,
            lambda done, total: self.progress("cases", done, total),
        )  # fmt: skip

    def _take_in_again(self) -> None:
        """Who was erased and has a new case by now is on the books again as these files say."""
        back = returned(self.conn, self.delivery.institution)
        contacts = self.delivery.contacts
        if not back or self.delivery.loans is None:
            return
        theirs = [row for row in self.loan_rows if row.borrower_id in back]
        write_loans(self.conn, self.branch, self.left, theirs, self.request.actor)
        if contacts is not None:
            ways = [row for row in contacts.rows if row.borrower_id in back]
            write_contacts(self.conn, self.branch, self.left, ways, self.delivery.as_of)
