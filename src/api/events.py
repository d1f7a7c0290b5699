"""Changing one case: events of the chart, typed facts, notes."""

from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body

from api.auth import actor_of
from api.changing import (
    CHANGING,
    CaseId,
    IdempotencyKey,
    IfMatch,
    known_case_id,
    seen_version,
    through_the_writer,
)
from api.outcomes import answer_of
from api.problems import problem_responses, request_id_of
from api.wire import (
    DONE_EXAMPLE,
    EVENT_EXAMPLES,
    FACT_EXAMPLES,
    NOTE_EXAMPLES,
    DoneBody,
    EventBody,
    FactBody,
    NoteBody,
)
from casework.lifecycle.commands import Fire, Note, Record
from casework.work.cases.commands import Command

_DONE = ResponseSpec(
    DoneBody, generate_examples=False, description="Done; the ETag is the new version.", examples=[DONE_EXAMPLE]
)
_PROBLEMS = problem_responses(*CHANGING, "unknown_case", "stale_version", "unknown_fact")
_EVENT_PROBLEMS = problem_responses(*CHANGING, "unknown_case", "stale_version", "unknown_event", "version_required")


@post("/cases/{case_id:int}/events", status_code=200, summary="Fire an event of the chart", tags=["cases"],
      responses={200: _DONE, **_EVENT_PROBLEMS})  # fmt: skip
async def fire(
    request: Request[Any, Any, Any], case_id: CaseId, data: Annotated[EventBody, Body(examples=EVENT_EXAMPLES)],
    if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Move the case, if the chart allows it; otherwise 409 with every reason (403 if none of your posts may)."""
    actor, version = actor_of(request), seen_version(if_match, required=True)
    command = Fire(actor=actor, id=known_case_id(case_id), event=data.event, data=data.data, version=version)
    return await _one(request, command, idempotency_key, if_match)


@post("/cases/{case_id:int}/facts", status_code=200, summary="Record a typed fact", tags=["cases"],
      responses={200: _DONE, **_PROBLEMS})  # fmt: skip
async def record(
    request: Request[Any, Any, Any], case_id: CaseId, data: Annotated[FactBody, Body(examples=FACT_EXAMPLES)],
    if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Record what happened, when, and with which evidence; guards read such facts."""
    actor, version = actor_of(request), seen_version(if_match, required=False)
    command = Record(
        actor=actor, id=known_case_id(case_id), kind=data.kind, on=data.on, evidence=data.evidence, data=data.data,
        version=version,
    )  # fmt: skip
    return await _one(request, command, idempotency_key, if_match)


@post("/cases/{case_id:int}/notes", status_code=200, summary="Write a note", tags=["cases"],
      responses={200: _DONE, **_PROBLEMS})  # fmt: skip
async def note(
    request: Request[Any, Any, Any], case_id: CaseId, data: Annotated[NoteBody, Body(examples=NOTE_EXAMPLES)],
    if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Write a note; the log commits to its text without holding it."""
    actor, version = actor_of(request), seen_version(if_match, required=False)
    command = Note(actor=actor, id=known_case_id(case_id), text=data.text, version=version)
    return await _one(request, command, idempotency_key, if_match)


async def _one(
    request: Request[Any, Any, Any], command: Command, idempotency_key: str | None, if_match: str | None
) -> Response[bytes]:
    request_id = request_id_of(request)
    return await through_the_writer(
        request, [command], lambda outcomes: answer_of(outcomes[0], request_id), idempotency_key, if_match
    )


route_handlers = [fire, record, note]
