"""What an erasure, a hold and `privacy show` look at: a borrower's cases, requests, loans, holds; locked if asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import branch_date
from casework.customer import Customer, stream_of
from casework.errors import CallerError
from casework.intake.feed.customers import of_customer
from casework.intake.feed.tables import borrowers, loans
from casework.log.format.erasure import ERASED, Place
from casework.log.tables import erasures, streams
from casework.log.write.trail import locked_head
from casework.oversight.privacy.deciding import (
    ErasureSituation,
)
from casework.oversight.privacy.tables import legal_holds
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases
from casework.work.four_eyes.tables import requests


@dataclass(frozen=True)
class ErasureAsked:
    """A request about one of their cases, as far as an erasure needs it."""

    id: int
    open: bool
    audit_seq: int
    last_entry_at: datetime


@dataclass(frozen=True)
class ErasureGathered:
    """A borrower as they stand; `seq` is the last number of their own stream, `erased` the erasures so far."""

    customer: Customer
    stream: str
    seq: int
    row: Any
    cases: Sequence[Case]
    requests: Sequence[ErasureAsked]
    loan_ids: Sequence[str]
    erased: Sequence[Any]
    situation: ErasureSituation

    @property
    def places(self) -> list[Place]:
        """Every stream with personal data of theirs, each with its last number."""
        return [
            (self.stream, self.seq),
            *((case.stream, case.audit_seq) for case in self.cases),
            *((f"request:{one.id}", one.audit_seq) for one in self.requests),
        ]


def gather(
    conn: Connection, branch: Branch, customer: Customer, at: datetime, *, lock: bool = False
) -> ErasureGathered:
    """Read the borrower, with `lock` every row held until the transaction ends; CallerError `unknown_borrower`.

    Cases before requests before their own stream: the order in which everybody takes them.
    """
    stream = stream_of(branch.vault, customer)
    held_cases = _cases(conn, customer, lock=lock)
    asked = _requests(conn, _subjects(conn, branch, customer), lock=lock)
    seq = locked_head(conn, stream).seq if lock else _seq(conn, stream)
    row = conn.execute(sa.select(borrowers).where(of_customer(borrowers, customer))).one_or_none()
    of_them = sa.select(loans.c.loan_id).where(of_customer(loans, customer)).order_by(loans.c.loan_id)
    loan_ids = sorted({*conn.execute(of_them).scalars(), *(case.loan_id for case in held_cases)})
    if row is None and not loan_ids:
        raise CallerError("unknown_borrower", "没有这位借款人", "there is no such borrower")
    before = sa.select(erasures).where(of_customer(erasures, customer)).order_by(erasures.c.stream_seq)
    situation = _situation(branch, at, held_cases, asked, holds_of(conn, customer))
    return ErasureGathered(
        customer, stream, seq, row, held_cases, asked, loan_ids, conn.execute(before).all(), situation
    )  # fmt: skip


def holds_of(conn: Connection, customer: Customer) -> list[str]:
    """The reasons of the legal holds open on a borrower, the oldest first."""
    held = sa.select(legal_holds.c.reason).where(of_customer(legal_holds, customer))
    return list(conn.execute(held.order_by(legal_holds.c.stream_seq)).scalars())


def _cases(conn: Connection, customer: Customer, *, lock: bool) -> list[Case]:
    statement = CASE_ROWS.where(of_customer(cases, customer)).order_by(cases.c.id)
    return [from_row(row) for row in conn.execute(statement.with_for_update() if lock else statement)]


def _subjects(conn: Connection, branch: Branch, customer: Customer) -> list[str]:
    """Everything of theirs that something may be asked for: cases, what belongs to them, what is their own."""
    return [
        f"{noun.word}:{number}"
        for noun in branch.nouns
        for number in conn.execute(sa.select(noun.table.c.id).where(of_customer(noun.table, customer))).scalars()
    ]


def _requests(conn: Connection, subjects: list[str], *, lock: bool) -> list[ErasureAsked]:
    about = rows.select_by_keys(conn, _ABOUT, "subject", subjects)
    found = rows.select_by_keys(conn, _ASKED, "id", sorted(row.id for row in about), lock=lock)
    return [ErasureAsked(*row) for row in found]


_ABOUT = sa.select(requests.c.subject, requests.c.id)
_ASKED = sa.select(requests.c.id, requests.c.live, requests.c.audit_seq, requests.c.last_entry_at)


def _seq(conn: Connection, stream: str) -> int:
    return int(conn.execute(sa.select(streams.c.audit_seq).where(streams.c.stream == stream)).scalar() or 0)


def _situation(
    branch: Branch, at: datetime, held: Sequence[Case], asked: Sequence[ErasureAsked], holds: Sequence[str]
) -> ErasureSituation:
    recorded = [case.last_entry_at for case in held] + [one.last_entry_at for one in asked]
    return ErasureSituation(
        branch.today(at),
        tuple(case.id for case in held if case.live),
        tuple(case.id for case in held if case.facts.matter_open),
        tuple(one.id for one in asked if one.open),
        tuple(holds),
        branch_date(max(recorded), branch.time_zone) if recorded else None,
        max((case.state_since for case in held if not case.live), default=None),
    )


__all__ = ["ERASED", "ErasureAsked", "ErasureGathered", "gather", "holds_of"]
