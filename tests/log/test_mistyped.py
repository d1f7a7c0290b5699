"""Values of a kind that a column cannot hold end no verification, and hide nothing beside them."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import TryAgain
from casework.evidence.dossier.heads import state_heads
from casework.evidence.verifying import verify
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.check.sealed import BroughtAlong
from casework.log.check.steady import Steady, part_of
from casework.log.check.verify import COMPARED
from casework.log.format.entry import Entry, decode_strict
from casework.log.tables import entries
from casework.log.write import signer
from casework.log.write.seal import Sealer
from casework.operation.startup import branch_of, upgrade
from casework.people.staff.actor import system
from casework.people.staff.tables import staff
from casework.settings import load_keys
from casework.storage.database import UtcDateTime, metadata, open_engine
from casework.work.cases.tables import cases
from tests.log.built_log import BuiltLog, clock, fill, guards_down, own_database
from tests.postgres_server import Server


@pytest.fixture(scope="module", params=["sqlite", "pg17"])
def log(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[BuiltLog]:  # fmt: skip
    """A small log, sealed and stated; attacks on it are rolled back."""
    folder = tmp_path_factory.mktemp("mistyped")
    with own_database(request.param, folder, migrated_sqlite, postgres_servers) as settings:
        upgrade(settings, system("cli"), clock=clock)
        branch = branch_of(settings, load_keys(settings.keys_dir))
        engine = open_engine(str(settings.database_owner_url))
        signer.make_keys_once(settings.keys_dir, "log.example/mistyped")
        built = BuiltLog(settings, engine, branch, fill(engine, branch, cases=5))
        for _ in range(2):
            assert Sealer(engine, branch.mac_key, branch.vault, settings.keys_dir, clock=clock).round().refused is None
            state_heads(engine, branch, daily=False, clock=clock)
        yield built
        engine.dispose()


WRONG: dict[type[Any], tuple[Any, ...]] = {
    sa.String: (b"\xff\xfe", "CAST(x'ff41' AS TEXT)"), sa.LargeBinary: ("text", 7, 1.5),
    sa.Integer: ("seven", 1.5, b"\x07"), sa.Boolean: ("yes", 7, b"\x01"), sa.Date: ("soon", 7, b"\x00", "2026-02-30"),
    sa.types.TypeDecorator: ("now", 7, b"\x00", "2026-13-01T00:00:00.000000Z"),
}  # fmt: skip
TABLES = sorted(metadata.tables)


def is_of_time(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, (UtcDateTime, sa.Date))


def wrong_for(column: sa.Column[Any]) -> tuple[Any, ...]:
    return next(values for kind, values in WRONG.items() if isinstance(column.type, kind))


def verified(conn: Connection, log: BuiltLog) -> Report:
    outside = BroughtAlong.of(log.settings.keys_dir)
    return verify(conn, log.branch.mac_key, log.branch.vault, outside=outside)


def beside(conn: Connection) -> None:
    """What must be found whatever stands beside it: a case's row and a person's."""
    assert conn.execute(cases.update().where(cases.c.id == 2).values(state="lost_contact")).rowcount == 1
    assert conn.execute(staff.update().where(staff.c.staff_no == "R1").values(name="X")).rowcount == 1


OF_TEXTS = {("row_differs", "case:2")}  # nothing is replayed where the chart itself was changed
BESIDE = {("row_differs", "case:2"), ("row_differs", "staff:R1")}


def put(conn: Connection, table: str, column: str, value: Any) -> bool:
    """The value in a column of the table's last row; false where there is none."""
    told = value if isinstance(value, str) and value.startswith("CAST(") else "?"
    set_to = f'UPDATE "{table}" SET "{column}" = {told} WHERE rowid = (SELECT max(rowid) FROM "{table}")'
    return bool(conn.exec_driver_sql(set_to, () if told != "?" else (value,)).rowcount)


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", TABLES)
def test_a_mistyped_value_in_any_column_is_named_and_hides_nothing_beside_it(log: BuiltLog, table: str) -> None:
    for column in metadata.tables[table].columns:
        for value in wrong_for(column) if column.computed is None else ():
            with log.attacked() as conn:
                conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
                with guards_down(conn):
                    beside(conn)
                    try:
                        if not put(conn, table, column.name, value):
                            return
                    except sa.exc.IntegrityError:
                        continue
                report = verified(conn, log)
            found = {(one.code, one.stream) for one in report.findings}
            expected = BESIDE - OF_TEXTS if (table, column.name) == ("texts", "body") else BESIDE
            assert found >= expected, (column.name, value, report.doubts)
            if not str(value).startswith("CAST("):
                named = [one.detail for one in report.findings if one.code == "value_mistyped"]
                assert {"table": table, "column": column.name, "rows": 1} in named


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", sorted(column.name for column in COMPARED))
def test_a_mistyped_value_is_named_where_nothing_but_the_walk_over_entries_meets_it(log: BuiltLog, name: str) -> None:
    """Those columns are looked at for their kinds only where the walk finds something: it always does."""
    other = "TEXT" if is_blob(entries.c[name]) else "BLOB"
    same_of_another_kind = f"CAST(coalesce({name}, 'none') AS {other})"
    for value in (b"\xff", 7, 1.5, "text", same_of_another_kind):
        if isinstance(value, bytes if is_blob(entries.c[name]) else str) and value != same_of_another_kind:
            continue  # of its kind
        with log.attacked() as conn:
            conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            with guards_down(conn):
                assert put(conn, "entries", name, value)
            held = conn.exec_driver_sql(
                f'SELECT typeof("{name}") FROM entries ORDER BY rowid DESC LIMIT 1'
            ).scalar_one()
            report = verified(conn, log)
        named = [one.detail for one in report.findings if one.code == "value_mistyped" and "table" in one.detail]
        right = "blob" if is_blob(entries.c[name]) else "text"  # a column of texts makes one of a number
        mistyped = held != right or is_of_time(entries.c[name])
        assert ({"table": "entries", "column": name, "rows": 1} in named) is mistyped, (value, held)


