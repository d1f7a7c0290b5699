"""Feeds: the runs, an upload that goes on behind the page, one run with its figures and what it set aside."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromQuery, QueryParameter

from api.auth import actor_of
from api.console.frame import cookies
from api.console.frame.forms import Tried, problem_of
from api.console.frame.page import HEADERS, render, to
from api.importing import as_they_are
from api.imports import import_begun
from api.mending import MEND
from api.one_file import form_of
from api.reading.asking import check_parameters
from api.reading.feed_dry_runs import found_dry_run
from api.reading.feeds import Kind, RunId, known_run, set_aside_file
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed.aside import faults_of
from casework.intake.feed.run import RUNNING, newest_runs, one_run
from casework.operation.alarms import alarms
from casework.storage.database import reading

_ROWS: Final = 30
_ASIDE: Final = 200


@post("/console/feeds/upload", opt={"page": "feed.import"}, include_in_schema=False)
async def upload(request: Request[Any, Any, Any]) -> Response[Any]:
    """Import the files that were chosen; the page of the run shows how far it is."""
    form, _ = await form_of(request)
    cookies.check_form(request, str(form.get("form_token", "")))
    try:
        run_id, dry_run = await import_begun(request)
    except CallerError as told:
        problem = problem_of(told)
        if problem["status"] in (401, 403):
            raise
        return await asyncio.to_thread(_list, request, None, Tried("feed", {}, problem))
    return to(f"/console/feeds/dry-runs/{run_id}" if dry_run else f"/console/feeds/{run_id}")


@get("/console/feeds", sync_to_thread=True, opt={"page": "feed.read"})
def feeds(
    request: Request[Any, Any, Any], before: Annotated[int | None, QueryParameter(ge=0, le=2**53 - 1)] = None
) -> Response[Any]:
    """Every run, the newest first."""
    check_parameters(request, ("before",))
    return _list(request, before, None)


def _list(request: Request[Any, Any, Any], before: int | None, tried: Tried | None) -> Response[Any]:
    serving = serving_of(request)
    with reading(serving.engine) as conn:
        found, _ = as_they_are(conn, newest_runs(conn, before=before, limit=_ROWS + 1))
        warned = alarms(conn, serving.branch, now())
    may = serving.branch.rulebook.permissions.may(actor_of(request), "feed.import")
    return render(
        request, "feeds/list.html", status=int(tried.problem["status"]) if tried else 200, runs=found[:_ROWS],
        following=found[_ROWS - 1].id if len(found) > _ROWS else None, may_import=may, tried=tried,
        alarms=warned,
    )  # fmt: skip


@get("/console/feeds/{run_id:int}", sync_to_thread=True, opt={"page": "feed.read"})
def feed(request: Request[Any, Any, Any], run_id: RunId) -> Response[Any]:
    """One run: who, when, which files, what came of it, and the rows that it set aside."""
    serving = serving_of(request)
    permissions, actor = serving.branch.rulebook.permissions, actor_of(request)
    personal = permissions.view(actor, "set_aside") is not None
    with reading(serving.engine, snapshot=True) as conn:
        (run,), going = as_they_are(conn, [known_run(one_run(conn, run_id), run_id)])
        aside = faults_of(conn, serving.branch.vault, run_id, limit=_ASIDE + 1, personal=personal)
    faults = [fault for _, some in aside[:_ASIDE] for fault in some]
    return render(
        request, "feeds/one.html", run=run, running=run.status == RUNNING, beat=going.get(run_id), faults=faults,
        aside=min(len(aside), _ASIDE), cut=len(aside) > _ASIDE, kinds=sorted({one.kind for one, _ in aside}),
        may_download=permissions.may(actor, "feed.export"),
        files=[(Path(str(one["name"])).name, one) for one in run.files],
    )  # fmt: skip


@get("/console/feeds/dry-runs/{run_id:int}", sync_to_thread=True, opt={"page": "feed.read"})
def dry_run(request: Request[Any, Any, Any], run_id: RunId) -> Response[Any]:
    """A feed that was only tried: what an import of it would do."""
    going, tried = found_dry_run(serving_of(request), run_id)
    return render(
        request, "feeds/tried.html", going=going, tried=tried,
        tried_files=[(Path(str(one["name"])).name, one) for one in tried.run.files] if tried else [],
    )  # fmt: skip


def _set_aside(written: str) -> Any:
    @get(f"/console/feeds/{{run_id:int}}/set-aside.{written}", sync_to_thread=True, opt={"page": "feed.export"})
    def set_aside(request: Request[Any, Any, Any], run_id: RunId, kind: FromQuery[Kind] = "overdue") -> Response[Any]:
        """The rows of one file that the run set aside, to be mended and sent again; personal cells masked."""
        answer = set_aside_file(serving_of(request), actor_of(request), run_id, kind, workbook=written == "xlsx")
        answer.headers.update(HEADERS)
        return answer

    return set_aside


route_handlers = [feeds, feed, dry_run, *map(_set_aside, MEND)]
uploads = [upload]
"""These take more than other bodies may have."""
