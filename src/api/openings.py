"""Opening a case by hand: on misuse, an inspection's finding (1.2.2, 4.2), or arrears that nobody works on (5.4)."""

import asyncio
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body

from api.auth import actor_of
from api.changing import CHANGING, IdempotencyKey, through_the_writer
from api.outcomes import answer_of
from api.problems import problem_responses, request_id_of
from api.serving import Serving, serving_of
from api.wire import DONE_EXAMPLE, OPENING_EXAMPLES, DoneBody, OpeningBody
from casework import ids
from casework.clock import now
from casework.intake.feed.last_known import known_loan
from casework.people.staff.actor import Actor
from casework.storage.database import reading
from casework.work.cases.commands import OpenCase
from casework.work.cases.sight import reach_of

_OPENED = ResponseSpec(
    DoneBody, generate_examples=False, description="Opened; Location names the case.", examples=[DONE_EXAMPLE]
)
_PROBLEMS = problem_responses(*CHANGING, "unknown_loan", "unknown_ground", "id_malformed")


@post("/cases", status_code=201, summary="Open a case by hand", tags=["cases"], responses={201: _OPENED, **_PROBLEMS})
async def open_case(
    request: Request[Any, Any, Any], data: Annotated[OpeningBody, Body(examples=OPENING_EXAMPLES)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Open a case of a loan on the books, with the figures the last feed left; DPD 0 is allowed."""
    actor, serving, request_id = actor_of(request), serving_of(request), request_id_of(request)
    command = await asyncio.to_thread(opening_of, serving, actor, data.loan_id, data.ground, data.data)
    return await through_the_writer(
        request, [command], lambda outcomes: answer_of(outcomes[0], request_id, created=True), idempotency_key, None
    )


def opening_of(serving: Serving, actor: Actor, loan_id: str, ground: str, data: dict[str, Any]) -> OpenCase:
    """The command for a loan on the books; CallerErrors `id_malformed`, `unknown_loan`."""
    loan_id = ids.checked("loan_id", loan_id)
    within = reach_of(serving.branch, actor, "case.read", serving.branch.today(now()))
    with reading(serving.engine) as conn:
        loan, measure = known_loan(conn, serving.branch, loan_id, within)
    return OpenCase(actor=actor, ground=ground, loan=loan, measure=measure, data=data)


route_handlers = [open_case]
