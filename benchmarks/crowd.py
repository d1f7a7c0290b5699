"""As many cases as wanted, in minutes: some are opened through the door, and copied with all that belongs to them.

Shares are a branch's and stay the same at every size: states, teams, regions, products, owners, days past due, amounts.
Beside them stand a few of which there are as many at every size. Copies are for reading: no entry of theirs is true.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg
import sqlalchemy as sa

from benchmarks.duties import call_debtors
from benchmarks.place import BUSINESS_DATE, Place
from casework.clock import now
from casework.lifecycle.kept import Kept
from casework.log.tables import entries, unsealed
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.people.staff.tables import staff
from casework.storage import rows
from casework.storage.database import writing
from casework.work.cases.lifecycles import LIFECYCLES
from casework.work.cases.tables import cases, owner_history
from casework.work.contacts.tables import contact_log, contacts

BASE: Final = 10_000
PEOPLE: Final = 160
FEW: Final = 5
"""So many cases have the rarest owner, team, region, product and state, however many others there are."""
SEEING: Final = {"P1": "post_loan_officer", "O1": "operations_collector"}
"""Who sees a region, and who sees products."""
WHOLE: Final = 1_000_000
"""From so many on only what lists read is copied: no entries, and none of the contacts."""
LAST_YEAR: Final = date(2025, 1, 10)
_AT: Final = datetime(2026, 1, 10, 1, tzinfo=UTC)
_VALUES: Final[dict[Any, Any]] = {
    int: 1, str: "x", bool: False, date: BUSINESS_DATE, datetime: _AT, bytes: b"", None: [],
}  # fmt: skip
_EACH: Final = {"visit": 17, "promise": 7, "callback": 40, "repair": 25, "disposal": 60, "remittance": 50}
"""Every so many cases have one; of all other nouns every 50th."""
_SHIFTED: Final = ("parent_id", "case_id")
_SUFFIXED: Final = ("loan_id", "borrower_id", "contact_ref", "ref")
_COPIED: Final = "%-%"
"""Loans of copies are named like that."""
_HASHED: Final = ("row_hash", "number", "phone_index")


def crowd(place: Place, size: int) -> None:
    """Fill an empty branch with `size` cases, and what belongs to so many."""
    base = min(size, BASE)
    place.fill(base)
    place.spread()
    _staff(place)
    _nouns(place)
    call_debtors(place)
    if size > base:
        _copy(place, base, size // base - 1)
    _few(place)
    place.settle()


def rest(place: Place) -> None:
    """All that was copied are over, nothing of theirs is due, and their contacts are of another year."""
    with writing(place.started.engine) as conn:
        closed = {"state": "closed", "closed_as": "settled", "live": False, "visit_due_on": None}
        conn.execute(cases.update().where(cases.c.loan_id.like(_COPIED)).values(closed))
        for noun in LIFECYCLES[1:]:
            if "loan_id" in noun.table.c:
                over = {
                    "live": False, "due_on": None, "reported_at": _AT, "ended_on": LAST_YEAR, "state_since": LAST_YEAR,
                    "opened_on": LAST_YEAR,
                }  # fmt: skip
                idle = {name: value for name, value in over.items() if name in noun.table.c}
                conn.execute(noun.table.update().where(noun.table.c.loan_id.like(_COPIED)).values(idle))
        conn.execute(contact_log.update().where(contact_log.c.loan_id.like(_COPIED)).values(day=LAST_YEAR))
    place.settle()


def _staff(place: Place) -> None:
    """A tenth of the cases is T1's, the others are spread over so many people; a visit is owed for every 20th."""
    names = [f"C{number:04d}" for number in range(PEOPLE)]
    branch = place.started.branch
    with writing(place.started.engine) as conn:
        trail = branch.trail(now())
        for seeing, post in SEEING.items():
            register.add(
                conn, trail, system("cli"), branch.rulebook.permissions, staff_no=seeing, name=seeing, posts=(post,),
                team="team3", region="R3",
            )  # fmt: skip
            place.tokens[seeing] = tokens.issue(conn, trail, system("cli"), staff_no=seeing)
        trail.write(conn)
        added = [{"staff_no": one, "name": one, "status": "active", "added_at": _AT} for one in [*names, "F1"]]
        conn.execute(staff.insert(), added)
        part = cases.c.id % PEOPLE
        for number, name in enumerate(names):
            theirs = sa.and_(part == number, cases.c.id % 10 != 0)
            conn.execute(cases.update().where(theirs).values(owner=name, handler=name))
        for back in range(20):
            on = BUSINESS_DATE + timedelta(days=back - 10)
            conn.execute(cases.update().where(cases.c.id % 400 == back * 20).values(visit_due_on=on))


def _few(place: Place) -> None:
    few = {"owner": "F1", "handler": "F1", "team": "few", "region": "few", "product": "few", "state": "written_off"}
    with writing(place.started.engine) as conn:
        for number, (name, value) in enumerate(few.items()):
            first = 1 + number * FEW
            conn.execute(cases.update().where(cases.c.id.between(first, first + FEW - 1)).values({name: value}))
        conn.execute(unsealed.delete())


