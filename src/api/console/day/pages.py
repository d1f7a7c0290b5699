"""My day: one's own list, ranked, each line with why it is there; taking it is an act with a time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.params import QueryParameter
from sqlalchemy.engine import Connection

from api.auth import actor_of, still_valid
from api.console.day.place import is_call, place_of
from api.console.frame.forms import Tried, number_of, problem_of, typed_in
from api.console.frame.page import language_of, render, to
from api.console.nouns.shown import NOUNS
from api.problems import status_of
from api.serving import serving_of
from casework.clock import now
from casework.customer import Customer
from casework.errors import CallerError
from casework.operation.morning import make_lists
from casework.people.staff.actor import Actor, system
from casework.people.staff.permissions import Reach
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.lifecycles import CALL_BACKS, PROMISES
from casework.work.cases.shown import ShownWanted, page_of
from casework.work.cases.tables import cases
from casework.work.contacts.latest import called_by, last_results
from casework.work.gate.soonest import soonest_calls
from casework.work.tasks.acts import Addition, Became, Desk
from casework.work.tasks.own import Task, state_of, take_list, tasks_of, told
from casework.work.tasks.pulling import take_next
from casework.work.tasks.strategies import start, strategies_of
from casework.work.tasks.words import word_of

_Day = Annotated[date | None, QueryParameter(description="A past day.")]
CLOSE: Final = time(17)
"""When the day's duties are to be done (1.3.1)."""
_PROMISES: Final = 20


@post("/console/day/take", opt={"page": "task.take"})
async def take(request: Request[Any, Any, Any]) -> Response[Any]:
    """Take today's list; it is made first where nobody has."""
    await typed_in(request)

    def work(conn: Connection, actor: Actor, at: datetime) -> str:
        branch = serving_of(request).branch
        take_list(conn, branch, branch.today(at), actor, at)
        return "/console/day"

    return await asyncio.to_thread(_done, request, "take", {}, work)


@post("/console/day/next", opt={"page": "task.next"})
async def begin_next(request: Request[Any, Any, Any]) -> Response[Any]:
    """Begin the next task, and go where it is done."""
    await typed_in(request)

    def work(conn: Connection, actor: Actor, at: datetime) -> str:
        task = take_next(conn, serving_of(request).branch, actor, at)
        return place_of(task) or "/console/day"

    return await asyncio.to_thread(_done, request, "next", {}, work)


@post("/console/day/postpone", opt={"page": "task.change"})
async def postpone(request: Request[Any, Any, Any]) -> Response[Any]:
    """Put the chosen off; all of them, or none."""
    typed = await typed_in(request)

    def act(desk: Desk) -> Sequence[Became]:
        until = day_named(typed, "until")
        return desk.postpone(chosen(typed), until=until, reason=typed.get("reason", ""), atomic=True)

    return await asyncio.to_thread(_done, request, "chosen", typed, acting(request, act))


@post("/console/day/end", opt={"page": "task.change"})
async def end(request: Request[Any, Any, Any]) -> Response[Any]:
    """End the chosen, which were added by hand; all of them, or none."""
    typed = await typed_in(request)
    act = acting(request, lambda desk: desk.finish(chosen(typed), atomic=True))
    return await asyncio.to_thread(_done, request, "chosen", typed, act)


@post("/console/day/strategy", opt={"page": "task.strategy"})
async def strategy(request: Request[Any, Any, Any]) -> Response[Any]:
    """Start a strategy today for the cases of the chosen; all of them, or none."""
    typed = await typed_in(request)

    def work(conn: Connection, actor: Actor, at: datetime) -> str:
        branch, wanted = serving_of(request).branch, set(chosen(typed))
        listed = tasks_of(conn, branch, branch.today(at), actor)
        found = {one.id: one.case_id for one in listed if one.case_id is not None}
        if not wanted <= found.keys():
            raise CallerError("unknown_task")
        numbers = sorted({found[one] for one in wanted})
        raise_first(start(conn, branch, actor, numbers, typed.get("strategy", ""), at, atomic=True))
        return "/console/day"

    return await asyncio.to_thread(_done, request, "chosen", typed, work)


