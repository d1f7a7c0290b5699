"""Requests under four eyes: ask, see what waits, review, approve, return, withdraw (rules 1.1.4, 5.6)."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, PathParameter, QueryParameter
from msgspec import Meta

from api.changing import IdempotencyKey, IfMatch, seen_version
from api.example import Example
from api.idempotency import StoredAnswer
from api.outcomes import etag
from api.problems import MEDIA_TYPE, problem_body, problem_responses, request_id_of, status_of
from api.reading.asking import answers, reader_of
from api.serving import serving_of
from api.wire import Code, Data
from api.written import written
from casework.people.staff.actor import Actor
from casework.storage.database import reading
from casework.work.cases.branch import Branch
from casework.work.cases.options import ReasonOffer, reason_offer
from casework.work.four_eyes import requests
from casework.work.four_eyes.listing import (
    MAX_PAGE,
    RequestDetail,
    RequestList,
    request_detail,
    request_list,
)
from casework.work.four_eyes.requests import Asked, Moved, Refused

RequestId = Annotated[int, PathParameter(ge=1, le=2**53 - 1, description="The id of the request.")]
Remark = Annotated[str, Meta(min_length=1, max_length=2_000)]
_encode = msgspec.json.Encoder(enc_hook=str).encode


class AskBody(msgspec.Struct, forbid_unknown_fields=True):
    """`event`: an event of a case (`case:17`), promise or hold that its chart puts under four eyes, with its data.

    `post`: a post (`what`) for somebody (`staff:S0012`), with `from_on` and perhaps `until_on`.
    """

    kind: Literal["event", "post"]
    subject: Annotated[
        str, Meta(pattern=r"^([a-z]{1,32}:[1-9][0-9]{0,15}|staff:[A-Za-z0-9._-]{1,32})$(?!\n)", max_length=80)
    ]
    what: Code
    data: Data = {}


class RemarkBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the reviewer, the approver or the proposer wants to say; kept sealed, the log holds its commitment."""

    remark: Remark | None = None


class ReturnBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why it goes back: a code of the chart of requests."""

    reason: Code
    remark: Remark | None = None


class AskedBody(msgspec.Struct, kw_only=True):
    """It waits for a review or an approval; open through `expires_on`.

    `flags` speak against it and forbid nothing: who reviews and approves sees them too.
    """

    request_id: int
    state: str
    version: int
    expires_on: date
    entry_id: str
    flags: list[ReasonOffer] = []


class MovedBody(msgspec.Struct, kw_only=True):
    """The request is in another state; `carried_out` is the entry of what its approval has led to.

    `flags` spoke against it when it was decided.
    """

    request_id: int
    state: str
    version: int
    entry_id: str
    carried_out: str | None
    flags: list[ReasonOffer] = []


_ASK_EXAMPLES = [
    Example(id="sue", summary="ask for a suit",
            value={"kind": "event", "subject": "case:17", "what": "sue", "data": {"claim_fen": 5_230_000}}),
    Example(id="post", summary="ask for a post",
            value={"kind": "post", "subject": "staff:S0012", "what": "phone_collector",
                   "data": {"from_on": "2026-04-01"}}),
]  # fmt: skip
_REMARKS = [Example(id="remark", summary="a remark", value={"remark": "材料齐全"}),
            Example(id="none", summary="nothing to say", value={})]  # fmt: skip
_RETURNS = [Example(id="evidence", summary="evidence missing", value={"reason": "evidence_missing"})]
_LINE: dict[str, Any] = {
    "id": 3, "kind": "event", "subject": "case:17", "what": "sue", "what_zh": "提起诉讼", "what_en": "Sue",
    "topic": "suit", "topic_zh": "诉讼", "topic_en": "suit", "state": "asked", "state_zh": "待复核或审批",
    "state_en": "Asked", "open": True, "version": 1, "asked_by": "S0012", "asked_for": None, "asked_on": "2026-03-09",
    "reviewed_by": None, "reviewed_for": None, "decided_by": None, "decided_for": None, "expires_on": "2026-03-23",
    "carried_out": None, "missing": ["review", "approve"], "changed": False, "void": False, "flags": [],
}  # fmt: skip
_DETAIL = {
    "request": _LINE, "data": {"claim_fen": 5_230_000},
    "options": [{"event": "review", "zh": "复核", "en": "Review", "allowed": True, "reasons": [],
                 "posts": ["basic_risk_manager"], "data": []}],
    "erased": False,
}  # fmt: skip
ASKED = ResponseSpec(
    AskedBody, generate_examples=False, description="Asked; Location names the request.",
    examples=[Example(summary="asked", value={"request_id": 3, "state": "asked", "version": 1,
                                              "expires_on": "2026-03-23", "entry_id": "request:3:1", "flags": []})],
)  # fmt: skip
_MOVED = ResponseSpec(
    MovedBody, generate_examples=False, description="Done.",
    examples=[Example(summary="approved", value={"request_id": 3, "state": "approved", "version": 3,
                                                 "entry_id": "request:3:3", "carried_out": "case:17:9", "flags": []})],
)  # fmt: skip
_CHANGING = (
    "malformed_json", "malformed_header", "post_not_permitted", "out_of_reach", "key_not_permitted", "refused",
    "idempotency_running", "stale_version", "body_too_large", "unsupported_media_type", "faulty_data",
    "invalid_request", "idempotency_mismatch", "database_busy", "overloaded", "database_full",
)  # fmt: skip
ASKING = problem_responses(
    *_CHANGING, "unknown_case", "unknown_staff", "unknown_event", "unknown_post", "no_request_needed",
    "request_open_already", "request_too_large", "wrong_status",
)  # fmt: skip
_DECIDING = problem_responses(*_CHANGING, "unknown_request")


@post("/requests", status_code=201, summary="Ask for what takes four eyes", tags=["requests"],
      responses={201: ASKED, **ASKING})  # fmt: skip
async def ask(
    request: Request[Any, Any, Any], data: Annotated[AskBody, Body(examples=_ASK_EXAMPLES)],
    if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Every guard of the event is asked now and again at the approval; of one subject the same is asked once at a time.

    If-Match names the version of the case that you saw.
    """
    return await asked_for(
        request, data.kind, data.subject, data.what, data.data, seen_version(if_match, required=False),
        idempotency_key, if_match,
    )  # fmt: skip


