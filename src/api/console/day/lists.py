"""Lists as the basic-risk post hands them out: whose there are, moving tasks; and the four lists of 5.4."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.params import QueryParameter
from sqlalchemy.engine import Connection

from api.auth import actor_of
from api.console.day.pages import acting, chosen, in_form, lines_of
from api.console.frame.files import ListFile, named_list
from api.console.frame.forms import Tried, problem_of, typed_in
from api.console.frame.page import language_of, render
from api.permitted import reach
from api.serving import serving_of
from casework.clock import now
from casework.people.staff.actor import Actor
from casework.people.staff.listing import names_of
from casework.spreadsheet import Column
from casework.storage.database import reading
from casework.table import Lang
from casework.work.tasks import strategies
from casework.work.tasks.own import list_of, states, tasks_of
from casework.work.tasks.table import CASES, COLUMNS, lines_of_cases, lines_of_list

_Request = Request[Any, Any, Any]
_Day = Annotated[date | None, QueryParameter(description="Whose morning; today, if left out.")]
_Whose = Annotated[str, QueryParameter(max_length=32)]
_Name = Annotated[str, QueryParameter(max_length=32)]
_After = Annotated[int, QueryParameter(ge=0, le=2**53 - 1)]
_PAGE: Final = 100


@post("/console/task-lists/move", opt={"page": "task.move"})
async def move(request: _Request) -> Response[Any]:
    """Move the chosen to somebody else's list; all of them, or none."""
    typed = await typed_in(request)
    whose = typed.get("whose", "")[:32]
    act = acting(
        request,
        lambda desk: desk.move(
            chosen(typed), to=typed.get("to", "").strip(), reason=typed.get("reason", ""), atomic=True
        ),
    )

    def work(conn: Connection, actor: Actor, at: datetime) -> str:
        act(conn, actor, at)
        return f"/console/task-lists?whose={quote(whose)}"

    def again(mistake: Any) -> Response[Any]:
        return _page(request, None, whose, Tried("move", typed, problem_of(mistake)))

    return await asyncio.to_thread(in_form, request, work, again)


@get("/console/task-lists", sync_to_thread=True, opt={"page": "task.lists"})
def task_lists(request: _Request, on: _Day = None, whose: _Whose = "") -> Response[Any]:
    """Every list of a day, and one of them; a past day's as it was handed out."""
    return _page(request, on, whose, None)


def _page(request: _Request, on: date | None, whose: str, tried: Tried | None) -> Response[Any]:
    serving, lang = serving_of(request), language_of(request)
    branch, today = serving.branch, serving.branch.today(now())
    day = on or today
    with reading(serving.engine, snapshot=True) as conn:
        lists = list(states(conn, day))
        found = list_of(conn, day, whose, handed_out=day < today) if whose else []
        lines = lines_of(conn, branch, found, lang, plain=True, on=day)
        names = names_of(conn, {whose, *(one.list_of for one in lists)})
        counts = strategies.counted(conn, branch, today)
    may_move = branch.rulebook.permissions.may(actor_of(request), "task.move")
    return render(
        request, "day/lists.html", status=int(tried.problem["status"]) if tried else 200, on=day, lists=lists,
        whose=whose, lines=lines, names=names, counts=counts, rules=branch.rulebook.tasks, tried=tried,
        moving=day == today and may_move,
    )  # fmt: skip


@get("/console/work-lists", sync_to_thread=True, opt={"page": "work_list.read"})
def work_list(request: _Request, name: _Name = "phone", after: _After = 0) -> Response[Any]:
    """One of the four lists, a page at a time."""
    serving = serving_of(request)
    branch = serving.branch
    strategies.work_list(branch, name)
    with reading(serving.engine, snapshot=True) as conn:
        found = strategies.lines_of(
            conn, branch, name, branch.today(now()), after=after, limit=_PAGE + 1, reach=reach(request)
        )
        names = names_of(conn, {who for one in found for who in (one.owner, one.handler)})
    lines = found[:_PAGE]
    return render(
        request, "day/work_list.html", name=name, lines=lines, names=names, rules=branch.rulebook.tasks,
        first=not after, following=str(lines[-1].id) if len(found) > _PAGE else None,
    )  # fmt: skip


# ── as workbooks ────────────────────────────────────────────────────────────────────────────────────────────────────


class ListWanted(NamedTuple):
    """Which lists of which day are taken out; all of that day, where none is named."""

    on: date | None
    whose: str


def _wanted(on: _Day = None, whose: _Whose = "") -> ListWanted:
    return ListWanted(on, whose)


def _tasks(request: _Request, wanted: ListWanted, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    branch, today = serving_of(request).branch, serving_of(request).branch.today(now())
    day = wanted.on or today
    with reading(serving_of(request).engine, snapshot=True) as conn:
        for name in [wanted.whose] if wanted.whose else [one.list_of for one in states(conn, day)]:
            yield from lines_of_list(branch, list_of(conn, day, name, handed_out=day < today), lang)


_OWN: Final = (
    *COLUMNS, Column("result", "最近结果", "Last result", 14), Column("promise", "承诺日", "Promised for", 12),
)  # fmt: skip


def _day(on: _Day = None) -> date | None:
    return on


def _own(request: _Request, on: date | None, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    """The reader's own list, as My day shows it."""
    branch, today = serving_of(request).branch, serving_of(request).branch.today(now())
    day = on or today
    with reading(serving_of(request).engine, snapshot=True) as conn:
        found = tasks_of(conn, branch, day, actor_of(request), handed_out=day < today)
        lines = lines_of(conn, branch, found, lang, plain=day < today, on=today)
    for cells, line in zip(lines_of_list(branch, found, lang), lines, strict=True):
        yield (*cells, line.result, line.promise)


def _named(name: _Name = "phone") -> str:
    return name


def _cases(request: _Request, name: str, lang: Lang, at_most: int) -> Iterator[Sequence[Any]]:
    branch = serving_of(request).branch
    with reading(serving_of(request).engine, snapshot=True) as conn:
        found = strategies.lines_of(
            conn, branch, name, branch.today(now()), limit=at_most, reach=reach(request)
        )  # fmt: skip
    return lines_of_cases(branch, found, lang)


FILES: Final = (
    ListFile("/console/day", "task.read", named_list("nav.day", _OWN), _own, wanted=_day,
             said=lambda on: {"on": str(on) if on else None}),
    ListFile("/console/task-lists", "task.lists", named_list("lists.title", COLUMNS), _tasks, wanted=_wanted,
             said=lambda asked: {"on": str(asked.on) if asked.on else None, "whose": asked.whose or None}),
    ListFile("/console/work-lists", "work_list.read", named_list("lists.four", CASES), _cases, wanted=_named,
             said=lambda name: {"list": name}),
)  # fmt: skip
route_handlers = [move, task_lists, work_list]