@post("/console/day/add", opt={"page": "task.change"})
async def add(request: Request[Any, Any, Any]) -> Response[Any]:
    """Add a task to one's own list."""
    typed = await typed_in(request)

    def act(desk: Desk) -> Sequence[Became]:
        due_on = day_named(typed, "due_on")
        return desk.add([Addition(number_of(typed, "case_id") or 0, typed.get("what", ""), due_on)])

    return await asyncio.to_thread(_done, request, "add", typed, acting(request, act))


def chosen(typed: Mapping[str, str]) -> list[int]:
    """The tasks whose boxes are ticked; CallerError where none is."""
    found = [name.partition(".")[2] for name in typed if name.startswith("task.")]
    numbers = [int(one) for one in found if one.isascii() and one.isdigit() and len(one) < 16]
    if not numbers:
        raise CallerError("no_task_chosen")
    return numbers


def day_named(typed: Mapping[str, str], name: str) -> date:
    """A day that a form names; CallerError `date_malformed`."""
    try:
        return date.fromisoformat(typed.get(name, ""))
    except ValueError:
        raise CallerError("date_malformed", field=name) from None


def acting(
    request: Request[Any, Any, Any], act: Callable[[Desk], Sequence[Became]]
) -> Callable[[Connection, Actor, datetime], str]:  # fmt: skip
    """An act of a form; the first that was refused is shown, and then nothing was done."""

    def work(conn: Connection, actor: Actor, at: datetime) -> str:
        desk = Desk(conn, serving_of(request).branch, actor, at)
        raise_first(act(desk))
        desk.close()
        return "/console/day"

    return work


def raise_first(became: Sequence[Became]) -> None:
    """The first that was refused, as a CallerError."""
    refused = next((one.refused for one in became if one.refused and one.refused.code != "not_done"), None)
    if refused is not None:
        raise refused


def _done(
    request: Request[Any, Any, Any], key: str, typed: Mapping[str, str],
    work: Callable[[Connection, Actor, datetime], str],
) -> Response[Any]:  # fmt: skip
    return in_form(request, work, lambda mistake: _page(request, Tried(key, typed, problem_of(mistake))))


def in_form(
    request: Request[Any, Any, Any], work: Callable[[Connection, Actor, datetime], str],
    again: Callable[[CallerError], Response[Any]],
) -> Response[Any]:  # fmt: skip
    """One transaction of a form on today's lists, and where it leads; the page once more where it was refused."""
    serving, at = serving_of(request), now()
    try:
        with writing(serving.engine) as conn:
            actor = still_valid(conn, request)
            make_lists(conn, serving.branch, serving.branch.today(at), system("api"))
            place = work(conn, actor, at)
    except CallerError as mistake:
        if status_of(mistake.code) in (401, 403):
            raise
        return again(mistake)
    return to(place)


@get("/console/day", sync_to_thread=True, opt={"page": "task.read"})
def day(request: Request[Any, Any, Any], on: _Day = None) -> Response[Any]:
    """Today's list, in order, and what today has come to; a past day's as it was handed out."""
    return _page(request, None, on)


class Line(NamedTuple):
    """A task as the page shows it, with what is known of its case."""

    task: Task
    word: str
    why: str
    result: str = ""
    promise: date | None = None
    held: bool = False
    strategy: str = ""

    @property
    def place(self) -> str | None:
        """Where it is done."""
        return place_of(self.task)

    @property
    def calls(self) -> bool:
        """Whether it is done by calling."""
        return is_call(self.task)


def _page(request: Request[Any, Any, Any], tried: Tried | None, on: date | None = None) -> Response[Any]:
    serving, actor, lang = serving_of(request), actor_of(request), language_of(request)
    branch, at = serving.branch, now()
    today = branch.today(at)
    shown = on or today
    past = shown < today
    with reading(serving.engine, snapshot=True) as conn:
        found = tasks_of(conn, branch, shown, actor, handed_out=past)
        lines = lines_of(conn, branch, found, lang, plain=past, on=today)
        called = called_by(conn, actor.id, today)
        promises = _promises(conn, branch, actor, today)
        numbers = [] if past else [one.case_id for one in found if one.case_id is not None and is_call(one)]
        promised = 0 if past else conn.execute(_PROMISED, {"on": today, "whose": actor.id}).scalar_one()
        soonest = soonest_calls(conn, branch, actor, numbers, at)
        call_backs = _call_backs(conn, branch, actor, numbers)
        state = state_of(conn, shown, actor.id)
    return render(
        request, "day/day.html", status=int(tried.problem["status"]) if tried else 200, lines=lines, called=called,
        soonest=soonest, call_backs=call_backs, promises=promises, promised=promised,
        promise_chart=branch.rulebook.charts["promise"], left=_left(branch, at), tried=tried,
        on=shown, past=past, state=state, rules=branch.rulebook.tasks, until=today + timedelta(days=1),
        may_start=branch.rulebook.permissions.may(actor, "task.strategy"),
    )  # fmt: skip


