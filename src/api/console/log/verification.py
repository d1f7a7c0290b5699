"""Verifying everything from a page: minutes of reading, so it runs behind, one at a time, and is found again.

Of this process: where several serve, each knows of its own alone.
"""

import asyncio
import threading
from datetime import datetime
from typing import Any, Final

from litestar import Litestar, Request, Response, get, post

from api.auth import actor_of
from api.console.frame.forms import typed_in
from api.console.frame.page import render, to
from api.logs import log_bug
from api.problems import request_id_of
from api.serving import Serving, serving_of
from casework.clock import now
from casework.evidence.verifying import verify
from casework.log.check.findings import TEXTS, TRUST_TEXTS, Report
from casework.log.check.sealed import BroughtAlong
from casework.storage.database import reading

_KEY: Final = "verification"
_making = threading.Lock()


class Verification:
    """The last one that somebody asked for: running, with how many entries it has read, or its report."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running = self.failed = self._stopping = False
        self._thread: threading.Thread | None = None
        self.entries = 0
        self.report: Report | None = None
        self.began_at: datetime | None = None
        self.by = ""

    def begin(self, serving: Serving, by: str, request_id: str) -> None:
        """Begin one, unless one runs."""
        with self._lock:
            if self.running:
                return
            self.running, self.failed, self.entries, self.report = True, False, 0, None
            self.began_at, self.by = now(), by
        self._thread = threading.Thread(target=self._run, args=(serving, request_id), name="casework-verify")
        self._thread.start()

    def stop(self) -> None:
        """End the one that runs, as far as it is."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join()

    def _run(self, serving: Serving, request_id: str) -> None:
        branch, outside = serving.branch, BroughtAlong.of(serving.settings.keys_dir)
        try:
            with reading(serving.engine, snapshot=True) as conn:
                self.report = verify(
                    conn, branch.mac_key, branch.vault, outside=outside, loans_dir=branch.loans_dir,
                    progress=self._went_on,
                )  # fmt: skip
        except _Stopped:
            self.failed = True
        except Exception as error:  # noqa: BLE001  # nobody waits for it: the log and the page must tell
            log_bug(request_id, error)
            self.failed = True
        finally:
            self.running = False

    def _went_on(self, entries: int) -> None:
        self.entries = entries
        if self._stopping:
            raise _Stopped


class _Stopped(Exception):
    """The service ends before the verification."""


def stop(app: Litestar) -> None:
    """For the end of the application."""
    found: Verification | None = app.state.get(_KEY)
    if found is not None:
        found.stop()


def _of(request: Request[Any, Any, Any]) -> Verification:
    with _making:
        found: Verification = request.app.state.setdefault(_KEY, Verification())
        return found


@post("/console/log/verification", opt={"page": "audit.read"})
async def begin_verification(request: Request[Any, Any, Any]) -> Response[Any]:
    """Verify the whole log and every row that it speaks of; it goes on when the page is left."""
    await typed_in(request)
    begin = _of(request).begin
    await asyncio.to_thread(begin, serving_of(request), actor_of(request).id, request_id_of(request))
    return to("/console/log/verification")


@get("/console/log/verification", sync_to_thread=True, opt={"page": "audit.read"})
def verification(request: Request[Any, Any, Any]) -> Response[Any]:
    """How far it is, or what it found."""
    run = _of(request)
    report = run.report
    trust = None if report is None else dict(zip(("zh", "en"), TRUST_TEXTS[report.trust], strict=True))
    found = [] if report is None else [
        (one, dict(zip(("zh", "en"), TEXTS[one.code], strict=True)) if one.code in TEXTS else None)
        for one in (*report.findings, *report.doubts)[:100]
    ]  # fmt: skip
    return render(request, "log/verification.html", run=run, report=report, trust=trust, found=found)


route_handlers = [begin_verification, verification]
