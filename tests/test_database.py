"""How the two databases are opened and begun, and how their failures are told."""

import itertools
import os
import signal
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.address import parse_url
from casework.errors import CallerError, TryAgain
from casework.storage.database import (
    UtcDateTime,
    open_engine,
    reading,
    writing,
)
from casework.storage.driver_errors import is_out_of_memory, translate
from tests.conftest import Database
from tests.postgres_server import postgres_server

scratch = sa.Table(
    "scratch",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime),
    sa.Column("text", sa.Text),
)

NINE_IN_SHANGHAI = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=8)))


@pytest.fixture
def bench(owner_engine: Engine) -> Engine:
    """An engine on a database with the table `scratch`, owned by who uses it."""
    with writing(owner_engine) as conn:
        scratch.create(conn)
    return owner_engine


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nonsense", ""])
def test_only_a_sqlite_file_or_postgresql_is_a_database(url: str) -> None:
    with pytest.raises(CallerError) as refused:
        parse_url(url)
    assert refused.value.code == "database_url_unusable"


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgresql+asyncpg://u@h/d", "postgres://u@h/d"])
def test_the_driver_is_derived_from_the_url(url: str) -> None:
    assert parse_url(url).drivername == "postgresql+psycopg"


def test_a_malformed_url_option_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="max_page_count"):
        open_engine(f"sqlite:///{tmp_path}/x.db?max_page_count=many")


def test_a_missing_sqlite_file_is_gone_and_not_made_by_the_way(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(TryAgain) as failed, reading(engine):
        pass
    assert failed.value.code == "database_gone"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.every_postgres
def test_an_instant_comes_back_in_utc_and_sorts(bench: Engine) -> None:
    with writing(bench) as conn:
        conn.execute(scratch.insert(), [{"id": 1, "at": NINE_IN_SHANGHAI}, {"id": 2, "at": None}])
        conn.execute(scratch.insert(), {"id": 3, "at": datetime(2026, 3, 1, 1, 29, 59, 999999, UTC)})
    with reading(bench) as conn:
        found = conn.execute(
            sa.select(scratch.c.id, scratch.c.at).where(scratch.c.at <= NINE_IN_SHANGHAI).order_by(scratch.c.at)
        ).all()
    assert [row.id for row in found] == [3, 1]
    assert str(found[1].at) == "2026-03-01 01:30:00+00:00"


def test_a_naive_instant_is_refused(bench: Engine) -> None:
    with pytest.raises(sa.exc.StatementError, match="offset"), writing(bench) as conn:
        conn.execute(scratch.insert(), {"id": 1, "at": NINE_IN_SHANGHAI.replace(tzinfo=None)})


def test_an_exception_inside_a_writing_transaction_undoes_all_of_it(bench: Engine) -> None:
    with pytest.raises(KeyError), writing(bench) as conn:
        conn.execute(scratch.insert(), {"id": 1})
        raise KeyError
    with reading(bench) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(scratch)).scalar() == 0


def test_an_error_text_holds_no_values(bench: Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError) as failed, writing(bench) as conn:
        conn.execute(sa.text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "13800000000"})
    assert "13800000000" not in str(failed.value)
    assert translate(failed.value) is None


def test_a_reader_cannot_write(bench: Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError), reading(bench) as conn:
        conn.execute(scratch.insert(), {"id": 1})
    with pytest.raises(sa.exc.DBAPIError), reading(bench, snapshot=True) as conn:
        conn.execute(scratch.insert(), {"id": 1})
    with reading(bench) as conn:
        assert conn.execute(scratch.select()).all() == []


