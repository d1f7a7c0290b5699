"""Logging in and out on pages: the API's own way in, with a cookie instead of tokens."""

import asyncio
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import QueryParameter

from api.auth import still_valid
from api.console.frame import cookies, words
from api.console.frame.forms import Tried, typed_in
from api.console.frame.page import render, to
from api.serving import serving_of
from api.session import LogInBody, PasswordBody, log_in_granted, password_set
from casework.clock import now
from casework.errors import CallerError
from casework.people.identity import sessions
from casework.people.staff.tokens import PAGE_PREFIX, hash_of
from casework.storage.database import writing

_YEAR_S: Final = 365 * 24 * 3600


@get("/", sync_to_thread=False, opt={"page": None})
def root() -> Response[str]:
    """To the first page."""
    return to("/console")


@post("/console/log-in", opt={"page": None})
async def log_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Open a session and go where one wanted to go; without its second factor, where that is due, there first."""
    typed = await typed_in(request)
    try:
        body = msgspec.convert(
            {"staff_no": typed.get("staff_no", "").strip(), "password": typed.get("password", ""),
             "otp": typed.get("otp", "").strip().replace(" ", "") or None}, LogInBody,
        )  # fmt: skip
        granted = await log_in_granted(request, body, PAGE_PREFIX)
    except msgspec.ValidationError:
        granted = _refused()
    if isinstance(granted, CallerError):
        return await asyncio.to_thread(_log_in_page, request, typed, granted)
    place = "/console/second-factor" if granted.must_enrol else cookies.place_here(typed.get("next", ""))
    answer = to(place)
    answer.set_cookie(cookies.given(request, granted.access_token))
    return answer


@get("/console/log-in", sync_to_thread=True, opt={"page": None})
def log_in_form(
    request: Request[Any, Any, Any],
    wanted: Annotated[str, QueryParameter(name="next", max_length=2_000)] = "",
    done: Annotated[str, QueryParameter(max_length=32)] = "",
) -> Response[Any]:
    """Staff number, password, and the code of whoever has a second factor."""
    return render(request, "entry/log_in.html", tried=None, wanted=wanted, done=done == "password")


@post("/console/password", opt={"page": None})
async def set_password(request: Request[Any, Any, Any]) -> Response[Any]:
    """Set a password with a one-time code, or with the old one; then log in with it."""
    typed = await typed_in(request)
    try:
        if typed.get("new_password") != typed.get("again"):
            raise CallerError("passwords_differ")
        given = {name: typed.get(name, "").strip() or None for name in ("code", "otp")}
        old = typed.get("old_password") or None
        body = msgspec.convert(
            {"staff_no": typed.get("staff_no", "").strip(), "new_password": typed.get("new_password", ""), **given,
             "old_password": old}, PasswordBody,
        )  # fmt: skip
        await password_set(request, body)
    except (msgspec.ValidationError, CallerError) as mistake:
        told = mistake if isinstance(mistake, CallerError) else _refused()
        tried = Tried("password", typed, _problem(told))
        return await asyncio.to_thread(lambda: render(request, "entry/password.html", status=422, tried=tried))
    return to("/console/log-in?done=password")


@get("/console/password", sync_to_thread=True, opt={"page": None})
def password_form(request: Request[Any, Any, Any]) -> Response[Any]:
    """For whoever was given a one-time code, or wants another password."""
    return render(request, "entry/password.html", tried=None)


@post("/console/language", opt={"page": None})
async def choose_language(request: Request[Any, Any, Any]) -> Response[Any]:
    """Chinese or English, for this person at this browser."""
    typed = await typed_in(request)
    answer = to(cookies.place_here(typed.get("next", "")))
    chosen = typed.get("lang") if typed.get("lang") in words.LANGUAGES else words.LANGUAGES[0]
    answer.set_cookie(Cookie(key=cookies.LANGUAGE, value=chosen, max_age=_YEAR_S, samesite="strict", httponly=True))
    return answer


@post("/console/log-out", opt={"page": "session.own"})
async def log_out(request: Request[Any, Any, Any]) -> Response[Any]:
    """End the session and take the cookie away."""
    await typed_in(request)
    serving = serving_of(request)

    def work() -> None:
        with writing(serving.engine) as conn:
            trail = serving.branch.trail(now())
            sessions.log_out(conn, trail, still_valid(conn, request), request.scope["auth"].session_id)
            trail.write(conn)

    await asyncio.to_thread(work)
    forget(request)
    answer = to("/console/log-in")
    answer.headers["clear-site-data"] = '"storage"'  # photos that wait to be sent (`visits.js`)
    answer.set_cookie(cookies.given(request, ""))
    return answer


def forget(request: Request[Any, Any, Any]) -> None:
    """What is known of the cookie that asks is looked up anew."""
    serving = serving_of(request)
    serving.tokens.forget(hash_of(cookies.token_of(request.scope, serving.settings.trusted_proxies)))


def _log_in_page(request: Request[Any, Any, Any], typed: dict[str, str], told: CallerError) -> Response[Any]:
    status = 429 if told.code == "locked_out" else 401
    tried = Tried("log_in", {"staff_no": typed.get("staff_no", "")}, _problem(told))
    wanted, retry_s = typed.get("next", ""), told.facts.get("retry_after_s")
    answer = render(request, "entry/log_in.html", status=status, tried=tried, wanted=wanted, done=False)
    if retry_s is not None:
        answer.headers["retry-after"] = str(retry_s)
    return answer


def _refused() -> CallerError:
    return CallerError("log_in_refused")


def _problem(told: CallerError) -> dict[str, Any]:
    return {"code": told.code, "detail_zh": told.zh, "detail": told.en}


route_handlers = [root, log_in, log_in_form, set_password, password_form, choose_language, log_out]
