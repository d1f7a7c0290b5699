"""Hand-overs: a plan with what each receiver gets, its approval by somebody else, carrying it out behind, receipts."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from litestar import Request, Response, get, post
from litestar.params import PathParameter, QueryParameter
from sqlalchemy.engine import Connection

from api.begun_behind import Came, Kind, Went, begin, behind
from api.console.frame.forms import Tried, problem_in, problem_of, problem_when, typed_in
from api.console.frame.page import HEADERS, language_of, render, to
from api.handovers import XLSX, SheetName, answered
from api.idempotency import StoredAnswer
from api.problems import request_id_of, status_of
from api.reading.asking import check_parameters
from api.reading.exports import saved_as
from api.serving import serving_of
from api.written import changing, written, written_now
from casework.clock import now
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.people.staff.listing import names_of
from casework.storage.database import reading
from casework.work.handover import preview, queries
from casework.work.handover.applying import apply
from casework.work.handover.approving import approve, withdraw
from casework.work.handover.planning import PlanOptions, plan
from casework.work.handover.queries import Handover
from casework.work.handover.sheets import sheet_of
from casework.work.handovers import DEPARTURE, TRANSFER

_ROWS: Final = 50
_RECEIPTS: Final = 200
_Number = Annotated[int, PathParameter(description="The number of the hand-over.")]


class Answered(NamedTuple):
    """What the API would have answered."""

    status: int
    body: bytes


_APPLYING: Final = Kind("handover", outcome=Answered)


@post("/console/handovers", opt={"page": "handover.plan"})
async def plan_one(request: Request[Any, Any, Any]) -> Response[Any]:
    """Say where each of somebody's cases is to go; nothing moves yet."""
    typed = await typed_in(request)
    branch = serving_of(request).branch

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        number = plan(
            conn, branch, actor=actor, staff_no=typed.get("staff_no", "").strip(),
            kind=TRANSFER if typed.get("kind") == TRANSFER else DEPARTURE, on=_day(typed.get("on", "")),
            options=PlanOptions(
                tuple(typed.get("receivers", "").replace("，", " ").replace(",", " ").split()),
                typed.get("team", "").strip() or None, typed.get("region", "").strip() or None,
            ),
        )  # fmt: skip
        return StoredAnswer(201, msgspec.json.encode({"handover": number}), {})

    try:
        answer = await written(request, work, typed.get("once") or None)
    except CallerError as told:
        if status_of(told.code) in (401, 403):
            raise
        return await asyncio.to_thread(_listed, request, Tried("plan", typed, problem_of(told)))
    return to(f"/console/handovers/{msgspec.json.decode(answer.content)['handover']}")


def _day(text: str) -> date | None:
    """CallerError date_malformed."""
    if not text.strip():
        return None
    with suppress(ValueError):
        return date.fromisoformat(text.strip())
    raise CallerError("date_malformed")


async def _changed(
    request: Request[Any, Any, Any], number: int, key: str, act: Callable[[Connection, Actor, str | None], StoredAnswer]
) -> Response[Any]:
    typed = await typed_in(request)
    remark = typed.get("remark", "").strip() or None
    doing = written(request, lambda conn, actor: act(conn, actor, remark), typed.get("once") or None)
    if problem := await problem_when(doing):
        return await asyncio.to_thread(_page, request, number, Tried(key, typed, problem))
    return to(f"/console/handovers/{number}")


@post("/console/handovers/{number:int}/approve", opt={"page": "handover.approve"})
async def approve_one(request: Request[Any, Any, Any], number: _Number) -> Response[Any]:
    """As it was shown; if the world has moved, a new plan is made instead."""
    branch, request_id = serving_of(request).branch, request_id_of(request)
    return await _changed(request, number, "approve", lambda conn, actor, remark: answered(
        approve(conn, branch, number, actor=actor, remark=remark), request_id))  # fmt: skip


@post("/console/handovers/{number:int}/withdraw", opt={"page": "handover.plan"})
async def withdraw_one(request: Request[Any, Any, Any], number: _Number) -> Response[Any]:
    """Taken back, as long as it was not carried out."""
    branch = serving_of(request).branch

    def act(conn: Connection, actor: Actor, remark: str | None) -> StoredAnswer:
        del remark
        return StoredAnswer(200, msgspec.json.encode({"entry_id": withdraw(conn, branch, number, actor=actor)}), {})

    return await _changed(request, number, "withdraw", act)