def _nouns(place: Place) -> None:
    with writing(place.started.engine) as conn:
        wanted = sa.select(cases.c.id, cases.c.institution, cases.c.borrower_id, cases.c.loan_id)
        found = conn.execute(wanted.order_by(cases.c.id)).all()
        for noun in LIFECYCLES[1:]:
            every = _EACH.get(noun.word, 50)
            made = [_made(place, noun, n, case) for n, case in enumerate((c for c in found if c.id % every == 0), 1)]
            rows.insert_many(conn, noun.table, [noun.rows.row(one) for one in made], noun.rows.columns)


def _made(place: Place, noun: Kept, number: int, case: Any) -> Any:
    """One of a noun, every third over; with what its columns may hold."""
    chart = place.started.branch.rulebook.charts[noun.chart]
    live = number % 3 != 0
    states = [name for name in chart.states if (name in chart.groups.get("live", chart.states)) == live]
    struct = noun.subject
    values: dict[str, Any] = {
        one.name: _VALUES[noun.rows.kinds[one.name][0]]
        for one in msgspec.structs.fields(struct) if one.required
    }  # fmt: skip
    values |= {
        "id": number, "chart": chart.title, "state": states[0] if states else next(iter(chart.states)), "live": live,
        "version": 1, "parent_id": case.id, "institution": case.institution, "borrower_id": case.borrower_id,
        "loan_id": case.loan_id, "due_on": BUSINESS_DATE + timedelta(days=number % 20) if live else None,
        "ref": f"{noun.word}{number}", "begins_at": _AT,
    }  # fmt: skip
    return struct(**{name: value for name, value in values.items() if name in struct.__struct_fields__})


# ── copies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _copy(place: Place, base: int, copies: int) -> None:
    """Every row of cases and of what belongs to them so many times more."""
    tables = [cases, *(noun.table for noun in LIFECYCLES[1:])]
    if base * copies < WHOLE:
        tables += [owner_history, contacts, contact_log, entries]
    postgresql = place.server is not None
    with _raw(place) as run:
        for table in tables:
            numbered = "id" in table.c and table is not entries
            (many,) = run(f"SELECT coalesce(max(id), 0) FROM {table.name}") if numbered else (0,)
            if numbered and not many:
                continue
            changed = {name: _changed(name, base, many, postgresql=postgresql) for name in _columns(table)}
            series = (
                f"generate_series(1, {copies}) AS s(k)" if postgresql
                else f"(WITH RECURSIVE s(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM s WHERE k < {copies})"
                " SELECT k FROM s) AS s"
            )  # fmt: skip
            where = " WHERE stream LIKE 'case:%'" if table is entries else ""
            with _without_indexes(run, table.name, postgresql=postgresql):
                run(
                    f"INSERT INTO {table.name} ({', '.join(changed)})"
                    f" SELECT {', '.join(changed.values())} FROM {table.name}, {series}{where}"
                )
            if postgresql and numbered:
                run(f"SELECT setval('{table.name}_id_seq', (SELECT max(id) FROM {table.name}))")
            print(table.name, "copied", flush=True)


def _columns(table: sa.Table) -> Iterator[str]:
    for column in table.c:
        if column.computed is None and not (table is entries and column.name == "id"):
            yield column.name


def _changed(name: str, base: int, many: int, *, postgresql: bool) -> str:
    """What a column of copy k holds."""
    if name == "id":
        return f"id + k * {many}"
    if name in _SHIFTED:
        return f"{name} + k * {base}"
    if name in _SUFFIXED:
        return f"{name} || '-' || k"
    if name in _HASHED:
        copied = f"{name} || '-' || k"
        return f"{name} || convert_to('-' || k, 'UTF8')" if postgresql else f"CAST({copied} AS BLOB)"
    if name == "stream":
        return f"'case:' || (CAST(substr(stream, 6) AS INTEGER) + k * {base})"
    if name == "overdue_fen":
        return "overdue_fen + k * 37 % 5000"
    return f'"{name}"'


@contextmanager
def _raw(place: Place) -> Iterator[Any]:
    """Runs a statement beside the service's own connections and answers its first row, if it has one."""
    engine = place.started.engine
    engine.dispose()
    if place.server is not None:
        with psycopg.connect(place.server.url(str(engine.url.database)), autocommit=True) as conn:
            for setting in ("session_replication_role = replica", "maintenance_work_mem = '512MB'",
                            "synchronous_commit = off"):  # fmt: skip
                conn.execute(f"SET {setting}".encode())

            def run(sql: str) -> Any:
                done = conn.execute(sql.encode())
                return done.fetchone() if done.description else None

            yield run
        return
    path = place.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("PRAGMA cache_size=-262144")
        yield lambda sql: raw.execute(sql).fetchone()


@contextmanager
def _without_indexes(run: Any, table: str, *, postgresql: bool) -> Iterator[None]:
    """Indexes that no constraint keeps are made anew afterwards: a row at a time they cost ten times as much."""
    listed = (
        f"SELECT json_object_agg(indexname, indexdef) FROM pg_indexes WHERE tablename = '{table}' AND NOT EXISTS"
        " (SELECT FROM pg_constraint WHERE conname = indexname)" if postgresql
        else f"SELECT json_group_object(name, sql) FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}'"
        " AND sql IS NOT NULL"
    )  # fmt: skip
    (found,) = run(listed)
    made: Mapping[str, str] = (msgspec.json.decode(found) if isinstance(found, str) else found) or {}
    for name in made:
        run(f"DROP INDEX {name}")
    yield
    for sql in made.values():
        run(sql)
