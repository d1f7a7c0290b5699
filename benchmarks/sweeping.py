"""(l) The close of a day over all open cases and the lists of the next morning, beside their bare statements.

Bare: the log's days summed by debtor, the cases that learn of them and all that could be due read by the page, as many
entries and rows of cases and duties written as the sweep wrote, and what the ledger's lines of the day are made of
read (decision 0054), the cases once for lines and duties; what breaches are judged from is not. Nothing is judged,
hashed or linked. Of the lists: cases and sums of the day read, the figures of who is on a list, the contacts of the
week with others than debtors, all of their debtors and on their numbers; as many tasks written. The day before was
closed too, so that cases learn of one day, as always.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from benchmarks.duties import LARGE, SMALL, call_debtors
from benchmarks.machine import Others, clocked, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.evidence.ledger.gathering import ASKED_OF_CASES, ASKED_OF_CUSTOMERS
from casework.intake.dialler.learning import SUMS
from casework.log.tables import entries, unsealed
from casework.log.write.trail import ENTRY_COLUMNS
from casework.operation.morning import make_lists
from casework.operation.sweeping import sweep
from casework.people.staff.actor import system
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.cases.case import from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.lifecycles import CASES
from casework.work.cases.tables import cases
from casework.work.contacts.tables import CONTACTS, contact_log
from casework.work.duties import called, taking
from casework.work.duties.tables import COLUMNS, duties
from casework.work.tasks.tables import COLUMNS as TASKS
from casework.work.tasks.tables import tasks

_PAGE = 1_000
_COPIED = ENTRY_COLUMNS[1:]


@dataclass
class Closed:
    """One size: open cases, entries of cases that the sweep wrote, and the seconds of each."""

    cases: int
    entries: int
    swept_s: float
    bare_s: float
    tasks: int
    listed_s: float
    bare_lists_s: float

    @property
    def of_a_case_us(self) -> float:
        """Of the sweep, in microseconds."""
        return self.swept_s / self.cases * 1e6

    @property
    def list_of_a_case_us(self) -> float:
        """Of the lists, in microseconds."""
        return self.listed_s / self.cases * 1e6


def run(kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, sizes: tuple[int, ...] = (SMALL, LARGE)) -> None:
    """Measure, and write the section `sweep`."""
    others, lines, lists = Others(), [], []
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
        lists += [
            (
                kind, f"{one.cases:,}", f"{one.tasks:,}", f"{one.listed_s:.2f}", f"{one.bare_lists_s:.2f}",
                f"{one.bare_lists_s / one.listed_s:.2f}", f"{one.list_of_a_case_us:.1f}",
                f"{one.list_of_a_case_us / found[0].list_of_a_case_us:.2f}",
            )
            for one in found
        ]  # fmt: skip
    header = ("", "open cases", "entries", "swept s", "bare s", "bare ÷ swept", "µs a case", "÷ smallest")
    of_lists = ("", "open cases", "tasks", "lists made s", "bare s", "bare ÷ made", "µs a case", "÷ smallest")
    head = f"Each once, for a day is closed once; {others}."
    write_section("sweep", f"{head}\n\n{table(header, lines)}\n\n{table(of_lists, lists)}")


def _measured(place: Place, size: int) -> Closed:
    engine, branch = place.started.engine, place.started.branch
    sweep(engine, branch, BUSINESS_DATE - timedelta(days=1))
    place.settle()
    with reading(engine) as conn:
        last = conn.execute(sa.select(sa.func.max(entries.c.id))).scalar_one()
    swept_s = clocked(lambda: sweep(engine, branch, BUSINESS_DATE))
    place.settle()
    told = _told(place, last)
    bare_s = clocked(lambda: _bare(place, told))
    place.settle()
    morning = BUSINESS_DATE + timedelta(days=1)
    listed_s = clocked(lambda: _list(place, morning))
    with reading(engine) as conn:
        made = [tuple(row) for row in conn.execute(sa.select(*(tasks.c[name] for name in TASKS)))]
    return Closed(
        size, len(told.entries), swept_s, bare_s, len(made), listed_s, clocked(lambda: _bare_lists(place, made))
    )


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
        states = {"states": sorted(held_to.by_state), "placed": sorted(held_to.placed)}
        owed_to = {row[COLUMNS.index("case_id")] for row in told.duties}
        stood = [row for row in conn.execute(taking.WHOLE_CASES, on | states) if row.id in owed_to]
        conn.execute(called.TODAY, on).all()
        rows.insert_many(conn, duties, told.duties, COLUMNS)
        conn.execute(CONTACTS.where(contact_log.c.day == BUSINESS_DATE)).all()  # how cases stood is kept for the ledger
        owed, whose = sorted(owed_to), sorted({(row.borrower_id, row.institution) for row in stood})
        for asked in ASKED_OF_CASES:
            rows.select_by_keys(conn, asked, "parent_id", owed)
        for asked in ASKED_OF_CUSTOMERS:
            rows.select_by_keys(conn, asked, ("borrower_id", "institution"), whose)


def _list(place: Place, morning: date) -> None:
    with writing(place.started.engine) as conn:
        assert make_lists(conn, place.started.branch, morning, system("cli"))


def _bare_lists(place: Place, made: list[tuple[Any, ...]]) -> None:
    rulebook, day = place.started.branch.rulebook, TASKS.index("day")
    morning = made[0][day]
    held_to = rulebook.duties.held_to(rulebook.policies.at(morning))
    on = {"institution": "wuhan", "on": morning}
    ids, again = TASKS.index("id"), [(*row[:day], morning + timedelta(days=1), *row[day + 1 :]) for row in made]
    last = max(row[ids] for row in made)
    fresh = [(*row[:ids], last + number, *row[ids + 1 :]) for number, row in enumerate(again, 1)]
    with writing(place.started.engine) as conn:
        conn.execute(
            taking.ALL_CASES, on | {"states": sorted(held_to.by_state), "placed": sorted(held_to.placed)}
        ).all()
        conn.execute(called.TODAY, on).all()
        wanted = sorted({row[TASKS.index("case_id")] for row in made if row[TASKS.index("case_id")] is not None})
        week = contact_log.c.day.between(morning - timedelta(days=7), morning)
        others = conn.execute(CONTACTS.where(week, contact_log.c.party != "debtor")).all()
        rows.select_by_keys(conn, CONTACTS, "borrower_id", sorted({row.borrower_id for row in others}))
        numbers = {row.number for row in others if row.number is not None}
        rows.select_by_keys(conn, CONTACTS, "number", sorted(numbers))
        rows.select_by_keys(conn, sa.select(cases.c.id, cases.c.overdue_fen, cases.c.bucket), "id", wanted)
        rows.insert_many(conn, tasks, fresh, TASKS)
