"""Threads write to an SQLite file in the order in which they came, and nobody waits for the dead (decision 0095)."""

import gc
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from casework.errors import TryAgain
from casework.storage import in_turn as turns
from casework.storage.database import disposing, open_engine, writing

_PATIENCE_S = 20
"""How long a test waits for what must come at once, however busy the machine is."""
_WRITER = """
import sys, time
from casework.errors import TryAgain
from casework.storage.database import open_engine, writing
import sqlalchemy as sa

engine, stop_at = open_engine(sys.argv[1]), time.monotonic() + float(sys.argv[2])
print("ready", flush=True)
while time.monotonic() < stop_at:
    try:
        with writing(engine) as conn:
            conn.execute(sa.text("UPDATE counted SET n = n + 1, theirs = theirs + 1"))
            if sys.argv[3] == "hold":
                print("held", flush=True)
                time.sleep(600)
    except TryAgain:
        print("busy", flush=True)
        raise
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("CREATE TABLE counted (n INTEGER NOT NULL, theirs INTEGER NOT NULL)")
        raw.execute("INSERT INTO counted VALUES (0, 0)")
    raw.close()
    return f"sqlite:///{path}"


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(f"{url}?busy_timeout_ms={_PATIENCE_S * 1000}")
    with disposing(engine):
        yield engine


@contextmanager
def _another_process(url: str, seconds: float, how: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", _WRITER, url, str(seconds), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def _add(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        conn.execute(sa.text("UPDATE counted SET n = n + 1"))


def _counted(engine: sa.Engine) -> tuple[int, int]:
    with writing(engine) as conn:
        n, theirs = conn.execute(sa.text("SELECT n, theirs FROM counted")).one()
        return n, theirs


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < until
        time.sleep(0.001)


def _are_in_line(count: int) -> bool:
    return sum(map(len, turns._waiting.values())) == count


def _lined_up(threads: ThreadPoolExecutor, works: list[Callable[[], Any]]) -> list[Future[Any]]:
    """Each begins to wait after the one before."""
    waiting = []
    for count, work in enumerate(works, 1):
        waiting.append(threads.submit(work))
        _until(partial(_are_in_line, count))
    return waiting


def test_threads_get_the_file_in_the_order_in_which_they_came(url: str, engine: sa.Engine) -> None:
    """Those of a second engine on the same file stand in the same line."""
    other = open_engine(f"{url}?busy_timeout_ms={_PATIENCE_S * 1000}")
    order: list[int] = []

    def write(number: int) -> None:
        with writing((engine, other)[number % 2]):
            order.append(number)

    with disposing(other), ThreadPoolExecutor(12) as threads:
        with writing(engine):
            waiting = _lined_up(threads, [partial(write, number) for number in range(12)])
        for one in waiting:
            one.result(_PATIENCE_S)
    assert order == list(range(12))
    assert not turns._waiting


def test_only_the_first_of_a_line_looks_at_the_file(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten who wait cost no more than one."""
    looking = set[int]()
    ours = turns.in_turn

    @contextmanager
    def seen(wanted: Any, until: float) -> Iterator[Callable[[float], None]]:
        with ours(wanted, until) as sleep:
            looking.add(threading.get_ident())
            yield sleep

    monkeypatch.setattr("casework.storage.sqlite.in_turn", seen)
    with ThreadPoolExecutor(10) as threads:
        with writing(engine):
            looking.clear()
            waiting = _lined_up(threads, [lambda: _add(engine)] * 10)
            assert len(looking) == 1
        for one in waiting:
            one.result(_PATIENCE_S)


def test_a_process_that_writes_without_a_pause_leaves_another_its_turn(url: str, engine: sa.Engine) -> None:
    """Nor is it passed over itself while eight threads of ours hand the file on among themselves."""
    with _another_process(url, 600, "write") as process, ThreadPoolExecutor(8) as threads:
        for one in [threads.submit(_add, engine) for _ in range(200)]:
            one.result(_PATIENCE_S)
        theirs = _counted(engine)[1]
        stop = threading.Event()

        def go_on() -> None:
            while not stop.is_set():
                _add(engine)

        going = [threads.submit(go_on) for _ in range(7)]
        try:
            _until(lambda: _counted(engine)[1] > theirs + 3)
        finally:
            stop.set()
        for one in going:
            one.result(_PATIENCE_S)
        assert process.poll() is None


def test_a_process_that_is_killed_while_it_writes_leaves_the_file_to_those_who_wait(
    url: str, engine: sa.Engine
) -> None:
    with _another_process(url, 600, "hold") as process, ThreadPoolExecutor(3) as threads:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        waiting = _lined_up(threads, [lambda: _add(engine)] * 3)
        process.send_signal(signal.SIGKILL)
        for one in waiting:
            one.result(_PATIENCE_S)
    assert _counted(engine) == (3, 0)


