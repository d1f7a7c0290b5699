"""Every error the API answers with: application/problem+json, one table from code to status, both languages.

Nothing personal and nothing internal is told: a bug answers `internal_error` with the request's id, no more.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPI, OpenAPIMediaType, OpenAPIResponse, Operation, Reference

from api.logs import Failed, log, log_bug
from casework.errors import CallerError, TryAgain
from casework.personal import DoesNotOpen

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[str, int] = {
    "malformed_json": 400, "malformed_request": 400, "malformed_header": 400,
    "not_authenticated": 401, "log_in_refused": 401,
    "post_not_permitted": 403, "out_of_reach": 403, "key_not_permitted": 403, "reveal_not_permitted": 403,
    "purpose_not_permitted": 403, "session_needed": 403, "key_after_code": 403, "own_reset": 403,
    "not_found": 404, "unknown_case": 404, "unknown_loan": 404,
    "method_not_allowed": 405,
    "refused": 409, "idempotency_running": 409, "not_done": 409, "import_running": 409,
    "plan_changed": 409, "handover_planned": 409, "handover_approved": 409, "handover_applied": 409,
    "handover_replaced": 409, "handover_withdrawn": 409, "handover_not_yet": 409, "handover_unplaced": 409,
    "handover_of_oneself": 403,
    "staff_exists": 409, "wrong_status": 409, "owns_open_cases": 409, "cases_not_moved": 409, "leave_overlaps": 409,
    "post_held_already": 409, "certificate_exists": 409, "deputy_by_himself": 403, "deputy_lacks_post": 403,
    "unknown_post": 422, "unknown_team": 422, "unknown_region": 422,
    "answer_changed": 409, "answer_erased": 410, "institution_needed": 409, "hold_placed_already": 409, "no_hold": 409,
    "stale_version": 412,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422, "faulty_data": 422, "unknown_event": 422, "unknown_fact": 422, "unknown_ground": 422,
    "unknown_field": 422, "unknown_reason": 422, "request_open_already": 409,
    "request_altered": 409, "handover_request_differs": 409, "sealed_value_altered": 409,
    "idempotency_mismatch": 422,
    "malformed_note": 400, "witness_unknown": 403, "checkpoint_differs": 409, "size_unknown": 404,
    "receipt_key_missing": 503,
    "permit_expired": 409, "permit_used": 409, "permit_foreign": 409, "party_differs": 409,
    "unknown_party": 422, "unknown_channel": 422, "unknown_purpose": 422,
    "version_required": 428,
    "request_timeout": 408, "headers_too_large": 431, "broken_off": 499,
    "locked_out": 429,
    "internal_error": 500,
    "overloaded": 503, "shutting_down": 503, "database_busy": 503, "database_gone": 503, "outcome_unknown": 503,
    "database_read_only": 503,
    "not_ready": 503, "issuer_unreachable": 503,
    "database_full": 507,
    "case_not_opened_then": 404, "portfolio_too_large": 413, "log_broken": 500,
    "log_place_taken": 503, "tree_damaged": 503,
}  # fmt: skip
"""Status by code. One that is not here is 404 if it begins with `unknown_`, 503 if it ends in `_busy`, else 422."""

_OF_HTTP = {400: "malformed_request", 401: "not_authenticated", 403: "post_not_permitted", 404: "not_found",
            405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type", 422: "invalid_request",
            503: "overloaded"}  # fmt: skip

_TEXTS: Mapping[str, tuple[str, str]] = {
    "malformed_json": ("请求正文不是有效的 UTF-8 JSON", "the body is not JSON in UTF-8"),
    "malformed_request": ("请求格式不正确", "the request is malformed"),
    "malformed_header": ("请求头重复或格式不正确", "a header is malformed, or stands twice where it may stand once"),
    "not_authenticated": ("缺少有效的访问令牌", "a valid bearer token is required"),
    "post_not_permitted": ("您的岗位无权执行此操作", "none of your posts may do this"),
    "out_of_reach": (
        "该案件不在您的管辖范围内", "this case is not yours, nor of the team, region or product you work for",
    ),
    "key_not_permitted": ("此令牌或会话未获授权执行此操作", "this key or session is not for that command"),
    "reveal_not_permitted": ("您的岗位不得查看该个人信息明文", "none of your posts may be shown this in clear"),
    "purpose_not_permitted": ("您的岗位不得以此为用途", "none of your posts looks at personal data for this purpose"),
    "not_found": ("没有这样的资源", "there is no such resource"),
    "method_not_allowed": ("该资源不支持此方法", "this resource does not take this method"),
    "body_too_large": ("请求正文过大", "the body is too large"),
    "unsupported_media_type": ("不支持的正文类型", "the body must be application/json"),
    "invalid_request": ("请求内容不符合要求", "the request does not have the shape asked for"),
    "request_timeout": ("请求未在规定时间内发送完毕", "the request did not come within its time"),
    "headers_too_large": ("请求头过大或过多", "the headers are too large, or too many"),
    "broken_off": ("客户端在请求结束前断开", "the client left before its request was whole"),
    "internal_error": ("系统内部错误，请提供请求编号", "an error of the service; quote the request id"),
    "overloaded": ("系统繁忙，请稍后重试", "too much work is waiting; try again"),
    "shutting_down": ("服务正在停止，请稍后重试", "the service is stopping; try again"),
    "issuer_unreachable": (
        "外部身份服务暂时无法访问，请稍后重试", "the outside issuer of tokens cannot be reached; try again",
    ),
    "database_busy": ("数据库繁忙，请稍后重试；未作任何更改", "the database is busy; nothing was changed; try again"),
    "database_full": ("数据库空间已满；未作任何更改", "the database is full; nothing was changed"),
    "database_gone": ("数据库无法访问；未作任何更改", "the database is not reachable; nothing was changed; try again"),
    "database_read_only": (
        "数据库当前只读；未作任何更改，请稍后重试",
        "the database takes no writes now; nothing was changed; try again",
    ),
    "outcome_unknown": (
        "提交时数据库连接中断或备库未确认，结果未知；请以相同的 Idempotency-Key 重发",
        "lost while committing, or no standby confirmed it: outcome unknown; repeat with the same Idempotency-Key",
    ),
}  # fmt: skip

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
    """The HTTP status of a caller's mistake with this code."""
    return STATUS.get(code, 404 if code.startswith("unknown_") else 503 if code.endswith("_busy") else 422)


