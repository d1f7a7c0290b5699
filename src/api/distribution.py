"""Giving out a morning's cases over HTTP: it runs behind the answer, one at a time, and is found again."""

import asyncio
from datetime import date, datetime
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, QueryParameter

from api.auth import actor_of
from api.begun_behind import Came, Kind, Went, begin, behind
from api.example import Example, whole_answer
from api.problems import problem_responses
from api.reading.asking import After, answers, check_parameters
from api.serving import serving_of
from casework.errors import CallerError
from casework.operation.distributing import Distributed, MoveTold, distribute


class Asked(NamedTuple):
    """Whose morning, and whether it is only said what would happen."""

    on: date
    dry_run: bool


DISTRIBUTION: Final = Kind("distribution", Asked, Distributed)
"""One at a time in the branch; the page looks at the same."""


class DistributionBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose morning; with `dry_run` it is only said what would happen."""

    on: date
    dry_run: bool = False


class DistributionRun(msgspec.Struct, kw_only=True):
    """The last distribution that was begun: `status` none, running, done, failed or interrupted.

    `done`: cases moved so far. Interrupted (`code` work_interrupted): the process that ran it ended; run it again.

    `moves` are a page of `outcome`'s, which has none itself; `next` is the `after` of the page that follows.
    """

    status: str
    on: date | None = None
    dry_run: bool = False
    by: str = ""
    began_at: datetime | None = None
    done: int = 0
    code: str | None = None
    outcome: Distributed | None = None
    moves_in_all: int = 0
    moves: list[MoveTold] = []
    next: int | None = None


_MOVE = {
    "case_id": 1207, "loan_id": "L2024000917", "owner": "S0012", "from_handler": "S0012", "handler": "S0103",
    "rule": "m1_phone", "post": "phone_collector",
}  # fmt: skip
_RUN: dict[str, Any] = {
    "status": "done", "on": "2026-03-10", "dry_run": False, "by": "S0044", "began_at": "2026-03-10T00:01:02.000004Z",
    "done": 1, "code": None,
    "outcome": {
        "on": "2026-03-10", "dry_run": False, "cases": 812, "kept_by_hand": 3, "moves": [],
        "unplaced": [{"case_id": 1311, "loan_id": "L2024001004", "post": "phone_collector", "code": "all_full"}],
        "handlers": [{"staff_no": "S0103", "before": 211, "after": 212, "capacity": 800}],
        "answers": [{"staff_no": "S0104", "answers": "S0103", "why": "stand_in"}], "refused": [],
    },
    "moves_in_all": 1, "moves": [_MOVE], "next": None,
}  # fmt: skip
_BEGUN = ResponseSpec(
    DistributionRun, generate_examples=False, description="Begun; GET /distribution tells how far it is.",
    examples=whole_answer(DistributionRun, {"status": "running", "on": "2026-03-10", "dry_run": True}, summary="begun"),
)  # fmt: skip


@post("/distribution", status_code=202, summary="Give out a morning's cases", tags=["cases"],
      responses={202: _BEGUN, **problem_responses(
          "malformed_json", "invalid_request", "post_not_permitted", "key_not_permitted", "unsupported_media_type",
          "distribution_running", "body_too_large")})  # fmt: skip
async def begin_distribution(
    request: Request[Any, Any, Any],
    data: Annotated[DistributionBody, Body(examples=[
        Example(summary="only look", value={"on": "2026-03-10", "dry_run": True}),
        Example(summary="do it", value={"on": "2026-03-10"})])],
) -> Response[DistributionRun]:  # fmt: skip
    """Plan and, unless it is a dry run, move what is to be moved: by rule, one debtor one caller, owners stay.

    What is run again, or was broken off, moves what is left.
    """
    await asyncio.to_thread(begun, request, data.on, dry_run=data.dry_run)
    return Response(await asyncio.to_thread(run_of, request), status_code=202, headers={"Location": "/distribution"})


def begun(request: Request[Any, Any, Any], on: date, *, dry_run: bool) -> None:
    """Begin a run behind. CallerError distribution_running."""
    serving, actor = serving_of(request), actor_of(request)

    def work(went: Went) -> Came:
        return Came(distribute(serving.engine, serving.branch, on, actor=actor, dry_run=dry_run, progress=went))

    if not begin(request, DISTRIBUTION, work, Asked(on, dry_run)):
        raise CallerError("distribution_running")


@get("/distribution", sync_to_thread=True, summary="How far the distribution is", tags=["cases"],
     responses=answers(DistributionRun, _RUN, "filter_malformed", "invalid_request"))  # fmt: skip
def distribution(
    request: Request[Any, Any, Any], after: After = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1_000, description="Moves on a page.")] = 200,
) -> DistributionRun:  # fmt: skip
    """The last run that was begun: how far it is, or what it did; its moves in pages, by case."""
    check_parameters(request, ("after", "limit"))
    return run_of(request, after or 0, limit)


def run_of(request: Request[Any, Any, Any], after: int = 0, limit: int = 200) -> DistributionRun:
    """As the API tells it."""
    run = behind(request, DISTRIBUTION)
    on, dry_run = run.about or (None, False)
    told = DistributionRun(
        status=run.state, on=on, dry_run=dry_run, by=run.by, began_at=run.began_at, done=run.done,
        code=run.mistake.code if run.mistake is not None else None,
    )  # fmt: skip
    outcome: Distributed | None = run.outcome
    if outcome is not None:
        found = [one for one in outcome.moves if one.case_id > after]
        told.outcome = msgspec.structs.replace(outcome, moves=[])
        told.moves_in_all, told.moves = len(outcome.moves), found[:limit]
        told.next = told.moves[-1].case_id if len(found) > limit else None
    return told


route_handlers = [begin_distribution, distribution]
