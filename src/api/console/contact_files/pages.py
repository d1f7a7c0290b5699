"""Contact files: one is sent and taken in behind the page; how far it is, what became of it, what is to be mended."""

import asyncio
from typing import Any, Final

from litestar import Request, Response, get, post

from api.console.frame import cookies
from api.console.frame.forms import Tried, problem_of
from api.console.frame.page import HEADERS, render, to
from api.contact_files import SOURCES, WhichRun, begun, rows_set_aside_of, run_of
from api.mending import MEND
from api.one_file import form_of
from api.reading.asking import check_parameters
from casework.errors import CallerError

_PLACE: Final = "/console/contact-files"
_SHOWN: Final = 200


@post(f"{_PLACE}/upload", opt={"page": "contact.import"}, include_in_schema=False)
async def upload(request: Request[Any, Any, Any]) -> Response[Any]:
    """Take in the file that was chosen; it goes on when the page is left."""
    form, _ = await form_of(request)
    cookies.check_form(request, str(form.get("form_token", "")))
    try:
        await begun(request)
    except CallerError as told:
        problem = problem_of(told)
        if problem["status"] in (401, 403):
            raise
        return await asyncio.to_thread(_page, request, Tried("file", {}, problem))
    return to(_PLACE)


@get(_PLACE, sync_to_thread=True, opt={"page": "contact.import"})
def contact_file(request: Request[Any, Any, Any], run: WhichRun = None) -> Response[Any]:
    """The reader's last file (or `run`): how far it is, or what became of its rows."""
    check_parameters(request, ("run",))
    return _page(request, None, run)


def _page(request: Request[Any, Any, Any], tried: Tried | None = None, number: int | None = None) -> Response[Any]:
    run = run_of(request, limit=_SHOWN, number=number)
    if tried is None and run.status in ("failed", "interrupted") and run.code is not None:
        tried = Tried("file", {}, problem_of(CallerError(run.code, run.zh or "", run.en or "")))
    return render(
        request, "contact_files/file.html", status=int(tried.problem["status"]) if tried else 200, run=run, tried=tried,
        sources=SOURCES,
    )  # fmt: skip


def _set_aside(kind: str) -> Any:
    @get(f"{_PLACE}/set-aside.{kind}", sync_to_thread=True, opt={"page": "contact.import"})
    def set_aside(request: Request[Any, Any, Any], run: WhichRun = None) -> Response[Any]:
        """The rows that the reader's last file (or `run`) set aside, as they came, each with why."""
        check_parameters(request, ("run",))
        answer = rows_set_aside_of(request, kind, run)
        answer.headers.update(HEADERS)
        return answer

    return set_aside


route_handlers = [contact_file, *map(_set_aside, MEND)]
uploads = [upload]
"""These take more than other bodies may have."""
