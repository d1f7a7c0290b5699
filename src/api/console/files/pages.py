"""What somebody took out that was too long for a page: how far it is, and the file, for them alone."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.params import PathParameter, QueryParameter

from api.auth import actor_of
from api.begun_behind import behind
from api.console.frame.made_behind import FILE, PLACE, Made, file_made
from api.console.frame.page import render
from api.reading.asking import check_parameters
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError

_SHOWN: Final = 30
_Number = Annotated[int, PathParameter(ge=1, le=2**53 - 1, description="The number of the run.")]


@get(PLACE, sync_to_thread=True, opt={"page": "me.read"})
def files(request: Request[Any, Any, Any], busy: Annotated[bool, QueryParameter()] = False) -> Response[Any]:
    """The reader's files, the newest first."""
    check_parameters(request, ("busy",))
    serving = serving_of(request)
    branch = serving.branch
    runs = serving.behind.all_of(FILE, actor_of(request).id, _SHOWN)
    kept_days = branch.rulebook.policies.at(branch.today(now())).figure("work.kept_days")
    return render(request, "files/files.html", runs=runs, busy=busy, kept_days=kept_days)


@get(f"{PLACE}/{{number:int}}", sync_to_thread=True, opt={"page": "me.read"})
def one_file(request: Request[Any, Any, Any], number: _Number) -> Response[Any]:
    """The file itself, for whoever took it out and may still do so."""
    serving, actor = serving_of(request), actor_of(request)
    run = behind(request, FILE, actor.id, number)
    if run.about is not None:
        serving.branch.rulebook.permissions.require(actor, run.about.command)
    body = serving.behind.file_of(run) if run.has_file else b""
    if not body:
        raise CallerError(
            "not_found", "没有这个文件，或已过保留期：请重新导出",
            "there is no such file, or its time is over: take it out again",
        )  # fmt: skip
    return file_made(run.about, Made(body, run.outcome.media_type, run.outcome.rows, run.outcome.cut))


route_handlers = [files, one_file]
