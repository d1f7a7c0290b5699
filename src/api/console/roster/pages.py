"""The roster of a week: who has which shift or is on leave, who answers for who is off; entering shifts, outages."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final, NamedTuple

from litestar import Request, Response, get, post
from litestar.params import QueryParameter

from api.auth import actor_of
from api.console.frame.forms import Tried, problem_of, typed_in
from api.console.frame.page import render, to
from api.problems import status_of
from api.reading.asking import check_parameters
from api.serving import Serving, serving_of
from api.written import changing
from casework.clock import now
from casework.errors import CallerError
from casework.operation.alarms import Alarms
from casework.people.days.declaring import Outage, declare_outage
from casework.people.days.loading import every_outage, read_calendar, unknown_years
from casework.people.shifts.answering import NOBODY_ON, WHYS, Answers, answers_on
from casework.people.shifts.entering import LONGEST_DAYS, ShiftGiven, enter_shifts
from casework.people.staff.listing import names_of
from casework.people.staff.person import ACTIVE
from casework.storage.database import reading
from casework.work.cases.gather import closed_through

_PLACE: Final = "/console/roster"
_DAYS: Final = 7
_DAY: Final = timedelta(days=1)
_PEOPLE: Final = 200


@dataclass(frozen=True, slots=True)
class Cell:
    """One person on one day: the shift (entered, or preset), whether on leave; who answers in their place, by what."""

    shift: Any
    entered: bool
    leave: bool
    answers: str | None
    why: tuple[str, str] | None
    nobody_on: bool


@post(_PLACE, opt={"page": "roster.change"})
async def enter(request: Request[Any, Any, Any]) -> Response[Any]:
    """Enter one shift for somebody, for a day or some days in a row."""
    return await _done(request, "shift", _enter)


@post(f"{_PLACE}/outages", opt={"page": "outage.declare"})
async def outage(request: Request[Any, Any, Any]) -> Response[Any]:
    """Declare an outage, or withdraw one."""
    return await _done(request, "outage", _outage)


@get(_PLACE, sync_to_thread=True, opt={"page": "roster.read"})
def roster(
    request: Request[Any, Any, Any],
    week: Annotated[date | None, QueryParameter()] = None,
    team: Annotated[str | None, QueryParameter(max_length=64)] = None,
) -> Response[Any]:
    """The week in which a day lies, Monday to Sunday."""
    check_parameters(request, ("week", "team"))
    return _page(request, week, (team or "").strip() or None)


async def _done(request: Request[Any, Any, Any], key: str, act: Any) -> Response[Any]:
    typed = await typed_in(request)

    def work() -> None:
        with changing(request) as change:
            act(change, typed)

    try:
        await asyncio.to_thread(work)
    except CallerError as told:
        if status_of(told.code) in (401, 403):
            raise
        tried = Tried(key, typed, problem_of(told))
        return await asyncio.to_thread(_page, request, _day(typed.get("from_on", ""), None), None, tried)
    first = _day(typed.get("from_on", ""), None)
    return to(f"{_PLACE}?week={first}" if first else _PLACE)


def _enter(change: Any, typed: dict[str, str]) -> None:
    first = _day(typed.get("from_on", ""))
    last = _day(typed.get("until_on", ""), first)
    if first is None or last is None:
        raise CallerError("date_malformed")
    if not 0 <= (last - first).days < LONGEST_DAYS:
        raise CallerError("roster_days_too_many", at_most=LONGEST_DAYS)
    given = [
        ShiftGiven(
            first + number * _DAY, typed.get("staff_no", "").strip(), typed.get("shift") or None,
            typed.get("stand_in", "").strip() or None,
        )
        for number in range((last - first).days + 1)
    ]  # fmt: skip
    rules, closed = change.branch.rulebook.shifts, closed_through(change.conn)
    enter_shifts(change.conn, change.trail, change.actor, rules, given, closed=closed)


def _outage(change: Any, typed: dict[str, str]) -> None:
    on = _day(typed.get("on", ""))
    if on is None:
        raise CallerError("date_malformed")
    known, closed = change.branch.rulebook.duties.outages, closed_through(change.conn)
    one = Outage(on, None if typed.get("do") == "withdraw" else typed.get("reason", ""))
    declare_outage(change.conn, change.trail, change.actor, one, known, closed=closed)


def _day(text: str, otherwise: date | None = None) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return otherwise


def _page(
    request: Request[Any, Any, Any], week: date | None, team: str | None, tried: Tried | None = None
) -> Response[Any]:  # fmt: skip
    serving, actor = serving_of(request), actor_of(request)
    rulebook = serving.branch.rulebook
    week_ = week_of(serving, week, team)
    with reading(serving.engine, snapshot=True) as conn:
        calendar, outages = read_calendar(conn), every_outage(conn)
    days, monday = week_.days, week_.days[0]
    return render(
        request, "roster/week.html", status=int(tried.problem["status"]) if tried else 200, days=days,
        rows=week_.rows[:_PEOPLE], names=week_.names, tried=tried, team=team, more=max(0, len(week_.rows) - _PEOPLE),
        monday=monday,
        before=monday - _DAYS * _DAY, after=monday + _DAYS * _DAY, shifts=list(rulebook.shifts.by_code.values()),
        working=[calendar.is_working(one) for one in days], outages=outages, reasons=rulebook.duties.outages,
        alarms=Alarms([], unknown_years(calendar, days)),
        nobody=week_.nobody,
        may_enter=rulebook.permissions.may(actor, "roster.change"),
        may_declare=rulebook.permissions.may(actor, "outage.declare"),
    )  # fmt: skip


class Week(NamedTuple):
    """Monday to Sunday; by person a cell for each day; days on which nobody of them is on the roster."""

    days: list[date]
    rows: list[tuple[str, list[Cell]]]
    names: Mapping[str, str]
    nobody: list[bool]


def week_of(serving: Serving, week: date | None, team: str | None) -> Week:
    """The week in which a day lies (none: this one), of everybody or of a team."""
    branch, rulebook = serving.branch, serving.branch.rulebook
    day = week or branch.today(now())
    days = [day + (number - day.weekday()) * _DAY for number in range(_DAYS)]
    with reading(serving.engine, snapshot=True) as conn:
        by_day = [answers_on(conn, rulebook.shifts, rulebook.policies.at(one), one) for one in days]
        people = _people(by_day, team)
        names = names_of(conn, {*people, *(by.staff_no for one in by_day for by in one.who_of_all().values())})
    nobody = [not any(one.is_on(who) for who in people) for one in by_day]
    return Week(days, [(who, [_cell(one, who) for one in by_day]) for who in people], names, nobody)


def _people(by_day: list[Answers], team: str | None) -> list[str]:
    """Who holds a post on one of the days and is active, of a team where one is asked for."""
    return sorted({
        one.staff_no for of_day in by_day for one in of_day.roster.colleagues.values()
        if one.status == ACTIVE and one.posts and team in (None, one.team)
    })  # fmt: skip


def _cell(answers: Answers, who: str) -> Cell:
    colleague = answers.roster.colleagues.get(who)
    off = answers.is_off(who)
    by = answers.who(who)
    return Cell(
        answers.shift_of(who), who in answers.listed, colleague is not None and colleague.away,
        by.staff_no if off else None, WHYS[by.why] if off else None, off and by.why in NOBODY_ON,
    )  # fmt: skip


route_handlers = [enter, outage, roster]
