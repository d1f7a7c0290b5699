"""(l) The close of a day over all open cases, beside the bare statements that it cannot do without.

Bare: the log's days summed by debtor, the cases that learn of them and all that could be due read by the page, as many
entries and rows of cases and duties written as the sweep wrote; nothing is judged, hashed or linked. The day before was
closed too, so that cases learn of one day, as every evening.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from benchmarks.duties import LARGE, SMALL, call_debtors
from benchmarks.machine import Others, clocked, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.intake.dialler.learning import SUMS
from casework.log.tables import entries, unsealed
from casework.log.write.trail import ENTRY_COLUMNS
from casework.operation.sweeping import sweep
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.cases.case import from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.lifecycles import CASES
from casework.work.cases.tables import cases
from casework.work.contacts.tables import contact_log
from casework.work.duties import called, taking
from casework.work.duties.tables import COLUMNS, duties

_PAGE = 1_000
_COPIED = ENTRY_COLUMNS[1:]


@dataclass
class Closed:
    """One size: open cases, entries of cases that the sweep wrote, and the seconds of each."""

    cases: int
    entries: int
    swept_s: float
    bare_s: float

    @property
    def of_a_case_us(self) -> float:
        """Of the sweep, in microseconds."""
        return self.swept_s / self.cases * 1e6


def run(kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, sizes: tuple[int, ...] = (SMALL, LARGE)) -> None:
    """Measure, and write the section `sweep`."""
    others, lines = Others(), []
    for kind in kinds:
        found = []
        with server_of(kind) as server:
            for size in sizes:
                with place_on(server) as place:
                    place.fill(size)
                    call_debtors(place)
                    place.settle()
                    found.append(_measured(place, size))
                    print(kind, found[-1], flush=True)
        lines += [
            (
                kind, f"{one.cases:,}", f"{one.entries:,}", f"{one.swept_s:.2f}", f"{one.bare_s:.2f}",
                f"{one.bare_s / one.swept_s:.2f}", f"{one.of_a_case_us:.1f}",
                f"{one.of_a_case_us / found[0].of_a_case_us:.2f}",
            )
            for one in found
        ]  # fmt: skip
    header = ("", "open cases", "entries", "swept s", "bare s", "bare ÷ swept", "µs a case", "÷ smallest")
    write_section("sweep", f"Each once, for a day is closed once; {others}.\n\n{table(header, lines)}")


def _measured(place: Place, size: int) -> Closed:
    engine, branch = place.started.engine, place.started.branch
    sweep(engine, branch, BUSINESS_DATE - timedelta(days=1))
    place.settle()
    with reading(engine) as conn:
        last = conn.execute(sa.select(sa.func.max(entries.c.id))).scalar_one()
    swept_s = clocked(lambda: sweep(engine, branch, BUSINESS_DATE))
    place.settle()
    told = _told(place, last)
    return Closed(size, len(told.entries), swept_s, clocked(lambda: _bare(place, told)))


@dataclass
class _Told:
    """What the sweep wrote, ready to be written once more, and whom it asked for."""

    entries: list[tuple[Any, ...]]
    cases: list[tuple[Any, ...]]
    customers: list[tuple[str, str]]
    duties: list[tuple[Any, ...]]


def _told(place: Place, last: int) -> _Told:
    with reading(place.started.engine) as conn:
        new = sa.select(*(entries.c[name] for name in _COPIED)).where(
            entries.c.id > last, entries.c.stream.like("case:%")
        )
        written = [(f"bare:{row[0]}", *row[1:]) for row in conn.execute(new)]
        ids = sorted({int(row[0].rpartition(":")[2]) for row in written})
        found = [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", ids)]
        taken = sa.select(*(duties.c[name] for name in COLUMNS)).where(duties.c.day == BUSINESS_DATE)
        owed = [tuple(row) for row in conn.execute(taken)]
    at = COLUMNS.index("day")
    again = [(*row[:at], BUSINESS_DATE + timedelta(days=1), *row[at + 1 :]) for row in owed]
    customers = sorted({(case.borrower_id, case.institution) for case in found})
    return _Told(written, [CASES.rows.change(case) for case in found], customers, again)


def _bare(place: Place, told: _Told) -> None:
    engine, rulebook = place.started.engine, place.started.branch.rulebook
    held_to = rulebook.duties.held_to(rulebook.policies.at(BUSINESS_DATE))
    on = {"institution": "wuhan", "on": BUSINESS_DATE}
    first = BUSINESS_DATE - timedelta(days=4)
    with writing(engine) as conn:
        days = contact_log.c.institution == "wuhan", contact_log.c.day.between(first, BUSINESS_DATE)
        conn.execute(SUMS.where(*days)).all()
        for at in range(0, len(told.customers), _PAGE):
            rows.select_by_keys(conn, CASE_ROWS, ("borrower_id", "institution"), told.customers[at : at + _PAGE])
        for at in range(0, len(told.entries), _PAGE):
            written = told.entries[at : at + _PAGE]
            rows.insert_queued(conn, entries, written, _COPIED, queue=unsealed, sequence_name="entries_id_seq")
        for at in range(0, len(told.cases), _PAGE):
            rows.update_many(conn, cases, "id", told.cases[at : at + _PAGE], CASES.rows.changing)
    after = 0
    while True:
        with reading(engine) as conn:
            page = conn.execute(CASE_ROWS.where(cases.c.id > after).order_by(cases.c.id).limit(_PAGE)).all()
        if not page:
            break
        after = page[-1].id
    with writing(engine) as conn:
        conn.execute(taking.CASES, on | {"states": sorted(held_to.by_state), "placed": sorted(held_to.placed)}).all()
        conn.execute(called.TODAY, on).all()
        rows.insert_many(conn, duties, told.duties, COLUMNS)
