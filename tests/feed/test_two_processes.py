"""An import by two processes leaves what one would have left, byte for byte; what ends the second is told."""

import os
import random
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed import changes, folder, read_apart, write_loans
from casework.intake.feed import run as runs
from casework.intake.feed.course import ImportCourse, ImportRequest
from casework.intake.feed.folder import read_folder
from casework.intake.feed.load import silent
from casework.intake.feed.one_import import carry_out
from casework.intake.feed.tables import loans
from casework.lifecycle import advance
from casework.operation import import_process
from casework.operation.importing import ImportBroke, import_apart
from casework.people.staff.actor import system
from casework.people.staff.tables import register_version
from casework.storage.database import metadata, reading
from tests.feed.bank import DAY, Bank, arrears, loan, write

AT = now()
MANY = 6_000
Days = list[tuple[dict[int, str], dict[int, int]]]


@pytest.fixture
def soon_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process for few loans, which hands over fewer; what is drawn by lot is always the same."""
    for module in (advance, folder, write_loans):
        monkeypatch.setattr(module, "AHEAD_FROM", 4)
    monkeypatch.setattr(advance, "_SLICE", 3)
    monkeypatch.setattr(advance, "_SLICE_AHEAD", 3)
    for module in (read_apart, write_loans):
        monkeypatch.setattr(module, "_HANDED_OVER", 3)
    monkeypatch.setattr(changes, "AT_ONCE", 7)  # so that commands are made while those before are written
    monkeypatch.setattr(os, "urandom", lambda size: bytes([7]) * size)


def drawn(seed: int) -> Days:
    """Two days: some loans are new on the second, some others, some gone; who is in arrears changes too."""
    lot = random.Random(seed)  # examples
    days: Days = []
    for _ in range(2):
        books = {one: lot.choice(["50000.00", "40000.00", "200000.00"]) for one in lot.sample(range(1, 31), 20)}
        days.append((books, {one: lot.randint(1, 120) for one in lot.sample(range(1, 31), 15)}))
    return days


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("soon_ahead")
def test_log_books_and_cases_are_the_same_bytes_by_one_process_and_by_two(
    sound_bank: Bank, owner_engine: Engine, seed: int
) -> None:
    folders = [*written(sound_bank, drawn(seed))]
    forks: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        fork = os.fork

        def counted() -> int:
            forks.append(1)
            return fork()

        patch.setattr(os, "fork", counted)
        one = after(sound_bank, owner_engine, folders, processes=1)
        assert not forks
        two = after(sound_bank, owner_engine, folders, processes=2)
    assert forks
    assert {name: rows for name, rows in one.items() if rows != two[name]} == {}
    assert one == two
    assert len(one["cases"]) >= 4


def written(bank: Bank, days: Days) -> Iterator[Path]:
    """A folder a day: who is in arrears is in the loans file too."""
    for number, (books, late) in enumerate(days):
        day = DAY + timedelta(days=number)
        bank.sent += 1
        rows = [loan(one, outstanding_principal=books.get(one, "50000.00")) for one in sorted(books | late)]
        yield write(bank.folder / f"{bank.sent}", day, loans=rows, overdue=_late(late, day))


def _late(late: dict[int, int], day: date) -> list[dict[str, str]]:
    return [arrears(one, days, on=day) for one, days in late.items()]


def after(bank: Bank, owner: Engine, folders: list[Path], *, processes: int) -> dict[str, list[str]]:
    """Every row of every table as these feeds leave them; all of it is taken back."""
    _numbers_from_the_start(owner)
    request = ImportRequest(system("cli"), confirm_vanished=True, clock=lambda: AT)
    with bank.started.engine.connect() as conn:
        for sent in folders:
            run_id = runs.begin(conn, request.actor, correction=False, clock=request.clock)
            delivery = read_folder(sent, processes=processes)
            carry_out(ImportCourse.begin(conn, bank.started.branch, delivery, request, run_id, silent, processes))
        left = {
            table.name: sorted(map(repr, _rows(conn, table)))
            for table in metadata.sorted_tables
            if table is not register_version
        }
        conn.rollback()
    return left


def _rows(conn: Connection, table: sa.Table) -> list[tuple[Any, ...]]:
    return [
        tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
        for row in conn.execute(sa.select(table))
    ]  # fmt: skip


def _numbers_from_the_start(owner: Engine) -> None:
    """PostgreSQL takes back rows, and not the numbers that it gave them."""
    if owner.dialect.name == "postgresql":
        with owner.begin() as conn:
            for name in conn.execute(sa.text("SELECT sequencename FROM pg_sequences")).scalars().all():
                conn.execute(sa.text(f'ALTER SEQUENCE "{name}" RESTART WITH 100000'))


# ── what ends it ────────────────────────────────────────────────────────────────────────────────────────────────────

DYING = """
import os, signal
import casework.operation.import_worker as worker
from casework.errors import CallerError
from casework.storage import forked
worker._cores = lambda: 2
say, said = forked._say, []
def dying(its, what, value):
    if said and what == forked._MAKES:
        {how}
    said.append(1)
    say(its, what, value)
forked._say = dying
worker.main()
"""
KILLED, SHORT = "import_killed", "import_memory_exceeded"
DEATHS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", KILLED, "interrupted"),
    "ended without a word": ("os._exit(3)", KILLED, "interrupted"),
    "aborted by a library that wants memory": ("os.abort()", SHORT, "refused"),
    "short of memory": ("raise MemoryError", SHORT, "refused"),
    "at its limit": ("kept = [bytearray(1 << 20) for _ in range(100_000)]", SHORT, "refused"),
    "told of a mistake": ("raise CallerError('loan_elsewhere', loans=1)", "loan_elsewhere", "refused"),
}


def take(bank: Bank, monkeypatch: pytest.MonkeyPatch, how: str, overdue: int) -> None:
    """In a process whose second one ends so; the books are its work, and the cases of those in arrears."""
    books = [loan(one) for one in range(1, MANY + 1)]
    folder = write(bank.folder / "many", DAY, loans=books, overdue=[arrears(one) for one in range(1, overdue + 1)])
    monkeypatch.setattr(import_process, "is_alone", lambda: False)
    monkeypatch.setattr(import_process, "COMMAND", [sys.executable, "-c", DYING.format(how=how)])
    import_apart(bank.started, folder, ImportRequest(system("cli")))


@pytest.mark.parametrize("death", DEATHS)
def test_however_the_second_process_ends_the_run_says_so_and_nothing_is_in(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, death: str
) -> None:
    how, code, status = DEATHS[death]
    with pytest.raises(CallerError) as told:
        take(bank, monkeypatch, how, 1)
    assert told.value.code == code
    if code == KILLED:
        assert told.value.facts == {"ended": -9 if "SIGKILL" in how else 3}
    (run,) = bank.runs()
    assert (run.status, run.refusal and run.refusal["code"]) == (status, code)
    assert nothing_in(bank)


def test_a_bug_in_the_second_process_is_told_with_its_place_and_without_its_message(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImportBroke) as told:
        take(bank, monkeypatch, "raise ValueError('张伟明')", MANY)
    assert told.value.error == "ValueError"
    assert ":dying" in str(told.value)
    assert "张伟明" not in str(told.value)
    assert nothing_in(bank)


def test_the_twin_whose_second_process_lives_goes_in(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    take(bank, monkeypatch, "pass", MANY)
    (run,) = bank.runs()
    assert run.status == "applied"
    assert run.figures["cases_opened"] == MANY
    bank.assert_sound()


def nothing_in(bank: Bank) -> bool:
    with reading(bank.started.engine) as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(loans)).scalar_one() == 0
