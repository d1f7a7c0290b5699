"""Giving cases to other owners: one, a list or a filter; to one person or to whom the rules name; or only asked."""

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from msgspec import Meta

from api.auth import actor_of
from api.bulk import found_by
from api.changing import IdempotencyKey, respond, through_the_writer
from api.example import Example
from api.idempotency import StoredAnswer
from api.outcomes import encode, results_of, totals_of
from api.permitted import reach
from api.problems import problem_responses
from api.serving import Serving, serving_of
from api.wire import MAX_CASES, CaseRef, Code, ResultBody
from casework.errors import CallerError
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Outcome
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.storage.database import reading
from casework.work.cases.filter import CaseFilter
from casework.work.cases.ownership import BY_RULE
from casework.work.cases.reassign import (
    MoveWanted,
    Plan,
    ReceiverLoad,
    plan,
)

StaffNo = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,32}$(?!\n)", max_length=32)]


class AssignmentBody(msgspec.Struct, forbid_unknown_fields=True):
    """The `cases` named, or those that `filter` finds now (at most 1,000), to `owner`, or `by_rule`.

    By rule nobody gets more than their capacity. `handler` works on them, else the owner does. `reason` is a code
    of the owner rules that a manager may state; by rule none is needed. `dry_run`: a preview, nothing changes.
    """

    cases: Annotated[list[CaseRef], Meta(min_length=1, max_length=MAX_CASES)] | None = None
    filter: CaseFilter | None = None
    owner: StaffNo | None = None
    by_rule: bool = False
    handler: StaffNo | None = None
    reason: Code | None = None
    dry_run: bool = False


class AssignmentResult(ResultBody, kw_only=True, omit_defaults=True):
    """What became of one case: from whom to whom, and by which rule of owners.toml (none: as the manager said)."""

    from_owner: str | None = None
    owner: str | None = None
    post: str | None = None
    rule: str | None = None


class AssignmentAnswer(msgspec.Struct, kw_only=True):
    """A result per case; `receivers` are everybody whose load changes, with open cases before and after."""

    dry_run: bool
    cases: int
    by_outcome: dict[str, int]
    by_reason: dict[str, int]
    receivers: list[ReceiverLoad]
    results: list[AssignmentResult]


_EXAMPLES = [
    Example(
        id="to_one", summary="two cases to one person",
        value={"cases": [{"id": 17, "version": 4}, {"id": 18}], "owner": "S0103", "reason": "workload"},
    ),
    Example(
        id="by_rule", summary="preview: everything of one owner by rule",
        value={"filter": {"owner": "S0012", "live": True}, "by_rule": True, "reason": "territory", "dry_run": True},
    ),
]  # fmt: skip
_ANSWER = ResponseSpec(
    AssignmentAnswer, generate_examples=False, description="A result per case.",
    examples=[
        Example(
            id="example", summary="one given, one that cannot be placed",
            value={"dry_run": True, "cases": 2, "by_outcome": {"done": 1, "refused": 1}, "by_reason": {"all_full": 1},
                   "receivers": [
                       {"staff_no": "S0012", "cases": 0, "overdue_fen": 0, "before": 312, "after": 311,
                        "capacity": 2000},
                       {"staff_no": "S0103", "cases": 1, "overdue_fen": 239995, "before": 80, "after": 81,
                        "capacity": 300},
                   ],
                   "results": [
                       {"case_id": 17, "outcome": "done", "status": 200, "version": 5, "from_state": "lost_contact",
                        "state": "lost_contact", "from_owner": "S0012", "owner": "S0103", "post": "phone_collector",
                        "rule": "newly_overdue"},
                       {"case_id": 18, "outcome": "refused", "status": 409, "version": 7, "state": "litigation",
                        "reasons": [{"code": "all_full", "rules": ["1.1.1", "5.4"],
                                     "saw": {"post": "asset_preservation", "rule": "matter"},
                                     "needs": {"somebody_with_room": True},
                                     "zh": "应负责岗位的人员在办案件均已达上限",
                                     "en": "everybody who could own it by rule is full", "opens_on": None}],
                        "from_owner": "S0012"},
                   ]},
        )
    ],
)  # fmt: skip
_PROBLEMS = problem_responses(
    "malformed_json", "malformed_header", "post_not_permitted", "key_not_permitted", "idempotency_running",
    "body_too_large", "unsupported_media_type", "invalid_request", "cases_or_filter", "owner_or_rule",
    "unknown_reason", "repeated_case", "too_many_cases", "filter_malformed", "institution_needed",
    "idempotency_mismatch", "database_busy", "outcome_unknown", "overloaded", "database_full",
)  # fmt: skip


