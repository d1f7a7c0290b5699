"""Moving the living to a version of their chart: what it would do, asking for it, running it behind, how far it is."""

import asyncio
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from sqlalchemy.engine import Connection

from api.auth import actor_of
from api.begun_behind import Came, Kind, Went, begin, behind
from api.console.frame.forms import Tried, problem_of, problem_when, typed_in
from api.console.frame.page import render, to
from api.idempotency import StoredAnswer
from api.problems import request_id_of
from api.reading.asking import check_parameters
from api.requests import answer_of_asking
from api.serving import serving_of
from api.written import written
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.storage.database import reading
from casework.work.four_eyes import chart_moves

_MOVE: Final = Kind("chart_move", outcome=int)


@post("/console/rules/charts/{name:str}/moves", opt={"page": "chart.move.ask"})
async def ask(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """Ask for the move as the plan shows it now; somebody else approves it."""
    typed = await typed_in(request)
    branch, request_id = serving_of(request).branch, request_id_of(request)

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        return answer_of_asking(chart_moves.ask(conn, branch, name, actor=actor), request_id)

    if problem := await problem_when(written(request, work, typed.get("once") or None)):
        return await asyncio.to_thread(_page, request, name, Tried("ask", typed, problem))
    return to(f"/console/rules/charts/{name}/moves")


@post("/console/rules/charts/{name:str}/moves/run", opt={"page": "chart.move.run"})
async def run(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """Run what was approved behind, batch by batch; whoever was moved is not moved again."""
    await typed_in(request)
    serving, actor = serving_of(request), actor_of(request)

    def work(went: Went) -> Came:
        done = 0

        def moved(number: int) -> None:
            nonlocal done
            done += number
            went(done)

        return Came(chart_moves.run(serving.engine, serving.branch, name, actor=actor, progress=moved))

    await asyncio.to_thread(begin, request, _MOVE, work, whose=name)
    return to(f"/console/rules/charts/{name}/moves")


@get("/console/rules/charts/{name:str}/moves", sync_to_thread=True, opt={"page": "chart.move.read"})
def moves(
    request: Request[Any, Any, Any], name: FromPath[str],
    version: Annotated[int | None, QueryParameter(ge=1, le=999_999)] = None,
) -> Response[Any]:  # fmt: skip
    """By version and state how many go where, stay, or cannot go and why; what was moved so far."""
    check_parameters(request, ("version",))
    return _page(request, name, None, version)


def _page(request: Request[Any, Any, Any], name: str, tried: Tried | None, version: int | None = None) -> Response[Any]:
    serving, work = serving_of(request), behind(request, _MOVE, name)
    branch = serving.branch
    chart, found, first = branch.rulebook.charts.get(name), None, None
    with reading(serving.engine, snapshot=True) as conn:
        try:
            found = chart_moves.look(conn, branch, name, version)
        except CallerError as told:
            if told.code != "no_version_before":
                raise
            first = told  # nothing to move, and the page says so
    if tried is None and work.mistake is not None:
        tried = Tried("run", {}, problem_of(work.mistake))
    actor, permissions = actor_of(request), branch.rulebook.permissions
    return render(
        request, "chart_moves/moves.html", status=int(tried.problem["status"]) if tried and tried.key == "ask" else 200,
        chart=chart, progress=found, first=first, tried=tried, work=work,
        request_state=branch.rulebook.requests.state_named(found.request_state)
        if found and found.request_state else None,
        may_ask=permissions.may(actor, "chart.move.ask"), may_run=permissions.may(actor, "chart.move.run"),
    )  # fmt: skip


route_handlers = [ask, run, moves]
