"""What everybody keeps of their own on pages: open sessions, the second factor."""

import asyncio
from io import BytesIO
from typing import Annotated, Any

import segno
from litestar import Request, Response, get, post
from litestar.params import PathParameter
from markupsafe import Markup

from api.auth import still_valid
from api.console.access import keys, programs
from api.console.entry.pages import forget
from api.console.frame.forms import Tried, typed_in
from api.console.frame.page import render, to
from api.own_access import MAX_ID, with_code
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.people.identity import second_factor, sessions
from casework.people.identity.ending import lock_person
from casework.people.identity.holding import needs_factor
from casework.people.identity.second_factor import Enrolment
from casework.storage.database import reading, writing

SessionId = Annotated[int, PathParameter(description="The number of the session.")]


@post("/console/sessions/{session_id:int}/end", opt={"page": "session.own"})
async def end_session(request: Request[Any, Any, Any], session_id: SessionId) -> Response[Any]:
    """End one of one's own sessions; all tokens of it are dead."""
    await typed_in(request)
    serving = serving_of(request)
    if not 1 <= session_id <= MAX_ID:
        raise CallerError("unknown_session")

    def work() -> None:
        with writing(serving.engine) as conn:
            trail = serving.branch.trail(now())
            sessions.end_session(conn, trail, still_valid(conn, request), session_id)
            trail.write(conn)

    await asyncio.to_thread(work)
    forget(request)
    return to("/console/sessions")


@post("/console/sessions/end", opt={"page": "session.own"})
async def end_others(request: Request[Any, Any, Any]) -> Response[Any]:
    """End all of one's own sessions but this one."""
    await typed_in(request)
    serving, holder = serving_of(request), request.scope["auth"]

    def work() -> None:
        with writing(serving.engine) as conn:
            trail, actor = serving.branch.trail(now()), still_valid(conn, request)
            lock_person(conn, actor.id)
            sessions.end_all(conn, trail, actor, actor.id, "logged_out_elsewhere", but=holder.session_id)
            trail.write(conn)

    await asyncio.to_thread(work)
    return to("/console/sessions")


@get("/console/sessions", sync_to_thread=True, opt={"page": "session.own"})
def own_sessions(request: Request[Any, Any, Any]) -> Response[Any]:
    """Where one is logged in."""
    holder = request.scope["auth"]
    with reading(serving_of(request).engine) as conn:
        found = sessions.open_sessions(conn, holder.actor.id, now())
        has_factor = second_factor.is_confirmed(conn, holder.actor.id)
    return render(request, "access/sessions.html", sessions=found, current=holder.session_id, has_factor=has_factor)


@post("/console/second-factor", opt={"page": "factor.own"})
async def begin_factor(request: Request[Any, Any, Any]) -> Response[Any]:
    """A secret for an authenticator, shown this once, with its QR code."""
    await typed_in(request)
    serving = serving_of(request)

    def work() -> Response[Any]:
        with writing(serving.engine) as conn:
            made = second_factor.enrol(conn, serving.branch.mac_key, serving.branch.vault, still_valid(conn, request))
        return _page(request, made=made)

    return await asyncio.to_thread(work)


@get("/console/second-factor", sync_to_thread=True, opt={"page": "factor.own"})
def factor(request: Request[Any, Any, Any]) -> Response[Any]:
    """Whether there is one, and the way to it."""
    return _page(request)


@post("/console/second-factor/confirm", opt={"page": "factor.own"})
async def confirm_factor(request: Request[Any, Any, Any]) -> Response[Any]:
    """Put it into force with a first code; from then on every log-in asks for one."""
    typed = await typed_in(request)
    serving, session_id = serving_of(request), request.scope["auth"].session_id
    otp = typed.get("otp", "").strip().replace(" ", "")

    def work() -> Response[Any]:
        try:
            with_code(request, lambda conn, trail, actor: second_factor.confirm(
                conn, trail, serving.branch.vault, actor, otp, session_id=session_id))  # fmt: skip
        except CallerError as told:
            return _page(request, status=422, told=told)
        return to("/console")

    answer = await asyncio.to_thread(work)
    forget(request)
    return answer


def _page(
    request: Request[Any, Any, Any], *, made: Enrolment | None = None, told: CallerError | None = None,
    status: int = 200,
) -> Response[Any]:  # fmt: skip
    serving, actor = serving_of(request), request.scope["user"]
    with reading(serving.engine) as conn:
        confirmed = second_factor.is_confirmed(conn, actor.id)
    policy = serving.branch.rulebook.policies.at(serving.branch.today(now()))
    problem = {} if told is None else {"code": told.code, "detail_zh": told.zh, "detail": told.en}
    return render(
        request, "access/second_factor.html", status=status, made=made, picture=None if made is None else _qr(made.uri),
        confirmed=confirmed, needed=needs_factor(actor, policy),
        tried=Tried("factor", {}, problem) if problem else None,
    )  # fmt: skip


def _qr(uri: str) -> Markup:
    """The QR code as an element of the page: nothing is fetched, and no address holds the secret."""
    out = BytesIO()
    segno.make(uri, error="m").save(out, kind="svg", scale=5, border=2, xmldecl=False, svgns=True, dark="#111827",
                                    light="#ffffff", title=None)  # fmt: skip
    return Markup(out.getvalue().decode())  # noqa: S704  # made by segno, of squares alone


route_handlers = [
    *programs.route_handlers, *keys.route_handlers, end_session, end_others,
    own_sessions, begin_factor, factor, confirm_factor,
]  # fmt: skip
