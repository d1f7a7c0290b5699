"""Outages over HTTP: days on which something was out, so that nobody could do what was owed."""

from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Body
from msgspec import Meta

from api.example import Example
from api.list_shape import whole, whole_of
from api.reading.asking import answers, reader_of
from api.serving import serving_of
from api.several import DONE, answered, refused
from api.written import changing
from casework.people.days.declaring import MOST, Outage, declare_outage, declare_outages
from casework.people.days.loading import every_outage
from casework.storage.database import reading
from casework.work.cases.gather import closed_through


class OutageBody(msgspec.Struct):
    """A day of which an outage is declared, and of what: a key of [outages] in duties.toml."""

    day: date
    reason: str
    zh: str
    en: str


class OutageDeclared(msgspec.Struct, forbid_unknown_fields=True):
    """Which day, and what was out."""

    day: date
    reason: Annotated[str, Meta(min_length=1, max_length=32)]


class OutageGiven(msgspec.Struct, forbid_unknown_fields=True):
    """A day, and what was out on it; none: there was no outage, it is withdrawn."""

    day: date
    reason: Annotated[str, Meta(min_length=1, max_length=32)] | None


class OutagesGiven(msgspec.Struct, forbid_unknown_fields=True):
    """Some days. `atomic`: if one may not be declared, none is."""

    outages: Annotated[list[OutageGiven], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


class OutageResult(msgspec.Struct, kw_only=True):
    """What became of one day: done, not_done, or why not. `status` is what it would have been answered with alone."""

    day: date
    outcome: str
    status: int
    zh: str | None = None
    en: str | None = None


class OutagesAnswer(msgspec.Struct):
    """Totals and a result for each, in the order given."""

    atomic: bool
    outages: int
    by_outcome: dict[str, int]
    results: list[OutageResult]


class OutageWithdrawn(msgspec.Struct, forbid_unknown_fields=True):
    """Of which day there was none."""

    day: date


_OUTAGE = {"day": "2026-03-09", "reason": "telephone", "zh": "电话线路故障", "en": "telephone lines"}
_ALL = {"items": [_OUTAGE], "next": None}

_ANSWER = {
    "atomic": False, "outages": 2, "by_outcome": {"done": 1, "outage_of_closed_day": 1},
    "results": [
        {"day": "2026-03-09", "outcome": "done", "status": 200, "zh": None, "en": None},
        {"day": "2026-03-01", "outcome": "outage_of_closed_day", "status": 422,
         "zh": "2026-03-01已日终，当日应办事项的结果不再改变；只可登记或撤销2026-03-09及以后的故障",
         "en": "2026-03-01 is closed, and what was owed on it stays as it was taken; declare or withdraw from "
               "2026-03-09 on"},
    ],
}  # fmt: skip


def _all(request: Request[Any, Any, Any], conn: Any) -> Response[Any]:
    words = serving_of(request).branch.rulebook.duties.outages
    found = [OutageBody(day, one, *words.get(one, (one, one))) for day, one in every_outage(conn).items()]
    return whole_of(OutageBody, found)


@post("/outages", status_code=200, sync_to_thread=True, summary="Declare an outage", tags=["duties"],
      responses=answers(whole(OutageBody), _ALL, "outage_reason_unknown", "outage_declared", "outage_to_come",
                        "outage_of_closed_day", "invalid_request"))  # fmt: skip
def declare(
    request: Request[Any, Any, Any],
    data: Annotated[OutageDeclared, Body(examples=[
        Example(summary="the lines were dead", value={"day": "2026-03-09", "reason": "telephone"})])],
) -> Response[Any]:  # fmt: skip
    """Before its close it exempts from what could not be done on that day; what was taken at the close stays."""
    with changing(request) as change:
        known = change.branch.rulebook.duties.outages
        one, closed = Outage(data.day, data.reason), closed_through(change.conn)
        declare_outage(change.conn, change.trail, change.actor, one, known, closed=closed)
        return _all(request, change.conn)


@post("/outages/declarations", status_code=200, sync_to_thread=True, summary="Declare or withdraw some outages",
      tags=["duties"], responses=answers(OutagesAnswer, _ANSWER, "invalid_request"))  # fmt: skip
def declare_many(
    request: Request[Any, Any, Any],
    data: Annotated[OutagesGiven, Body(examples=[
        Example(summary="two days", value={"outages": [{"day": "2026-03-09", "reason": "telephone"},
                                                       {"day": "2026-03-08", "reason": None}]})])],
) -> OutagesAnswer:  # fmt: skip
    """Each has its own result, as if it had been declared alone; everything is one transaction."""
    with changing(request) as change:
        wanted = [Outage(one.day, one.reason) for one in data.outages]
        known, closed = change.branch.rulebook.duties.outages, closed_through(change.conn)
        faults = declare_outages(
            change.conn, change.trail, change.actor, wanted, known, closed=closed, atomic=data.atomic
        )
    results = [
        OutageResult(day=one.day, **(DONE if fault is None else refused(fault)))
        for one, fault in zip(wanted, faults, strict=True)
    ]
    return answered(OutagesAnswer, results, atomic=data.atomic)


@post("/outages/withdrawals", status_code=200, sync_to_thread=True, summary="Withdraw an outage", tags=["duties"],
      responses=answers(whole(OutageBody), _ALL, "outage_unknown", "outage_of_closed_day",
                        "invalid_request"))  # fmt: skip
def withdraw(
    request: Request[Any, Any, Any],
    data: Annotated[OutageWithdrawn, Body(examples=[Example(summary="there was none", value={"day": "2026-03-09"})])],
) -> Response[Any]:  # fmt: skip
    """There was none; an entry. Of a day that is closed it stays: what was owed on it was taken with it."""
    with changing(request) as change:
        one, closed = Outage(data.day, None), closed_through(change.conn)
        declare_outage(change.conn, change.trail, change.actor, one, (), closed=closed)
        return _all(request, change.conn)


@get("/outages", sync_to_thread=True, summary="Outages", tags=["duties"],
     responses=answers(whole(OutageBody), _ALL, "filter_malformed"))  # fmt: skip
def outages(request: Request[Any, Any, Any]) -> Response[Any]:
    """Every outage that is declared, by day."""
    serving, _ = reader_of(request)
    with reading(serving.engine) as conn:
        return _all(request, conn)


route_handlers = [outages, declare, declare_many, withdraw]
