"""(k) A contact file of 100,000 rows into the log, beside a bare COPY of as many rows; and its breaches.

Two calls a debtor and day, one in ten connected, one in fifty to somebody else; every debtor has a case. The file is
read, judged, sealed and linked into the debtors' streams in one transaction. Breaches are found among those that may be
some; beside it every contact is judged.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from benchmarks.machine import Others, Spread, clocked, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.demo.branch import generate_large
from casework.intake.dialler.importing import import_contacts
from casework.intake.dialler.recording import DIALLER
from casework.intake.feed.load import ImportRequest, import_feed
from casework.intake.feed.past_arrears import past_arrears
from casework.people.staff.actor import system
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.gate.found import found, judged

ROWS = 100_000
REPEATS = 3
_DAY = date(2024, 6, 1)
_HEADER = (
    "contact_ref", "staff_no", "loan_id", "borrower_id", "party", "phone", "channel", "started_at", "ended_at",
    "result", "recording",
)  # fmt: skip


def run(count: int = ROWS, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), repeats: int = REPEATS) -> None:
    """Measure, and write the section `contacts`."""
    others, lines, judged_s = Others(), [], []
    for kind in kinds:
        taken, bare, narrow, whole = list[float](), list[float](), list[float](), list[float]()
        with server_of(kind) as server:
            for _ in range(repeats):
                with place_on(server) as place:
                    debtors = max(count // 2, 1)
                    folder = generate_large(place.folder / "feed", loans=debtors, overdue=debtors, as_of=_DAY)
                    import_feed(place.started.engine, place.started.branch, folder, ImportRequest(system("cli")))
                    content = _file(count, debtors)
                    taken.append(count / clocked(partial(_import, place, content)))
                    place.settle()
                    narrow.append(clocked(partial(_breaches, place, whole=False)))
                    whole.append(clocked(partial(_breaches, place, whole=True)))
                    bare.append(count / clocked(partial(_copy, place)))
                    print(kind, taken[-1], bare[-1], narrow[-1], whole[-1], flush=True)
        rate, floor = Spread(tuple(taken)), Spread(tuple(bare))
        lines.append((kind, str(rate), str(floor), f"{rate.best / floor.best:.3f}"))
        found = Spread(tuple(narrow)), Spread(tuple(whole))
        judged_s.append((kind, *(one.waits(2) for one in found), f"{found[0].least / found[1].least:.3f}"))
    header = ("best (spread)", "file, rows/s", "bare COPY, rows/s", "file ÷ bare")
    head = f"{count:,} rows, {max(count // 2, 1):,} debtors. Best of {repeats}; {others}."
    breaches = table(("breaches of that day", "found, s", "every contact judged, s", "found ÷ judged"), judged_s)
    write_section("contacts", f"{head}\n\n{table(header, lines)}\n\n{breaches}")


def _file(count: int, debtors: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADER)
    writer.writerows(_rows(count, debtors))
    return text.getvalue().encode()


def _rows(count: int, debtors: int) -> Iterator[tuple[str, ...]]:
    for number in range(count):
        debtor, connected, party = number % debtors + 1, number % 10 == 0, "contact" if number % 50 == 7 else "debtor"
        at = datetime.combine(_DAY, datetime.min.time()) + timedelta(seconds=8 * 3600 + number % 40_000)
        yield (
            f"K{number:08}", f"S{number % 30 + 1:03}", f"D{debtor:06d}", f"B{debtor:06d}", party, f"12{debtor:09}",
            "ai_voice" if number % 3 else "call", f"{at.isoformat()}+08:00",
            f"{(at + timedelta(seconds=30)).isoformat()}+08:00", "debtor" if connected else "no_answer",
            f"rec-{number}" if connected else "",
        )  # fmt: skip


def _import(place: Place, content: bytes) -> None:
    with writing(place.started.engine) as conn:
        taken = import_contacts(conn, place.started.branch, content, "calls.csv", DIALLER, system("cli"))
    assert taken.stored == taken.rows, taken


def _breaches(place: Place, *, whole: bool) -> None:
    """As they are found; or every contact of the day judged with all that bears on it."""
    branch = place.started.branch
    with reading(place.started.engine, snapshot=True) as conn:
        if whole:
            contacts = [contact_of(row) for row in conn.execute(CONTACTS.where(contact_log.c.day == _DAY))]
            listed = list(judged(conn, branch, past_arrears, contacts))
        else:
            listed = list(found(conn, branch, past_arrears, _DAY, _DAY))
    assert listed


def _copy(place: Place) -> None:
    """The rows of the log once more, under other references, keys and indexes with them."""
    columns = tuple(column.name for column in contact_log.columns if column.name != "id")
    with writing(place.started.engine) as conn:
        found = conn.execute(sa.select(*(contact_log.c[name] for name in columns))).all()
        at = columns.index("source")
        again: list[tuple[Any, ...]] = [(*row[:at], "again", *row[at + 1 :]) for row in found]
        rows.insert_many(conn, contact_log, again, columns)
