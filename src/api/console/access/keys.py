"""One's own API keys on a page: made and told once, seen, revoked."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import PathParameter

from api.auth import actor_of, holder_of
from api.console.entry.pages import forget
from api.console.frame.forms import Tried, number_of, problem_of, typed_in
from api.console.frame.page import render, to
from api.own_access import MAX_ID
from api.problems import status_of
from api.serving import serving_of
from api.written import changing
from casework.clock import now
from casework.errors import CallerError
from casework.people.identity import keys, programs
from casework.storage.database import reading

_LABEL: Final = 64


@post("/console/keys", opt={"page": "key.own"})
async def make(request: Request[Any, Any, Any]) -> Response[Any]:
    """A key for a program that works in one's name, shown this once."""
    typed = await typed_in(request)
    label, days = typed.get("label", "").strip(), number_of(typed, "days")

    def work() -> Response[Any]:
        if not label or len(label) > _LABEL or not label.isprintable():
            raise CallerError("invalid_request", "名称须为1至64个字符", "a label has 1 to 64 characters")
        known = serving_of(request).branch.rulebook.permissions.commands.keys()
        wanted = [name for name in typed.get("commands", "").replace(",", " ").split() if name] or None
        with changing(request) as change:
            made = keys.issue_key(
                change.conn, change.trail, change.actor, known, label=label, days=days or 0, commands=wanted,
                session_id=holder_of(request).session_id,
            )  # fmt: skip
        return keys_page(request, made=made.token)

    return await made_or_told(request, work, "key", typed)


async def made_or_told(
    request: Request[Any, Any, Any], work: Callable[[], Response[Any]], form: str, typed: Mapping[str, str]
) -> Response[Any]:
    """What `work` answers; a mistake is told on the page of keys, in its form beside what was typed.

    Whom nobody knows any more goes to the log-in.
    """
    try:
        return await asyncio.to_thread(work)
    except CallerError as told:
        if status_of(told.code) == 401:
            raise
        return await asyncio.to_thread(keys_page, request, tried=Tried(form, typed, problem_of(told)))


@post("/console/keys/{key_id:int}/revoke", opt={"page": "key.own"})
async def revoke(
    request: Request[Any, Any, Any], key_id: Annotated[int, PathParameter(description="The number of the key.")]
) -> Response[Any]:
    """It is dead at once for every change."""
    await typed_in(request)
    if not 1 <= key_id <= MAX_ID:
        raise CallerError("unknown_key")

    def work() -> None:
        with changing(request) as change:
            keys.revoke_key(change.conn, change.trail, change.actor, key_id)

    await asyncio.to_thread(work)
    forget(request)
    return to("/console/keys")


@get("/console/keys", sync_to_thread=True, opt={"page": "key.own"})
def own_keys(request: Request[Any, Any, Any]) -> Response[Any]:
    """One's live keys without their texts."""
    return keys_page(request)


def keys_page(request: Request[Any, Any, Any], *, made: str = "", tried: Tried | None = None) -> Response[Any]:
    """One's own keys, and those of every program for whoever may see them."""
    permissions, actor = serving_of(request).branch.rulebook.permissions, actor_of(request)
    sees = permissions.may(actor, "program.read")
    with reading(serving_of(request).engine) as conn:
        found = keys.keys_of(conn, actor.id, now())
        of_programs = programs.program_keys(conn, now()) if sees else []
    return render(
        request, "access/keys.html", status=int(tried.problem["status"]) if tried else 200, keys=found, made=made,
        tried=tried, sees_programs=sees, programs=of_programs, may_issue=permissions.may(actor, "program.change"),
        open_to=sorted(permissions.for_programs),
    )  # fmt: skip


route_handlers = [make, revoke, own_keys]
