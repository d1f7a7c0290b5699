"""What everybody keeps of their own: open sessions, API keys, the second factor."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, PathParameter
from msgspec import Meta
from sqlalchemy.engine import Connection

from api.auth import actor_of, holder_of, session_of, still_valid
from api.example import Example, whole_answer
from api.list_shape import whole, whole_of
from api.problems import problem_responses
from api.reading.asking import check_parameters
from api.serving import Serving, serving_of
from api.session import Otp
from api.written import changing
from casework.clock import now
from casework.errors import CallerError
from casework.log.write.trail import Trail
from casework.people.identity import (
    brake,
    holding,
    keys,
    second_factor,
    sessions,
)
from casework.people.identity.brake import Brake
from casework.people.identity.ending import lock_person
from casework.people.staff.actor import Actor
from casework.people.staff.tokens import MAX_DAYS
from casework.rules.statechart.policy import Policy
from casework.storage.database import reading, writing

MAX_ID = 2**53 - 1
_Command = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.]{0,63}$(?!\n)")]
OwnId = Annotated[int, PathParameter(description="The id that the list shows.")]
_WRITES = ("invalid_request", "malformed_json", "unsupported_media_type", "body_too_large", "post_not_permitted",
           "database_busy", "database_full")  # fmt: skip


class SessionLine(msgspec.Struct):
    """An open session; `current` is the one that asks."""

    id: int
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    second_factor: bool
    current: bool


class KeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """A name for the key, its days, and the commands of the permission table it is for (none: all that you may do)."""

    label: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$(?!\n)")]
    days: Annotated[int, Meta(ge=1, le=MAX_DAYS)]
    commands: Annotated[list[_Command], Meta(min_length=1, max_length=64)] | None = None


class KeyIssued(msgspec.Struct):
    """The key itself, told this once."""

    id: int
    key: str
    expires_at: datetime


class KeyLine(msgspec.Struct):
    """A live key without its text. `last_used_at` is the hour; `program`: whose it is, where I answer for one."""

    id: int
    label: str | None
    commands: list[str] | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    program: str | None = None


class OtpBody(msgspec.Struct, forbid_unknown_fields=True):
    """The code that the authenticator shows now."""

    otp: Otp


class EnrolmentBody(msgspec.Struct):
    """The secret for an authenticator, told this once: in Base32, and as the URI that a QR code shows."""

    secret: str
    uri: str


def _shown(kind: Any, value: Any, status: int = 200) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(
            kind, generate_examples=False, description="As asked for", examples=whole_answer(kind, value)
        )
    }


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────

_SESSION_LINE = {
    "id": 41, "created_at": "2026-03-09T08:15:02.114523Z", "refreshed_at": "2026-03-09T09:10:40.004100Z",
    "expires_at": "2026-03-09T20:15:02.114523Z", "second_factor": True, "current": True,
}  # fmt: skip
_SESSIONS = {"items": [_SESSION_LINE], "next": None}


@get("/me/sessions", summary="My open sessions", tags=["session"], sync_to_thread=True,
     responses={**_shown(whole(SessionLine), _SESSIONS), **problem_responses("post_not_permitted")})  # fmt: skip
def my_sessions(request: Request[Any, Any, Any]) -> Response[Any]:
    """Where I am logged in, oldest first."""
    check_parameters(request, ())
    holder = holder_of(request)
    with reading(serving_of(request).engine) as conn:
        found = sessions.open_sessions(conn, holder.actor.id, now())
    lines = [
        SessionLine(one.id, one.created_at, one.refreshed_at, one.expires_at, one.second_factor,
                    one.id == holder.session_id)
        for one in found
    ]  # fmt: skip
    return whole_of(SessionLine, lines)


@delete("/me/sessions/{session_id:int}", status_code=204, summary="End one of my sessions", tags=["session"],
        sync_to_thread=True, responses=problem_responses("unknown_session", *_WRITES))  # fmt: skip
def end_my_session(request: Request[Any, Any, Any], session_id: OwnId) -> None:
    """End it: its tokens are dead at once for every change, and for reading within two seconds."""
    if not 1 <= session_id <= MAX_ID:
        raise CallerError("unknown_session")
    with changing(request) as change:
        sessions.end_session(change.conn, change.trail, change.actor, session_id)


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_KEY = Example(id="reporting", summary="Reads only",
               value={"label": "reporting", "days": 90, "commands": ["case.read", "rulebook.read"]})  # fmt: skip
_KEY_ISSUED = {"id": 7, "key": "cw_Zk3…", "expires_at": "2026-06-07T08:15:02.114523Z"}
_KEY_LINE = {
    "id": 7, "label": "reporting", "commands": ["case.read", "rulebook.read"],
    "created_at": "2026-03-09T08:15:02.114523Z", "expires_at": "2026-06-07T08:15:02.114523Z",
    "last_used_at": "2026-03-11T09:00:00.000000Z",
}  # fmt: skip
_KEYS = {"items": [_KEY_LINE], "next": None}


@post("/me/keys", status_code=201, summary="Make an API key", tags=["session"], sync_to_thread=True,
      responses={**_shown(KeyIssued, _KEY_ISSUED, 201),
                 **problem_responses("unknown_command", "too_many_keys", "session_needed", "key_after_code",
                                    *_WRITES)})  # fmt: skip
def make_key(request: Request[Any, Any, Any], data: Annotated[KeyBody, Body(examples=[_KEY])]) -> Response[KeyIssued]:
    """A key for a program that works in my name, for so many days; it is shown this once."""
    serving = serving_of(request)
    if holder_of(request).kind == holding.KEY:
        session_of(request)
    with changing(request) as change:
        made = keys.issue_key(
            change.conn, change.trail, change.actor, serving.branch.rulebook.permissions.commands.keys(),
            label=data.label, days=data.days, commands=data.commands, session_id=holder_of(request).session_id,
        )  # fmt: skip
    return Response(KeyIssued(made.id, made.token, made.expires_at), headers={"Location": f"/me/keys/{made.id}"})


@get("/me/keys", summary="My API keys", tags=["session"], sync_to_thread=True,
     responses={**_shown(whole(KeyLine), _KEYS), **problem_responses("post_not_permitted")})  # fmt: skip
def my_keys(request: Request[Any, Any, Any]) -> Response[Any]:
    """My live keys, oldest first; the texts are kept nowhere."""
    check_parameters(request, ())
    with reading(serving_of(request).engine) as conn:
        found = keys.keys_of(conn, actor_of(request).id, now())
    lines = [
        KeyLine(one.id, one.label, None if one.commands is None else list(one.commands), one.created_at,
                one.expires_at, one.last_used_at, one.program)
        for one in found
    ]  # fmt: skip
    return whole_of(KeyLine, lines)


@delete("/me/keys/{key_id:int}", status_code=204, summary="Revoke one of my keys", tags=["session"],
        sync_to_thread=True, responses=problem_responses("unknown_key", *_WRITES))  # fmt: skip
def revoke_my_key(request: Request[Any, Any, Any], key_id: OwnId) -> None:
    """Revoke it: it changes nothing from now on, and reads nothing within two seconds."""
    if not 1 <= key_id <= MAX_ID:
        raise CallerError("unknown_key")
    with changing(request) as change:
        keys.revoke_key(change.conn, change.trail, change.actor, key_id)


# ── the second factor ───────────────────────────────────────────────────────────────────────────────────────────────

_ENROLMENT = {
    "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "uri": "otpauth://totp/casework:10007?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=casework",
}
_OTP = Annotated[OtpBody, Body(examples=[Example(id="otp", summary="A code", value={"otp": "492039"})])]


@post("/me/second-factor", status_code=201, summary="Begin to set up a second factor", tags=["session"],
      sync_to_thread=True,
      responses={**_shown(EnrolmentBody, _ENROLMENT, 201),
                 **problem_responses("session_needed", "second_factor_exists", *_WRITES)})  # fmt: skip
def enrol(request: Request[Any, Any, Any]) -> Response[EnrolmentBody]:
    """A secret for an authenticator; in force once `confirm` was given a code of it."""
    serving = serving_of(request)
    session_of(request)
    with writing(serving.engine) as conn:
        made = second_factor.enrol(conn, serving.branch.mac_key, serving.branch.vault, still_valid(conn, request))
    return Response(EnrolmentBody(made.secret, made.uri), headers={"Location": "/me/second-factor"})


@post("/me/second-factor/confirm", status_code=204, summary="Put the second factor into force", tags=["session"],
      sync_to_thread=True,
      responses=problem_responses("session_needed", "second_factor_wrong", "second_factor_exists",
                                  "unknown_second_factor", "locked_out", *_WRITES))  # fmt: skip
def confirm(request: Request[Any, Any, Any], data: _OTP) -> None:
    """From now on every log-in asks for a code. A session that could only enrol is whole at its next refresh."""
    serving, session_id = serving_of(request), session_of(request)
    with_code(
        request,
        lambda conn, trail, actor: second_factor.confirm(
            conn, trail, serving.branch.vault, actor, data.otp, session_id=session_id
        ),
    )


@post("/me/second-factor/remove", status_code=204, summary="Give up the second factor", tags=["session"],
      sync_to_thread=True,
      responses=problem_responses("session_needed", "second_factor_wrong", "second_factor_required",
                                  "unknown_second_factor", "locked_out", *_WRITES))  # fmt: skip
def remove(request: Request[Any, Any, Any], data: _OTP) -> None:
    """With a last code; refused to those whose posts ask for a second factor."""
    serving = serving_of(request)
    session_of(request)
    policy = _policy(serving)
    with_code(
        request,
        lambda conn, trail, actor: second_factor.remove(conn, trail, serving.branch.vault, policy, actor, data.otp),
    )


def with_code(request: Request[Any, Any, Any], work: Callable[[Connection, Trail, Actor], CallerError | None]) -> None:
    """Do what takes a code, counted on the holder's own number: whoever stole a token gets no more tries than another.

    A wrong code is raised after the commit, so that its counting is kept.
    """
    serving = serving_of(request)
    with changing(request) as change:
        actor = change.actor
        lock_person(change.conn, actor.id)
        counted = Brake.of(_policy(serving), serving.branch.vault, actor.id, f"session of {actor.id}")
        refused = brake.count(change.conn, counted, change.trail.recorded_at)
        if refused is None:
            refused = work(change.conn, change.trail, actor)
            if refused is None:
                brake.release(change.conn, counted)
            else:
                brake.keep(change.conn, counted, change.trail.recorded_at)
    if refused is not None:
        raise refused


def _policy(serving: Serving) -> Policy:
    return serving.branch.rulebook.policies.at(serving.branch.today(now()))


route_handlers = [
    my_sessions, end_my_session, make_key, my_keys, revoke_my_key, enrol, confirm, remove,
]  # fmt: skip