def test_who_waits_to_write_gets_their_turn_among_others_who_write_without_a_pause(tmp_path: Path) -> None:
    """Counted in the others' writes, as no machine is equally fast twice; SQLite's own waiting lets hundreds pass."""
    url = f"sqlite:///{tmp_path}/turns.db"
    patient = open_engine(url, create=True)
    with writing(patient) as conn:
        scratch.create(conn)
    written = [0, 0]
    stop = threading.Event()

    def without_a_pause(who: int) -> None:
        engine = open_engine(url)
        for number in itertools.count(1):
            if stop.is_set():
                break
            with writing(engine) as conn:
                conn.execute(scratch.insert(), {"id": 1_000_000 * (who + 1) + number})
            written[who] = number
        engine.dispose()

    greedy = [threading.Thread(target=without_a_pause, args=(who,)) for who in (0, 1)]
    for thread in greedy:
        thread.start()
    passed_over = []
    try:
        for number in range(20):
            time.sleep(0.02)  # or they would be who writes without a pause
            before = sum(written)
            with writing(patient) as conn:
                conn.execute(scratch.insert(), {"id": number})
            passed_over.append(sum(written) - before)
    finally:
        stop.set()
        for thread in greedy:
            thread.join()
    patient.dispose()
    assert sum(passed_over) < 2_500, passed_over


def test_a_snapshot_does_not_see_what_is_committed_meanwhile(bench: Engine) -> None:
    count = sa.select(sa.func.count()).select_from(scratch)
    with reading(bench, snapshot=True) as conn:
        assert conn.execute(count).scalar() == 0
        with writing(bench) as other:
            other.execute(scratch.insert(), {"id": 1})
        assert conn.execute(count).scalar() == 0
    with reading(bench) as conn:
        assert conn.execute(count).scalar() == 1


@pytest.mark.only("postgresql")
def test_a_session_keeps_utc_and_its_lock_timeout_through_a_reset(database: Database) -> None:
    engine = open_engine(database.url)
    with writing(engine) as conn:
        conn.exec_driver_sql("RESET ALL")
        assert conn.exec_driver_sql("SHOW timezone").scalar() == "UTC"
        assert conn.exec_driver_sql("SHOW lock_timeout").scalar() == "10s"
    engine.dispose()


# --- SQLite -------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.db"
    engine = open_engine(f"sqlite:///{path}", create=True)
    with writing(engine) as conn:
        scratch.create(conn)
    engine.dispose()
    return path


def test_sqlite_is_set_up_for_durable_and_guarded_writing(file: Path) -> None:
    wanted = {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1,
        "secure_delete": 1,
    }  # fmt: skip
    engine = open_engine(f"sqlite:///{file}")
    with writing(engine) as conn:
        assert {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted} == wanted
    engine.dispose()


def test_a_second_writer_is_told_busy_and_a_reader_is_not_held_up(file: Path) -> None:
    first = open_engine(f"sqlite:///{file}")
    second = open_engine(f"sqlite:///{file}?busy_timeout_ms=30")
    with writing(first) as conn:
        conn.execute(scratch.insert(), {"id": 1})
        with pytest.raises(TryAgain) as failed, writing(second):
            pass
        with reading(second) as other:
            assert other.execute(sa.select(scratch)).all() == []
    assert failed.value.code == "database_busy"
    with writing(second) as conn:
        conn.execute(scratch.insert(), {"id": 2})
    first.dispose()
    second.dispose()


def test_a_full_database_is_told_and_keeps_what_it_had(file: Path) -> None:
    engine = open_engine(f"sqlite:///{file}?max_page_count=20")
    with writing(engine) as conn:
        conn.execute(scratch.insert(), {"id": 1, "text": "kept"})
    with pytest.raises(TryAgain) as failed, writing(engine) as conn:
        conn.execute(scratch.insert(), {"id": 2, "text": "x" * 200_000})
    assert failed.value.code == "database_full"
    with reading(engine) as conn:
        assert [row.text for row in conn.execute(sa.select(scratch))] == ["kept"]
    engine.dispose()


def test_a_replaced_file_is_gone_first_and_found_then(file: Path) -> None:
    engine = open_engine(f"sqlite:///{file}")
    with writing(engine) as conn:
        conn.execute(scratch.insert(), {"id": 1})
    other = file.with_name("restored.db")
    with sqlite3.connect(other) as restored, sqlite3.connect(file) as original:
        original.backup(restored)
    restored.close()
    original.close()
    other.replace(file)
    with pytest.raises(TryAgain) as failed, writing(engine):
        pass
    assert failed.value.code == "database_gone"
    with writing(engine) as conn:
        assert len(conn.execute(sa.select(scratch)).all()) == 1
    engine.dispose()


# --- PostgreSQL ---------------------------------------------------------------------------------------------


