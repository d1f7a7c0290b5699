"""Every error the API answers with: application/problem+json, its status and its texts by the table of codes.

Nothing personal and nothing internal is shown: a bug answers `internal_error` with the request's id, no more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.openapi import spec
from litestar.openapi.datastructures import ResponseSpec

from api.example import Example
from api.faults import faults_of, missing_in
from api.logs import FailedRequest, log, log_bug
from api.manners import told_allowed
from casework.codes import code_named, texts_of
from casework.errors import CallerError, TryAgain
from casework.personal import DoesNotOpen

MEDIA_TYPE = "application/problem+json"

_OF_HTTP = {400: "malformed_request", 401: "not_authenticated", 403: "post_not_permitted", 404: "not_found",
            405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type", 422: "invalid_request",
            503: "overloaded"}  # fmt: skip

_encode = msgspec.json.Encoder(enc_hook=str).encode


class Problem(msgspec.Struct, kw_only=True):
    """RFC 9457. `code` is stable; `instance` is the request's id; a problem may carry further facts beside these."""

    type: str
    title: str
    status: int
    detail: str
    detail_zh: str
    code: str
    instance: str


def status_of(code: str) -> int:
    """The HTTP status of a code; one that only a chart knows is 422."""
    return known.status if (known := code_named(code)) else 422


def problem_body(
    code: str, *, request_id: str, zh: str | None = None, en: str | None = None, facts: Mapping[str, Any] | None = None
) -> bytes:
    """The problem as JSON; texts default to the code's own. A fact never replaces a member of the problem.

    Its type is a page of this server (`api.console.described`), from wherever the answer came.
    """
    default_zh, default_en = texts_of(code, facts)
    problem = {
        **(facts or {}),
        "type": f"/problems/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status_of(code),
        "detail": en or default_en,
        "detail_zh": zh or default_zh,
        "code": code,
        "instance": request_id,
    }
    return _encode(problem)


def request_id_of(request: Request[Any, Any, Any]) -> str:
    """The id this request is known by (the edge made or accepted it)."""
    return str(request.scope["state"].get("request_id", "-"))


def problem_response(
    request: Request[Any, Any, Any], code: str, *, zh: str | None = None, en: str | None = None,
    facts: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
) -> Response[bytes]:  # fmt: skip
    """A response of `problem_body`."""
    body = problem_body(code, request_id=request_id_of(request), zh=zh, en=en, facts=facts)
    return Response(body, status_code=status_of(code), media_type=MEDIA_TYPE, headers=dict(headers or {}))


# ── exceptions, each kind mapped once ────────────────────────────────────────────────────────────────────────────────


def on_caller_error(request: Request[Any, Any, Any], error: CallerError) -> Response[bytes]:
    """A caller's mistake with its facts."""
    headers = {}
    if status_of(error.code) == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.code == "log_place_taken":  # no try again helps: somebody has to come
        request.app.state["serving"].metrics.places_taken.inc()
        log().error(error.code, request_id=request_id_of(request), stream=error.facts["stream"])
    if isinstance(error, DoesNotOpen):
        log().error(error.code, request_id=request_id_of(request))
    if "retry_after_s" in error.facts:
        headers["Retry-After"] = str(error.facts["retry_after_s"])
    return problem_response(request, error.code, zh=error.zh, en=error.en, facts=error.facts, headers=headers)


def on_try_again(request: Request[Any, Any, Any], error: TryAgain) -> Response[bytes]:
    """The database could not; Retry-After hints in seconds."""
    return problem_response(request, error.code, headers={"Retry-After": str(error.retry_after_s)})


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework found wrong with the request."""
    if error.status_code >= 500 and error.status_code != 503:
        # What the framework raises where a body ends early; nobody reads the answer, the log tells its status.
        left: str | None = request.scope["state"].get("left")
        return on_bug(request, error) if left is None else problem_response(request, left)
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() in ("allow", "retry-after")}
    if isinstance(error, ValidationException):
        return problem_response(
            request, "invalid_request", facts={"faults": faults_of(request, error.extra) or missing_in(error.detail)}
        )
    if isinstance(error.__cause__, SerializationException):
        return problem_response(request, "malformed_json")
    if error.status_code == 404:
        # A path parameter that is not a number, or no such path: to the caller the same.
        return problem_response(request, "not_found")
    code = code_of_http(error.status_code)
    if "allow" in headers:
        allowed = told_allowed(headers["allow"])
        headers["allow"] = allowed
        return problem_response(request, code, headers=headers, facts={"allowed": allowed.split(", ")})
    if code == "not_authenticated":
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(request, code, headers=headers)


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Ours: logged by type and place, told to the caller by request id only."""
    log_bug(request_id_of(request), error)
    return problem_response(request, "internal_error")


def on_failed(request: Request[Any, Any, Any], _error: FailedRequest) -> Response[bytes]:
    """A bug that was logged where it happened."""
    return problem_response(request, "internal_error")


EXCEPTION_HANDLERS: dict[Any, Any] = {
    CallerError: on_caller_error,
    TryAgain: on_try_again,
    HTTPException: on_http,
    FailedRequest: on_failed,
    Exception: on_bug,
}

# ── OpenAPI ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def problem_responses(*codes: str, always: Sequence[str] = ("not_authenticated", "internal_error", "database_gone")
                      ) -> dict[int, ResponseSpec]:  # fmt: skip
    """`responses=` of a route that may answer with these codes; what every route may answer is added."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *always):
        by_status.setdefault(status_of(code), []).append(code)
    return {status: _spec(status, found) for status, found in sorted(by_status.items())}


def example_of(code: str) -> Example:
    """The problem with this code, as an example."""
    return Example(summary=code, value=msgspec.json.decode(problem_body(code, request_id="9f1c2e7ab0d3-1a")))


def code_of_http(status: int) -> str:
    """The code of a status that the framework answers by itself."""
    return _OF_HTTP.get(status, "malformed_request" if status < 500 else "internal_error")


def _spec(status: int, codes: Sequence[str]) -> ResponseSpec:
    examples: list[spec.Example] = [replace(example_of(code), id=code) for code in dict.fromkeys(codes)]
    return ResponseSpec(
        data_container=Problem, generate_examples=False, media_type=MEDIA_TYPE, examples=examples,
        description=described_as(status, codes),
    )  # fmt: skip


def described_as(status: int, codes: Iterable[str]) -> str:
    """What a response of problems is described as."""
    return f"{HTTPStatus(status).phrase}: {', '.join(dict.fromkeys(codes))}"