def texts_of(code: str) -> tuple[str, str]:
    """What a code says by itself, in Chinese and English."""
    return _TEXTS.get(code, (code, code))


def problem_body(
    code: str, *, request_id: str, zh: str | None = None, en: str | None = None, facts: Mapping[str, Any] | None = None
) -> bytes:
    """The problem as JSON; texts default to the code's own. A fact never replaces a member of the problem."""
    default_zh, default_en = texts_of(code)
    problem = {
        **(facts or {}),
        "type": f"urn:problem:casework:{code}",
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
        return problem_response(request, "invalid_request", facts={"faults": _faults(error.extra)})
    if isinstance(error.__cause__, SerializationException):
        return problem_response(request, "malformed_json")
    if error.status_code == 404:
        # A path parameter that is not a number, or no such path: to the caller the same.
        return problem_response(request, "not_found")
    code = _OF_HTTP.get(error.status_code, "malformed_request")
    if code == "not_authenticated":
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(request, code, headers=headers)


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Ours: logged by type and place, told to the caller by request id only."""
    log_bug(request_id_of(request), error)
    return problem_response(request, "internal_error")


def on_failed(request: Request[Any, Any, Any], _error: Failed) -> Response[bytes]:
    """A bug that was logged where it happened."""
    return problem_response(request, "internal_error")


EXCEPTION_HANDLERS: dict[Any, Any] = {
    CallerError: on_caller_error,
    TryAgain: on_try_again,
    HTTPException: on_http,
    Failed: on_failed,
    Exception: on_bug,
}

_QUOTED = re.compile(r"'[^']*'")


def _faults(extra: Any) -> list[dict[str, str]]:
    """Field by field what is wrong; values are left out, they may be personal."""
    found = extra if isinstance(extra, list) else []
    faults = []
    for item in found[:50]:
        if isinstance(item, dict):
            message = _QUOTED.sub("…", str(item.get("message", "")))[:200]
            faults.append({"field": str(item.get("key", ""))[:64], "code": "malformed", "en": message,
                           "zh": "字段缺失或格式不正确"})  # fmt: skip
    return faults


# ── OpenAPI ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def problem_responses(*codes: str, always: Sequence[str] = ("not_authenticated", "internal_error", "database_gone")
                      ) -> dict[int, ResponseSpec]:  # fmt: skip
    """`responses=` of a route that may answer with these codes; what every route may answer is added."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *always):
        by_status.setdefault(status_of(code), []).append(code)
    return {status: _spec(status, found) for status, found in sorted(by_status.items())}


def _example(code: str) -> Any:
    return msgspec.json.decode(problem_body(code, request_id="9f1c2e7ab0d3-1a"))


def _spec(status: int, codes: Sequence[str]) -> ResponseSpec:
    examples = [Example(id=code, summary=code, value=_example(code)) for code in dict.fromkeys(codes)]
    return ResponseSpec(
        data_container=Problem, generate_examples=False, media_type=MEDIA_TYPE, examples=examples,
        description=f"{HTTPStatus(status).phrase}: {', '.join(dict.fromkeys(codes))}",
    )  # fmt: skip


def describe_as_problems(document: OpenAPI) -> None:
    """The framework describes errors that it finds itself in its own form; here every error is a problem."""
    problem = Reference(ref="#/components/schemas/Problem")
    for path in (document.paths or {}).values():
        for method in ("get", "put", "post", "delete", "patch"):
            operation: Operation | None = getattr(path, method)
            for status, response in ((operation.responses if operation else None) or {}).items():
                described = isinstance(response, OpenAPIResponse) and MEDIA_TYPE in (response.content or {})
                if int(status) < 400 or described or not isinstance(response, OpenAPIResponse):
                    continue
                code = _OF_HTTP.get(int(status), "internal_error")
                examples: dict[str, Example | Reference] = {code: Example(summary=code, value=_example(code))}
                response.content = {MEDIA_TYPE: OpenAPIMediaType(schema=problem, examples=examples)}
