"""Verifying everything from a page: minutes of reading, so it runs behind, and is found again with its report."""

import asyncio
from typing import Any, Final

from litestar import Request, Response, get, post

from api.begun_behind import Came, Kind, Went, begin, behind
from api.console.frame.forms import typed_in
from api.console.frame.page import render, to
from api.serving import serving_of
from casework.evidence.verifying import RUN, verify
from casework.log.check.finding_texts import TEXTS
from casework.log.check.findings import TRUST_TEXTS, Report
from casework.log.check.sealed import BroughtAlong
from casework.storage.database import reading

_VERIFICATION: Final = Kind(RUN, outcome=Report)


@post("/console/log/verification", opt={"page": "audit.read"})
async def begin_verification(request: Request[Any, Any, Any]) -> Response[Any]:
    """Verify the whole log and every row that it speaks of; it goes on when the page is left."""
    await typed_in(request)
    serving = serving_of(request)

    def work(went: Went) -> Came:
        branch, outside = serving.branch, BroughtAlong.of(serving.settings.keys_dir)
        with reading(serving.engine, snapshot=True) as conn:
            return Came(verify(
                conn, branch.mac_key, branch.vault, outside=outside, loans_dir=branch.loans_dir, progress=went
            ))  # fmt: skip

    await asyncio.to_thread(begin, request, _VERIFICATION, work)
    return to("/console/log/verification")


@get("/console/log/verification", sync_to_thread=True, opt={"page": "audit.read"})
def verification(request: Request[Any, Any, Any]) -> Response[Any]:
    """How far it is, or what it found."""
    run = behind(request, _VERIFICATION)
    report: Report | None = run.outcome
    trust = None if report is None else dict(zip(("zh", "en"), TRUST_TEXTS[report.trust], strict=True))
    found = [] if report is None else [
        (one, dict(zip(("zh", "en"), TEXTS[one.code], strict=True)) if one.code in TEXTS else None)
        for one in (*report.findings, *report.doubts)[:100]
    ]  # fmt: skip
    return render(request, "log/verification.html", run=run, report=report, trust=trust, found=found)


route_handlers = [begin_verification, verification]
