"""What is odd about a feed that goes in all the same: counted by code, the first ones by file and line. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from casework.intake.feed.booked import Booked, OnBooks
from casework.intake.feed.delivery import Delivery
from casework.intake.feed.feed_sheet import FeedSheet
from casework.intake.feed.row import LOAN_ID, LoanRow
from casework.rules.statechart.policy import Policy

TOLD: Final = 20
"""Warnings that a run tells by line; the others are counted."""


@dataclass(frozen=True, slots=True)
class Warned:
    """How often by code, and where the first ones stand: file, line, column, code. Nothing of what a cell held."""

    counts: dict[str, int]
    first: list[dict[str, Any]]


Told = tuple[str, int, str, str]
"""File, line, column, code."""


def warnings_of(
    delivery: Delivery, stated: OnBooks | None, on_books: Mapping[str, LoanRow | Booked], policy: Policy,
    of_feed: Iterable[Told] = (),
) -> Warned:  # fmt: skip
    """The warnings of its rows, and where the books and the overdue snapshot, which decides, do not fit together.

    `stated`: what the loans file says is outstanding. `on_books`: the loans of this feed's file and those whose arrears
    are new or other than before; of no others is anything said of class or day of disbursement. `of_feed`: what is odd
    about the feed as a whole.
    """
    counts = sum((sheet.more_notices for sheet in delivery.sheets), Counter[str]())
    first: list[dict[str, Any]] = []
    found = ((sheet.kind, *notice) for sheet in delivery.sheets for notice in sheet.notices)
    contradictory = _contradictory(delivery.loans) if stated is not None and stated.closed else ()
    between = (("overdue", *odd) for odd in _disagreeing(delivery, stated, on_books, policy))
    for kind, line, column, code in (*of_feed, *found, *contradictory, *between):
        counts[code] += 1
        if len(first) < TOLD:
            first.append({"kind": kind, "line": line, "column": column, "code": code})
    return Warned(dict(counts), first)


def _contradictory(loans: FeedSheet[LoanRow] | None) -> Iterator[tuple[str, int, str, str]]:
    """Loans called closed with something outstanding: the status decides."""
    for line, row in zip(loans.lines, loans.rows, strict=True) if loans else ():
        if row.status == "closed" and row.outstanding_principal_fen:
            yield "loans", line, "status", "closed_yet_outstanding"


def _disagreeing(
    delivery: Delivery, stated: OnBooks | None, on_books: Mapping[str, LoanRow | Booked], policy: Policy
) -> Iterator[tuple[int, str, str]]:
    stated = stated or OnBooks({}, frozenset(), unnamed=True)
    judged: dict[tuple[str, date], str | None] = {}
    sheet = delivery.overdue
    for line, row, loan in zip(sheet.lines, sheet.rows, map(on_books.get, map(LOAN_ID, sheet.rows)), strict=True):
        loan_id, due = row[0], row[1]
        # Of nearly all loans this feed's own file says that something is outstanding: nothing else need be looked up.
        is_outstanding = type(loan) is LoanRow and loan.outstanding_principal_fen and loan.status != "closed"
        if not is_outstanding and stated.outstanding_fen(loan_id) == 0:
            named = loan_id in stated.rows
            yield line, "loan_id", "nothing_outstanding_yet_overdue" if named else "omitted_yet_overdue"
        if loan is None:
            continue
        if loan.disbursed_on is not None and due < loan.disbursed_on:
            yield line, "oldest_due_date", "due_before_disbursement"
        if loan.risk_class is None:
            continue
        classed = loan.risk_class, due
        if classed not in judged:
            judged[classed] = policy.class_warning(loan.risk_class, (delivery.as_of - due).days)
        code = judged[classed]
        if code is not None:
            yield line, "risk_class", code
