"""Giving out a morning's cases: looked at first, then run behind with its progress; what it did, by person and case."""

import asyncio
from datetime import date
from typing import Any, Final

from litestar import Request, Response, get, post

from api.begun_behind import behind
from api.console.frame.forms import Tried, day_of, problem_of, typed_in
from api.console.frame.page import render, to
from api.distribution import DISTRIBUTION, begun
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.operation.distributing import Distributed
from casework.people.shifts.answering import WHYS
from casework.people.staff.listing import names_of
from casework.storage.database import reading

_SHOWN: Final = 200
_PLACE: Final = "/console/distribution"


@post(_PLACE, opt={"page": "case.distribute"})
async def begin_run(request: Request[Any, Any, Any]) -> Response[Any]:
    """Look at a morning, or give its cases out; it goes on when the page is left."""
    typed = await typed_in(request)
    on = day_of(typed)
    if on is None:
        return await asyncio.to_thread(_page, request, Tried("run", typed, problem_of(CallerError("date_malformed"))))
    try:
        await asyncio.to_thread(begun, request, on, dry_run=typed.get("do") != "run")
    except CallerError as told:
        return await asyncio.to_thread(_page, request, Tried("run", typed, problem_of(told)))
    return to(_PLACE)


@get(_PLACE, sync_to_thread=True, opt={"page": "case.distribute"})
def distribution(request: Request[Any, Any, Any]) -> Response[Any]:
    """The last run that was begun here: how far it is, or what it would do or did."""
    return _page(request)


def _page(request: Request[Any, Any, Any], tried: Tried | None = None) -> Response[Any]:
    serving, work = serving_of(request), behind(request, DISTRIBUTION)
    outcome: Distributed | None = work.outcome
    if tried is None and work.mistake is not None:
        tried = Tried("run", {}, problem_of(work.mistake))
    names: dict[str, str] = {}
    unplaced: dict[tuple[str, str], int] = {}
    if outcome is not None:
        shown = outcome.moves[:_SHOWN]
        people = {one.staff_no for one in outcome.handlers} | {one.answers for one in outcome.answers}
        with reading(serving.engine) as conn:
            names = names_of(conn, people | {who for one in shown for who in (one.owner, one.from_handler)})
        for one in outcome.unplaced:
            unplaced[one.post, one.code] = unplaced.get((one.post, one.code), 0) + 1
    on: date = work.about.on if work.about else serving.branch.today(now())
    return render(
        request, "distribution/distribution.html", status=int(tried.problem["status"]) if tried else 200, work=work,
        outcome=outcome, tried=tried, on=on, names=names, unplaced=sorted(unplaced.items()), shown=_SHOWN,
        running=work.running, rules={one.name: one for one in serving.branch.rulebook.owners.handlers}, whys=WHYS,
    )  # fmt: skip


route_handlers = [begin_run, distribution]
