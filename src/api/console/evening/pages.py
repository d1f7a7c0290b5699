"""17:00: duties of a day by person, done, late, open and exempt; contacts against the gate, and their review."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final, NamedTuple

from litestar import Request, Response, get, post
from litestar.params import QueryParameter

from api.auth import actor_of
from api.console.frame.forms import Tried, problem_of, typed_in
from api.console.frame.page import render, to
from api.contact_breaches import ReviewBody, breach_reviewed, breaches_between
from api.problems import status_of
from api.reading.asking import check_parameters
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.people.staff.listing import names_of
from casework.storage.database import reading
from casework.work.duties.listing import Listed, duties_on
from casework.work.gate.reviews import VERDICTS

STATUSES: Final = ("done", "late", "open", "exempt")


class Person(NamedTuple):
    """Who owes duties that day, and what became of them."""

    owed_by: str
    name: str | None
    counts: Counter[str]


@get("/console/evening", sync_to_thread=True, opt={"page": "breach.read"})
def evening(request: Request[Any, Any, Any], on: Annotated[date | None, QueryParameter()] = None) -> Response[Any]:
    """Of today, or of a day before."""
    check_parameters(request, ("on",))
    return _page(request, on, None)


@post("/console/evening/reviews", opt={"page": "breach.review"})
async def review(request: Request[Any, Any, Any]) -> Response[Any]:
    """What the basic-risk post makes of a contact against the gate; an entry."""
    typed = await typed_in(request)
    on = _day(typed.get("on", ""))
    remark = typed.get("remark", "").strip()[:2_000] or None
    body = ReviewBody(typed.get("contact_ref", ""), typed.get("verdict", ""), remark, typed.get("source") or None)
    try:
        await asyncio.to_thread(breach_reviewed, request, body)
    except CallerError as told:
        if status_of(told.code) in (401, 403):
            raise
        return await asyncio.to_thread(_page, request, on, Tried("review", typed, problem_of(told)))
    return to(f"/console/evening?on={on}" if on else "/console/evening")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _page(request: Request[Any, Any, Any], on: date | None, tried: Tried | None) -> Response[Any]:
    serving = serving_of(request)
    branch = serving.branch
    day = on or branch.today(now())
    with reading(serving.engine, snapshot=True) as conn:
        listed = duties_on(conn, branch, day)
        names = names_of(conn, {one.owed_by for one in listed})
    breaches = breaches_between(request, day, day).items
    permissions, actor = branch.rulebook.permissions, actor_of(request)
    return render(
        request, "evening/evening.html", status=int(tried.problem["status"]) if tried else 200, day=day,
        people=_people(listed, names), duties=_duties(listed), rules=branch.rulebook.duties.by_name,
        breaches=breaches, statuses=STATUSES, verdicts=VERDICTS, tried=tried,
        may_review=permissions.may(actor, "breach.review"),
    )  # fmt: skip


def _people(listed: Sequence[Listed], names: dict[str, str]) -> list[Person]:
    """Whoever is late first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in listed:
        counts[one.owed_by][one.status] += 1
    found = [Person(who, names.get(who), of_them) for who, of_them in counts.items()]
    return sorted(found, key=lambda one: (-one.counts["late"], -one.counts["open"], one.owed_by))


def _duties(listed: Sequence[Listed]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in listed:
        counts[one.duty][one.status] += 1
    return counts


route_handlers = [review, evening]