@post("/console/handovers/{number:int}/apply", opt={"page": "handover.apply"})
async def apply_one(request: Request[Any, Any, Any], number: _Number) -> Response[Any]:
    """Carry it out behind: all of it or nothing."""
    await typed_in(request)
    serving, request_id = serving_of(request), request_id_of(request)

    def work(_went: Went) -> Came:
        told = written_now(
            serving, request, lambda conn, actor: answered(apply(conn, serving.branch, number, actor=actor), request_id)
        )
        return Came(Answered(told.status, told.body))

    await asyncio.to_thread(begin, request, _APPLYING, work, whose=str(number))
    return to(f"/console/handovers/{number}")


@get("/console/handovers/{number:int}/sheets/{name:str}", sync_to_thread=True, opt={"page": "handover.sheet"})
def sheet(request: Request[Any, Any, Any], number: _Number, name: SheetName) -> Response[Any]:
    """What a receiver gets, as a workbook; that it was made is an entry."""
    receiver, dot, kind = name.rpartition(".")
    if not dot or kind != "xlsx" or not 1 <= len(receiver) <= 32:
        raise CallerError("unknown_receiver", receiver=name[:32])
    with changing(request) as change:
        made = sheet_of(
            change.conn, change.branch, number, receiver, actor=change.actor,
            lang=language_of(request),
        )  # fmt: skip
    return Response(made.body, media_type=XLSX, headers={**HEADERS, "content-disposition": saved_as(made.name)})


@get("/console/handovers", sync_to_thread=True, opt={"page": "handover.read"})
def listed(
    request: Request[Any, Any, Any], staff_no: Annotated[str, QueryParameter(max_length=32)] = "",
    before: Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1)] = None,
) -> Response[Any]:  # fmt: skip
    """All of them, newest first; and the form that plans one."""
    check_parameters(request, ("staff_no", "before"))
    return _listed(request, None, staff_no, before)


def _listed(
    request: Request[Any, Any, Any], tried: Tried | None, staff_no: str = "", before: int | None = None
) -> Response[Any]:
    serving = serving_of(request)
    with reading(serving.engine) as conn:
        page = queries.page(conn, staff_no=staff_no or None, limit=_ROWS, before=before)
        names = names_of(conn, {one.staff_no for one in page.items} | {one.planned_by for one in page.items})
    return render(
        request, "handover/list.html", status=int(tried.problem["status"]) if tried else 200, items=page.items,
        following=page.next, first=before is None, names=names, tried=tried, staff_no=staff_no,
        may_plan=serving.branch.rulebook.permissions.may(request.scope["user"], "handover.plan"),
        chart=serving.branch.rulebook.charts["handover"],
    )  # fmt: skip


@get("/console/handovers/{number:int}", sync_to_thread=True, opt={"page": "handover.read"})
def one(
    request: Request[Any, Any, Any], number: _Number, after: Annotated[int, QueryParameter(ge=0, le=2**53 - 1)] = 0
) -> Response[Any]:
    """The plan as its approver sees it, how far it is, and its receipts."""
    check_parameters(request, ("after",))
    return _page(request, number, after=after)


def _page(request: Request[Any, Any, Any], number: int, tried: Tried | None = None, after: int = 0) -> Response[Any]:
    serving, run = serving_of(request), behind(request, _APPLYING, str(number))
    branch = serving.branch
    with reading(serving.engine, snapshot=True) as conn:
        found = queries.find(conn, number)
        moved = queries.receipts(conn, number, limit=_RECEIPTS, after=after)
        names = names_of(conn, _people_in(found))
    if tried is None and run.mistake is not None:
        tried = Tried("apply", {}, problem_of(run.mistake))
    elif tried is None and run.outcome is not None:
        problem = problem_in(Response(run.outcome.body, status_code=run.outcome.status))
        tried = Tried("apply", {}, problem) if problem else None
    actor, permissions, today = request.scope["user"], branch.rulebook.permissions, branch.today(now())
    return render(
        request, "handover/one.html", status=int(tried.problem["status"]) if tried and tried.key != "apply" else 200,
        one=found, preview=found.preview, moved=moved, names=names, tried=tried, run=run, rules=branch.rulebook.owners,
        reasons=preview.REASONS, state=branch.rulebook.charts["handover"].state_named(found.status), after=after,
        kind=branch.rulebook.charts["handover"].openings[found.kind], chart=branch.rulebook.chart,
        may={name: permissions.may(actor, f"handover.{name}") for name in ("plan", "approve", "apply", "sheet")},
        due=found.effective_on <= today,
    )  # fmt: skip


def _people_in(found: Handover) -> set[str]:
    return {found.staff_no, found.planned_by, *(one.receiver for one in found.preview.receivers)}


route_handlers = [plan_one, approve_one, withdraw_one, apply_one, listed, one, sheet]
