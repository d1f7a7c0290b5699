"""One information repair: which sources were tried, which may be, what was found; sources that are refused, by rule."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import QueryParameter

from api.auth import actor_of
from api.changing import respond
from api.console.frame.forms import Tried, problem_in, problem_of, typed_in
from api.console.frame.page import language_of, render, to
from api.console.nouns.firing import fired
from api.nouns import Number
from api.outcomes import Named, answer_of
from api.problems import request_id_of, status_of
from api.repairs import way_found
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.intake.contact_book.adding import Finding
from casework.intake.contact_book.repairing import EVENT
from casework.people.staff.listing import names_of
from casework.storage.database import reading
from casework.work.cases.filter import BusinessDates
from casework.work.cases.repairing import REPAIRS
from casework.work.cases.shown import options_of, seen
from casework.work.contacts.contact import PARTIES

NAMED: Final = Named("/repairs", "id", "信息修复", "information repair", REPAIRS.word)
KINDS: Final = ("home", "work", "registered", "other")
RELATIONS: Final = (
    "self", "spouse", "parent", "child", "sibling", "relative", "friend", "colleague", "lawyer", "other",
)  # fmt: skip
_TRY: Final = "try_source"


@get("/console/repairs/{number:int}/work", sync_to_thread=True, opt={"page": "repair.read"})
def work(
    request: Request[Any, Any, Any], number: Number, done: Annotated[str, QueryParameter(max_length=64)] = ""
) -> Response[Any]:
    """What was tried, and what may be."""
    return _page(request, number, None, done)


@post("/console/repairs/{number:int}/work", opt={"page": "repair.event"})
async def act(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """A source tried in vain, nothing found, given up: an event of the chart; then this page again."""
    typed = await typed_in(request)
    event = typed.get("event", "")
    problem = await fired(request, REPAIRS, NAMED, number, event, typed)
    return await _after(request, number, f"event.{event}", event, typed, problem)


@post("/console/repairs/{number:int}/findings", opt={"page": "repair.event"})
async def found(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """A number or an address: into the contact book, and the end of the repair, or neither."""
    typed = await typed_in(request)
    source, _, basis = typed.get("from", "").partition("/")
    rest = {name: typed.get(name, "").strip() or None for name in ("phone", "address", "name", "relation")}
    kind = (typed.get("address_kind") or None) if rest["address"] else None
    finding = Finding(role=typed.get("role", ""), source=source, legal_basis=basis, address_kind=kind, **rest)
    try:
        outcome = await asyncio.to_thread(way_found, request, number, finding)
        problem = problem_in(respond(answer_of(outcome, request_id_of(request), named=NAMED)))
    except CallerError as told:
        if status_of(told.code) in (401, 403, 404):
            raise
        problem = problem_of(told)
    return await _after(request, number, "found", EVENT, typed, problem)


async def _after(
    request: Request[Any, Any, Any], number: int, key: str, event: str, typed: Mapping[str, str],
    problem: Mapping[str, Any],
) -> Response[Any]:  # fmt: skip
    if not problem:
        return to(f"/console/repairs/{number}/work?done={event}")
    if status_of(problem["code"]) in (401, 403):
        raise CallerError(problem["code"], problem["detail_zh"], problem["detail"])
    return await asyncio.to_thread(_page, request, number, Tried(key, typed, problem), "")


def _page(request: Request[Any, Any, Any], number: int, tried: Tried | None, done: str) -> Response[Any]:
    serving, actor = serving_of(request), actor_of(request)
    branch = serving.branch
    with reading(serving.engine, snapshot=True) as conn:
        repair, whose = seen(conn, branch, REPAIRS, actor, number, branch.today(now()))
        options = options_of(branch, BusinessDates(conn, branch), REPAIRS, repair, whose, actor)
        names = names_of(conn, {one.by for one in repair.tried} | {repair.opened_by})
    chart, sources = branch.rulebook.charts[REPAIRS.chart], branch.rulebook.sources
    asked = {one.source for one in repair.tried}
    return render(
        request, "repairs/one.html", status=int(tried.problem["status"]) if tried else 200, one=repair, chart=chart,
        place=f"/console/repairs/{number}", offers={one.event: one for one in options.events}, tried=tried,
        names=names, done=getattr(chart.events.get(done), language_of(request), ""), sources=sources,
        left=[one for one in sources.lawful.values() if one.code not in asked], roles=PARTIES, kinds=KINDS,
        relations=RELATIONS, rules=chart.events[_TRY].rules,
        because=chart.openings["started"].fields["because"].one_of,
    )  # fmt: skip


route_handlers = [act, found, work]