def nonsense(column: sa.Column[Any]) -> Any:
    """A blob, where SQLite takes one: a number that is the row's own must be a number."""
    is_row = column.primary_key and len(column.table.primary_key.columns) == 1 and isinstance(column.type, sa.Integer)
    return 987_654 if is_row else b"\xff"


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", TABLES)
def test_a_row_of_nothing_but_nonsense_in_any_table_hides_nothing_beside_it(log: BuiltLog, table: str) -> None:
    columns = [column for column in metadata.tables[table].columns if column.computed is None]
    names, marks = ", ".join(f'"{column.name}"' for column in columns), ", ".join("?" * len(columns))
    with log.attacked() as conn:
        conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        conn.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        with guards_down(conn):
            beside(conn)
            row = tuple(map(nonsense, columns))
            conn.exec_driver_sql(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', row)
        conn.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")
        report = verified(conn, log)
    assert {(one.code, one.stream) for one in report.findings} >= BESIDE, report.doubts
    said = [one.detail for one in report.findings if one.code == "value_mistyped"]
    named = {detail["column"] for detail in said if detail["table"] == table}
    assert named >= {column.name for column in columns if nonsense(column) == b"\xff" and not is_blob(column)}


def is_blob(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.LargeBinary)


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
@pytest.mark.parametrize("fraction", ["000000", "000001", "999499", "999500", "999999"])
def test_no_fraction_of_a_second_is_taken_for_a_mistyped_instant(log: BuiltLog, fraction: str) -> None:
    with log.attacked() as conn:
        with guards_down(conn):
            assert put(conn, "staff", "added_at", f"2026-01-02T03:59:59.{fraction}Z")
        report = verified(conn, log)
    assert [one for one in report.findings if one.code == "value_mistyped"] == []


def test_the_log_is_sound_before_any_of_it(log: BuiltLog) -> None:
    with log.attacked() as conn:
        report = verified(conn, log)
    assert (report.findings, report.doubts, report.verdict) == ([], [], "sound")


# --- what PostgreSQL takes that no program can read


@pytest.mark.parametrize("log", ["pg17"], indirect=True)
@pytest.mark.parametrize("table", [table for table in TABLES if any(map(is_of_time, metadata.tables[table].columns))])
def test_a_day_without_end_is_named_and_hides_nothing_beside_it(log: BuiltLog, table: str) -> None:
    last = f'(SELECT max(ctid) FROM "{table}")'
    for column in filter(is_of_time, metadata.tables[table].columns):
        for value in ("infinity", "20000-01-01", "0044-03-15 BC"):
            set_to = f'UPDATE "{table}" SET "{column.name}" = %s WHERE ctid = {last}'
            with log.attacked() as conn:
                with guards_down(conn):
                    beside(conn)
                    if not conn.exec_driver_sql(set_to, (value,)).rowcount:
                        return
                report = verified(conn, log)
            assert {(one.code, one.stream) for one in report.findings} >= BESIDE, report.doubts
            named = [one.detail for one in report.findings if one.code == "value_mistyped"]
            assert named == [{"table": table, "column": column.name, "rows": 1}]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_of_all_are_days(log: BuiltLog, day: str) -> None:
    """The twin: whatever else is said of them, they are of their kind."""
    with log.attacked() as conn:
        with guards_down(conn):
            conn.execute(staff.update().values(joined_on=date.fromisoformat(day)))
        report = verified(conn, log)
    assert {one.code for one in report.findings} == {"row_differs"}


# --- whatever else a part trips over


class Stumbling:
    """A keeper with a fault in one stream."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool]] = []

    def follow(self, entry: Entry) -> None:
        if entry.stream == "case:2":
            raise KeyError("a fault")

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (as every keeper)
        self.heard.append((stream, sound))

    def finish(self) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_a_part_that_stumbles_leaves_a_doubt_and_goes_on_with_the_next_stream(log: BuiltLog) -> None:
    report, stumbling = Report(entries=1), Stumbling()
    keeper = Steady(report, "cases", stumbling)
    with log.attacked() as conn:
        for stream in ("case:2", "case:3"):
            body = conn.execute(sa.select(entries.c.body).where(entries.c.stream == stream).limit(1)).scalar_one()
            keeper.follow(decode_strict(bytes(body)))
            keeper.close(stream, Tail(1, None, ""), sound=True)
    keeper.finish()
    assert stumbling.heard == [("case:2", False), ("case:3", True)]
    assert [(one.code, one.detail["error"]) for one in report.doubts] == [
        ("part_not_compared", "KeyError"), ("part_not_compared", "ZeroDivisionError")
    ]  # fmt: skip
    assert report.verdict == "cannot_tell"


def test_a_database_that_is_gone_ends_all_of_it() -> None:
    with pytest.raises(TryAgain), part_of(Report(), "tree"):
        raise TryAgain("database_gone", "gone")
