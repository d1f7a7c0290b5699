"""Imports that run behind an answer: one at a time per process of the API, ended before the process is.

Each runs in a process of its own (`casework.operation.importing`); a thread here waits for it.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy.engine import Connection

from api.behind import Behind, Came, Going, Kind, Went
from api.logs import log, log_bug
from api.uploads import Upload, remove_left_over
from casework.errors import CallerError, TryAgain
from casework.intake.feed import run as runs
from casework.intake.feed.load import ImportRequest
from casework.intake.feed.tried import Tried
from casework.operation.importing import ImportBroke, import_apart, try_apart
from casework.operation.startup import Started
from casework.people.staff.actor import Actor
from casework.storage import jobs
from casework.storage.database import reading, writing

FEED: Final = Kind("feed")
"""A run for each run of a feed, by its number: how far it is, and whether its process lives."""
TRIED: Final = Kind("feed_dry_run", outcome=Tried)
"""A feed that is only tried has no run in the books: these, one at a time."""


def as_they_are(conn: Connection, found: Sequence[runs.Run]) -> tuple[list[runs.Run], dict[int, jobs.Beat]]:
    """Runs, those interrupted whose process died, and by number how far those are that somebody is at.

    What the shell began beats nowhere, and runs until the next import finds that it died.
    """
    names = {FEED.named(str(run.id)): run.id for run in found if run.status == runs.RUNNING}
    if not names:
        return list(found), {}
    known = {names[name]: job for name, job in jobs.running(conn, names).items()}
    dead = {number for number, job in known.items() if job.state == jobs.INTERRUPTED}
    shown = [msgspec.structs.replace(run, status=runs.INTERRUPTED) if run.id in dead else run for run in found]
    return shown, {number: job.beat for number, job in known.items() if number not in dead}


class Imports:
    """Begins imports and knows whether one runs."""

    def __init__(self, started: Started, behind: Behind) -> None:
        self._started, self._behind = started, behind
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._run_id = 0
        remove_left_over()

    def begin(
        self, request: ImportRequest, folder: Path, request_id: str, *, vouch: Callable[[Connection], Actor],
        upload: Upload | None = None,
    ) -> int:  # fmt: skip
        """Enter a run, begin to import `folder` and return the run's number; CallerError `import_running`.

        `dry_run` of the request: to try it, and the number is among those of TRIED.
        `vouch` says in the run's transaction who asks, or that their token has died (`api.auth.still_valid`).
        The folder of an `upload` is removed in any case, at the end or when the import does not begin.
        """
        try:
            with self._lock:
                if self._still_runs() or self._behind.find(TRIED).running:
                    raise CallerError("import_running")
                if request.dry_run:
                    return self._try(request, folder, request_id, vouch, upload)
                with writing(self._started.engine) as conn:
                    request = replace(request, actor=vouch(conn))
                    run_id = runs.begin(conn, request.actor, correction=request.correction)
                    job = jobs.begin(conn, FEED.named(str(run_id)), request.actor.id, b"null")
                if job is None:
                    raise RuntimeError("a run that was just entered runs elsewhere")
                arguments = (request, folder, run_id, request_id, upload, self._behind.track(job))
                self._run_id = run_id
                self._thread = threading.Thread(target=self._import, args=arguments, name="casework-import")
                self._thread.start()
        except BaseException:
            if upload is not None:
                upload.close()
            raise
        return run_id

    def _try(
        self, request: ImportRequest, folder: Path, request_id: str, vouch: Callable[[Connection], Actor],
        upload: Upload | None,
    ) -> int:  # fmt: skip
        with reading(self._started.engine) as conn:
            request = replace(request, actor=vouch(conn))

        def work(went: Went) -> Came:
            try:
                return Came(try_apart(self._started, folder, request, progress=lambda _stage, done, _total: went(done)))
            finally:
                if upload is not None:
                    upload.close()

        if not self._behind.begin(TRIED, "", request.actor.id, request_id, work):
            raise CallerError("import_running")
        return self._behind.find(TRIED).job_id

    def _still_runs(self) -> bool:
        """Whether the last run has not ended; if it has, what is left of it is waited for: its process ends."""
        thread = self._thread
        if thread is None or not thread.is_alive():
            return False
        with reading(self._started.engine) as conn:
            run = runs.one_run(conn, self._run_id)
        if run is not None and run.status == runs.RUNNING:
            return True
        thread.join()
        return False

    def _import(
        self, request: ImportRequest, folder: Path, run_id: int, request_id: str, upload: Upload | None, going: Going
    ) -> None:
        try:
            done = import_apart(self._started, folder, request, run_id=run_id, progress=going.at)
            log().info("feed", request_id=request_id, run=run_id, status=done.status)
        except (CallerError, TryAgain) as failure:
            log().warning("feed", request_id=request_id, run=run_id, status="refused", code=failure.code)
        except ImportBroke as bug:
            log().error("bug", request_id=request_id, error=bug.error, where=bug.where, run=run_id)
        except Exception as error:  # noqa: BLE001  # nobody waits for it: the log and the run must tell
            log_bug(request_id, error)
            self._record_bug(run_id)
        finally:
            if upload is not None:
                upload.close()
            self._behind.end(going, jobs.DONE)  # the run says what became of it

    def _record_bug(self, run_id: int) -> None:
        try:
            with writing(self._started.engine) as conn:
                runs.finish(conn, run_id, runs.INTERRUPTED)
        except TryAgain:
            return  # the next import marks it

    def stop(self) -> None:
        """Wait for the import that runs."""
        thread = self._thread
        if thread is not None:
            thread.join()
