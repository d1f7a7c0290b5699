"""Requests: what waits for a decision, one with its data and what has changed since, and the decision."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import takewhile
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromQuery, QueryParameter

from api.auth import actor_of
from api.console.cases.timeline import told, value_of, word_of
from api.console.frame import shown
from api.console.frame.forms import Tried, number_of, problem_when, typed_in
from api.console.frame.page import language_of, render, to
from api.permitted import case_in_sight
from api.reading.asking import check_parameters
from api.requests import RequestId, decide
from api.serving import serving_of
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.storage.database import reading
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.detail import detail_of
from casework.work.cases.filter import BusinessDates
from casework.work.cases.history import HistoryItem, history_of_case
from casework.work.four_eyes import requests
from casework.work.four_eyes.listing import RequestLine, request_detail, request_list
from casework.work.four_eyes.requests import Moved, Refused

_ROWS = 50
_MOMENTS = 40


async def _decided(
    request: Request[Any, Any, Any], number: int, key: str, act: Callable[[Any, Actor, dict[str, Any]], Moved | Refused]
) -> Response[Any]:
    typed = await typed_in(request)
    given = {"version": number_of(typed, "version"), "remark": typed.get("remark", "").strip() or None}
    doing = decide(request, typed.get("once") or None, None, lambda conn, actor: act(conn, actor, {**typed, **given}))
    if problem := await problem_when(doing):
        return await asyncio.to_thread(_page, request, number, Tried(key, typed, problem))
    return to(f"/console/requests/{number}?done={key}")


@post("/console/requests/{request_id:int}/review", opt={"page": "request.decide"})
async def review(request: Request[Any, Any, Any], request_id: RequestId) -> Response[Any]:
    """The first of those who decide."""
    branch = serving_of(request).branch
    return await _decided(request, request_id, "review", lambda conn, actor, typed: requests.review(
        conn, branch, request_id, actor=actor, remark=typed["remark"], version=typed["version"]))  # fmt: skip


@post("/console/requests/{request_id:int}/approve", opt={"page": "request.decide"})
async def approve(request: Request[Any, Any, Any], request_id: RequestId) -> Response[Any]:
    """With that it happens, or is refused with every reason."""
    branch = serving_of(request).branch
    return await _decided(request, request_id, "approve", lambda conn, actor, typed: requests.approve(
        conn, branch, request_id, actor=actor, remark=typed["remark"], version=typed["version"]))  # fmt: skip


@post("/console/requests/{request_id:int}/return", opt={"page": "request.decide"})
async def send_back(request: Request[Any, Any, Any], request_id: RequestId) -> Response[Any]:
    """Back to who asked, with a reason."""
    branch = serving_of(request).branch
    return await _decided(request, request_id, "return", lambda conn, actor, typed: requests.send_back(
        conn, branch, request_id, actor=actor, reason=typed.get("data.reason", ""), remark=typed["remark"],
        version=typed["version"]))  # fmt: skip


@post("/console/requests/{request_id:int}/withdraw", opt={"page": "request.ask"})
async def withdraw(request: Request[Any, Any, Any], request_id: RequestId) -> Response[Any]:
    """By who asked."""
    branch = serving_of(request).branch
    return await _decided(request, request_id, "withdraw", lambda conn, actor, typed: requests.withdraw(
        conn, branch, request_id, actor=actor, remark=typed["remark"], version=typed["version"]))  # fmt: skip


@get("/console/requests", sync_to_thread=True, opt={"page": "request.read"})
def listed(
    request: Request[Any, Any, Any], box: FromQuery[Literal["inbox", "mine", "open"]] = "inbox",
    after: Annotated[int, QueryParameter(ge=0, le=2**53 - 1)] = 0,
) -> Response[Any]:  # fmt: skip
    """What waits for the reader, what they asked for, or all open that they may see; the oldest first."""
    check_parameters(request, ("box", "after"))
    serving = serving_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        page = request_list(conn, serving.branch, actor_of(request), box=box, after=after, limit=_ROWS)
    return render(request, "requests/list.html", items=page.items, following=page.next, box=box)


@get("/console/requests/{request_id:int}", sync_to_thread=True, opt={"page": "request.read"})
def one(
    request: Request[Any, Any, Any], request_id: RequestId,
    done: Annotated[str, QueryParameter(max_length=16)] = "",
) -> Response[Any]:  # fmt: skip
    """One request, and what the reader may do with it."""
    return _page(request, request_id, done=done)


def _page(request: Request[Any, Any, Any], number: int, tried: Tried | None = None, done: str = "") -> Response[Any]:
    serving, lang = serving_of(request), language_of(request)
    branch = serving.branch
    with reading(serving.engine, snapshot=True) as conn:
        found = request_detail(conn, branch, actor_of(request), number)
        case = _case_of(conn, request, found.request)
        since = list(_since(conn, branch, actor_of(request), found.request, case))
        dates = BusinessDates(conn, branch)
        its_case = None if case is None else detail_of(conn, case, branch.rulebook, dates.of(case.institution))
    event = branch.rulebook.chart.events.get(found.request.what)
    step = branch.rulebook.requests.events.get(done)
    return render(
        request, "requests/one.html", status=int(tried.problem["status"]) if tried else 200, found=found,
        one=found.request, data=list(_told(found.data, event, lang, branch.time_zone)), tried=tried,
        steps=branch.rulebook.requests.states, since=[told(branch, item, lang) for item in since],
        done=shown.told(step, lang) if step else "", its_case=its_case,
    )  # fmt: skip


def _case_of(conn: Any, request: Request[Any, Any, Any], one: RequestLine) -> Case | None:
    """The case that it is about, for whoever sees it."""
    word, _, number = one.subject.partition(":")
    if word == "case":
        with suppress(CallerError):
            return case_in_sight(conn, request, int(number))
    return None


def _since(conn: Any, branch: Branch, actor: Actor, one: RequestLine, case: Case | None) -> Iterator[HistoryItem]:
    """What has happened to its case since an open one was asked, without anybody's words."""
    if not one.open or case is None:
        return
    with suppress(CallerError):
        page = history_of_case(conn, branch, case, actor, limit=_MOMENTS, newest_first=True)
        since = takewhile(lambda item: item.data.get("request") != one.id, page.items)
        yield from (msgspec.structs.replace(item, texts={}) for item in since)


def _told(data: Mapping[str, Any], event: Any, lang: str, zone: str) -> Iterator[tuple[str, str, bool]]:
    """What was asked with, by the words of the event; of other kinds, by those of the table."""
    for name, value in data.items():
        field = event.fields.get(name) if event else None
        label = shown.told(field, lang) if field else word_of(f"field.{name}", name, lang)
        if isinstance(value, dict | list) or value is None:
            continue
        yield label, *value_of(field, value, lang, zone)


route_handlers = [review, approve, send_back, withdraw, listed, one]
