"""Processes that walk parts of a log beside the one that verifies it, all at one moment of the database.

They are forks, made before anything is opened: SQLite's locks and PostgreSQL's connections do not survive one. On
PostgreSQL they read the snapshot of who began. SQLite has none to hand over: the write lock is held for the moment in
which all of them begin to read, so that nothing can be written between.
"""

import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from queue import Empty
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.errors import TryAgain
from casework.evidence.verifying import PARTED, Alone, Crew, Streams, StreamsLeft
from casework.log.check.erased import read_erased
from casework.log.check.kinds import spoilt_texts
from casework.log.check.parts import Part
from casework.personal import Vault
from casework.storage.database import open_engine, reading, writing
from casework.storage.garbage import seldom_collected

_fork: Final = multiprocessing.get_context("fork")
_PATIENCE_S: Final = 1.0  # between looks whether the others still live


class CrewLost(RuntimeError):
    """A process of the crew ended before its work was done; the log could not be read to its end."""


class Forked(Crew):
    """So many other processes; a context, at whose end they are gone."""

    def __init__(self, count: int, url: str, mac_key: bytes, vault: Vault) -> None:
        self._taken = [_fork.Value("q", 0) for _ in PARTED]
        self._done: Any = _fork.Queue()
        self._mine = [0 for _ in PARTED]
        self._came = [0 for _ in PARTED]
        self._parts: list[list[Part]] = [[] for _ in PARTED]
        self._others: list[tuple[BaseProcess, Pipe]] = []
        for _ in range(count):
            ours, theirs = _fork.Pipe()
            process = _fork.Process(
                target=_work, args=(theirs, self._taken, self._done, url, mac_key, vault), daemon=True
            )
            process.start()
            theirs.close()
            self._others.append((process, ours))

    def join(self, moment: str | None) -> None:
        """All of them begin to read: at the snapshot of this name, or now; they do when this returns."""
        for _, pipe in self._others:
            pipe.send(moment)
        for _, pipe in self._others:
            self._hear(pipe)

    def hand(self, phase: int, parts: Sequence[Part]) -> None:
        """As `Crew` says."""
        self._parts[phase] += parts
        self._tell(parts)

    def take(self, phase: int) -> int | None:
        """As `Crew` says."""
        number = _next(self._taken[phase], len(self._parts[phase]))
        self._mine[phase] += number is not None
        return number

    def left(self, phase: int, *, wait: bool) -> Iterator[tuple[int, StreamsLeft]]:
        """As `Crew` says."""
        while self._mine[phase] + self._came[phase] < len(self._parts[phase]):
            try:
                number, left = self._done.get(wait, _PATIENCE_S if wait else None)
            except Empty:
                if not wait:
                    return
                self._look()
                continue
            if number is None:
                raise CrewLost(left)
            self._came[phase] += 1
            yield number, left

    def go_on(self, customers: set[Customer]) -> None:
        """As `Crew` says."""
        self._tell(customers)

    def end(self) -> None:
        """They are gone when this returns, whatever they were at."""
        for process, pipe in self._others:
            pipe.close()
            process.kill()
            process.join()
        self._done.close()

    def _tell(self, said: Any) -> None:
        for _, pipe in self._others:
            with suppress(BrokenPipeError):  # why it ended is heard where its results are waited for
                pipe.send(said)

    def _hear(self, pipe: Pipe) -> None:
        try:
            said = pipe.recv()
        except EOFError:
            raise CrewLost("it ended") from None
        if said is not None:
            raise CrewLost(said)

    def _look(self) -> None:
        if any(process.exitcode for process, _ in self._others):  # who has no more to do ends too, with 0
            raise CrewLost("it ended")


@contextmanager
def crew_of(others: int, url: str, mac_key: bytes, vault: Vault) -> Iterator["Forked | None"]:
    """So many processes beside this one, which has opened nothing yet and has one thread; none for no others."""
    if others < 1:
        yield None
        return
    crew = Forked(others, url, mac_key, vault)
    try:
        yield crew
    finally:
        crew.end()


def at_one_moment(conn: Connection, url: str, crew: Forked | None) -> Crew:
    """The crew, reading what `conn` reads, a snapshot in which nothing was read yet; nobody where that cannot be had.

    It cannot on an SQLite database that takes no writes, or whose writer does not end.
    """
    if crew is None:
        return Alone()
    if conn.dialect.name == "postgresql":
        crew.join(str(conn.execute(sa.text("SELECT pg_export_snapshot()")).scalar_one()))
        return crew
    writer = open_engine(url)
    try:
        with writing(writer):
            _look_at(conn)
            crew.join(None)
    except TryAgain:
        return Alone()
    finally:
        writer.dispose()
    return crew


def _look_at(conn: Connection) -> None:
    """A snapshot of SQLite begins with the first look at the file."""
    conn.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()


def _next(taken: Any, count: int) -> int | None:
    with taken.get_lock():
        number = int(taken.value)
        if number >= count:
            return None
        taken.value = number + 1
        return number


# --- one of them


def _work(pipe: Pipe, taken: Sequence[Any], done: Any, url: str, mac_key: bytes, vault: Vault) -> None:
    """Until there is nothing more to do, or nobody who waits for it."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        begun = False
        try:
            engine = open_engine(url, read_only=True, pool_size=1)
            with engine.connect():
                pass  # made ready: who tells the moment may hold a lock
            moment = pipe.recv()
            with reading(engine, snapshot=True) as conn, seldom_collected():
                if conn.dialect.name == "postgresql":
                    conn.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{moment}'")
                else:
                    _look_at(conn)
                pipe.send(None)
                begun = True
                _walk(conn, pipe, taken, done, mac_key, vault)
        except (EOFError, BrokenPipeError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  (who waits must hear of it, whatever it is)
            said = f"{type(error).__name__} in {traceback.extract_tb(error.__traceback__)[-1].name}"
            done.put((None, said)) if begun else pipe.send(said)
            done.close()
            done.join_thread()


def _end_with(parent: int) -> None:
    """Nobody else would end a process whose results nobody takes any more."""
    while os.getppid() == parent:
        time.sleep(_PATIENCE_S)
    os._exit(1)


class _Coming:
    """The parts of a phase, as whoever cuts them hands them out."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.parts: list[Part] = []
        self._all = False

    def next(self, taken: Any) -> int | None:
        """The number of the next for this process, once there is one; none where all are taken."""
        while not self._all and self._pipe.poll():  # so that who cuts need not wait for us
            self._hear()
        while (number := _next(taken, len(self.parts))) is None and not self._all:
            self._hear()
        return number

    def _hear(self) -> None:
        more: Sequence[Part] = self._pipe.recv()
        self.parts += more
        self._all = not more


def _walk(conn: Connection, pipe: Pipe, taken: Sequence[Any], done: Any, mac_key: bytes, vault: Vault) -> None:
    with spoilt_texts(conn) as spoilt:
        streams = Streams(conn, mac_key, vault, read_erased(conn, mac_key), spoilt)
        for phase, one in enumerate(taken):
            if phase:
                streams.told.customers |= pipe.recv()
            coming = _Coming(pipe)
            while (number := coming.next(one)) is not None:
                done.put((number, streams.run(coming.parts[number])))
    done.close()
    done.join_thread()
