"""Departures and transfers: plan, look, approve by somebody else, apply, take back; a sheet per receiver."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, FromQuery, PathParameter, QueryParameter
from msgspec import Meta
from sqlalchemy.engine import Connection

from api.auth import still_valid
from api.changing import IdempotencyKey
from api.example import Example, whole_answer
from api.idempotency import StoredAnswer
from api.language import Language
from api.problems import MEDIA_TYPE, problem_body, problem_responses, request_id_of, status_of
from api.reading.asking import answers, check_parameters
from api.reading.exports import file_named
from api.serving import serving_of
from api.written import written
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.four_eyes.recording import Refused
from casework.work.handover import queries
from casework.work.handover.applying import Applied, apply
from casework.work.handover.approving import Approved, approve, withdraw
from casework.work.handover.planning import PlanOptions, plan
from casework.work.handover.queries import Handover, HandoverPage, ReceiptPage
from casework.work.handover.replanning import Replanned
from casework.work.handover.sheets import sheet_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HandoverId = Annotated[int, PathParameter(description="The id of the hand-over.")]
SheetName = Annotated[str, PathParameter(description="The receiver's staff number with `.xlsx` behind it.")]
_StaffNo = Annotated[str, Meta(min_length=1, max_length=32)]
_Status = Literal["planned", "approved", "applied", "replaced", "withdrawn"]


class PlanBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose cases, on which day (their last, or the first in the new team; none: their known last day, else today).

    `receivers` instead of the rules; `team` and `region` for a transfer.
    """

    staff_no: _StaffNo
    kind: Literal["departure", "transfer"] = "departure"
    on: date | None = None
    receivers: Annotated[list[_StaffNo], Meta(max_length=200)] = []
    team: _StaffNo | None = None
    region: _StaffNo | None = None


class ApprovalBody(msgspec.Struct, forbid_unknown_fields=True):
    """`remark` is kept sealed."""

    remark: Annotated[str, Meta(max_length=2_000)] | None = None


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An empty object."""


class Withdrawn(msgspec.Struct):
    """The plan was taken back; this entry says so."""

    handover: int
    entry_id: str


_CARRIED = {"kind": "promise", "zh": "承诺还款日", "en": "promise to pay by", "cases": 3, "earliest": "2026-03-12"}
_PREVIEW = {
    "cases": 41, "overdue_fen": 9120034, "by_state": {"phone_collection": 40, "settled": 1},
    "receivers": [
        {"receiver": "S0020", "posts": ["phone_collector"], "cases": 41, "live_cases": 40, "overdue_fen": 9120034,
         "outstanding_principal_fen": 180250000, "by_state": {"phone_collection": 40, "settled": 1},
         "by_rule": {"newly_overdue": 41}, "carried": [_CARRIED], "open_before": 112, "open_after": 152,
         "capacity": 2000},
    ],
    "unplaced": 0, "unplaced_by_reason": {}, "unplaced_cases": [], "stays": 0,
    "ending": {"proposals": [], "on_his_cases": 0, "deputises_for": [], "deputies": [], "tokens": 1, "sessions": 0,
               "posts": ["business_rep"]},
}  # fmt: skip
_LINE = {
    "id": 3, "staff_no": "S0012", "kind": "departure", "status": "planned", "effective_on": "2026-03-31",
    "planned_by": "S0001", "planned_at": "2026-03-10T08:15:02.114523Z", "applied_at": None, "replaced_by": None,
}  # fmt: skip
HANDOVER: dict[str, Any] = {
    **_LINE, "plan_digest": "5f" * 32, "named": [], "team": None, "region": None,
    "request": {"id": 7, "state": "asked", "asked_by": "S0001", "decided_by": None, "expires_on": "2026-03-24"},
    "preview": _PREVIEW,
}  # fmt: skip
_RECEIPT = {
    "case_id": 1207, "state": "phone_collection", "overdue_fen": 239995, "was_owner": True, "was_handler": True,
    "receiver": "S0020", "handler": "S0020", "post": "phone_collector", "rule": "newly_overdue", "reason": "by_rule",
    "entry_id": "case:1207:9",
}  # fmt: skip
_APPLIED = {"handover": 3, "cases": 41, "receivers": {"S0020": 41}, "access_ended": 1, "returned": [],
            "entry_id": "handover:3:3"}  # fmt: skip
_PLANS = [
    Example(id="departure", summary="They leave at the end of the month", value={"staff_no": "S0012",
                                                                                   "on": "2026-03-31"}),
    Example(id="transfer", summary="They move to another team", value={"staff_no": "S0012", "kind": "transfer",
                                                                        "team": "T3", "receivers": ["S0020"]}),
]  # fmt: skip
_BODY = (
    "malformed_json", "malformed_header", "idempotency_running", "idempotency_mismatch", "invalid_request",
    "unsupported_media_type", "body_too_large", "post_not_permitted",
)  # fmt: skip
_CHANGE = (*_BODY, "unknown_handover", "database_busy", "database_full")
_PAST = ("handover_applied", "handover_replaced", "handover_withdrawn")


def _told(kind: Any, example: Mapping[str, Any], description: str) -> ResponseSpec:
    return ResponseSpec(kind, generate_examples=False, description=description, examples=whole_answer(kind, example))


@post("/handovers", status_code=201, summary="Plan a departure or a transfer", tags=["hand-overs"],
      responses={201: _told(Handover, HANDOVER, "Planned; its approval is asked for if everything can be placed."),
                 **problem_responses(
                     *_BODY, "unknown_staff", "staff_left", "day_out_of_range", "home_needed", "home_not_wanted",
                     "nothing_changes", "unknown_team", "unknown_region", "region_differs", "receiver_unknown",
                     "receiver_not_there", "receiver_without_post", "receiver_is_leaver", "receiver_leaving",
                     "receiver_full", "database_busy", "database_full")})  # fmt: skip
async def plan_handover(
    request: Request[Any, Any, Any], data: Annotated[PlanBody, Body(examples=_PLANS)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Say where each of their cases is to go. Nothing moves yet; an open plan of the same person is replaced."""
    branch = serving_of(request).branch

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        handover_id = plan(
            conn, branch, actor=actor, staff_no=data.staff_no, kind=data.kind, on=data.on,
            options=PlanOptions(tuple(data.receivers), data.team, data.region),
        )  # fmt: skip
        return _answer(queries.find(conn, handover_id), 201, {"Location": f"/handovers/{handover_id}"})

    return await written(request, work, idempotency_key)