async def asked_for(
    request: Request[Any, Any, Any], kind: str, subject: str, what: str, data: Mapping[str, Any], version: int | None,
    idempotency_key: str | None, if_match: str | None = None,
) -> Response[bytes]:  # fmt: skip
    """The request that was made, or why not; CallerErrors as `four_eyes.requests.ask`."""
    branch, request_id = _branch(request), request_id_of(request)

    def work(conn: Any, actor: Actor) -> StoredAnswer:
        told = requests.ask(
            conn, branch, actor=actor, kind=kind, subject=subject, what=what, data=data, version=version
        )
        return answer_of_asking(told, request_id)

    return await written(request, work, idempotency_key, if_match)


def answer_of_asking(told: Asked | Refused, request_id: str) -> StoredAnswer:
    """Where the request is, or why there is none; `request_id` is that of the call."""
    if isinstance(told, Refused):
        return _refused(told, request_id)
    body = AskedBody(
        request_id=told.request_id, state=told.state, version=told.version, expires_on=told.expires_on,
        entry_id=told.entry_id, flags=[reason_offer(flag) for flag in told.flags],
    )  # fmt: skip
    return StoredAnswer(201, _encode(body), {"ETag": etag(told.version), "Location": f"/requests/{told.request_id}"})


@get("/requests", sync_to_thread=True, summary="What waits for you, or what you asked for", tags=["requests"],
     responses=answers(RequestList, {"items": [_LINE], "next": None}, "filter_malformed", "invalid_request")
)  # fmt: skip
def list_requests(
    request: Request[Any, Any, Any],
    box: Annotated[
        Literal["inbox", "mine", "open"],
        QueryParameter(description="What waits for your decision, what you asked for, or all open that you may see."),
    ] = "inbox",
    subject: Annotated[
        str | None, QueryParameter(max_length=80, description="Every request of one subject, such as case:17.")
    ] = None,
    after: Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="`next` of the page before.")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="Rows on a page, at most 200.")] = 50,
) -> RequestList:
    """Oldest first. The inbox shows what you could review or approve now, and what can only be returned."""
    serving, actor = reader_of(request, "box", "subject", "after", "limit")
    with reading(serving.engine, snapshot=True) as conn:
        return request_list(conn, serving.branch, actor, box=box, subject=subject, after=after, limit=limit)


@get("/requests/{request_id:int}", sync_to_thread=True, summary="One request", tags=["requests"],
     responses=answers(RequestDetail, _DETAIL, "unknown_request", "invalid_request")
)  # fmt: skip
def show_request(request: Request[Any, Any, Any], request_id: RequestId) -> Response[RequestDetail]:
    """With what it asks for, and what you may do next or why not; free text is masked for who does not decide it."""
    serving, actor = reader_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found = request_detail(conn, serving.branch, actor, request_id)
    return Response(found, headers={"ETag": etag(found.request.version)})


