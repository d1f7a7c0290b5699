"""A replicated PostgreSQL under an address of several hosts: whatever connects finds the one that takes writes."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from casework.cli import main
from casework.errors import TryAgain
from casework.operation.backup import backup
from casework.operation.restore import restore
from casework.operation.startup import start, upgrade
from casework.people.staff.actor import system
from casework.settings import Settings, shipped
from casework.storage.database import open_engine, reading, writing
from tests.postgres_server import APP, OWNER
from tests.replicated import Pair, replicated

PORT = sa.text("SELECT current_setting('port')::int")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with replicated(synchronous=False) as made:
        made.execute(made.primary, f"CREATE DATABASE casework OWNER {OWNER}")
        made.follow()
        yield made


def settings_of(pair: Pair, tmp_path: Path, database: str = "casework") -> Settings:
    return Settings(
        database_url=pair.url(database), database_owner_url=pair.url(database, OWNER), keys_dir=tmp_path / "keys",
        statecharts=shipped("statecharts"),
    )  # fmt: skip


def listing(pair: Pair, user: str) -> list[str]:
    """The spellings of an address, the standby first."""
    standby, primary = pair.standby.port, pair.primary.port
    return [
        f"postgresql://{user}@127.0.0.1:{standby},127.0.0.1:{primary}/casework?target_session_attrs=read-write",
        f"postgresql://{user}@/casework?host=127.0.0.1,127.0.0.1&port={standby},{primary}",
        f"postgresql://{user}@/casework?host=127.0.0.1:{standby}&host=127.0.0.1:{primary}&target_session_attrs=primary",
        f"postgresql://{user}@/casework?host={pair.standby.folder},{pair.primary.folder}&port={standby},{primary}",
    ]


def test_migrations_shell_backup_and_restore_work_under_every_spelling_of_two_hosts(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pair.primary.server is not None
    monkeypatch.setenv("PATH", f"{pair.primary.server.bin_dir}:{os.environ['PATH']}")
    settings = settings_of(pair, tmp_path)
    for number, (url, owner_url) in enumerate(zip(listing(pair, APP), listing(pair, OWNER), strict=True)):
        given = {"CASEWORK_DATABASE_URL": url, "CASEWORK_DATABASE_OWNER_URL": owner_url,
                 "CASEWORK_KEYS_DIR": str(settings.keys_dir)}  # fmt: skip
        for command in (
            ["db", "upgrade"],
            ["db", "status"],
            ["staff", "add", f"A{number}", "林管", "--post", "auditor"],
        ):
            done = CliRunner().invoke(main, command, env=given)
            assert done.exit_code == 0, done.output
        backup(Settings.from_environment(given), tmp_path / f"{number}.backup")
    pair.execute(pair.primary, f"CREATE DATABASE again OWNER {OWNER}")
    restored = restore(settings_of(pair, tmp_path, "again"), tmp_path / "3.backup")
    assert restored.report.verdict == "sound"


def test_readers_and_writers_are_on_the_host_that_takes_writes_and_readers_cannot_write(pair: Pair) -> None:
    for url in listing(pair, OWNER):
        engine = open_engine(url)
        for opened in (reading, writing):
            with opened(engine) as conn:
                assert conn.execute(PORT).scalar() == pair.primary.port
                assert conn.execute(sa.text("SELECT pg_is_in_recovery()")).scalar() is False
        with pytest.raises(sa.exc.DBAPIError, match="read-only"), reading(engine) as conn:
            conn.exec_driver_sql("RESET ALL")
            conn.exec_driver_sql("CREATE TABLE written (x int)")
        engine.dispose()


def test_an_old_primary_that_was_set_to_read_only_is_not_read_either(pair: Pair) -> None:
    """Who fences it so would else have readers see a past that writers do not."""
    old = pair.primary
    pair.execute(old, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    pair.promote()
    engine = open_engine(pair.url("casework"))
    for opened in (reading, writing):
        with opened(engine) as conn:
            assert conn.execute(PORT).scalar() == pair.primary.port
    engine.dispose()


def test_a_server_that_takes_no_writes_is_told_as_that_and_tried_anew_until_one_does(pair: Pair) -> None:
    """One address behind which the servers change places, as a virtual address or a proxy has it."""
    engine = open_engine(f"postgresql://{OWNER}@127.0.0.1:{pair.standby.port}/casework")
    with reading(engine) as conn:
        assert conn.execute(PORT).scalar() == pair.standby.port
    for _ in range(2):
        with pytest.raises(TryAgain) as failed, writing(engine) as conn:
            conn.exec_driver_sql("CREATE TABLE written (x int)")
        assert failed.value.code == "database_read_only"
    pair.kill()
    pair.promote()
    with writing(engine) as conn:
        conn.exec_driver_sql("CREATE TABLE written (x int)")
    engine.dispose()


def test_where_no_host_takes_writes_each_is_named_in_the_one_line(pair: Pair, tmp_path: Path) -> None:
    settings = settings_of(pair, tmp_path)
    upgrade(settings, system("cli"))
    pair.kill()
    given = {"CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir)}
    done = CliRunner().invoke(main, ["db", "status"], env=given)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("database_gone: ")
    assert f"port {pair.primary.port} failed: Connection refused" in line
    assert f"port {pair.standby.port} failed: session is read-only" in line


def test_a_commit_that_no_standby_confirmed_is_told_as_of_unknown_outcome(pair: Pair, tmp_path: Path) -> None:
    """Somebody ended its wait: it is on the primary, and with the primary it may be lost."""
    settings = settings_of(pair, tmp_path)
    upgrade(settings, system("cli"))
    pair.take("on db1: a commit waits until db2 has it on its disk")
    pair.wait("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'quorum'")
    pair.stop(pair.standby)
    started = start(settings)
    told: list[str] = []

    def write() -> None:
        try:
            with writing(started.engine) as conn:
                conn.exec_driver_sql("DELETE FROM idempotency")
                conn.exec_driver_sql("INSERT INTO idempotency VALUES ('A', 'k', '', 200, '', now(), '')")
            told.append("done")
        except TryAgain as failure:
            told.append(failure.code)

    writer = threading.Thread(target=write)
    writer.start()
    waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    pair.wait(f"SELECT count(*) = 1 {waits}")
    time.sleep(0.2)
    assert told == []
    pair.execute(pair.primary, f"SELECT pg_cancel_backend(pid) {waits}")
    writer.join(20)
    assert told == ["outcome_unknown"]
    pair.start(pair.standby)
    write()
    assert told == ["outcome_unknown", "done"]
    started.engine.dispose()
