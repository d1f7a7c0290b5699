"""A first import on SQLite makes indexes behind the rows: afterwards the schema is as it was, killed or not."""

import os
import signal
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.demo.branch import generate_large
from casework.intake.feed.load import ImportRequest, import_feed
from casework.operation.startup import start
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.behind import MANY
from casework.storage.database import reading
from tests.feed.bank import Bank

REQUEST = ImportRequest(system("cli"))


def _feed(folder: Path, loans: int = MANY, day: int = 1, **more: Any) -> Path:
    return generate_large(folder / f"feed-{day}", loans=loans, overdue=loans, as_of=date(2024, 6, day), **more)


def _schema(engine: Engine) -> set[tuple[Any, ...]]:
    with reading(engine) as conn:
        return set(map(tuple, conn.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master")))


def _dropped(bank: Bank, folder: Path) -> int:
    """How many indexes an import has dropped."""
    said = list[str]()

    @sa.event.listens_for(bank.started.engine, "before_cursor_execute")
    def heard(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    try:
        assert import_feed(bank.started.engine, bank.started.branch, folder, REQUEST).status == "applied"
    finally:
        sa.event.remove(bank.started.engine, "before_cursor_execute", heard)
    made = [one for one in said if one.startswith("CREATE INDEX")]
    assert len(made) == sum(one.startswith("DROP INDEX") for one in said)
    return len(made)


@pytest.mark.only("sqlite")
def test_after_a_first_import_the_schema_is_the_migrated_one_and_every_index_holds_every_row(
    bank: Bank, tmp_path: Path
) -> None:
    """The indexes are dropped and made again, and say what the tables do."""
    before = _schema(bank.started.engine)
    assert _dropped(bank, _feed(tmp_path)) > 10
    assert _schema(bank.started.engine) == before
    with reading(bank.started.engine) as conn:
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
        by_index = "SELECT count(*) FROM cases INDEXED BY ix_cases_region WHERE region >= ''"
        assert conn.exec_driver_sql(by_index).scalar_one() == MANY
    bank.assert_sound()


@pytest.mark.only("sqlite")
def test_a_kill_while_the_indexes_are_gone_leaves_all_of_them_and_no_case(
    bank: Bank, settings: Settings, tmp_path: Path
) -> None:
    """It is one transaction, the schema in it."""
    before = _schema(bank.started.engine)
    killed = get_context("spawn").Process(target=_import_until_cases, args=(settings, _feed(tmp_path)))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    assert _schema(bank.started.engine) == before
    with reading(bank.started.engine) as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM cases").scalar_one() == 0
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]


def _import_until_cases(settings: Settings, folder: Path) -> None:
    """In a process of its own, which ends when the first cases are in and their indexes are not."""
    started = start(settings, check=False)

    def progress(stage: str, done: int, _total: int) -> None:
        if stage == "cases" and done:
            os.kill(os.getpid(), signal.SIGKILL)

    import_feed(started.engine, started.branch, folder, REQUEST, progress=progress)


@pytest.mark.only("sqlite")
def test_indexes_stay_where_few_loans_come_or_cases_are_there(bank: Bank, tmp_path: Path) -> None:
    """What is there would have to be indexed anew with what comes."""
    assert _dropped(bank, _feed(tmp_path, loans=20)) == 0
    assert _dropped(bank, _feed(tmp_path, loans=MANY + 20, day=2)) == 0


@pytest.mark.only("postgresql")
def test_on_postgresql_no_index_is_dropped(bank: Bank, tmp_path: Path) -> None:
    """The service owns no table there."""
    assert _dropped(bank, _feed(tmp_path)) == 0
