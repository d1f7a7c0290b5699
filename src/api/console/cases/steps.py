"""What is done to a case from its page: an event, a fact, a note; asked for where that takes four eyes."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response, post

from api.auth import actor_of
from api.changing import known_case_id, through_the_writer
from api.console.cases.looking import case_page
from api.console.frame import cookies
from api.console.frame.forms import DAY_MISSING, Tried, data_of, day_of, number_of, problem_in, problem_of, typed_in
from api.console.frame.page import to
from api.outcomes import answer_of
from api.problems import request_id_of, status_of
from api.reading.cases import CaseId
from api.requests import asked_for
from api.serving import serving_of
from casework.errors import CallerError
from casework.lifecycle.commands import Fire, Note, Record
from casework.work.cases.commands import Command
from casework.work.cases.options import FieldOffer, fields_of


@post("/console/cases/{case_id:int}/events", opt={"page": "case.event"})
async def fire(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """Fire an event of the chart."""
    typed = await typed_in(request)
    event = typed.get("event", "")
    data = data_of(_fields(request, event, "events"), typed, serving_of(request).branch.time_zone)
    command = Fire(
        actor=actor_of(request), id=known_case_id(case_id), event=event, data=data, version=number_of(typed, "version")
    )
    return await _done(request, command, case_id, Tried(f"event.{event}", typed), event)


@post("/console/cases/{case_id:int}/requests", opt={"page": "request.ask"})
async def ask(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """Ask for an event that takes four eyes."""
    typed = await typed_in(request)
    event = typed.get("event", "")
    data = data_of(_fields(request, event, "events"), typed, serving_of(request).branch.time_zone)
    subject, version = f"case:{known_case_id(case_id)}", number_of(typed, "version")
    try:
        answer = await asked_for(request, "event", subject, event, data, version, typed.get("once") or None)
    except CallerError as told:
        if status_of(told.code) in (401, 403, 404):
            raise
        return await asyncio.to_thread(_again, request, case_id, Tried(f"event.{event}", typed, problem_of(told)))
    problem = problem_in(answer)
    if problem:
        return await asyncio.to_thread(_again, request, case_id, Tried(f"event.{event}", typed, problem))
    return to(f"/console/requests/{msgspec.json.decode(answer.content)['request_id']}")


@post("/console/cases/{case_id:int}/facts", opt={"page": "case.fact"})
async def record(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """Record a typed fact: its kind, the day it happened on, its evidence."""
    typed = await typed_in(request)
    kind = typed.get("kind", "")
    tried, on = Tried(f"fact.{kind}", typed), day_of(typed)
    if on is None:
        return await asyncio.to_thread(_again, request, case_id, Tried(tried.key, typed, DAY_MISSING))
    data = data_of(_fields(request, kind, "facts"), typed, serving_of(request).branch.time_zone)
    command = Record(
        actor=actor_of(request), id=known_case_id(case_id), kind=kind, on=on, data=data,
        evidence=typed.get("evidence", "").strip(), version=number_of(typed, "version"),
    )  # fmt: skip
    return await _done(request, command, case_id, tried, kind)


@post("/console/cases/{case_id:int}/notes", opt={"page": "case.note"})
async def note(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """Write a note; the log commits to its text without holding it."""
    typed = await typed_in(request)
    command = Note(actor=actor_of(request), id=known_case_id(case_id), text=typed.get("text", ""))
    return await _done(request, command, case_id, Tried("note", typed), "noted")


def _fields(request: Request[Any, Any, Any], name: str, part: str) -> list[FieldOffer]:
    rulebook = serving_of(request).branch.rulebook
    found = getattr(rulebook.chart, part).get(name)
    return [] if found is None else fields_of(found.fields, rulebook.policies.all[-1])


async def _done(
    request: Request[Any, Any, Any], command: Command, case_id: int, tried: Tried, done: str
) -> Response[Any]:
    """Back to the page of the case, with what was done, or with the form as it was typed and what is wrong with it."""
    request_id = request_id_of(request)
    answer = await through_the_writer(
        request, [command], lambda outcomes: answer_of(outcomes[0], request_id), tried.typed.get("once") or None, None
    )
    problem = problem_in(answer)
    if not problem:
        following = tried.typed.get("next")
        return to(cookies.place_here(following) if following else f"/console/cases/{case_id}?done={done}")
    return await asyncio.to_thread(_again, request, case_id, Tried(tried.key, tried.typed, problem))


def _again(request: Request[Any, Any, Any], case_id: int, tried: Tried) -> Response[Any]:
    return case_page(request, case_id, tried=tried, status=int(tried.problem["status"]))


route_handlers = [fire, ask, record, note]
