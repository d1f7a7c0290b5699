"""My day: one's own list, ranked, each line with why it is there; taking it is an act with a time."""

import asyncio
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Request, Response, get, post
from sqlalchemy.engine import Connection

from api.auth import actor_of, still_valid
from api.console.frame.forms import Tried, problem_of, typed_in
from api.console.frame.page import language_of, render, to
from api.console.nouns.shown import NOUNS
from api.problems import status_of
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.operation.morning import make_lists
from casework.people.staff.actor import Actor, system
from casework.people.staff.permissions import Reach
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.shown import ShownWanted, page_of
from casework.work.contacts.latest import called_by
from casework.work.tasks.own import take_list, tasks_of, told
from casework.work.tasks.words import word_of

CLOSE: Final = time(17)
"""When the day's duties are to be done (1.3.1)."""
_PROMISES: Final = 20


@post("/console/day/take", opt={"page": "task.take"})
async def take(request: Request[Any, Any, Any]) -> Response[Any]:
    """Take today's list; it is made first where nobody has."""
    await typed_in(request)
    serving = serving_of(request)

    def work() -> Response[Any]:
        at = now()
        try:
            with writing(serving.engine) as conn:
                make_lists(conn, serving.branch, serving.branch.today(at), system("api"))
                take_list(conn, serving.branch, serving.branch.today(at), still_valid(conn, request), at)
        except CallerError as mistake:
            if status_of(mistake.code) in (401, 403):
                raise
            return _page(request, Tried("take", {}, problem_of(mistake)))
        return to("/console/day")

    return await asyncio.to_thread(work)


@get("/console/day", sync_to_thread=True, opt={"page": "task.read"})
def day(request: Request[Any, Any, Any]) -> Response[Any]:
    """Today's list, in order, and what today has come to."""
    return _page(request, None)


def _page(request: Request[Any, Any, Any], tried: Tried | None) -> Response[Any]:
    serving, actor, lang = serving_of(request), actor_of(request), language_of(request)
    branch, at = serving.branch, now()
    today = branch.today(at)
    with reading(serving.engine, snapshot=True) as conn:
        found = tasks_of(conn, today, actor)
        called = called_by(conn, actor.id, today)
        promises = _promises(conn, branch, actor, today)
    lines = [(row, getattr(word_of(branch, row), lang), told(row)[lang == "en"]) for row in found]
    return render(
        request, "day/day.html", status=int(tried.problem["status"]) if tried else 200, lines=lines, called=called,
        promises=promises, promise_chart=branch.rulebook.charts["promise"], left=_left(branch, at), tried=tried,
    )  # fmt: skip


def _promises(conn: Connection, branch: Branch, actor: Actor, today: date) -> list[Any]:
    """Live promises of one's own cases whose last day comes by tomorrow."""
    noun = next(one for one in NOUNS if one.word == "promise")
    theirs, wanted = Reach(people=actor.people), ShownWanted(due_by=today + timedelta(days=1))
    items, _ = page_of(conn, branch, noun, theirs, wanted, limit=_PROMISES, cursor=None)
    return items


def _left(branch: Branch, at: datetime) -> str:
    """How long it is until the day's close; nothing after it."""
    local = at.astimezone(ZoneInfo(branch.time_zone))
    left = datetime.combine(local.date(), CLOSE, local.tzinfo) - local
    hours, minutes = divmod(max(0, int(left.total_seconds()) // 60), 60)
    return f"{hours}:{minutes:02d}" if left > timedelta() else ""


route_handlers = [take, day]
