"""Importing a feed folder: all of it in one transaction, or nothing of it; every run on record (design: feed.md).

The folder is read and checked before the database is touched. Then, under the institution's lock: the books, the
reconciliation with the snapshot before, the guard against a truncated snapshot, and the door.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework import rows
from casework.audit.trail import Draft
from casework.cases.branch import Branch
from casework.cases.tables import institutions
from casework.clock import branch_date, now
from casework.database import reading, writing
from casework.errors import CallerError, TryAgain
from casework.feed import respelled
from casework.feed import run as runs
from casework.feed.aside import too_many_set_aside
from casework.feed.books import (
    Booked,
    LoansWritten,
    barred_owners,
    booked,
    known_borrowers,
    of_row,
    reversals_of,
    unverified_places,
    write_contacts,
    write_loans,
    write_repayments,
)
from casework.feed.bounds import USUAL, Bounds
from casework.feed.changes import Changes
from casework.feed.corrections import owed_as_before, settled_by_feed, wrongly_settled
from casework.feed.erased import ErasedPeople, returned, share_lock
from casework.feed.folder import Delivery, Sheet, read_folder
from casework.feed.held_back import held_back
from casework.feed.institutions import REGISTERED_BY_FEED, register_or_refuse
from casework.feed.may_import import check_may_import
from casework.feed.payments import disputed_payments
from casework.feed.reconcile import Reconciliation, Snapshot, pack, reconcile, unknown_borrowers, unknown_loans
from casework.feed.row import LoanRow, OverdueRow, RepaymentRow
from casework.feed.settling import Word, cases_not_overdue, stated_by, still_off, word_on
from casework.feed.tables import set_aside, snapshots
from casework.feed.vanished import LeftBooks, compared, left_books, mark_omitted, refusal
from casework.feed.warned import warnings_of
from casework.garbage import seldom_collected
from casework.staff.actor import Actor, system
from casework.statechart.policy import Policy

UNPAID_LISTED = 1_000
Progress = Callable[[str, int, int], None]


def silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an import besides the folder."""

    actor: Actor
    confirm_vanished: bool = False
    correction: bool = False


@seldom_collected()
def import_feed(
    engine: Engine, branch: Branch, folder: Path, request: Request, *, run_id: int | None = None,
    progress: Progress = silent, bounds: Bounds = USUAL,
) -> runs.Run:  # fmt: skip
    """Import the feed in `folder`; the run as it ended.

    `CallerError` if the folder is refused (the run is on record then): anything `read_folder` raises,
    post_not_permitted, institution_unknown, older_than_last, another_feed_applied, too_many_set_aside, loans_vanished,
    loans_respelled.
    `run_id` continues a run that was entered before (the API answers with it at once).
    """
    if run_id is None:
        with writing(engine) as conn:
            run_id = runs.begin(conn, request.actor, correction=request.correction)
    delivery: Delivery | None = None
    try:
        progress("reading", 0, 1)
        delivery = read_folder(folder, bounds)
        with writing(engine) as conn:
            _Import(conn, branch, delivery, request, run_id, progress).carry_out()
    except CallerError as mistake:
        with writing(engine) as conn:
            record_refusal(conn, branch, run_id, mistake, request, delivery)
        raise
    except TryAgain as busy:
        _record_failure(engine, run_id, busy)
        raise
    with reading(engine) as conn:
        done = runs.one_run(conn, run_id)
    if done is None:
        raise RuntimeError("a run that was just finished is gone")
    return done


def record_refusal(
    conn: Connection, branch: Branch, run_id: int, mistake: CallerError, request: Request, delivery: Delivery | None
) -> None:
    """Say in the run and in the log that it was refused; `delivery` is none if the folder could not be read."""
    runs.refuse(conn, run_id, mistake, **(_what_came(delivery) if delivery else {}))
    trail = branch.trail(now())
    draft = Draft("feed.refused", request.actor.signed, {"run": run_id}, reason_code=mistake.code)
    trail.append(conn, "feed:refused", draft)
    trail.write(conn)


def _what_came(delivery: Delivery) -> dict[str, Any]:
    """What a run says of the delivery it was for."""
    files = [
        {"name": file.name, "kind": file.kind, "rows": file.rows, "sha256": file.sha256.lower()}
        for file in delivery.files
    ]
    return {
        "institution": delivery.institution, "as_of": delivery.as_of, "digest": delivery.digest, "files": files,
    }  # fmt: skip


def _record_failure(engine: Engine, run_id: int, busy: TryAgain) -> None:
    """Say in the run that the database gave up, if it can still be told so."""
    try:
        with writing(engine) as conn:
            runs.finish(conn, run_id, runs.REFUSED, refusal={"code": busy.code, "en": str(busy)})
    except TryAgain:
        return  # the next import marks it as interrupted


