"""(j) Duties of a day, taken at its close, beside the bare statements that they cannot do without.

Bare: the same rows of cases read, the day's contacts summed by debtor, and as many rows of duties inserted; nothing is
judged, no gate is looked at, nothing is linked. Both in one transaction each on the same database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from benchmarks.machine import Others, clocked, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.cases.tables import cases
from casework.work.contacts.tables import contact_log, contacts
from casework.work.duties import called, taking
from casework.work.duties.tables import COLUMNS, duties

SMALL, LARGE = 100_000, 500_000
REPEATS = 3
_ZONE = ZoneInfo("Asia/Shanghai")
_DAYS = 10  # of contacts, two calls a day to whoever is at most 30 days past due, and one to the contact person
_BOOK = ("institution", "borrower_id", "role", "phone_index", "row_hash", "mac")
_LOG = (
    "institution", "source", "contact_ref", "loan_id", "borrower_id", "party", "channel", "started_at", "result",
    "outcome", "recorded_at", "purpose", "number", "has_address", "recording", "late", "day", "row_hash", "stream_seq",
    "mac",
)  # fmt: skip


@dataclass
class Measured:
    """One size: cases, rows of duties, and the seconds of each."""

    cases: int
    duties: int
    taken_s: float
    bare_s: float


def run(
    kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, sizes: tuple[int, ...] = (SMALL, LARGE), repeats: int = REPEATS
) -> None:  # fmt: skip
    """Measure, and write the section `duties`."""
    others, lines = Others(), []
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            found, there = [], 0
            for size in sizes:
                place.fill(size - there)
                call_debtors(place)
                place.settle()
                there = size
                found.append(_measured(place, size, repeats))
            lines += [_line(kind, one, found[0]) for one in found]
            print(*lines, sep="\n", flush=True)
    header = ("", "open cases", "duties", "taken s", "bare s", "bare ÷ taken", "µs a case", "÷ smallest")
    head = (
        f"Best of {repeats}; the entry, the digest and the gate of every debtor who was called in vain included, before"
        f" the commit; {others}."
    )
    write_section("duties", f"{head}\n\n{table(header, lines)}")


def _line(kind: str, done: Measured, first: Measured) -> tuple[str, ...]:
    growth = (done.taken_s / done.cases) / (first.taken_s / first.cases)
    return (
        kind, f"{done.cases:,}", f"{done.duties:,}", f"{done.taken_s:.2f}", f"{done.bare_s:.2f}",
        f"{done.bare_s / done.taken_s:.2f}", f"{done.taken_s / done.cases * 1e6:.1f}", f"{growth:.2f}",
    )  # fmt: skip


def call_debtors(place: Place) -> None:
    """The contacts of `_DAYS` days, and the book of numbers, of those who are not in it yet."""
    with reading(place.started.engine) as conn:
        known = set(conn.execute(sa.select(contacts.c.borrower_id)).scalars())
        wanted = sa.select(cases.c.borrower_id, sa.func.min(cases.c.loan_id)).where(
            cases.c.oldest_due_date >= BUSINESS_DATE - timedelta(days=30)
        )
        debtors = [row for row in conn.execute(wanted.group_by(cases.c.borrower_id)) if row.borrower_id not in known]
    with writing(place.started.engine) as conn:
        book = [
            ("wuhan", borrower, role, f"{role}{borrower}".encode(), f"{role}{borrower}".encode(), b"")
            for borrower, _ in debtors for role in ("debtor", "contact")
        ]  # fmt: skip
        rows.insert_many(conn, contacts, book, _BOOK)
        rows.insert_many(conn, contact_log, list(_contacts(debtors)), _LOG)


def _contacts(debtors: list[Any]) -> Iterator[tuple[Any, ...]]:
    for place_no, (borrower, loan_id) in enumerate(debtors):
        for back in range(_DAYS):
            on = BUSINESS_DATE - timedelta(days=back)
            parties = ("debtor", "debtor") if (place_no + back) % 7 else ("debtor", "debtor", "contact")
            for hour, party in enumerate(parties, 10):
                at = datetime.combine(on, time(hour, place_no % 60), _ZONE)
                outcome = "debtor" if party == "debtor" and (place_no + back) % 9 == 0 else "unanswered"
                result = "debtor" if outcome == "debtor" else "no_answer"
                yield (
                    "wuhan", "file", f"{borrower}-{on}-{hour}", loan_id, borrower, party, "call", at, result, outcome,
                    at, "demand", f"{party}{borrower}".encode(), False, True, False, on, b"", 1, b"",
                )  # fmt: skip


def _measured(place: Place, size: int, repeats: int) -> Measured:
    engine, branch, number = place.started.engine, place.started.branch, 0

    def take() -> None:
        nonlocal number
        with writing(engine) as conn:
            taken = taking.take(conn, branch, "wuhan", BUSINESS_DATE)
            number = len(taken.duties) if taken else 0
            conn.rollback()

    with reading(engine) as conn:
        found = list(taking.reckon(conn, branch, "wuhan", BUSINESS_DATE, closed=True))
    held_to = branch.rulebook.duties.held_to(branch.rulebook.policies.at(BUSINESS_DATE))
    asked = {
        "institution": "wuhan", "on": BUSINESS_DATE, "states": sorted(held_to.by_state),
        "placed": sorted(held_to.placed),
    }  # fmt: skip

    def bare() -> None:
        with writing(engine) as conn:
            conn.execute(taking.CASES, asked).all()
            conn.execute(called.TODAY, {"institution": "wuhan", "on": BUSINESS_DATE}).all()
            rows.insert_many(conn, duties, found, COLUMNS)
            conn.rollback()

    taken_s, bare_s = (min(clocked(work) for _ in range(repeats)) for work in (take, bare))
    return Measured(size, number, taken_s, bare_s)


if __name__ == "__main__":
    run()