def test_a_connection_that_is_dropped_in_a_transaction_leaves_the_file_to_those_who_wait(engine: sa.Engine) -> None:
    conn = engine.connect()
    conn.begin()
    with ThreadPoolExecutor(2) as threads:
        waiting = _lined_up(threads, [lambda: _add(engine)] * 2)
        del conn
        gc.collect()
        for one in waiting:
            one.result(_PATIENCE_S)
    assert _counted(engine)[0] == 2


@pytest.mark.parametrize("end", ["rollback", "close", "invalidate"])
def test_however_a_transaction_ends_the_next_begins(engine: sa.Engine, end: str) -> None:
    conn = engine.connect()
    begun = conn.begin()
    with ThreadPoolExecutor(1) as threads:
        waiting = _lined_up(threads, [lambda: _add(engine)])
        (begun.rollback if end == "rollback" else getattr(conn, end))()
        waiting[0].result(_PATIENCE_S)
    conn.close()
    assert _counted(engine)[0] == 1


def test_each_who_waits_is_told_busy_at_their_own_time(url: str) -> None:
    """Whether first or third of the line; afterwards the file is there for all."""
    engine = open_engine(f"{url}?busy_timeout_ms=150")
    told: list[str] = []

    def wait() -> float:
        began = time.monotonic()
        with suppress(TryAgain):
            try:
                _add(engine)
            except TryAgain as busy:
                told.append(busy.code)
                raise
        return time.monotonic() - began

    with disposing(engine):
        with writing(engine), ThreadPoolExecutor(3) as threads:
            waited = [one.result(_PATIENCE_S) for one in [threads.submit(wait) for _ in range(3)]]
        _add(engine)
        assert _counted(engine)[0] == 1
    assert told == ["database_busy"] * 3
    assert min(waited) >= 0.15
    assert not turns._waiting


def test_who_holds_the_file_and_wants_it_once_more_is_told_busy_and_keeps_it(url: str) -> None:
    engine = open_engine(f"{url}?busy_timeout_ms=50")
    with disposing(engine):
        with writing(engine) as conn:
            with pytest.raises(TryAgain) as told, writing(engine):
                pass
            conn.execute(sa.text("UPDATE counted SET n = 7"))
        assert told.value.code == "database_busy"
        assert _counted(engine)[0] == 7


def test_who_cannot_begin_leaves_the_line(url: str, tmp_path: Path) -> None:
    engine = open_engine(url)
    with disposing(engine), writing(engine):
        (tmp_path / "some.db").rename(tmp_path / "gone.db")
        with pytest.raises(TryAgain) as told, writing(engine):
            pass
    assert told.value.code == "database_gone"
    assert not turns._waiting


@contextmanager
def _few_to_collect() -> Iterator[None]:
    """What the tests before hold is not looked through each time: millions of objects take seconds."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()
        gc.freeze()  # as tests/conftest.py does


@pytest.mark.parametrize("seed", range(3))
def test_no_two_transactions_are_open_at_once(url: str, seed: int) -> None:
    """Whatever they do: commit, fail, are dropped, give up since their time is over. What was committed is there."""
    patient, hasty = (open_engine(f"{url}?busy_timeout_ms={ms}") for ms in (_PATIENCE_S * 1000, 1))
    inside, most, done, busy = list[int](), list[int](), list[int](), list[tuple[sa.Engine, str]]()

    def one(engine: sa.Engine, chance: Random) -> None:
        how = chance.choice(["commit", "commit", "fail", "drop"])
        conn = engine.connect()
        try:
            conn.begin()
            inside.append(1)
            most.append(len(inside))
            n = conn.execute(sa.text("SELECT n FROM counted")).scalar_one()
            time.sleep(chance.choice([0, 0, 0.0005]))
            conn.execute(sa.text("UPDATE counted SET n = :n"), {"n": n + 1})
            inside.pop()
            if how == "commit":
                conn.commit()
                done.append(1)
        except sqlite3.OperationalError as error:
            busy.append((engine, str(error)))
        if how != "drop":
            conn.close()

    def many(number: int) -> None:
        chance = Random(seed * 100 + number)
        for _ in range(25):
            one(chance.choice([patient, hasty]), chance)
            gc.collect()  # a connection that was dropped is in a circle with its transaction

    with _few_to_collect(), disposing(patient), disposing(hasty), ThreadPoolExecutor(10) as threads:
        list(threads.map(many, range(10)))
        gc.collect()
        assert max(most) == 1
        assert _counted(patient)[0] == len(done)
    assert set(busy) <= {(hasty, "database is locked")}
    assert not turns._waiting
