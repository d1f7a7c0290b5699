"""Visits beyond what every noun has: which cases owe one by when, a day's stops, photos drawn to be checked again."""

from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import Body, QueryParameter

from api.auth import actor_of
from api.example import Example
from api.permitted import reach
from api.reading.asking import Cursor, Limit, answers, reader_of
from api.serving import serving_of
from casework.storage.database import reading
from casework.work.cases.route import RouteOfDay, route_of
from casework.work.cases.visits_due import VisitsDuePage, VisitsDueWanted, page_of_visits_due
from casework.work.photos.drawing import Draw, draw_photos

_Code = Annotated[str | None, QueryParameter(max_length=64)]
_DUE = {
    "id": 1207, "institution": "wuhan", "loan_id": "L2024000917", "borrower_id": "B000731", "product": "consumer",
    "team": "T2", "region": "R1", "state": "phone_collection", "state_since": "2026-03-02", "owner": "S0012",
    "handler": "S0103", "principal_at_opening_fen": 6_250_000, "oldest_due_date": "2026-03-01",
    "visit_due_on": "2026-03-31", "holds": [], "visit_id": 31, "visit_on": "2026-03-10", "area": "XH",
}  # fmt: skip
_STOP = {
    "visit_id": 31, "case_id": 1207, "loan_id": "L2024000917", "stop": 1, "state": "planned", "address_kind": "home",
    "area": "XH", "visitor": "S0012", "second_visitor": "S0109", "assisting_channel": None, "assistant": None,
    "risk_acknowledged": False,
}  # fmt: skip


@get("/visits/due", sync_to_thread=True, summary="Cases that owe a visit, by when", tags=["visits"],
     responses=answers(VisitsDuePage, {"items": [_DUE], "next": None}, "cursor_malformed", "filter_malformed",
                       "invalid_request"))  # fmt: skip
def visits_due(
    request: Request[Any, Any, Any], due_by: Annotated[date | None, QueryParameter(description="Or before.")] = None,
    owner: _Code = None, team: _Code = None, region: _Code = None,
    area: Annotated[str | None, QueryParameter(max_length=64, description="Of the visit that was ordered.")] = None,
    planned: Annotated[bool | None, QueryParameter(description="Whether one was ordered and not made yet.")] = None,
    limit: Limit = 50, cursor: Cursor = None,
) -> VisitsDuePage:  # fmt: skip
    """From the policy's amount on, in house and not visited since opening: due at its DPD, sooner where lost (1.3.2a).

    What holds the case is named; whoever holds it back owes no visit that day, and the day it is due stays.
    """
    serving, _ = reader_of(request, "due_by", "owner", "team", "region", "area", "planned", "limit", "cursor")
    wanted = VisitsDueWanted(due_by=due_by, owner=owner, team=team, region=region, area=area, planned=planned)
    with reading(serving.engine, snapshot=True) as conn:
        return page_of_visits_due(conn, wanted, within=reach(request), limit=limit, cursor=cursor)


@get("/visits/route", sync_to_thread=True, summary="The stops of somebody's day, in order", tags=["visits"],
     responses=answers(RouteOfDay, {"on": "2026-03-10", "visitor": "S0012", "stops": [_STOP]}, "filter_malformed",
                       "invalid_request"))  # fmt: skip
def route(
    request: Request[Any, Any, Any], on: Annotated[date, QueryParameter()],
    visitor: Annotated[str, QueryParameter(max_length=64)],
) -> RouteOfDay:  # fmt: skip
    """The visits that they lead or go along to that day: by number of the stop, then by area."""
    serving, _ = reader_of(request, "on", "visitor")
    with reading(serving.engine, snapshot=True) as conn:
        return route_of(conn, on, visitor, within=reach(request))


class SampleBody(msgspec.Struct, forbid_unknown_fields=True):
    """Of visits made on these days, both included."""

    first: date
    last: date


_DRAW = {
    "photos": ["sha256:" + "0f" * 32], "listed": 8, "seed": "5e" * 32, "committed_id": "samples:photos:1",
    "drawn_id": "samples:photos:2",
}  # fmt: skip
_DAYS = [Example(id="month", summary="Those of February", value={"first": "2026-02-01", "last": "2026-02-28"})]


@post("/visits/samples", status_code=200, sync_to_thread=True, tags=["visits"],
      summary="Draw photos to be checked again",
      responses=answers(Draw, _DRAW, "nothing_to_draw", "period_malformed", "malformed_json", "invalid_request",
                        "body_too_large", "unsupported_media_type", "database_busy", "database_full"))  # fmt: skip
def draw_sample(request: Request[Any, Any, Any], data: Annotated[SampleBody, Body(examples=_DAYS)]) -> Draw:
    """The policy's share of the photos of accepted visits, by a seed that two entries prove; each is a task at once.

    What comes of one is the fact `recheck` of its visit (POST /visits/{number}/facts).
    """
    serving = serving_of(request)
    return draw_photos(serving.engine, serving.branch, actor_of(request), data.first, data.last)


route_handlers = (visits_due, route, draw_sample)
