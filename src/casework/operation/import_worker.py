"""The process that imports one feed for `operation.importing`: its begin and its end, and what it says meanwhile.

It is a new interpreter, `python -m operation.import_worker` with a job on its stdin and what it says on its stdout, or
a fork of the command. It may take so much memory and no more, and it ends with the process that began it. It says lines
of JSON: progress, and at last what came of it. The run and its refusal it records itself, but for what ends it.
"""

import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NoReturn

import msgspec

from casework.errors import CallerError, RulesBroken, TryAgain
from casework.intake.feed.bounds import Bounds
from casework.intake.feed.load import ImportRequest, import_feed, try_feed
from casework.intake.feed.tried import Tried
from casework.operation.startup import Started, start
from casework.people.staff.actor import Actor
from casework.settings import Settings
from casework.storage.driver_errors import is_out_of_memory
from casework.storage.forked import ENDED_SHORT, ForkEnded, is_full, places_of


class ImportJob(msgspec.Struct):
    """What is to be imported into which branch, and within which bounds."""

    database_url: str
    keys_dir: str
    loans_dir: str
    statecharts: str
    folder: str
    run_id: int
    actor: Actor
    confirm_vanished: bool
    correction: bool
    memory_mib: int
    rows: int
    processes: int
    dry_run: bool = False


class WorkerTold(msgspec.Struct, omit_defaults=True):
    """One line: how far a stage is, or what came of the job. The last line is no progress."""

    what: Literal["progress", "done", "refused", "try_again", "memory", "ended", "broke"]
    stage: str = ""
    done: int = 0
    total: int = 0
    code: str = ""  # of a refusal, or of a database that gave up
    zh: str = ""
    en: str = ""
    facts: dict[str, Any] = {}
    retry_after_s: int = 1
    ended: int = 0  # how its second process ended
    error: str = ""  # of a bug: its type, and the places it came through
    where: list[str] = []
    tried: Tried | None = None  # of a feed that was only tried


_encode = msgspec.json.Encoder(enc_hook=str).encode


def carry_out(job: ImportJob, say: Callable[[WorkerTold], None], started: Started | None = None) -> WorkerTold:
    """Import, saying how far it is; what came of it. `started`: the job's branch, if it is open already."""
    settings = Settings(
        database_url=job.database_url, keys_dir=Path(job.keys_dir), loans_dir=Path(job.loans_dir),
        statecharts=Path(job.statecharts),
    )  # fmt: skip
    try:
        started = started or start(settings)
        tried = _imported(job, started, say)
        # Left open, SQLite's log would be read by whoever opens the file next, and written once more by their commit.
        started.engine.dispose()
    except CallerError as mistake:
        return WorkerTold("refused", code=mistake.code, zh=mistake.zh, en=str(mistake), facts=mistake.facts)
    except RulesBroken as broken:
        return WorkerTold("refused", code="rules_broken", zh="状态图或策略有误", en=str(broken))
    except TryAgain as busy:
        if is_out_of_memory(busy):
            return WorkerTold("memory")
        return WorkerTold("try_again", code=busy.code, en=str(busy), retry_after_s=busy.retry_after_s)
    except ForkEnded as ended:
        return WorkerTold("memory") if ended.code == ENDED_SHORT else WorkerTold("ended", ended=ended.code)
    except Exception as error:  # noqa: BLE001  # whoever began this process tells of it
        # SystemError: the interpreter's own, where a call found no memory and lost its error for want of it
        if isinstance(error, SystemError) or is_out_of_memory(error) or is_full():
            return WorkerTold("memory")
        return WorkerTold("broke", error=type(error).__name__, where=places_of(error))
    return WorkerTold("done", tried=tried)


def _imported(job: ImportJob, started: Started, say: Callable[[WorkerTold], None]) -> Tried | None:
    """What would come of it, where it is only tried."""
    request = ImportRequest(job.actor, job.confirm_vanished, job.correction)
    asked = started.engine, started.branch, Path(job.folder), request
    bounds, processes = Bounds(rows=job.rows), min(job.processes, _cores())

    def progress(stage: str, done: int, total: int) -> None:
        say(WorkerTold("progress", stage=stage, done=done, total=total))

    if job.dry_run:
        return try_feed(*asked, progress=progress, bounds=bounds, processes=processes)
    import_feed(*asked, run_id=job.run_id, progress=progress, bounds=bounds, processes=processes)
    return None


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_memory(mib: int) -> None:
    """From here on this process has no more than that; without effect where the system knows no such limit.

    No core is written either: it would hold personal data.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = mib << 20
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most),) * 2)


def work(
    job: ImportJob, write: Callable[[bytes], object], parent_ended: Callable[[], object], started: Started | None = None
) -> NoReturn:
    """One job, and the end of this process; earlier when `parent_ended`, which waits for that, returns."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a stopping service waits for its import
        signal.signal(number, signal.SIG_IGN)

    def end_with_parent() -> None:
        parent_ended()
        os._exit(1)

    def say(told: WorkerTold) -> None:
        write(_encode(told))

    threading.Thread(target=end_with_parent, daemon=True).start()
    limit_memory(job.memory_mib)
    try:
        say(carry_out(job, say, started))
    except MemoryError:  # there is none left to tell of it either: as a library that is not Python's would end
        os.abort()
    os._exit(0)  # nothing is left to be done, and much to be taken down


def main() -> NoReturn:
    """The job that stands on stdin."""
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        os.dup2(2, 1)  # whatever else prints disturbs nobody
        with os.fdopen(0, "rb", buffering=0, closefd=False) as given:
            job = msgspec.json.decode(given.readline(), type=ImportJob)
            work(job, lambda line: out.write(line + b"\n"), given.read)


if __name__ == "__main__":
    main()
