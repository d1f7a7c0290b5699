"""Liveness, readiness and metrics."""

from time import monotonic
from typing import Any

from litestar import Request, Response, get

from api.metrics import CONTENT_TYPE
from api.problems import problem_responses
from api.serving import Serving, serving_of
from casework.database import reading
from casework.errors import CallerError, TryAgain
from casework.settings import load_keys
from casework.startup import check_ready

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
    """`ok` when the database answers, its schema is current, the log's guards stand and the writer lives; else 503."""
    state = request.app.state
    until, failure = getattr(state, "ready_until", (0.0, None))
    if until <= monotonic():
        failure = _why_not(serving_of(request))
        state.ready_until = (monotonic() + READY_HELD_S, failure)
    if failure is not None:
        raise CallerError("not_ready", "服务尚未就绪", "the service is not ready", reason=failure)
    return {"status": "ok"}


def _why_not(serving: Serving) -> str | None:
    if not serving.writer.is_alive:
        return "writer_stopped"
    try:
        keys = load_keys(serving.settings.keys_dir)
        with reading(serving.engine) as conn:
            check_ready(conn, serving.branch, keys)
    except (CallerError, TryAgain) as error:
        return error.code
    return None


@get("/metrics", summary="Prometheus metrics", tags=["service"], media_type="text/plain", sync_to_thread=True,
     responses=problem_responses())  # fmt: skip
def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The exposition of all workers together; needs a token like everything else."""
    serving = serving_of(request)
    return Response(serving.metrics.text(serving.engine), media_type=CONTENT_TYPE)


route_handlers = [live, ready, metrics]
