"""Work that takes longer than a page: it runs behind, one at a time of each name, and is found again.

Of this process: where several serve, each knows of its own alone; what the work itself wrote, all see.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from litestar import Litestar, Request

from api.auth import actor_of
from api.logs import log_bug
from api.problems import request_id_of
from casework.clock import now
from casework.errors import CallerError, TryAgain

Went = Callable[[int], None]
"""Told how much is done by now; raises when the service ends."""
_KEY: Final = "behind"
_KEPT: Final = 200
_making = threading.Lock()


class Behind:
    """The last run of its name: running with how much of it is done, or its outcome, or why there is none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running = self.failed = self._stopping = False
        self._thread: threading.Thread | None = None
        self.done = 0
        self.outcome: Any = None
        self.about: Any = None  # what it is asked to do, for who looks at it
        self.mistake: CallerError | None = None
        self.began_at: datetime | None = None
        self.by = ""

    def begin(self, by: str, request_id: str, work: Callable[[Went], Any], about: Any = None) -> bool:
        """Begin, unless it runs; whether it began."""
        with self._lock:
            if self.running:
                return False
            self.about = about
            self.running, self.failed, self.done = True, False, 0
            self.outcome = self.mistake = None
            self.began_at, self.by = now(), by
        self._thread = threading.Thread(target=self._run, args=(work, request_id), name="casework-behind")
        self._thread.start()
        return True

    def stop(self) -> None:
        """End the run as far as it is, or as soon as its transaction ends."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join()

    def _run(self, work: Callable[[Went], Any], request_id: str) -> None:
        try:
            self.outcome = work(self._went_on)
        except _Stopped:
            self.failed = True
        except CallerError as told:
            self.mistake, self.failed = told, True
        except TryAgain as busy:
            self.mistake, self.failed = CallerError(busy.code), True
        except Exception as error:  # noqa: BLE001  # nobody waits for it: the log and the page must tell
            log_bug(request_id, error)
            self.failed = True
        finally:
            self.running = False

    def _went_on(self, done: int) -> None:
        self.done = done
        if self._stopping:
            raise _Stopped


class _Stopped(Exception):
    """The service ends before the work."""


def behind(request: Request[Any, Any, Any], name: str) -> Behind:
    """The run of this name, begun or not; the oldest that are over are forgotten."""
    with _making:
        runs: dict[str, Behind] = request.app.state.setdefault(_KEY, {})
        if name not in runs and len(runs) >= _KEPT:
            over = next((old for old, run in runs.items() if not run.running), None)
            if over is not None:
                del runs[over]
        return runs.setdefault(name, Behind())


def begin(request: Request[Any, Any, Any], name: str, work: Callable[[Went], Any], about: Any = None) -> bool:
    """Let `work` run behind for whoever asks, unless one of its name runs; whether it began."""
    return behind(request, name).begin(actor_of(request).id, request_id_of(request), work, about)


def stop(app: Litestar) -> None:
    """For the end of the application."""
    for run in list(app.state.get(_KEY, {}).values()):
        run.stop()
