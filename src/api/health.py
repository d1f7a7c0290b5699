"""Liveness, readiness and metrics."""

from time import monotonic
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.openapi.datastructures import ResponseSpec

from api.example import Example
from api.metrics import CONTENT_TYPE
from api.problems import problem_responses
from api.readiness import why_not
from api.reading.asking import check_parameters
from api.serving import Serving, serving_of
from api.stored_metrics import Stored
from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed.held_back import FeedHealth, feed_health
from casework.operation.alarms import FeedBehind, VisitUnderWay, alarms
from casework.storage.database import reading
from casework.work.cases.unverified import Unverified, unverified
from casework.work.handover.orphans import Ahead, count_orphans, departures_ahead
from casework.work.handover.sweep import warning_days

READY_HELD_S = 2.0
_OPEN = ("internal_error",)


@get("/health/live", summary="The process answers", tags=["service"], sync_to_thread=False, security=[{}],
     responses=problem_responses(always=_OPEN))  # fmt: skip
def live() -> dict[str, str]:
    """Always `ok` while the process runs."""
    return {"status": "ok"}


@get("/health/ready", summary="Work can be taken", tags=["service"], sync_to_thread=True, security=[{}],
     responses=problem_responses("not_ready", always=_OPEN))  # fmt: skip
def ready(request: Request[Any, Any, Any]) -> dict[str, str]:
    """`ok`, or 503 with `reason`, a stable code.

    The database answers and takes writes, its schema is current, the log's guards stand, the writer lives and does not
    stand still, the log goes on from what was signed last and is sealed and signed within 10 s, and no entry lies ahead
    of the clock.
    """
    failure = _failure(request.app)
    if failure is not None:
        raise CallerError(
            "not_ready", f"服务尚未就绪：{failure.zh}", f"the service is not ready: {failure.en}", reason=failure.code
        )
    return {"status": "ok"}


def _failure(app: Litestar) -> CallerError | None:
    """Why work cannot be taken; held for a moment, for whoever asks often."""
    until, failure = getattr(app.state, "ready_until", (0.0, None))
    if until <= monotonic():
        failure = why_not(app.state["serving"])
        app.state.ready_until = (monotonic() + READY_HELD_S, failure)
    return failure


class BranchHealth(msgspec.Struct):
    """`orphans`: open cases of people who are not there, 0 when all is well; `ahead`: departures nobody has planned.

    `feeds`: what the last feed of each institution leaves to be done: loans in arrears without a case, loans held back.
    `unverified`: whom a feed named and nobody registered, with the open cases they own and the days since.
    `feeds_missing`: institutions whose last feed lies behind the last closed day; placements may stop, calls do not.
    `unknown_years`: those at hand of which nobody knows the days off, so that every weekday counts as worked.
    `visits_not_ended`: visits that nobody has come back from for longer than the policy lets one last.
    """

    orphans: int
    ahead: list[Ahead]
    feeds: list[FeedHealth]
    unverified: list[Unverified]
    feeds_missing: list[FeedBehind]
    unknown_years: list[int]
    visits_not_ended: list[VisitUnderWay]


_WELL = ResponseSpec(
    BranchHealth, generate_examples=False, description="Zero orphans, nobody unverified and no feed missing is well.",
    examples=[Example(id="ahead", summary="One departure is not planned",
                      value={"orphans": 0, "ahead": [{"staff_no": "S0012", "leaves_on": "2026-03-31", "days_left": 9,
                                                      "cases": 41, "status": None, "handover": None}],
                             "feeds": [{"institution": "wuhan", "as_of": "2026-03-22", "without_case": 0,
                                        "held_back": []}],
                             "unverified": [{"staff_no": "S0031", "open_cases": 7, "first_named_on": "2026-03-01",
                                             "days": 21}],
                             "feeds_missing": [{"institution": "wuhan", "last": "2026-03-22",
                                                "closed_on": "2026-03-23", "days": 1, "stops_placements": True}],
                             "unknown_years": [2027],
                             "visits_not_ended": [{"visit_id": 31, "visitor": "S0012", "second_visitor": "S0014",
                                                   "checked_in_at": "2026-03-23T06:05:00Z"}]})],
)  # fmt: skip


@get("/health/branch", summary="Every case has somebody who is there", tags=["service"], sync_to_thread=True,
     responses={200: _WELL, **problem_responses("post_not_permitted")})  # fmt: skip
def branch_health(request: Request[Any, Any, Any]) -> BranchHealth:
    """Cases without somebody who is there, departures without an approved plan, what feeds leave to be done."""
    check_parameters(request, ())
    return branch_health_of(serving_of(request))


def branch_health_of(serving: Serving) -> BranchHealth:
    """The same for whoever has been let through."""
    today = serving.branch.today(now())
    with reading(serving.engine) as conn:
        ahead = departures_ahead(conn, today, warning_days(serving.branch, today))
        unknown = unverified(conn, today, serving.branch.time_zone)
        warned = alarms(conn, serving.branch, now())
        return BranchHealth(
            count_orphans(conn, today),
            ahead,
            feed_health(conn),
            unknown,
            warned.feeds,
            warned.unknown_years,
            warned.visits,
        )


@get("/metrics", summary="Prometheus metrics", tags=["service"], media_type="text/plain", sync_to_thread=True,
     responses=problem_responses())  # fmt: skip
def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The exposition of all workers together; needs a token like everything else."""
    app, serving = request.app, serving_of(request)
    if "stored" not in app.state:
        app.state["stored"] = Stored(serving.engine, serving.branch, lambda: _failure(app), serving.sealing)
    return Response(serving.metrics.text(app.state["stored"]), media_type=CONTENT_TYPE)


route_handlers = [live, ready, branch_health, metrics]
