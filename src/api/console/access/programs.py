"""Keys of programs on the page of keys: issued to whoever answers for one, seen, revoked."""

import asyncio
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.params import PathParameter

from api.console.access.keys import keys_page, made_or_told
from api.console.frame.forms import number_of, typed_in
from api.console.frame.page import to
from api.programs import KeyId, issue, revoke


@post("/console/programs", opt={"page": "program.change"})
async def make(request: Request[Any, Any, Any]) -> Response[Any]:
    """A key of a program, shown this once."""
    typed = await typed_in(request)

    def work() -> Response[Any]:
        commands = typed.get("commands", "").replace(",", " ").split()
        program, owner = typed.get("program", "").strip(), typed.get("owner", "").strip()
        return keys_page(request, made=issue(request, program, owner, commands, number_of(typed, "days") or 0).token)

    return await made_or_told(request, work, "program", typed)


@post("/console/programs/{program:str}/keys/{key_id:int}/revoke", opt={"page": "program.change"})
async def end(
    request: Request[Any, Any, Any], program: Annotated[str, PathParameter(description="Its name.")], key_id: KeyId
) -> Response[Any]:
    """It is dead at once for every change."""
    await typed_in(request)
    await asyncio.to_thread(revoke, request, program, key_id)
    return to("/console/keys")


route_handlers = [make, end]