@get("/handovers", summary="Hand-overs, newest first", tags=["hand-overs"], sync_to_thread=True,
     responses=answers(HandoverPage, {"items": [{**_LINE, "cases": 41, "unplaced": 0, "overdue_fen": 9120034}],
                                      "next": None}, "filter_malformed"))  # fmt: skip
def list_handovers(
    request: Request[Any, Any, Any],
    staff_no: Annotated[str | None, QueryParameter(max_length=32)] = None,
    status: FromQuery[_Status | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=queries.MAX_PAGE)] = 50,
    before: Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1, description="`next` of the page before.")] = None,
) -> HandoverPage:
    """All of them, of one person or of one status."""
    check_parameters(request, ("staff_no", "status", "limit", "before"))
    with reading(serving_of(request).engine) as conn:
        return queries.page(conn, staff_no=staff_no, status=status, limit=limit, before=before)


@get("/handovers/{handover_id:int}", summary="A plan with its preview", tags=["hand-overs"], sync_to_thread=True,
     responses=answers(Handover, HANDOVER, "unknown_handover", "filter_malformed"))  # fmt: skip
def show_handover(request: Request[Any, Any, Any], handover_id: HandoverId) -> Handover:
    """What each receiver gets, what cannot be placed and why, what else ends; as its approver sees it."""
    check_parameters(request, ())
    with reading(serving_of(request).engine) as conn:
        return queries.find(conn, handover_id)


@get("/handovers/{handover_id:int}/moves", summary="The cases of a plan, with receipts", tags=["hand-overs"],
     sync_to_thread=True,
     responses=answers(ReceiptPage, {"items": [_RECEIPT], "next": None}, "unknown_handover",
                       "filter_malformed"))  # fmt: skip
def list_moves(
    request: Request[Any, Any, Any], handover_id: HandoverId,
    limit: Annotated[int, QueryParameter(ge=1, le=queries.MAX_MOVES)] = 200,
    after: Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="`next` of the page before.")] = 0,
) -> ReceiptPage:  # fmt: skip
    """Case by case: to whom, by which rule, and the entry that says it has moved."""
    check_parameters(request, ("limit", "after"))
    with reading(serving_of(request).engine) as conn:
        return queries.receipts(conn, handover_id, limit=limit, after=after)


@post("/handovers/{handover_id:int}/approve", status_code=200, summary="Approve a plan", tags=["hand-overs"],
      responses={200: _told(Approved, {"handover": 3, "request": 7, "entry_id": "handover:3:2"}, "Approved."),
                 **problem_responses(*_CHANGE, "plan_changed", "refused", "handover_unplaced", "handover_approved",
                                     *_PAST, "faulty_data")})  # fmt: skip