@pytest.mark.only("postgresql")
def test_a_row_locked_too_long_is_busy(bench: Engine) -> None:
    with writing(bench) as conn:
        conn.execute(scratch.insert(), {"id": 1})
    lock = sa.select(scratch).with_for_update()
    with writing(bench) as conn:
        conn.execute(lock)
        with pytest.raises(TryAgain) as failed, writing(bench) as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            other.execute(lock)
    assert failed.value.code == "database_busy"


@pytest.mark.only("postgresql")
def test_a_killed_session_is_gone_and_the_next_one_works(database: Database, bench: Engine) -> None:
    assert database.server is not None
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(TryAgain) as failed, writing(bench) as conn:
        conn.execute(scratch.insert(), {"id": 1})
        database.server.execute(kill, database=str(bench.url.database))
        time.sleep(0.05)
        conn.execute(scratch.insert(), {"id": 2})
    assert failed.value.code == "database_gone"
    with reading(bench) as conn:
        assert conn.execute(sa.select(scratch)).all() == []


@pytest.mark.only("postgresql")
def test_an_idle_connection_that_the_server_closed_costs_nobody_a_request(database: Database, bench: Engine) -> None:
    assert database.server is not None
    with writing(bench) as conn:
        before = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    database.server.execute(f"SELECT pg_terminate_backend({before})")
    time.sleep(0.1)
    with writing(bench) as conn:
        assert conn.exec_driver_sql("SELECT pg_backend_pid()").scalar() != before


def test_a_server_that_stopped_is_gone() -> None:
    with postgres_server() as server:
        engine = open_engine(server.url("postgres"))
        with writing(engine) as conn:
            conn.exec_driver_sql("SELECT 1")
        os.kill(server.process_id, signal.SIGQUIT)
        for code in _codes(engine, tries=2):
            assert code == "database_gone"
        engine.dispose()


def _codes(engine: Engine, tries: int) -> list[str]:
    codes = []
    for _ in range(tries):
        time.sleep(0.1)
        with pytest.raises(TryAgain) as failed, writing(engine) as conn:
            conn.exec_driver_sql("SELECT 1")
        codes.append(failed.value.code)
    return codes


@pytest.mark.only("postgresql")
def test_a_deadlock_takes_one_of_two_and_says_busy(bench: Engine) -> None:
    with writing(bench) as conn:
        conn.execute(scratch.insert(), [{"id": 1}, {"id": 2}])
    meet = threading.Barrier(2)
    outcomes: list[str] = []

    def both(first: int, second: int) -> None:
        try:
            with writing(bench) as conn:
                conn.execute(scratch.update().where(scratch.c.id == first).values(text="a"))
                meet.wait(10)
                conn.execute(scratch.update().where(scratch.c.id == second).values(text="a"))
            outcomes.append("done")
        except TryAgain as failed:
            outcomes.append(failed.code)

    threads = [threading.Thread(target=both, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["database_busy", "done"]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("55P03", "database_busy"), ("40001", "database_busy"), ("40P01", "database_busy"),
        ("53300", "database_busy"),
        ("53100", "database_full"), ("57P01", "database_gone"), ("57P03", "database_gone"),
        ("08006", "database_gone"),
        ("23505", None), ("57014", None), ("42601", None),
    ],
)  # fmt: skip
def test_an_sql_state_is_told_apart(state: str, code: str | None) -> None:
    failure = translate(psycopg.errors.lookup(state)())
    assert (failure.code if failure else None) == code


@pytest.mark.parametrize(
    ("behind", "short"),
    [
        (MemoryError(), True), (psycopg.OperationalError("out of memory for query result"), True),
        (psycopg.OperationalError("sending query failed: cannot allocate memory for output buffer"), True),
        (psycopg.OperationalError("the connection is closed"), False), (ValueError("memory"), False),
    ],
)  # fmt: skip
def test_a_connection_that_was_lost_for_want_of_memory_is_told_apart_from_one_that_the_server_closed(
    behind: Exception, short: bool
) -> None:
    try:
        try:
            raise behind
        finally:
            raise psycopg.OperationalError("the connection is lost")
    except psycopg.OperationalError as error:
        failure = translate(error)
        assert failure is not None
        failure.__cause__ = error
    assert failure.code == "database_gone"
    assert is_out_of_memory(failure) is short
