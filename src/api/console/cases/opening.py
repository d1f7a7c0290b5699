"""Opening a case by hand: on misuse, an inspection's finding, or arrears that nobody works on (1.2.2, 4.2, 5.4)."""

import asyncio
from typing import Any

from litestar import Request, Response, get, post

from api.auth import actor_of
from api.changing import through_the_writer
from api.console.frame.forms import Tried, data_of, problem_in, problem_of, typed_in
from api.console.frame.page import render, to
from api.openings import opening_of
from api.outcomes import answer_of
from api.problems import request_id_of
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.work.cases.lifecycles import CASES
from casework.work.cases.options import fields_of
from casework.work.cases.shown import openings_of


@post("/console/cases/new", opt={"page": "case.open"})
async def open_one(request: Request[Any, Any, Any]) -> Response[Any]:
    """Open it, with the figures that the last feed left."""
    typed = await typed_in(request)
    serving, ground = serving_of(request), typed.get("ground", "")
    branch, request_id = serving.branch, request_id_of(request)
    part = branch.rulebook.chart.openings.get(ground)
    fields = [] if part is None else fields_of(part.fields, branch.rulebook.policies.all[-1])
    data, place = data_of(fields, typed, branch.time_zone), ""
    try:
        command = await asyncio.to_thread(
            opening_of, serving, actor_of(request), typed.get("loan_id", "").strip(), ground, data
        )
        answer = await through_the_writer(
            request, [command], lambda outcomes: answer_of(outcomes[0], request_id, created=True),
            typed.get("once") or None, None,
        )  # fmt: skip
        problem, place = problem_in(answer), answer.headers.get("Location", "")
    except CallerError as told:
        problem = problem_of(told)
        if problem["status"] in (401, 403):
            raise
    if problem:
        return await asyncio.to_thread(_page, request, Tried(f"ground.{ground}", typed, problem))
    return to(f"/console{place}")


@get("/console/cases/new", sync_to_thread=True, opt={"page": "case.open"})
def opening(request: Request[Any, Any, Any]) -> Response[Any]:
    """The grounds on which the reader may open one, each with what it asks for."""
    return _page(request, None)


def _page(request: Request[Any, Any, Any], tried: Tried | None) -> Response[Any]:
    branch = serving_of(request).branch
    offers = [one for one in openings_of(branch, CASES, actor_of(request), branch.today(now())) if one.allowed]
    return render(
        request, "cases/open.html", status=int(tried.problem["status"]) if tried else 200, offers=offers, tried=tried,
        loan_id=tried.typed.get("loan_id", "") if tried else request.query_params.get("loan_id", "")[:64],
    )  # fmt: skip


route_handlers = [open_one, opening]