async def approve_handover(
    request: Request[Any, Any, Any], handover_id: HandoverId,
    data: Annotated[ApprovalBody, Body(examples=[Example(id="plain", summary="Approve", value={})])],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """As it was shown. Neither who planned it, nor who goes, nor a deputy of either; 409 if the world has moved."""
    branch, request_id = serving_of(request).branch, request_id_of(request)

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        return answered(approve(conn, branch, handover_id, actor=actor, remark=data.remark), request_id)

    return await written(request, work, idempotency_key)


@post("/handovers/{handover_id:int}/apply", status_code=200, summary="Apply an approved plan", tags=["hand-overs"],
      responses={200: _told(Applied, _APPLIED, "Applied: every case has moved, and they have left or moved."),
                 **problem_responses(*_CHANGE, "plan_changed", "handover_of_oneself", "handover_not_yet",
                                     "handover_planned", *_PAST)})  # fmt: skip
async def apply_handover(
    request: Request[Any, Any, Any], handover_id: HandoverId,
    data: Annotated[Nothing, Body(examples=[Example(id="apply", summary="Apply", value={})])],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """All of it or nothing, in one transaction; 409 `plan_changed` names the plan that replaces it."""
    del data
    branch, request_id = serving_of(request).branch, request_id_of(request)

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        return answered(apply(conn, branch, handover_id, actor=actor), request_id)

    return await written(request, work, idempotency_key)


@post("/handovers/{handover_id:int}/withdraw", status_code=200, summary="Take a plan back", tags=["hand-overs"],
      responses={200: _told(Withdrawn, {"handover": 3, "entry_id": "handover:3:2"}, "Taken back."),
                 **problem_responses(*_CHANGE, *_PAST)})  # fmt: skip
async def withdraw_handover(
    request: Request[Any, Any, Any], handover_id: HandoverId,
    data: Annotated[Nothing, Body(examples=[Example(id="withdraw", summary="Take it back", value={})])],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Only as long as it was not applied; what was asked for is returned."""
    del data
    branch = serving_of(request).branch

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        return _answer(Withdrawn(handover_id, withdraw(conn, branch, handover_id, actor=actor)), 200)

    return await written(request, work, idempotency_key)


@get("/handovers/{handover_id:int}/sheets/{name:str}", summary="The sheet of a receiver", tags=["hand-overs"],
     sync_to_thread=True,
     responses=answers(bytes, "(a workbook)", "unknown_handover", "unknown_receiver", "filter_malformed",
                       media_type=XLSX))  # fmt: skip
def download_sheet(
    request: Request[Any, Any, Any], handover_id: HandoverId, name: SheetName, spoken: Language
) -> Response[bytes]:
    """A receiver's cases and what these carry, for them or for who may look at hand-overs; making it is an entry."""
    check_parameters(request, ("lang",))
    receiver, dot, kind = name.rpartition(".")
    if not dot or kind != "xlsx" or not 1 <= len(receiver) <= 32:
        raise CallerError("unknown_receiver", receiver=name[:32])
    serving = serving_of(request)
    with writing(serving.engine) as conn:
        made = sheet_of(conn, serving.branch, handover_id, receiver, actor=still_valid(conn, request), lang=spoken)
    return file_named(made.body, XLSX, made.name)


def _answer(body: Any, status: int, headers: dict[str, str] | None = None) -> StoredAnswer:
    return StoredAnswer(status, msgspec.json.encode(body), headers or {})


def answered(outcome: Approved | Applied | Replanned | Refused, request_id: str) -> StoredAnswer:
    """What was committed: the act itself, or a new plan instead, or a refusal with every reason."""
    if isinstance(outcome, Approved | Applied):
        return _answer(outcome, 200)
    facts: dict[str, Any]
    if isinstance(outcome, Replanned):
        told = CallerError("plan_changed", handover=outcome.handover)
        code, zh, en = told.code, told.zh, str(told)
        facts = {
            "handover": outcome.handover, "replaced_by": outcome.by,
            "differences": msgspec.to_builtins(outcome.differences),
        }  # fmt: skip
    else:
        first = outcome.reasons[0]
        code, zh, en = "post_not_permitted" if outcome.forbidden else "refused", first.zh, first.en
        facts = {"reasons": [msgspec.to_builtins(reason) for reason in outcome.reasons]}
    body = problem_body(code, request_id=request_id, zh=zh, en=en, facts=facts)
    return StoredAnswer(status_of(code), body, {}, MEDIA_TYPE)


route_handlers = [
    plan_handover, list_handovers, show_handover, list_moves, approve_handover, apply_handover, withdraw_handover,
    download_sheet,
]  # fmt: skip
