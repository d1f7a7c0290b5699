"""Today's route of who visits, and one stop of it: the address, check-in and check-out, photos, the report.

Made for a phone: the browser says where it is where it may, and photos wait in it while there is no connection
(`frame/assets/visits.js`); all of it works without scripts too.
"""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import QueryParameter

from api.auth import actor_of
from api.console.cases.timeline import word_of
from api.console.frame.forms import Tried, problem_of, typed_in
from api.console.frame.page import language_of, render, to
from api.console.nouns.firing import fired
from api.console.nouns.shown import columns_of
from api.nouns import Number
from api.outcomes import Named
from api.problems import status_of
from api.serving import serving_of
from casework.clock import now
from casework.customer import Customer
from casework.errors import CallerError
from casework.people.staff.listing import names_of
from casework.pictures import MAX_BYTES
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import BusinessDates
from casework.work.cases.lifecycles import VISITS
from casework.work.cases.options import fields_of
from casework.work.cases.shown import options_of, seen
from casework.work.cases.visit_addresses import is_news, risks_of
from casework.work.cases.visit_places import (
    FIELD,
    REVEAL,
    masked_addresses,
    reveal_address,
    visits_of_day,
    visits_returned,
)
from casework.work.photos.showing import LOOK, photos_of
from casework.work.photos.storing import COMMAND as SEND
from casework.work.visits.visit import Visit

NAMED: Final = Named("/visits", "id", "下户", "visit", VISITS.word)
NOW: Final = ("check_in", "check_out")
"""Events that happen when their button is pressed, unless another time is typed."""


@get("/console/visits/today", sync_to_thread=True, opt={"page": "visit.read"})
def today(request: Request[Any, Any, Any]) -> Response[Any]:
    """The visits of today that the reader leads or goes along with."""
    serving, actor = serving_of(request), actor_of(request)
    branch = serving.branch
    day = branch.today(now())
    with reading(serving.engine, snapshot=True) as conn:
        found, back = visits_of_day(conn, actor.people, day), visits_returned(conn, actor.people)
        addresses, risks = masked_addresses(conn, branch, actor, found), risks_of(conn, [one.id for one in found])
        names = names_of(conn, {one for visit in (*found, *back) for one in visit.visitors})
    _record(request, [visit for visit in found if visit.id in addresses])
    return render(
        request, "visits/today.html", day=day, stops=found, addresses=addresses, risks=risks, names=names, clear={},
        purposes=purposes_of(request), queue_key=_queue_key(request), returned=back, **words_of(branch),
    )  # fmt: skip


@get("/console/visits/{number:int}/stop", sync_to_thread=True, opt={"page": "visit.read"})
def stop(
    request: Request[Any, Any, Any], number: Number, done: Annotated[str, QueryParameter(max_length=64)] = ""
) -> Response[Any]:
    """One visit, with all that its visitors do there."""
    return stop_page(request, number, done=done)


