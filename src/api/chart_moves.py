"""Moving the living to the next version of their chart: what it would do, how far it is, asking for it, running it."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, FromPath, QueryParameter
from msgspec import Meta
from sqlalchemy.engine import Connection

from api.changing import IdempotencyKey
from api.example import Example
from api.idempotency import StoredAnswer
from api.problems import problem_responses, request_id_of
from api.reading.asking import answers, reader_of
from api.requests import ASKED, ASKING, answer_of_asking
from api.serving import serving_of
from api.written import written
from casework.lifecycle import moves
from casework.people.staff.actor import Actor
from casework.storage.database import reading
from casework.work.four_eyes import chart_moves
from casework.work.four_eyes.chart_moves import Progress

_Version = Annotated[int, Meta(ge=1, le=999_999)]


class VersionBody(msgspec.Struct, forbid_unknown_fields=True):
    """To which version; none: the one in force."""

    version: _Version | None = None


class RunBody(msgspec.Struct, forbid_unknown_fields=True):
    """The next `at_most` with numbers above `after` (that of the answer before; 0 begins)."""

    version: _Version | None = None
    after: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0
    at_most: Annotated[int, Meta(ge=1, le=moves.AT_ONCE)] = moves.AT_ONCE


class Ran(msgspec.Struct):
    """What one batch moved; `after` for the next, none when there was nothing left to move."""

    moved: int
    ways: list[moves.Way]
    not_moved: dict[str, int]
    after: int | None


_WAY = {"state": "phone_collection", "to": "phone_desk", "count": 812}
_GROUP = {"chart": "overdue_loan@1", **_WAY, "why": None, "why_zh": None, "why_en": None}
_PROGRESS = {
    "plan": {"chart": "overdue_loan@2", "digest": "5f" * 32, "moving": 812, "staying": 96, "cannot": 0,
             "groups": [_GROUP]},
    "request": 7, "request_state": "asked", "moved": 0, "batches": 0, "ways": [], "not_moved": {}, "first_at": None,
    "last_at": None,
}  # fmt: skip
_RAN = ResponseSpec(
    Ran, generate_examples=False, description="Moved; ask again with `after` until it is none.",
    examples=[Example(summary="moved", value={"moved": 812, "ways": [_WAY], "not_moved": {}, "after": 90_211})],
)  # fmt: skip
_UNKNOWN = ("unknown_chart", "unknown_version", "no_version_before")
_BODY = [Example(id="in_force", summary="To the version in force", value={})]


@get("/charts/{name:str}/moves", sync_to_thread=True, summary="What a move to a version would do, and how far it is",
     tags=["rulebook"], responses=answers(Progress, _PROGRESS, *_UNKNOWN, "filter_malformed"))  # fmt: skip
def chart_move(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    version: Annotated[int | None, QueryParameter(ge=1, le=999_999, description="Default: the one in force.")] = None,
) -> Progress:
    """By version and state: how many go where, how many stay, how many cannot go and why; what was moved so far."""
    serving, _ = reader_of(request, "version")
    with reading(serving.engine, snapshot=True) as conn:
        return chart_moves.look(conn, serving.branch, name, version)


@post("/charts/{name:str}/moves", status_code=201, summary="Ask for a move to a version", tags=["rulebook"],
      responses={201: ASKED, **ASKING, **problem_responses(*_UNKNOWN)})  # fmt: skip
async def ask_for_move(
    request: Request[Any, Any, Any], name: FromPath[str], data: Annotated[VersionBody, Body(examples=_BODY)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """As the plan shows it now; somebody else approves it (`POST /requests/{request_id}/approve`)."""
    branch, request_id = serving_of(request).branch, request_id_of(request)

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        return answer_of_asking(chart_moves.ask(conn, branch, name, actor=actor, version=data.version), request_id)

    return await written(request, work, idempotency_key)


@post("/charts/{name:str}/moves/run", status_code=200, summary="Move the next batch of what was approved",
      tags=["rulebook"], responses={200: _RAN, **ASKING, **problem_responses(*_UNKNOWN, "move_not_approved")}
)  # fmt: skip
async def run_move(
    request: Request[Any, Any, Any], name: FromPath[str], data: Annotated[RunBody, Body(examples=_BODY)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """One transaction, an entry for each that moved. Whoever was moved is not moved again, from wherever it goes on."""
    branch = serving_of(request).branch

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        batch = chart_moves.run_batch(
            conn, branch, name, actor=actor, version=data.version, after=data.after, at_once=data.at_most
        )
        ran = Ran(batch.moved.total(), moves.ways_of(batch.moved), dict(batch.not_moved), batch.after)
        return StoredAnswer(200, msgspec.json.encode(ran), {})

    return await written(request, work, idempotency_key)


route_handlers: list[Any] = [ask_for_move, run_move, chart_move]
