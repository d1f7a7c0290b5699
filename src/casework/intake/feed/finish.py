"""The end of an import: what it set aside, its snapshot and figures, and the entry that says what it did."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from casework.intake.feed import run as runs
from casework.intake.feed.aside import store_aside
from casework.intake.feed.books import barred_owners, unverified_places
from casework.intake.feed.course import ImportCourse, what_came
from casework.intake.feed.held_back import held_back
from casework.intake.feed.institutions import REGISTERED_BY_FEED
from casework.intake.feed.into_books import IntoBooks
from casework.intake.feed.kept_loans import (
    KEPT,
    KeptLoans,
    fault_of,
    keeping,
)
from casework.intake.feed.left_rows import APPLIED, PREFIX, newest_said
from casework.intake.feed.reconcile import pack
from casework.intake.feed.row import LoanRow
from casework.intake.feed.stood_before import StoodBefore
from casework.intake.feed.tables import snapshots
from casework.intake.feed.to_cases import ToldToCases
from casework.intake.feed.tried import undone
from casework.intake.feed.warned import warnings_of
from casework.intake.feed.what_happened import WhatHappened
from casework.log.write.trail import Draft

UNPAID_LISTED = 1_000


def finish(
    course: ImportCourse, before: StoodBefore, books: IntoBooks, happened: WhatHappened, told: ToldToCases
) -> None:  # fmt: skip
    """Store what was set aside and the snapshot, end the run, and append its entry; `Undone` if it is only tried."""
    conn, delivery, found = course.conn, course.delivery, happened.since_before
    sheets = (*books.sheets, happened.overdue)
    stored, emptied = store_aside(conn, course.branch, course.run_id, sheets, before.erased)
    packed = (None if found.held else happened.overdue.packed) or pack(found.snapshot)
    conn.execute(snapshots.insert().values(run_id=course.run_id, rows=packed))
    earlier = before.earlier
    skipped = (delivery.as_of - earlier.as_of).days - 1 if earlier and earlier.as_of else 0
    first = [("manifest", 1, "institution", REGISTERED_BY_FEED)] if before.registered else []
    warned = warnings_of(delivery, books.loans.stated, course.loans_known.seen, course.policy, first)
    warnings = dict(warned.counts)
    if books.loans.written.unverified:
        warnings["unverified_owner"] = books.loans.written.unverified
    if delivery.loans is not None:
        warnings |= unverified_places(conn, delivery.loans.rows)
        warnings |= barred_owners(conn, course.branch, delivery.loans.rows, clock=course.request.clock)
    if course.left.changed:
        warnings["rows_changed"] = len(course.left.changed)
    left = books.loans.left
    figures: dict[str, Any] = {
        **found.figures, **told.counts, "rows": delivery.overdue.row_count, "days_without_feed": skipped,
        "set_aside_rows": stored, "left_books": left.gone, "left_books_unpaid": len(told.unpaid),
        "left_books_unpaid_cases": told.unpaid[:UNPAID_LISTED], "erased": books.left_out + emptied,
        "warnings": warnings, "warned": warned.first, "restates_only": before.later is not None,
        "held_back": msgspec.to_builtins(held_back(happened.overdue, found.held, delivery.loans, left.held)),
    }  # fmt: skip
    came = what_came(delivery)
    runs.finish(
        conn, course.run_id, runs.APPLIED, clock=course.request.clock, correction=course.request.correction,
        figures=figures, **came,
    )  # fmt: skip
    with _kept(course, books.loans.rows) as kept:
        _announce(course, figures, hashlib.sha256(packed).hexdigest(), kept)
        if course.request.dry_run:  # here: whatever a real import could still be refused for has been done
            raise undone(conn, course.branch, course.run_id)


@contextmanager
def _kept(course: ImportCourse, loans: Sequence[LoanRow]) -> Iterator[dict[str, Any]]:
    """The loans as they came, kept for figures of their day; gone again if what follows fails.

    What came before lies there already. A run that ends otherwise leaves a file that the same feed takes up again.
    """
    delivery, folder = course.delivery, course.branch.loans_dir
    if delivery.loans is None:
        yield {}
        return
    if folder is None:
        raise RuntimeError("a branch that imports knows where it keeps the loans")
    before = newest_said(course.conn, course.branch.mac_key, delivery.institution, KEPT)
    kept = None if before is None else msgspec.convert(before[KEPT], KeptLoans)
    same = kept is not None and (kept.source_sha256, kept.rows) == (delivery.loans.sha256, len(loans))
    if kept is not None and same and fault_of(folder, kept) is None:
        yield {KEPT: msgspec.to_builtins(kept)}
        return
    with keeping(folder, delivery.institution, delivery.as_of, loans, delivery.loans.sha256) as kept:
        yield {KEPT: msgspec.to_builtins(kept)}


def _announce(course: ImportCourse, figures: dict[str, Any], snapshot_sha256: str, kept: Mapping[str, Any]) -> None:
    trail = course.branch.trail(course.request.clock())
    whole = {key: value for key, value in figures.items() if isinstance(value, int)}
    data = {
        "run": course.run_id, "as_of": course.delivery.as_of.isoformat(), "digest": course.delivery.digest,
        "files": what_came(course.delivery)["files"], "figures": whole, "correction": course.request.correction,
        "confirmed_vanished": course.request.confirm_vanished, **course.left.said(),
        "repayments": msgspec.to_builtins(course.left.payments.stated()),
        "run_sha256": runs.digest_of(course.conn, course.run_id), "snapshot_sha256": snapshot_sha256,
        **kept,
    }  # fmt: skip
    draft = Draft(
        APPLIED, course.request.actor.signed, data, rules=("5.4",), policy=course.policy.ref,
        chart=course.branch.rulebook.chart.ref,
    )  # fmt: skip
    trail.append(course.conn, f"{PREFIX}:{course.delivery.institution}", draft)
    trail.write(course.conn)
