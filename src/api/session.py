"""Logging in and out: a password for a session, a session for access, a one-time code for a password.

These are the only routes for strangers, so each is bounded, counted, and answers alike whoever is asked for.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request, delete, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from msgspec import Meta
from sqlalchemy.engine import Connection

from api.auth import session_of, still_valid
from api.client_address import client_address
from api.example import Example
from api.problems import problem_responses
from api.serving import Serving, serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.log.write.trail import Trail
from casework.people.identity import (
    brake,
    log_in,
    passwords,
    resetting,
    sessions,
)
from casework.people.identity.brake import Brake
from casework.people.identity.log_in import Attempt
from casework.people.identity.sessions import TokensGranted
from casework.people.staff.tokens import PREFIX
from casework.rules.statechart.policy import Policy
from casework.storage.database import reading, writing

StaffNo = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,32}$(?!\n)", description="The staff number.")]
Secret = Annotated[str, Meta(min_length=1, max_length=256)]
Otp = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)", description="The code that the authenticator shows now.")]
Wrong = CallerError
Found = TypeVar("Found")


class LogInBody(msgspec.Struct, forbid_unknown_fields=True):
    """Staff number and password; `otp` for those who have a second factor."""

    staff_no: StaffNo
    password: Secret
    otp: Otp | None = None


class RefreshBody(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token of the last log-in or refresh; it is good once."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=128)]


class PasswordBody(msgspec.Struct, forbid_unknown_fields=True):
    """The new password, and either the one-time `code` of an administrator or the `old_password` (with `otp`, if any).

    12 to 128 characters, whichever; not the staff number.
    """

    staff_no: StaffNo
    new_password: Secret
    code: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    old_password: Secret | None = None
    otp: Otp | None = None


class SessionBody(msgspec.Struct):
    """Two tokens, shown this once. `expires_in` is in seconds, of the access token.

    `must_enrol`: a post of theirs asks for a second factor; until they set one up and refresh, nothing else is open.
    """

    session_id: int
    token_type: str
    access_token: str
    expires_in: int
    refresh_token: str
    session_expires_at: datetime
    must_enrol: bool


_SESSION: dict[str, Any] = {
    "session_id": 41, "token_type": "Bearer", "access_token": "cw_Zk3…", "expires_in": 900,
    "refresh_token": "cwr_q8…", "session_expires_at": "2026-03-09T20:15:02.114523Z", "must_enrol": False,
}  # fmt: skip
_GRANTED = ResponseSpec(
    SessionBody, generate_examples=False, description="Logged in.",
    examples=[Example(id="session", summary="Logged in", value=_SESSION)],
)  # fmt: skip
_STRANGERS = ("malformed_json", "unsupported_media_type", "invalid_request", "overloaded", "database_busy",
              "body_too_large", "database_full")  # fmt: skip


@post("/session", status_code=200, summary="Log in", tags=["session"], security=[{}],
      responses={200: _GRANTED,
                 **problem_responses("log_in_refused", "locked_out", *_STRANGERS)})  # fmt: skip
async def open_session(
    request: Request[Any, Any, Any],
    data: Annotated[LogInBody, Body(examples=[
        Example(id="password", summary="A password", value={"staff_no": "10021", "password": "four plain words here"}),
        Example(id="otp", summary="With a second factor",
                value={"staff_no": "10007", "password": "four plain words here", "otp": "492039"}),
    ])],
) -> SessionBody:  # fmt: skip
    """A password, and the code of the second factor where there is one, for a session.

    A missing code is answered as a wrong password is. Wrong tries are counted per staff number and per address, known
    or not; too many lock for some minutes (429).
    """
    return _told(await log_in_granted(request, data))


async def log_in_granted(
    request: Request[Any, Any, Any], data: LogInBody, prefix: str = PREFIX
) -> TokensGranted | Wrong:
    """The session that a log-in opens, or what is wrong with it, counted; `prefix` says what its token is for."""
    return await _compared(request, data.staff_no, partial(_log_in, data=data, prefix=prefix))


@post("/session/refresh", status_code=200, summary="Go on with a session", tags=["session"], security=[{}],
      responses={200: _GRANTED, **problem_responses(*_STRANGERS)})  # fmt: skip
async def refresh_session(
    request: Request[Any, Any, Any],
    data: Annotated[RefreshBody, Body(examples=[
        Example(id="refresh", summary="The last refresh token", value={"refresh_token": "cwr_q8…"})
    ])],
) -> SessionBody:  # fmt: skip
    """A fresh access token and a fresh refresh token for the one of last time.

    A refresh token that was used before ends the session: somebody has a copy.
    """
    serving = serving_of(request)
    return _told(await serving.admission.look(partial(_refresh, serving, data.refresh_token)))


@delete("/session", status_code=204, summary="Log out", tags=["session"],
        responses=problem_responses("session_needed", "unknown_session", "database_busy", "database_full"))  # fmt: skip
async def close_session(request: Request[Any, Any, Any]) -> None:
    """End the session of the access token that asks; its tokens are dead at once for every change."""
    serving, session_id = serving_of(request), session_of(request)
    await asyncio.to_thread(_log_out, serving, request, session_id)


@post("/session/password", status_code=204, summary="Set a password", tags=["session"], security=[{}],
      responses=problem_responses("log_in_refused", "locked_out", "code_or_password",
                                  "password_too_short", "password_too_long", "password_too_easy",
                                  *_STRANGERS))  # fmt: skip
async def set_password(
    request: Request[Any, Any, Any],
    data: Annotated[PasswordBody, Body(examples=[
        Example(id="code", summary="With a one-time code",
                value={"staff_no": "10021", "code": "7KQM-2XRT-PB4C-W9HD", "new_password": "four plain words here"}),
        Example(id="change", summary="With the old one",
                value={"staff_no": "10021", "old_password": "four plain words here",
                       "new_password": "five other plain words here"}),
    ])],
) -> None:  # fmt: skip
    """Set the first or another password; every earlier session ends."""
    await password_set(request, data)


async def password_set(request: Request[Any, Any, Any], data: PasswordBody) -> None:
    """Set it, or say what is wrong; wrong tries are counted."""
    if (data.code is None) == (data.old_password is None):
        raise CallerError("code_or_password")
    passwords.check_rules(data.staff_no, data.new_password)
    refused = await _compared(request, data.staff_no, partial(_set_password, data=data))
    if refused is not None:
        raise refused


# ── in the threads ──────────────────────────────────────────────────────────────────────────────────────────────────


async def _compared(
    request: Request[Any, Any, Any], staff_no: str, work: Callable[[Serving, Brake], Found]
) -> Found | Wrong:
    """Do what compares a password, unless number or address is locked: that is answered before anything is computed."""
    serving = serving_of(request)
    peer = request.client.host if request.client else None
    address = client_address(peer, request.scope["headers"], serving.settings.trusted_proxies)
    counted = Brake.of(_policy(serving), serving.branch.vault, staff_no, address)
    locked = await serving.admission.look(partial(_locked, serving, counted))
    if serving.admission.should_forget():
        await serving.admission.look(partial(_forget, serving))
    return locked if locked is not None else await serving.admission.compare(partial(work, serving, counted))


def _locked(serving: Serving, counted: Brake) -> Wrong | None:
    with reading(serving.engine) as conn:
        return brake.locked(conn, counted, now())


def _forget(serving: Serving) -> None:
    """What no longer counts: failures outside their window, sessions long over."""
    with writing(serving.engine) as conn:
        brake.purge(conn, _policy(serving), now())
        sessions.purge(conn, now())


def _log_in(serving: Serving, counted: Brake, *, data: LogInBody, prefix: str) -> TokensGranted | Wrong:
    attempt = _begin(serving, counted, data.staff_no)
    if isinstance(attempt, CallerError):
        return attempt
    is_right = passwords.is_password(data.password, attempt.stored)
    outdated = is_right and attempt.stored is not None and passwords.is_outdated(attempt.stored)
    renewed = passwords.hash_password(data.password) if outdated else None
    vault, policy = serving.branch.vault, _policy(serving)
    return _written(
        serving,
        lambda conn, trail: log_in.finish(
            conn, trail, vault, policy, attempt, is_right=is_right, otp=data.otp, renewed=renewed, prefix=prefix
        ),
    )


def _set_password(serving: Serving, counted: Brake, *, data: PasswordBody) -> Wrong | None:
    attempt = _begin(serving, counted, data.staff_no)
    if isinstance(attempt, CallerError):
        return attempt
    stored = passwords.hash_password(data.new_password)
    if data.code is not None:
        code = data.code
        return _written(
            serving,
            lambda conn, trail: resetting.set_by_code(conn, trail, attempt, code=code, password_hash=stored),
        )
    is_right = passwords.is_password(data.old_password or "", attempt.stored)
    return _written(
        serving,
        lambda conn, trail: resetting.set_by_password(
            conn, trail, serving.branch.vault, attempt, is_right=is_right, otp=data.otp, password_hash=stored
        ),
    )


def _begin(serving: Serving, counted: Brake, staff_no: str) -> Attempt | Wrong:
    return _written(serving, lambda conn, trail: log_in.begin(conn, trail, counted, staff_no))


def _refresh(serving: Serving, token: str) -> TokensGranted | Wrong:
    return _written(serving, lambda conn, trail: sessions.refresh(conn, trail, _policy(serving), token))


def _log_out(serving: Serving, request: Request[Any, Any, Any], session_id: int) -> None:
    _written(serving, lambda conn, trail: sessions.log_out(conn, trail, still_valid(conn, request), session_id))


def _written(serving: Serving, work: Callable[[Connection, Trail], Found]) -> Found:
    """One transaction; what is wrong comes back as a value, because the counting of it must be kept."""
    with writing(serving.engine) as conn:
        trail = serving.branch.trail(now())
        found = work(conn, trail)
        trail.write(conn)
    return found


def _policy(serving: Serving) -> Policy:
    return serving.branch.rulebook.policies.at(serving.branch.today(now()))


def _told(granted: TokensGranted | Wrong) -> SessionBody:
    if isinstance(granted, CallerError):
        raise granted
    return SessionBody(
        granted.session_id, "Bearer", granted.access_token, granted.expires_in, granted.refresh_token,
        granted.session_expires_at, granted.must_enrol,
    )  # fmt: skip


route_handlers = [open_session, refresh_session, close_session, set_password]
