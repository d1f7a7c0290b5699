"""The board on which the basic-risk post looks at reports of visits and their photos: accepted, or returned with why.

By keys: `j` `k` the next and the one before, `a` accept, `r` return; of photos that were checked again `v` puts the
verdict right, `o` reopens the report; `s` sets aside one that was returned and that nobody reports again. Each photo
that is shown is an entry.
"""

import asyncio
from collections import defaultdict
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import QueryParameter
from sqlalchemy.engine import Connection

from api.auth import actor_of
from api.console.frame.forms import Tried, number_of, typed_in
from api.console.frame.page import language_of, render, to
from api.console.nouns.firing import recorded
from api.console.nouns.shown import columns_of
from api.console.visits.pages import NAMED, fired_here, words_of
from api.nouns import Number
from api.permitted import reach
from api.problems import status_of
from api.reading.asking import Cursor, check_parameters
from api.serving import serving_of
from casework.clock import now
from casework.customer import Customer
from casework.errors import CallerError
from casework.people.staff.listing import names_of
from casework.storage.database import reading, writing
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import MAX_ID
from casework.work.cases.lifecycles import VISITS
from casework.work.cases.options import fields_of
from casework.work.cases.said_of_visits import said_of
from casework.work.cases.shown import ShownWanted, page_of, seen
from casework.work.cases.visit_addresses import risks_of
from casework.work.photos.again import visits_checked, visits_drawn
from casework.work.photos.alike import alike_of
from casework.work.photos.capture import captures_of
from casework.work.photos.showing import LOOK, photos_of_visits
from casework.work.visits.visit import RETURNED, Visit

PLACE: Final = "/console/visits/review"
WAITING: Final = "reported"
Visited = Annotated[int | None, QueryParameter(ge=1, le=MAX_ID)]
_EACH: Final = 10
_BACK_MOST: Final = 20
_RECHECK, _CORRECTED = "recheck", "recheck_corrected"
_DECIDES: Final = ("accept", "send_back", "reopen", "set_aside")


@get(PLACE, sync_to_thread=True, opt={"page": "visit.read"})
def board(request: Request[Any, Any, Any], cursor: Cursor = None, visit: Visited = None) -> Response[Any]:
    """Reports that wait, the oldest first; verdicts that were given, the last first, or those of one visit."""
    check_parameters(request, ("cursor", "visit"))
    return _board(request, None, cursor, visit)


@post("/console/visits/{number:int}/review", opt={"page": "visit.event"})
async def decide(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """Accept a report, return it, reopen it or set it aside, with a reason; then the next one."""
    typed = await typed_in(request)
    event = typed.get("event", "")
    if event not in _DECIDES:
        raise CallerError("malformed_request")
    problem = await fired_here(request, number, event, typed)
    if not problem:
        return to(PLACE)
    if status_of(problem["code"]) in (401, 403):
        raise CallerError(problem["code"], problem["detail_zh"], problem["detail"])
    tried = Tried(f"{number}.{event}", typed, problem)
    return await asyncio.to_thread(lambda: _board(request, tried))


@post("/console/visits/{number:int}/recheck", opt={"page": "visit.fact"})
async def check_again(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """What came of a photo that was drawn to be checked again; then the next one."""
    return await _verdict(request, number, _RECHECK, "photo")


@post("/console/visits/{number:int}/verdict", opt={"page": "visit.fact"})
async def put_right(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """A verdict on a photo that was wrong, with the reason; then the board again."""
    return await _verdict(request, number, _CORRECTED, "verdict", number)


async def _verdict(
    request: Request[Any, Any, Any], number: int, kind: str, form: str, visit: int | None = None
) -> Response[Any]:  # fmt: skip
    typed = await typed_in(request)
    photo_id = number_of(typed, "photo_id") or 0
    problem = await recorded(request, VISITS, NAMED, number, kind, typed, f"photo:{photo_id}")
    if not problem:
        return to(PLACE)
    if status_of(problem["code"]) in (401, 403):
        raise CallerError(problem["code"], problem["detail_zh"], problem["detail"])
    tried = Tried(f"{number}.{form}:{photo_id}", typed, problem)
    return await asyncio.to_thread(lambda: _board(request, tried, None, visit))


def _board(
    request: Request[Any, Any, Any], tried: Tried | None, cursor: str | None = None, only: int | None = None
) -> Response[Any]:  # fmt: skip
    serving, actor, lang = serving_of(request), actor_of(request), language_of(request)
    branch, wanted = serving.branch, ShownWanted(state=WAITING)
    chart = branch.rulebook.charts[VISITS.chart]
    sees = branch.rulebook.permissions.may(actor, LOOK)
    with reading(serving.engine, snapshot=True) as conn:
        found, following = page_of(conn, branch, VISITS, reach(request), wanted, limit=_EACH, cursor=cursor)
        back = page_of(conn, branch, VISITS, reach(request), ShownWanted(state=RETURNED), limit=_BACK_MOST, cursor=None)
        chosen = [one for one in visits_drawn(conn) if reach(request).everything]
        checked = _checked(conn, request, only)
        sent = photos_of_visits(conn, [one.id for one in (*found, *chosen, *checked)]) if sees else []
        risks = risks_of(conn, [one.id for one in (*found, *chosen)])
        alike = alike_of(conn, [line.id for _, line in sent])
        said = said_of(conn, branch, actor, found)
        names = names_of(conn, {no for one in (*found, *back[0], *chosen, *checked) for no in one.visitors})
    fields = {field for texts in said.values() for field in texts}
    if fields:
        whose = {Customer(one.institution, one.borrower_id) for one in found if one.id in said}
        with writing(serving.engine) as conn:
            record_read(conn, branch, actor, sorted(whose), fields)
    photos = defaultdict(list)
    for visit_id, line in sent:
        photos[visit_id].append(line)
    # Of those that the page shows at once; a look at them is an entry, as that at each photo is.
    whole, again = {one.id for one in found}, {photo for one in chosen for photo in one.drawn}
    shown = [line.id for of, line in sent if of in whole or line.photo in again]
    captures = captures_of(serving.engine, branch, actor, shown) if shown else {}
    policy = branch.rulebook.policies.all[-1]
    asked = {
        kind: fields_of({name: one for name, one in chart.facts[kind].fields.items() if name != "photo"}, policy)
        for kind in (_RECHECK, _CORRECTED)
    }  # fmt: skip
    return render(
        request, "visits/review.html", status=int(tried.problem["status"]) if tried else 200, items=found,
        columns={one.id: columns_of(branch, VISITS, one, lang) for one in found}, photos=photos, alike=alike,
        captures=captures, said=said, report={**chart.events["report_again"].fields, **chart.events["report"].fields},
        names=names, risks=risks, tried=tried, following=following, first=cursor is None, place=PLACE,
        asked={name: fields_of(chart.events[name].fields, policy) for name in _DECIDES}, chosen=chosen,
        verdict=asked[_RECHECK], returned=back[0], more_returned=back[1] is not None,
        checked=checked, only=only, corrected=asked[_CORRECTED],
        decides=bool(actor.posts & chart.events["accept"].posts), people=actor.people, **words_of(branch),
    )  # fmt: skip


def _checked(conn: Connection, request: Request[Any, Any, Any], only: int | None) -> list[Visit]:
    """CallerError `unknown_visit` of one that the reader does not see."""
    if only is None:
        return visits_checked(conn) if reach(request).everything else []
    branch = serving_of(request).branch
    return [seen(conn, branch, VISITS, actor_of(request), only, branch.today(now()))[0]]


route_handlers = [decide, check_again, put_right, board]
