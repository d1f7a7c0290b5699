"""What one import knows as it goes: what was asked, what came, and what it has made of it so far."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.booked import Booked
from casework.intake.feed.books import booked
from casework.intake.feed.erased import ErasedPeople, share_lock
from casework.intake.feed.folder import Delivery, FeedSheet
from casework.intake.feed.left_rows import LeftRows
from casework.intake.feed.row import LoanRow
from casework.intake.feed.vanished import LeftBooks
from casework.people.staff.actor import Actor
from casework.rules.statechart.policy import Policy
from casework.work.cases.branch import Branch

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is asked of an import besides the folder."""

    actor: Actor
    confirm_vanished: bool = False
    correction: bool = False


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


class ImportCourse:
    """One import inside its transaction; `one_import` goes it, `finish` ends it."""

    def __init__(
        self,
        conn: Connection,
        branch: Branch,
        delivery: Delivery,
        request: ImportRequest,
        run_id: int,
        progress: Progress,
    ) -> None:
        self.conn = conn
        self.branch = branch
        self.delivery = delivery
        self.request = request
        self.run_id = run_id
        self.progress = progress
        self.left = LeftRows(conn, branch.mac_key, delivery.institution)
        self.policy: Policy = branch.rulebook.policies.at(delivery.as_of)
        self.came = what_came(delivery)
        self.sheets: list[FeedSheet[Any]] = []
        self.on_books: dict[str, Booked] = {}
        self.loan_rows: Sequence[LoanRow] = ()
        self.left_books = LeftBooks()
        self.previous_as_of = delivery.as_of  # day of the snapshot before; the feed's own if there was none
        self.loans_before: date | None = None  # day of the last loans file before this feed
        self.unpaid: list[int] = []  # cases whose loan left the books without having been paid
        self.registered = False  # this feed is the branch's first and made its institution known
        self.unverified = 0  # owners that the loans file names and nobody registered
        self.erased = ErasedPeople(frozenset(), frozenset())

    def booked_of(self, loan_ids: Iterable[str]) -> dict[str, Booked]:
        """What the books know of these loans, asking the database only for those not in this feed's own file."""
        wanted = set(loan_ids)
        institution = self.delivery.institution
        asked = booked(self.conn, wanted - self.on_books.keys())
        self.on_books |= {loan_id: loan for loan_id, loan in asked.items() if loan.institution == institution}
        return {loan_id: loan for loan_id in wanted if (loan := self.on_books.get(loan_id)) is not None}
