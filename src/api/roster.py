"""The roster over HTTP: who has which shift on which day, entering shifts, who answers in the place of who is off."""

from datetime import date, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Body, QueryParameter
from msgspec import Meta

from api.example import Example
from api.list_shape import whole, whole_of
from api.reading.asking import answers, reader_of
from api.several import DONE, counted, refused
from api.written import changing
from casework.clock import now
from casework.errors import CallerError
from casework.people.shifts.answering import NOBODY_ON, WHYS, answers_on
from casework.people.shifts.entering import ShiftFault, ShiftGiven, enter_shifts, enter_sound, shifts_between
from casework.people.shifts.lending import posts_for
from casework.storage.database import reading
from casework.work.cases.gather import closed_through

_WEEK: Final = timedelta(days=6)
_MOST: Final = 2_000
_Number = Annotated[str, Meta(min_length=1, max_length=32)]


class ShiftBody(msgspec.Struct, forbid_unknown_fields=True):
    """The shift of somebody on a day (none: off the roster), a key of [shifts] in shifts.toml.

    `stand_in` answers in the place of who is off.
    """

    day: date
    staff_no: _Number
    shift: Annotated[str, Meta(min_length=1, max_length=32)] | None
    stand_in: _Number | None = None


class RosterBody(msgspec.Struct):
    """The shifts of some days as they were entered, by day and person; the codes that there are, in words."""

    from_on: date
    until_on: date
    items: list[ShiftBody]
    codes: dict[str, dict[str, str]]
    next: None = None


class RosterGiven(msgspec.Struct, forbid_unknown_fields=True):
    """Shifts to enter, all of them or none; with `atomic` false those with which nothing is wrong."""

    shifts: Annotated[list[ShiftBody], Meta(min_length=1, max_length=_MOST)]
    atomic: bool = True


class ShiftResult(msgspec.Struct, kw_only=True):
    """What became of one shift: done (the same again too), or its first fault and in which field it lies."""

    day: date
    staff_no: str
    outcome: str
    status: int
    field: str | None = None
    zh: str | None = None
    en: str | None = None


class RosterChanged(msgspec.Struct):
    """The days whose roster is another one now; totals and a result for each shift, in the order given."""

    days_changed: list[date]
    by_outcome: dict[str, int]
    results: list[ShiftResult]


class AnswerBody(msgspec.Struct):
    """Somebody who is off, who answers in their place, and by what.

    `nobody_on`: the roster has nobody, and they answer all the same. `posts`: by which they act for them that day,
    with the cases that those own or handle; where it is empty they act by their own posts alone.
    """

    staff_no: str
    answers: str
    why: str
    why_zh: str
    why_en: str
    nobody_on: bool
    posts: list[str]


_SHIFT = {"day": "2026-03-10", "staff_no": "10021", "shift": "rest", "stand_in": "10022"}


@post("/roster", status_code=200, sync_to_thread=True, summary="Enter shifts", tags=["staff"],
      responses=answers(RosterChanged, {
          "days_changed": ["2026-03-10"], "by_outcome": {"done": 1},
          "results": [{"day": "2026-03-10", "staff_no": "10021", "outcome": "done", "status": 200, "field": None,
                       "zh": None, "en": None}]}, "roster_faulty", "roster_empty",
                        "roster_too_long", "invalid_request"))  # fmt: skip
def enter(
    request: Request[Any, Any, Any],
    data: Annotated[RosterGiven, Body(examples=[Example(summary="a day off", value={"shifts": [_SHIFT]})])],
) -> RosterChanged:  # fmt: skip
    """Each takes the place of what the roster had for the person and the day; the same again changes nothing."""
    with changing(request) as change:
        given = [ShiftGiven(one.day, one.staff_no, one.shift, one.stand_in) for one in data.shifts]
        rules = change.branch.rulebook.shifts
        faults, enter_them = list[ShiftFault](), (change.conn, change.trail, change.actor, rules, given)
        closed = closed_through(change.conn)
        if data.atomic:
            days = enter_shifts(*enter_them, closed=closed)
        else:
            faults, days = enter_sound(*enter_them, closed=closed)
    first = {one.place: one for one in reversed(faults)}
    results = [_result(one, first.get(place)) for place, one in enumerate(given, 1)]
    return RosterChanged(days, counted(results), results)


def _result(one: ShiftGiven, fault: ShiftFault | None) -> ShiftResult:
    if fault is None:
        return ShiftResult(day=one.day, staff_no=one.staff_no, **DONE)
    said = refused(CallerError(fault.code, fault.zh, fault.en))
    return ShiftResult(day=one.day, staff_no=one.staff_no, **said | {"status": 422}, field=fault.field)


@get("/roster", sync_to_thread=True, summary="The roster", tags=["staff"],
     responses=answers(RosterBody, {"from_on": "2026-03-09", "until_on": "2026-03-15", "items": [_SHIFT],
                                    "codes": {"rest": {"zh": "休息", "en": "day off"}}},
                       "roster_days_too_many", "dates_out_of_order", "filter_malformed",
                       "invalid_request"))  # fmt: skip
def roster(
    request: Request[Any, Any, Any],
    from_on: Annotated[date | None, QueryParameter(name="from", description="The first day; today if none.")] = None,
    until: Annotated[date | None, QueryParameter(description="The last day; six days after the first if none.")] = None,
) -> RosterBody:
    """The shifts of some days, at most 92 of them. Leave is the register's: `GET /staff/{staff_no}/history`."""
    serving, _ = reader_of(request, "from", "until")
    first = from_on or serving.branch.today(now())
    last = until or first + _WEEK
    with reading(serving.engine) as conn:
        found = shifts_between(conn, first, last)
    codes = {one.code: {"zh": one.zh, "en": one.en} for one in serving.branch.rulebook.shifts.by_code.values()}
    return RosterBody(first, last, [ShiftBody(*one) for one in found], codes)


@get("/roster/answers", sync_to_thread=True, summary="Who answers for who is off", tags=["staff"],
     responses=answers(whole(AnswerBody), {"items": [
         {"staff_no": "10021", "answers": "10022", "why": "stand_in", "why_zh": "班表指定替班",
          "why_en": "whom the roster names in their place", "nobody_on": False,
          "posts": ["business_rep"]}], "next": None}, "filter_malformed",
         "invalid_request"))  # fmt: skip
def who_answers_on(
    request: Request[Any, Any, Any],
    on: Annotated[date | None, QueryParameter(description="The day; today, if left out.")] = None,
) -> Response[Any]:
    """Everybody who is off that day: who owes their duties, gets their tasks and is shown their calls."""
    serving, _ = reader_of(request, "on")
    day, rulebook = on or serving.branch.today(now()), serving.branch.rulebook
    with reading(serving.engine) as conn:
        found = answers_on(conn, rulebook.shifts, rulebook.policies.at(day), day)
    lines = [
        AnswerBody(
            who, one.staff_no, one.why, *WHYS[one.why], one.why in NOBODY_ON,
            sorted(posts_for(rulebook.permissions, found.roster, one.staff_no, who)),
        )
        for who, one in found.who_of_all().items()
    ]  # fmt: skip
    return whole_of(AnswerBody, lines)


route_handlers = [roster, who_answers_on, enter]