_CASES: Final = sa.select(cases.c.id, cases.c.institution, cases.c.borrower_id, cases.c.facts)


class _Known(msgspec.Struct, gc=False):
    """What the page needs of a case's facts."""

    promise_pay_by: date | None = None
    promises: dict[str, date] = {}
    holds: list[str] = []


_known: Final = msgspec.json.Decoder(_Known).decode


def lines_of(
    conn: Connection, branch: Branch, found: Sequence[Task], lang: str, *, plain: bool, on: date
) -> list[Line]:  # fmt: skip
    """With last result, promise, hold and the strategy of today of each case, as they are now; `plain`: without."""
    numbers = sorted({one.case_id for one in found if one.case_id is not None})
    known = {row.id: row for row in rows.select_by_keys(conn, _CASES, "id", [] if plain else numbers)}
    begun, words = strategies_of(conn, on, [] if plain else numbers), branch.rulebook.tasks.strategies
    last = last_results(conn, {Customer(row.institution, row.borrower_id) for row in known.values()})
    lines = []
    for one in found:
        word, why = getattr(word_of(branch, one), lang), told(one)[lang == "en"]
        row = known.get(one.case_id or 0)
        if row is None:
            lines.append(Line(one, word, why))
            continue
        facts, said = _known(row.facts), last.get(Customer(row.institution, row.borrower_id))
        result = branch.rulebook.results.by_code.get(said.result) if said else None
        lines.append(
            Line(
                one, word, why, getattr(result, lang) if result else "",
                facts.promise_pay_by if facts.promises else None, bool(facts.holds),
                getattr(words[begun[row.id]], lang) if row.id in begun else "",
            )
        )  # fmt: skip
    return lines


def _promises(conn: Connection, branch: Branch, actor: Actor, today: date) -> list[Any]:
    """Live promises of one's own cases whose last day comes by tomorrow."""
    noun = next(one for one in NOUNS if one.word == "promise")
    theirs, wanted = Reach(people=actor.people), ShownWanted(due_by=today + timedelta(days=1))
    items, _ = page_of(conn, branch, noun, theirs, wanted, limit=_PROMISES, cursor=None)
    return items


_PROMISED: Final = sa.select(sa.func.count()).where(
    PROMISES.table.c.opened_by == sa.bindparam("whose"), PROMISES.table.c.made_on == sa.bindparam("on", type_=sa.Date),
    PROMISES.table.c.due_on >= sa.bindparam("on", type_=sa.Date),
)  # fmt: skip
_CALL_BACKS: Final = sa.select(*(CALL_BACKS.table.c[name] for name in ("parent_id", "due_at", "party"))).where(
    CALL_BACKS.table.c.live
)


def _call_backs(conn: Connection, branch: Branch, actor: Actor, numbers: Sequence[int]) -> dict[int, Any]:
    """The next call-back of each case that has one, for whoever may look at them."""
    if not branch.rulebook.permissions.may(actor, f"{CALL_BACKS.word}.read"):
        return {}
    found = rows.select_by_keys(conn, _CALL_BACKS, "parent_id", sorted(set(numbers)))
    return {one.parent_id: one for one in sorted(found, key=lambda one: one.due_at, reverse=True)}


def _left(branch: Branch, at: datetime) -> str:
    """How long it is until the day's close; nothing after it."""
    local = at.astimezone(ZoneInfo(branch.time_zone))
    left = datetime.combine(local.date(), CLOSE, local.tzinfo) - local
    hours, minutes = divmod(max(0, int(left.total_seconds()) // 60), 60)
    return f"{hours}:{minutes:02d}" if left > timedelta() else ""


route_handlers = [take, begin_next, postpone, end, strategy, add, day]
