"""Photos of visits from pages: sent by a form or by the script that kept them, and looked at; each look is an entry."""

import asyncio
from typing import Any

from litestar import Request, Response, get, post

from api.auth import actor_of
from api.changing import respond
from api.console.frame import cookies
from api.console.frame.forms import Tried, problem_in, problem_of
from api.console.frame.page import HEADERS, to
from api.console.visits.pages import NAMED, stop_page
from api.nouns import Number
from api.outcomes import answer_of, encode
from api.photos import photo_sent
from api.problems import MEDIA_TYPE, request_id_of
from api.serving import serving_of
from casework.errors import CallerError
from casework.work.photos.showing import show_photo
from casework.work.photos.storing import PhotoKept

_JSON = "application/json"


@post("/console/visits/{number:int}/photos", opt={"page": "visit.photo"}, include_in_schema=False)
async def send(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """Keep a photo; a script is answered as programs are, a form by the page."""
    form = await request.form()
    cookies.check_form(request, str(form.get("form_token", "")))
    zone = serving_of(request).branch.time_zone
    by_script = _JSON in request.headers.get("accept", "")
    try:
        kept = await photo_sent(request, number, zone)
    except CallerError as told:
        problem = problem_of(told)
    else:
        if isinstance(kept, PhotoKept):
            return (
                Response(encode(kept), media_type=_JSON)
                if by_script
                else to(f"/console/visits/{number}/stop?done=photo")
            )
        problem = problem_in(respond(answer_of(kept, request_id_of(request), named=NAMED)))
    if by_script:
        return Response(encode(problem), status_code=problem["status"], media_type=MEDIA_TYPE)
    tried = Tried("photo", {name: str(form.get(name, "")) for name in ("shows", "consent", "taken_at")}, problem)
    return await asyncio.to_thread(lambda: stop_page(request, number, tried=tried))


@get("/console/photos/{number:int}", sync_to_thread=True, opt={"page": "visit.photo_look"}, media_type="image/jpeg")
def look(request: Request[Any, Any, Any], number: Number) -> Response[bytes]:
    """The preview, for the usual purpose of the reader's posts."""
    serving = serving_of(request)
    shown = show_photo(serving.engine, serving.branch, serving.branch.files, actor_of(request), number)
    return Response(
        shown.content, media_type=shown.media_type, headers={**HEADERS, "cache-control": "private, no-store"}
    )


route_handlers = [look]
uploads = [send]
"""These take as much as a photo may have."""
