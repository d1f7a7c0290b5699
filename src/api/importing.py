"""Imports that run behind an answer: one at a time per process of the API, ended before the process is.

Each runs in a process of its own (`casework.operation.importing`); a thread here waits for it.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import Connection

from api.logs import log, log_bug
from api.uploads import Upload, remove_left_over
from casework.errors import CallerError, TryAgain
from casework.intake.feed import run as runs
from casework.intake.feed.load import ImportRequest
from casework.operation.importing import ImportBroke, import_apart
from casework.operation.startup import Started
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing


class Imports:
    """Begins imports and knows whether one runs."""

    def __init__(self, started: Started) -> None:
        self._started = started
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._run_id = 0
        remove_left_over()

    def begin(
        self, request: ImportRequest, folder: Path, request_id: str, *, vouch: Callable[[Connection], Actor],
        upload: Upload | None = None,
    ) -> int:  # fmt: skip
        """Enter a run, begin to import `folder` and return the run's number; CallerError `import_running`.

        `vouch` says in the run's transaction who asks, or that their token has died (`api.auth.still_valid`).
        The folder of an `upload` is removed in any case, at the end or when the import does not begin.
        """
        try:
            with self._lock:
                if self._still_runs():
                    raise CallerError("import_running")
                with writing(self._started.engine) as conn:
                    request = replace(request, actor=vouch(conn))
                    run_id = runs.begin(conn, request.actor, correction=request.correction)
                arguments = (request, folder, run_id, request_id, upload)
                self._run_id = run_id
                self._thread = threading.Thread(target=self._import, args=arguments, name="casework-import")
                self._thread.start()
        except BaseException:
            if upload is not None:
                upload.close()
            raise
        return run_id

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
        self, request: ImportRequest, folder: Path, run_id: int, request_id: str, upload: Upload | None
    ) -> None:
        try:
            done = import_apart(self._started, folder, request, run_id=run_id)
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
