"""What one import works with from its beginning to its end; what it finds out its stages hand on as values."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.intake.feed.booked import Booked, of_row
from casework.intake.feed.books import booked
from casework.intake.feed.delivery import Delivery
from casework.intake.feed.erased import share_lock
from casework.intake.feed.left_rows import LeftRows
from casework.intake.feed.row import LoanRow
from casework.people.staff.actor import Actor
from casework.rules.statechart.policy import Policy
from casework.work.cases.branch import Branch

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is asked of an import besides the folder; `dry_run`: it is only said what would become of it."""

    actor: Actor
    confirm_vanished: bool = False
    correction: bool = False
    clock: Clock = now
    dry_run: bool = False


def what_came(delivery: Delivery) -> dict[str, Any]:
    """What a run says of the delivery it was for."""
    files = [
        {"name": file.name, "kind": file.kind, "rows": file.rows, "sha256": file.sha256.lower()}
        for file in delivery.files
    ]
    return {
        "institution": delivery.institution, "as_of": delivery.as_of, "digest": delivery.digest, "files": files,
    }  # fmt: skip


def hold_feeds(conn: Connection, institution: str) -> None:
    """One import of an institution at a time, no erasure meanwhile; on SQLite the writer holds the database."""
    share_lock(conn)
    if conn.dialect.name == "postgresql":
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"feed/{institution}"))))


class BookedLoans(Mapping[str, Booked]):
    """Loans as the books know them, each put into these words when it is looked at: of a first feed there are many."""

    def __init__(self, found: Mapping[str, LoanRow | Booked], institution: str) -> None:
        self._found, self._institution = found, institution

    def __getitem__(self, loan_id: str) -> Booked:
        loan = self._found[loan_id]
        return loan if isinstance(loan, Booked) else of_row(loan, self._institution)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class LoansKnown:
    """What the books know of an institution's loans: those of the feed's own file, and what the database was asked."""

    def __init__(self, conn: Connection, institution: str) -> None:
        self._conn = conn
        self._institution = institution
        self.seen: Mapping[str, LoanRow | Booked] = {}

    def of_file(self, rows: Iterable[LoanRow]) -> Mapping[str, LoanRow]:
        """What the feed's loans file says, by loan: the books know it before anything else is asked."""
        self.seen = by_loan = {row[0]: row for row in rows}
        return by_loan

    def of(self, loan_ids: Iterable[str]) -> "BookedLoans":
        """These loans and others, asking the database only for those not seen before; none of another institution.

        In no particular order; whoever looks at one later asks nothing any more.
        """
        asked = booked(self._conn, {loan_id for loan_id in loan_ids if loan_id not in self.seen})
        if asked:
            ours = {loan_id: loan for loan_id, loan in asked.items() if loan.institution == self._institution}
            self.seen = {**self.seen, **ours}  # another: what was handed on stays as it is
        return BookedLoans(self.seen, self._institution)

    def unknown_among(self, loan_ids: Iterable[str]) -> set[str]:
        """Those of these loans that the books do not know, asking as `of` does."""
        wanted = {loan_id for loan_id in loan_ids if loan_id not in self.seen}
        return wanted - self.of(wanted).keys()


@dataclass(frozen=True, slots=True)
class ImportCourse:
    """One import inside its transaction: `one_import` takes it through its stages."""

    conn: Connection
    branch: Branch
    delivery: Delivery
    request: ImportRequest
    run_id: int
    progress: Progress
    policy: Policy
    left: LeftRows
    loans_known: LoansKnown
    processes: int

    @classmethod
    def begin(
        cls, conn: Connection, branch: Branch, delivery: Delivery, request: ImportRequest, run_id: int,
        progress: Progress, processes: int = 1,
    ) -> "ImportCourse":  # fmt: skip
        """With the policy of the feed's day."""
        policy, institution = branch.rulebook.policies.at(delivery.as_of), delivery.institution
        left, known = LeftRows(conn, branch.mac_key, institution), LoansKnown(conn, institution)
        return cls(conn, branch, delivery, request, run_id, progress, policy, left, known, processes)