class _Import:
    """One import inside its transaction."""

    def __init__(
        self, conn: Connection, branch: Branch, delivery: Delivery, request: Request, run_id: int, progress: Progress
    ) -> None:
        self.conn = conn
        self.branch = branch
        self.delivery = delivery
        self.request = request
        self.run_id = run_id
        self.progress = progress
        self.policy: Policy = branch.rulebook.policies.at(delivery.as_of)
        self.came = _what_came(delivery)
        self.sheets: list[Sheet[Any]] = []
        self.on_books: dict[str, Booked] = {}
        self.loan_rows: Sequence[LoanRow] = ()
        self.left_books = LeftBooks()
        self.previous_as_of = delivery.as_of  # day of the snapshot before; the feed's own if there was none
        self.loans_before: date | None = None  # day of the last loans file before this feed
        self.unpaid: list[int] = []  # cases whose loan left the books without having been paid
        self.registered = False  # this feed is the branch's first and made its institution known
        self.unverified = 0  # owners that the loans file names and nobody registered
        self.erased = ErasedPeople(frozenset(), frozenset())

    def _booked(self, loan_ids: Iterable[str]) -> dict[str, Booked]:
        """What the books know of these loans, asking the database only for those not in this feed's own file."""
        wanted = set(loan_ids)
        institution = self.delivery.institution
        asked = booked(self.conn, wanted - self.on_books.keys())
        self.on_books |= {loan_id: loan for loan_id, loan in asked.items() if loan.institution == institution}
        return {loan_id: loan for loan_id in wanted if (loan := self.on_books.get(loan_id)) is not None}

    def carry_out(self) -> None:
        """Import, or raise and leave nothing behind."""
        delivery, conn = self.delivery, self.conn
        self._lock()
        last = runs.last_applied(conn, delivery.institution)
        if runs.applied_digest(conn, delivery.institution, delivery.as_of, delivery.digest) is not None:
            runs.mark_interrupted(conn, delivery.institution, self.run_id)
            runs.finish(conn, self.run_id, runs.REPEATED, **self.came)
            return
        posts, today = self.request.actor.posts, branch_date(now(), self.branch.time_zone)
        check_may_import(delivery.as_of, last, posts, self.policy, today, self.request.correction)
        trail = self.branch.trail(now())
        self.registered = register_or_refuse(conn, trail, self.request.actor, delivery.institution, self.run_id)
        trail.write(conn)
        runs.mark_interrupted(conn, delivery.institution, self.run_id)  # not before: it locks rows that others wait for
        self.erased = ErasedPeople.read(conn, delivery.institution)
        seen = runs.last_files(conn, delivery.institution)
        written, new_payments = self._books(seen)
        before = runs.last_applied(conn, delivery.institution, before=delivery.as_of)
        self.previous_as_of, found = (before and before.as_of) or delivery.as_of, self._reconcile(before)
        # A correction of the last day: what happens is told by what the run it corrects had applied.
        corrected = last if last is not None and last.as_of == delivery.as_of else None
        happened = self._compare(self.sheets[-1], runs.snapshot_of(conn, corrected)) if corrected else found
        later = last if last is not None and last.as_of is not None and delivery.as_of < last.as_of else None
        self._check_vanished(happened, corrected or before, seen)
        self._check_vanished(found, before, seen)  # several corrections of a day together take no more than the day
        mark_omitted(conn, self.left_books.omitted, delivery.as_of)
        if later is not None:  # the day is past, but money that it turns out to have brought is money all the same
            counts = self._learn_late(later, written, new_payments)
        else:
            counts = self._apply(happened, written, new_payments, before, correcting=corrected is not None)
        self._finish(found, counts, before, restates_only=later is not None)

    # ── checks ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lock(self) -> None:
        """One import of an institution at a time, no erasure meanwhile; on SQLite the writer holds the database."""
        share_lock(self.conn)
        if self.conn.dialect.name == "postgresql":
            self.conn.execute(
                sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"feed/{self.delivery.institution}")))
            )

    def _check_set_aside(self, sheet: Sheet[Any]) -> None:
        """More than the policy's share of bad rows refuse the feed; a few contacts or payments hold up no snapshot."""
        share = self.policy.figure("feed.set_aside_share_percent")
        bad = len(sheet.set_aside)
        always = self.policy.figure("feed.set_aside_rows_always") if sheet.kind in ("contacts", "repayments") else 0
        if bad > always and bad * 100 > share * max(sheet.row_count, 1):
            raise too_many_set_aside(sheet, share)
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
        conn, delivery, vault = self.conn, self.delivery, self.branch.vault
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
                    conn, self.branch, delivery.institution, self.erased.loans(self.loan_rows),
                    self.request.actor, only_new=latest_on > delivery.as_of,
                )  # fmt: skip
                self.unverified = written.unverified
        if delivery.contacts is not None:
            people = known_borrowers(conn, delivery.institution, (row.borrower_id for row in delivery.contacts.rows))
            contacts = delivery.contacts.put_aside(unknown_borrowers(delivery.contacts.rows, people))
            self._check_set_aside(contacts)
            # A row set aside because nobody knew its borrower may be good by now.
            if written.inserted or contacts.sha256 != seen.get("contacts", (delivery.as_of, ""))[1]:
                self.progress("contacts", 0, len(contacts.rows))
                write_contacts(conn, vault, delivery.institution, self.erased.contacts(contacts.rows))
        new_payments: list[RepaymentRow] = []
        if delivery.repayments is not None:
            on_books = self._booked(row.loan_id for row in delivery.repayments.rows)
            payments = delivery.repayments.put_aside(unknown_loans(delivery.repayments.rows, on_books))
            payments = payments.put_aside(disputed_payments(conn, delivery.institution, payments.rows))
            self._check_set_aside(payments)
            new_payments = write_repayments(conn, delivery.institution, self.run_id, payments.rows)
        return written, new_payments

    def _reconcile(self, before: runs.Run | None) -> Reconciliation:
        previous = runs.snapshot_of(self.conn, before)
        known = previous.rows if previous else {}
        overdue = self.delivery.overdue
        unseen = self._booked(row.loan_id for row in overdue.rows if row.loan_id not in known)
        faults = {
            index: note for index, note in unknown_loans(overdue.rows, unseen).items()
            if overdue.rows[index].loan_id not in known
        }  # fmt: skip
        overdue = overdue.put_aside(faults)
        self._check_set_aside(overdue)
        return self._compare(overdue, previous)

    def _compare(self, overdue: Sheet[Any], previous: Snapshot | None) -> Reconciliation:
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
        loans, known = self._booked(touched), changes.known(touched)
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
            as_known.changed(measured, self._booked(loan_ids), changes.known(loan_ids))
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
        on_books, loans = stated_by(self.delivery.loans), self._booked(loan_ids)
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
        his = [row for row in self.loan_rows if row.borrower_id in back]
        write_loans(self.conn, self.branch, self.delivery.institution, his, self.request.actor)
        if contacts is not None:
            ways = [row for row in contacts.rows if row.borrower_id in back]
            write_contacts(self.conn, self.branch.vault, self.delivery.institution, ways)

    def _finish(
        self, found: Reconciliation, counts: dict[str, int], before: runs.Run | None, *, restates_only: bool
    ) -> None:
        conn, delivery = self.conn, self.delivery
        stored = [
            (
                self.run_id,
                sheet.kind,
                row.line,
                row.column,
                row.code,
                self._sealed_cells(sheet, self.erased.cells(sheet.header, row.cells)),
            )
            for sheet in self.sheets
            for row in sheet.set_aside
        ]
        rows.insert_many(conn, set_aside, stored, ("run_id", "kind", "line", "column", "code", "row_sealed"))
        conn.execute(snapshots.insert().values(run_id=self.run_id, rows=pack(found.snapshot)))
        skipped = (delivery.as_of - before.as_of).days - 1 if before and before.as_of else 0
        first = [("manifest", 1, "institution", REGISTERED_BY_FEED)] if self.registered else []
        warned = warnings_of(delivery, self.on_books, self.policy, first)
        warnings = dict(warned.counts)
        if self.unverified:
            warnings["unverified_owner"] = self.unverified
        if delivery.loans is not None:
            warnings |= unverified_places(conn, delivery.loans.rows)
            warnings |= barred_owners(conn, self.branch, delivery.loans.rows)
        figures: dict[str, Any] = {
            **found.figures, **counts, "rows": delivery.overdue.row_count, "days_without_feed": skipped,
            "set_aside_rows": len(stored), "left_books": self.left_books.gone, "left_books_unpaid": len(self.unpaid),
            "left_books_unpaid_cases": self.unpaid[:UNPAID_LISTED], "erased": self.erased.dropped,
            "warnings": warnings, "warned": warned.first, "restates_only": restates_only,
            "held_back": msgspec.to_builtins(
                held_back(self.sheets[-1], found.held, delivery.loans, self.left_books.held)
            ),
        }  # fmt: skip
        runs.finish(conn, self.run_id, runs.APPLIED, correction=self.request.correction, figures=figures, **self.came)
        self._announce(figures)

    def _sealed_cells(self, sheet: Sheet[Any], cells: tuple[str, ...]) -> bytes:
        raw = {"header": list(sheet.header.names), "cells": list(cells)}
        return self.branch.vault.seal("set_aside", msgspec.json.encode(raw).decode())

    def _announce(self, figures: dict[str, Any]) -> None:
        trail = self.branch.trail(now())
        whole = {key: value for key, value in figures.items() if isinstance(value, int)}
        data = {
            "run": self.run_id, "as_of": self.delivery.as_of.isoformat(), "digest": self.delivery.digest,
            "files": self.came["files"], "figures": whole, "correction": self.request.correction,
            "confirmed_vanished": self.request.confirm_vanished,
        }  # fmt: skip
        draft = Draft(
            "feed.applied", self.request.actor.signed, data, rules=("5.4",), policy=self.policy.ref,
            chart=self.branch.rulebook.chart.ref,
        )  # fmt: skip
        trail.append(self.conn, f"feed:{self.delivery.institution}", draft)
        trail.write(self.conn)