@post("/assignments", status_code=200, summary="Give cases to other owners", tags=["cases"],
      responses={200: _ANSWER, **_PROBLEMS})  # fmt: skip
async def assign_many(
    request: Request[Any, Any, Any], data: Annotated[AssignmentBody, Body(examples=_EXAMPLES)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Each case has its own result; everything is one transaction. What changed since the plan is reported as stale."""
    actor, serving = actor_of(request), serving_of(request)
    wanted = _wanted(data)
    if data.dry_run:
        return respond(await asyncio.to_thread(_preview, serving, actor, data, wanted, reach(request)))
    made = await asyncio.to_thread(_plan, serving, actor, data, wanted, reach(request))
    return await through_the_writer(
        request, made.commands, lambda outcomes: _answer(made, outcomes, dry_run=False), idempotency_key, None,
        alone=True,
    )  # fmt: skip


def _wanted(data: AssignmentBody) -> MoveWanted:
    if (data.cases is None) == (data.filter is None):
        raise CallerError("cases_or_filter")
    if (data.owner is None) != data.by_rule:
        raise CallerError("owner_or_rule")
    return MoveWanted(owner=data.owner, handler=data.handler, reason=data.reason or (BY_RULE if data.by_rule else ""))


def _plan(serving: Serving, actor: Actor, data: AssignmentBody, wanted: MoveWanted, within: Reach) -> Plan:
    named = data.cases if data.cases is not None else found_by(serving, data.filter or CaseFilter(), within)
    with reading(serving.engine, snapshot=True) as conn:
        return plan(conn, serving.branch, actor, [(case.id, case.version) for case in named], wanted)


def _preview(serving: Serving, actor: Actor, data: AssignmentBody, wanted: MoveWanted, within: Reach) -> StoredAnswer:
    made = _plan(serving, actor, data, wanted, within)
    with reading(serving.engine) as conn:
        outcomes = advance(conn, made.commands, serving.branch, lock=False, dry_run=True)
    return _answer(made, outcomes, dry_run=True)


def _answer(made: Plan, of_the_door: list[Outcome], *, dry_run: bool) -> StoredAnswer:
    outcomes = made.outcomes(of_the_door)
    ids = [step.id or 0 for step in made.steps]
    plain = results_of(ids, outcomes, dry_run=dry_run)
    by_outcome, by_reason = totals_of(plain)
    results = [_with_people(made, step, result) for step, result in zip(made.steps, plain, strict=True)]
    answer = AssignmentAnswer(
        dry_run=dry_run, cases=len(results), by_outcome=by_outcome, by_reason=by_reason,
        receivers=made.receivers(of_the_door), results=results,
    )  # fmt: skip
    return StoredAnswer(200, encode(answer), {})


def _with_people(made: Plan, step: Any, result: ResultBody) -> AssignmentResult:
    case = made.seen.get(result.case_id)
    return AssignmentResult(
        **msgspec.structs.asdict(result), from_owner=case.owner if case else None, owner=getattr(step, "owner", None),
        post=getattr(step, "post", None), rule=getattr(step, "rule", None),
    )  # fmt: skip


route_handlers = [assign_many]
