"""A feed imported in a process of its own, with a memory limit: what a feed does to it, the service outlives.

The bounds of `intake.feed.bounds` refuse a feed before it is held. This is for what they do not foresee: the process
may take `feed_memory_mib` and no more, and when it dies its run says so and nothing of the feed went in. It opens the
database itself, so an import waits for other writers, and they for it, as between any two processes.
"""

from dataclasses import replace
from pathlib import Path

import msgspec

from casework.errors import CallerError, TryAgain
from casework.intake.feed import run as runs
from casework.intake.feed.load import (
    ImportRequest,
    Progress,
    record_refusal,
    silent,
)
from casework.intake.feed.tried import Tried
from casework.operation.import_process import begun
from casework.operation.import_worker import ImportJob, WorkerTold
from casework.operation.startup import Started
from casework.storage.database import reading, writing
from casework.storage.forked import ENDED_SHORT


class ImportBroke(Exception):
    """A bug in the import's process: the type of its error, and the places it came through."""

    def __init__(self, error: str, where: list[str]) -> None:
        super().__init__(f"{error} at {' < '.join(reversed(where))}")
        self.error = error
        self.where = where


def import_apart(
    started: Started, folder: Path, request: ImportRequest, *, run_id: int | None = None, progress: Progress = silent
) -> runs.Run:
    """`casework.intake.feed.load.import_feed` in a process of its own; the run as it ended.

    `CallerError` as there, import_memory_exceeded and import_killed; `ImportBroke` for a bug there.
    """
    if run_id is None:
        with writing(started.engine) as conn:
            run_id = runs.begin(conn, request.actor, correction=request.correction)
    told, code = _carried_out(started, _job(started, folder, request, run_id), progress)
    failure = _failure(started, told, code)
    if isinstance(failure, TryAgain):
        raise failure
    if failure is not None:
        mistake = failure if isinstance(failure, CallerError) else _killed(None)
        recorded = _tell_unless_told(started, request, run_id, mistake)
        if recorded or (told is not None and told.what in ("refused", "broke")):
            raise failure
    with reading(started.engine) as conn:
        done = runs.one_run(conn, run_id)
    if done is None:
        raise RuntimeError("a run that was just finished is gone")
    return done


def try_apart(started: Started, folder: Path, request: ImportRequest, *, progress: Progress = silent) -> Tried:
    """`casework.intake.feed.load.try_feed` in a process of its own; what ends the process is raised as there."""
    told, code = _carried_out(started, _job(started, folder, replace(request, dry_run=True), 0), progress)
    if told is not None and told.tried is not None:
        return told.tried
    raise _failure(started, told, code) or RuntimeError("a feed was tried and nothing told of it")


def _failure(
    started: Started, told: WorkerTold | None, code: int
) -> CallerError | TryAgain | ImportBroke | None:  # fmt: skip
    """Why the process did not come to its end, or was refused."""
    if told is None or told.what in ("memory", "ended"):
        short = code == ENDED_SHORT if told is None else told.what == "memory"
        ended = told.ended if told is not None else code
        return _out_of_memory(started.settings.feed_memory_mib) if short else _killed(ended)
    if told.what == "refused":
        return CallerError(told.code, told.zh, told.en, **told.facts)
    if told.what == "try_again":
        return TryAgain(told.code, told.en, retry_after_s=told.retry_after_s)
    return ImportBroke(told.error, told.where) if told.what == "broke" else None


def _job(started: Started, folder: Path, request: ImportRequest, run_id: int) -> ImportJob:
    settings = started.settings
    return ImportJob(
        settings.database_url, str(settings.keys_dir), str(settings.loans_dir), str(settings.statecharts), str(folder),
        run_id, request.actor, request.confirm_vanished, request.correction, settings.feed_memory_mib,
        settings.feed_rows, settings.feed_processes, request.dry_run,
    )  # fmt: skip


def _carried_out(started: Started, job: ImportJob, progress: Progress) -> tuple[WorkerTold | None, int]:
    """What the process said at last, if it came to say it, and how it ended."""
    with begun(started, job) as process:
        last: WorkerTold | None = None
        try:
            for line in process.said:
                told = msgspec.json.decode(line, type=WorkerTold)
                if told.what == "progress":
                    progress(told.stage, told.done, told.total)
                else:
                    last = told
        except BaseException:
            process.kill()
            raise
        return last, process.wait()


def _tell_unless_told(started: Started, request: ImportRequest, run_id: int, mistake: CallerError) -> bool:
    """Record in the run what ended it, if it still says that it runs; whether it did."""
    with writing(started.engine) as conn:
        run = runs.one_run(conn, run_id)
        running = run is not None and run.status == runs.RUNNING
        if running:
            record_refusal(conn, started.branch, run_id, mistake, request, None)
        return running


def _out_of_memory(limit_mib: int) -> CallerError:
    return CallerError("import_memory_exceeded", at_most_mib=limit_mib)


def _killed(code: int | None) -> CallerError:
    if code is None:
        return CallerError(
            runs.KILLED, "导入因系统内部错误中止，未导入任何数据",
            "the import ended in an error of the service; nothing went in",
        )  # fmt: skip
    how_zh, how_en = (f"信号 {-code}", f"signal {-code}") if code < 0 else (f"退出码 {code}", f"exit code {code}")
    return CallerError(
        runs.KILLED, f"导入进程被终止（{how_zh}），未导入任何数据",
        f"the import's process was ended ({how_en}); nothing went in", ended=code,
    )  # fmt: skip