@post("/requests/{request_id:int}/review", status_code=200, summary="Review a request", tags=["requests"],
      responses={200: _MOVED, **_DECIDING})  # fmt: skip
async def review(
    request: Request[Any, Any, Any], request_id: RequestId, data: Annotated[RemarkBody, Body(examples=_REMARKS)],
    if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Say that it may go to the approver; by another person than who asked."""
    branch, version = _branch(request), seen_version(if_match, required=False)
    return await decide(request, idempotency_key, if_match, lambda conn, actor: requests.review(
        conn, branch, request_id, actor=actor, remark=data.remark, version=version))  # fmt: skip


@post("/requests/{request_id:int}/approve", status_code=200, summary="Approve a request", tags=["requests"],
      responses={200: _MOVED, **_DECIDING})  # fmt: skip
async def approve(
    request: Request[Any, Any, Any], request_id: RequestId, data: Annotated[RemarkBody, Body(examples=_REMARKS)],
    if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """It happens in the same transaction: every guard is asked again, and its subject must be as it was."""
    branch, version = _branch(request), seen_version(if_match, required=False)
    return await decide(request, idempotency_key, if_match, lambda conn, actor: requests.approve(
        conn, branch, request_id, actor=actor, remark=data.remark, version=version))  # fmt: skip


@post("/requests/{request_id:int}/return", status_code=200, summary="Return a request", tags=["requests"],
      responses={200: _MOVED, **_DECIDING})  # fmt: skip
async def send_back(
    request: Request[Any, Any, Any], request_id: RequestId, data: Annotated[ReturnBody, Body(examples=_RETURNS)],
    if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Back to who asked, who may ask anew."""
    branch, version = _branch(request), seen_version(if_match, required=False)
    return await decide(request, idempotency_key, if_match, lambda conn, actor: requests.send_back(
        conn, branch, request_id, actor=actor, reason=data.reason, remark=data.remark, version=version))  # fmt: skip


@post("/requests/{request_id:int}/withdraw", status_code=200, summary="Withdraw your request", tags=["requests"],
      responses={200: _MOVED, **_DECIDING})  # fmt: skip
async def withdraw(
    request: Request[Any, Any, Any], request_id: RequestId, data: Annotated[RemarkBody, Body(examples=_REMARKS)],
    if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Only who asked may, or who deputises for them."""
    branch, version = _branch(request), seen_version(if_match, required=False)
    return await decide(request, idempotency_key, if_match, lambda conn, actor: requests.withdraw(
        conn, branch, request_id, actor=actor, remark=data.remark, version=version))  # fmt: skip


async def decide(
    request: Request[Any, Any, Any], idempotency_key: str | None, if_match: str | None,
    act: Callable[[Any, Actor], Moved | Refused],
) -> Response[bytes]:  # fmt: skip
    """What came of it, or why not; CallerErrors of `act`."""
    request_id = request_id_of(request)

    def work(conn: Any, actor: Actor) -> StoredAnswer:
        told = act(conn, actor)
        if isinstance(told, Refused):
            return _refused(told, request_id)
        body = MovedBody(
            request_id=told.request_id, state=told.state, version=told.version, entry_id=told.entry_id,
            carried_out=told.carried_out, flags=[reason_offer(flag) for flag in told.flags],
        )  # fmt: skip
        return StoredAnswer(200, _encode(body), {"ETag": etag(told.version)})

    return await written(request, work, idempotency_key, if_match)


def _refused(told: Refused, request_id: str) -> StoredAnswer:
    """403 where posts or reach alone forbid it, else 409 with every reason."""
    code = told.reasons[0].code if told.forbidden else "refused"
    facts = {
        "request_id": told.request_id, "state": told.state, "entry_id": told.entry_id,
        "reasons": [reason_offer(reason) for reason in told.reasons],
    }  # fmt: skip
    zh, en = ";".join(one.zh for one in told.reasons), "; ".join(one.en for one in told.reasons)
    body = problem_body(code, request_id=request_id, zh=zh, en=en, facts=facts)
    return StoredAnswer(status_of(code), body, {}, MEDIA_TYPE)


def _branch(request: Request[Any, Any, Any]) -> Branch:
    return serving_of(request).branch


route_handlers = [ask, list_requests, show_request, review, approve, send_back, withdraw]
