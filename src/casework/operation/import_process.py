"""How an import's process is begun, heard and ended: a fork of a command, a new interpreter for the service.

The service has threads, connections and other people's requests, none of which belongs where a feed is read. A command
has one thread and works for nobody else, so that its fork has all modules and the rulebook at hand.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec

from casework.operation.import_worker import ImportJob, work
from casework.operation.startup import Started

# -P: nothing is imported from the folder we are in
COMMAND = [sys.executable, "-P", "-m", "casework.operation.import_worker"]


class Process(NamedTuple):
    """What it says, a message at a time until it ends; killing it; waiting for its exit code, a signal's below 0."""

    said: Iterable[bytes]
    kill: Callable[[], None]
    wait: Callable[[], int]


@contextmanager
def begun(started: Started, job: ImportJob) -> Iterator[Process]:
    """A process that has this job. At the end it is waited for, and told that nobody listens any more."""
    with _forked(started, job) if is_alone() else _spawned(job) as process:
        yield process


def is_alone() -> bool:
    """Whether this process has one thread: in a fork, a lock that another one holds would be held for ever."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


@contextmanager
def _spawned(job: ImportJob) -> Iterator[Process]:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603  # ours
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without its pipes")
        with suppress(BrokenPipeError):  # it died before it read its job
            process.stdin.write(msgspec.json.encode(job) + b"\n")
            process.stdin.flush()  # and left open: its end is ours
        yield Process(process.stdout, process.kill, process.wait)


@contextmanager
def _forked(started: Started, job: ImportJob) -> Iterator[Process]:
    started.engine.dispose()  # a connection is of one process
    ours, its = Pipe()

    def said() -> Iterator[bytes]:
        with suppress(EOFError):
            while True:
                yield ours.recv_bytes()

    @cache
    def wait() -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    pid = os.fork()
    if pid == 0:
        _in_fork(started, job, ours, its)
    its.close()
    try:
        yield Process(said(), partial(os.kill, pid, signal.SIGKILL), wait)
    finally:
        ours.close()
        wait()


def _in_fork(started: Started, job: ImportJob, ours: Connection, its: Connection) -> NoReturn:
    try:
        ours.close()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in (1, 2):  # the command tells what came of it, whatever a library says where memory is short
            os.dup2(nowhere, output)
        work(job, its.send_bytes, partial(its.poll, None), started)
    finally:
        os._exit(1)  # nothing of the command goes on here
