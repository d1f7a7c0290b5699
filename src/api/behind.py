"""What one process has running behind answers and pages: a thread for each, and one that says that they live.

What is known of a run lies in the database (`casework.storage.jobs`), so that every process tells the same of it, and
one whose process died is told as interrupted. A run of a name is one at a time, over all processes.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from api.logs import log, log_bug
from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.operation.startup import Started
from casework.storage import jobs
from casework.storage.database import reading, writing
from casework.storage.driver_errors import is_conflict

Went = Callable[[int], None]
"""Told how much is done by now; raises when the service ends."""
_REMEMBERED: Final = 8
_ENDING_TRIES: Final = 30
_ENDING_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work: its word, and as what the database's JSON of what it is about, and of its outcome, is read."""

    word: str
    about: Any = None
    outcome: Any = None

    def named(self, whose: str = "") -> str:
        """What a run is found by."""
        return f"{self.word}:{whose}" if whose else self.word


class Came(NamedTuple):
    """What came of a run; `file`: rows that it set aside, or what it made, which is kept sealed."""

    outcome: Any
    file: bytes = b""


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of a name, as every process sees it: running, or its outcome, or why there is none."""

    state: str = "none"
    job_id: int = 0
    by: str = ""
    began_at: datetime | None = None
    stage: str = ""
    done: int = 0
    total: int | None = None
    about: Any = None
    outcome: Any = None
    mistake: CallerError | None = None
    has_file: bool = False

    @property
    def running(self) -> bool:
        """Somebody is at it."""
        return self.state == jobs.RUNNING

    @property
    def failed(self) -> bool:
        """It ended, and nothing came of it; `mistake` says why, unless it was our bug."""
        return self.state in (jobs.FAILED, jobs.INTERRUPTED)


class Going:
    """A run of this process: how far it is, for whoever beats."""

    def __init__(self, job_id: int) -> None:
        self.job_id, self.stopping = job_id, False
        self._far: tuple[str, int, int | None] = ("", 0, None)

    def went(self, done: int) -> None:
        """So much is done; raises when the service ends."""
        self.at("", done, None)
        if self.stopping:
            raise _Stopped

    def at(self, stage: str, done: int, total: int | None) -> None:
        """So much of a stage is done."""
        self._far = (stage, done, total)

    @property
    def beat(self) -> jobs.Beat:
        """As it is now."""
        stage, done, total = self._far
        return jobs.Beat(now(), stage, done, total)


class Behind:
    """Begins work, beats for what runs, and finds what was begun anywhere."""

    def __init__(self, started: Started) -> None:
        self._started = started
        self._lock = threading.Lock()
        self._going: dict[int, Going] = {}
        self._threads: dict[int, threading.Thread] = {}
        self._beating: threading.Thread | None = None
        self._wake = threading.Event()
        self._read: OrderedDict[int, Any] = OrderedDict()  # outcomes, which do not change any more

    def begin(
        self, kind: Kind, whose: str, by: str, request_id: str, work: Callable[[Went], Came], about: Any = None
    ) -> bool:
        """Let `work` run behind, unless one of its name runs anywhere; whether it began."""
        if self.find(kind, whose).running:  # it may hold what another would have to wait for, only to hear the same
            return False
        try:
            with writing(self._started.engine) as conn:
                number = jobs.begin(conn, kind.named(whose), by, msgspec.json.encode(about))
        except Exception as error:
            if is_conflict(error):  # somebody else began at the same moment
                return False
            raise
        if number is None:
            return False
        going = self.track(number)
        thread = threading.Thread(target=self._run, args=(going, work, request_id), name="casework-behind")
        with self._lock:
            self._threads[number] = thread
        thread.start()
        return True

    def find(self, kind: Kind, whose: str = "", job_id: int | None = None) -> Run:
        """The last run of the name, or that with this number; none where there is no such."""
        with reading(self._started.engine) as conn:
            job = jobs.newest(conn, kind.named(whose), job_id=job_id)
        return Run() if job is None else self._run_of(kind, job)

    def all_of(self, kind: Kind, whose: str, limit: int) -> list[Run]:
        """The runs of the name, the newest first."""
        with reading(self._started.engine) as conn:
            found = jobs.of_name(conn, kind.named(whose), limit)
        return [self._run_of(kind, job) for job in found]

    def _run_of(self, kind: Kind, job: jobs.Job) -> Run:
        mistake = None if job.refusal is None else CallerError(job.refusal.code, job.refusal.zh, job.refusal.en)
        if job.state == jobs.INTERRUPTED:
            mistake = CallerError("work_interrupted")
        about = None if kind.about is None else msgspec.json.decode(job.about, type=kind.about)
        return Run(
            job.state, job.id, job.actor_id, job.began_at, job.beat.stage, job.beat.done, job.beat.total, about,
            self._outcome(kind, job), mistake, job.has_file,
        )  # fmt: skip

    def file_of(self, run: Run) -> bytes:
        """What it made or set aside; empty where there is nothing, or nothing any more."""
        with reading(self._started.engine) as conn:
            return jobs.file_of(conn, self._started.branch.vault, run.job_id)

    def track(self, job_id: int) -> Going:
        """Beat for a run that this process has begun, until `untrack`."""
        going = Going(job_id)
        with self._lock:
            self._going[job_id] = going
            if self._beating is None:
                self._beating = threading.Thread(target=self._beat, name="casework-beat", daemon=True)
                self._beating.start()
        self._wake.set()
        return going

    def end(self, going: Going, state: str, **more: Any) -> None:
        """Write down how it ended; a database that is busy is asked again for a while."""
        engine = self._started.engine
        for _ in range(_ENDING_TRIES):
            try:
                with writing(engine) as conn:
                    jobs.end(conn, going.job_id, state, last=going.beat, vault=self._started.branch.vault, **more)
                break
            except TryAgain:
                time.sleep(_ENDING_WAIT_S)
        else:
            log().error("work_not_ended", job=going.job_id)
        with self._lock:
            self._going.pop(going.job_id, None)
            self._threads.pop(going.job_id, None)
        with suppress(TryAgain), reading(engine) as conn:
            jobs.silenced(conn, going.job_id)

    def stop(self) -> None:
        """End the runs as far as they are, or as soon as their transactions end."""
        with self._lock:
            going, threads = list(self._going.values()), list(self._threads.values())
        for one in going:
            one.stopping = True
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """Nothing runs any more."""
        beating = self._beating
        self._wake.set()
        if beating is not None:
            beating.join()

    def _run(self, going: Going, work: Callable[[Went], Came], request_id: str) -> None:
        state, more = jobs.FAILED, dict[str, Any]()
        try:
            came = work(going.went)
            state, more = jobs.DONE, {"outcome": msgspec.json.encode(came.outcome), "file": came.file}
        except _Stopped:
            state = jobs.INTERRUPTED
        except CallerError as told:
            more = {"refusal": jobs.Refusal(told.code, told.zh, str(told))}
        except TryAgain as busy:
            why = CallerError(busy.code)
            more = {"refusal": jobs.Refusal(why.code, why.zh, str(why))}
        except Exception as error:  # noqa: BLE001  # nobody waits for it: the log and the page must tell
            log_bug(request_id, error)
        finally:
            self.end(going, state, **more)

    def _outcome(self, kind: Kind, job: jobs.Job) -> Any:
        if job.outcome is None or kind.outcome is None:
            return None
        with self._lock:
            if job.id in self._read:
                return self._read[job.id]
        read = msgspec.json.decode(job.outcome, type=kind.outcome)
        with self._lock:
            self._read[job.id] = read
            while len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return read

    def _beat(self) -> None:
        """For all that runs, until nothing does."""
        engine = self._started.engine
        while True:
            with self._lock:
                going = list(self._going.values())
                if not going:
                    self._beating = None
                    return
            with suppress(TryAgain, OSError):
                held = reading if engine.dialect.name == "sqlite" else writing
                with held(engine) as conn:
                    for one in going:
                        jobs.beat(conn, one.job_id, one.beat)
            self._wake.clear()
            self._wake.wait(jobs.BEAT_S)


class _Stopped(Exception):
    """The service ends before the work."""