@post("/console/visits/{number:int}/stop", opt={"page": "visit.event"})
async def act(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """Check in, check out, report, break off: an event of the chart; then this stop again."""
    typed = await typed_in(request)
    event = typed.get("event", "")
    problem = await fired_here(request, number, event, typed)
    if problem:
        tried = Tried(f"event.{event}", typed, problem)
        return await asyncio.to_thread(lambda: stop_page(request, number, tried=tried))
    return to(f"/console/visits/{number}/stop?done={event}")


@post("/console/visits/{number:int}/address", opt={"page": "borrower.reveal"})
async def address(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """The address in clear, for the purpose that was chosen; gone when the page is left, for it is kept nowhere."""
    typed = await typed_in(request)

    def work() -> Response[Any]:
        serving = serving_of(request)
        try:
            found = reveal_address(
                serving.engine, serving.branch, actor_of(request), number, purpose=typed.get("purpose", "")
            )
        except CallerError as told:
            if told.code != "purpose_unknown":
                raise
            return stop_page(request, number, tried=Tried("address", typed, problem_of(told)))
        return stop_page(request, number, clear=found)

    return await asyncio.to_thread(work)


async def fired_here(request: Request[Any, Any, Any], number: int, event: str, typed: dict[str, str]) -> dict[str, Any]:
    """An event of a visit; the problem, nothing where it is done."""
    usual = {"at": now().isoformat()} if event in NOW else {}
    return await fired(request, VISITS, NAMED, number, event, typed, usual)


def stop_page(
    request: Request[Any, Any, Any], number: int, *, tried: Tried | None = None, done: str = "",
    clear: str | None = None,
) -> Response[Any]:  # fmt: skip
    """The page of one visit, with a form that came back, or its address in clear."""
    serving, actor, lang = serving_of(request), actor_of(request), language_of(request)
    branch, permissions = serving.branch, serving.branch.rulebook.permissions
    if tried is not None and status_of(tried.problem["code"]) in (401, 403, 404):
        raise CallerError(tried.problem["code"], tried.problem["detail_zh"], tried.problem["detail"])
    with reading(serving.engine, snapshot=True) as conn:
        visit: Visit
        visit, whose = seen(conn, branch, VISITS, actor, number, branch.today(now()))
        options = options_of(branch, BusinessDates(conn, branch), VISITS, visit, whose, actor)
        addresses, risks = masked_addresses(conn, branch, actor, [visit]), risks_of(conn, [number])
        names = names_of(conn, set(visit.visitors))
        sent = photos_of(conn, branch, actor, number, now()) if permissions.may(actor, LOOK) else []
    _record(request, [visit] if visit.id in addresses else [])
    chart = branch.rulebook.charts[VISITS.chart]
    fields = fields_of(chart.facts["photo"].fields, branch.rulebook.policies.all[-1])
    page = render(
        request, "visits/stop.html", status=int(tried.problem["status"]) if tried else 200, one=visit,
        options=options, risks=risks, news=number in risks and is_news(visit, risks[number]),
        acknowledge=chart.events["check_in"].fields["risk_acknowledged"],
        offers={one.event: one for one in options.events}, tried=tried,
        addresses=addresses, clear={number: clear} if clear else {}, names=names, sent=sent,
        purposes=purposes_of(request), queue_key=_queue_key(request),
        columns=columns_of(branch, VISITS, visit, lang), done=getattr(chart.events.get(done), lang, ""),
        sent_now=done == "photo", photo={one.name: one for one in fields}, most_bytes=MAX_BYTES,
        may_send=permissions.may(actor, SEND) and actor.id in visit.visitors, **words_of(branch),
    )  # fmt: skip
    page.headers["permissions-policy"] = "camera=(), geolocation=(self), microphone=()"
    return page


def purposes_of(request: Request[Any, Any, Any]) -> list[Any]:
    """For which the reader may be shown an address, that of a visit first; none where they may not at all."""
    permissions, actor = serving_of(request).branch.rulebook.permissions, actor_of(request)
    held = actor.posts.union(*(principal.posts for principal in actor.principals))
    if not permissions.may(actor, REVEAL) or not permissions.personal[FIELD].reveal & held:
        return []
    found = [row for row in permissions.purposes.values() if row.posts & held]
    return sorted(found, key=lambda row: row.code != VISITS.word)


def _queue_key(request: Request[Any, Any, Any]) -> str:
    """With it photos are sealed while they wait in the reader's browser, which has it from a page of theirs alone."""
    return b64encode(serving_of(request).branch.vault.key_outside(f"photos:{actor_of(request).id}")).decode()


def words_of(branch: Branch) -> dict[str, Any]:
    """What templates say of codes: as the chart has them, else as the table of words does."""
    chart = branch.rulebook.charts[VISITS.chart]
    return {"chart": chart, "told_code": lambda code, lang: word_of(f"code.{code}", _word(chart, code, lang), lang)}


def _word(chart: Any, code: str, lang: str) -> str:
    return str(chart.words[code][lang]) if code in chart.words else code


def _record(request: Request[Any, Any, Any], visits: Sequence[Visit]) -> None:
    """That addresses were shown, masked."""
    if visits:
        serving = serving_of(request)
        customers = {Customer(visit.institution, visit.borrower_id) for visit in visits}
        with writing(serving.engine) as conn:
            record_read(conn, serving.branch, actor_of(request), customers, {FIELD})


route_handlers = [act, address, today, stop]
