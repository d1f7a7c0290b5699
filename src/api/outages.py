"""Outages over HTTP: days on which something was out, so that nobody could do what was owed."""

from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.openapi.spec import Example
from litestar.params import Body
from msgspec import Meta

from api.reading.asking import answers, reader_of
from api.serving import serving_of
from api.written import changing
from casework.people.days.loading import declare_outage, every_outage, withdraw_outage
from casework.storage.database import reading


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


class OutageWithdrawn(msgspec.Struct, forbid_unknown_fields=True):
    """Of which day there was none."""

    day: date


_OUTAGE = {"day": "2026-03-09", "reason": "telephone", "zh": "电话线路故障", "en": "telephone lines"}


def _all(request: Request[Any, Any, Any], conn: Any) -> list[OutageBody]:
    words = serving_of(request).branch.rulebook.duties.outages
    return [OutageBody(day, one, *words.get(one, (one, one))) for day, one in every_outage(conn).items()]


@post("/outages", status_code=200, sync_to_thread=True, summary="Declare an outage", tags=["duties"],
      responses=answers(list[OutageBody], [_OUTAGE], "outage_reason_unknown", "outage_declared", "outage_to_come",
                        "invalid_request"))  # fmt: skip
def declare(
    request: Request[Any, Any, Any],
    data: Annotated[OutageDeclared, Body(examples=[
        Example(summary="the lines were dead", value={"day": "2026-03-09", "reason": "telephone"})])],
) -> list[OutageBody]:  # fmt: skip
    """Before its close it exempts from what could not be done on that day; what was taken at the close stays."""
    with changing(request) as change:
        known = change.branch.rulebook.duties.outages
        declare_outage(change.conn, change.trail, change.actor, data.day, data.reason, known)
        return _all(request, change.conn)


@post("/outages/withdrawals", status_code=200, sync_to_thread=True, summary="Withdraw an outage", tags=["duties"],
      responses=answers(list[OutageBody], [_OUTAGE], "outage_unknown", "invalid_request"))  # fmt: skip
def withdraw(
    request: Request[Any, Any, Any],
    data: Annotated[OutageWithdrawn, Body(examples=[Example(summary="there was none", value={"day": "2026-03-09"})])],
) -> list[OutageBody]:  # fmt: skip
    """There was none; an entry."""
    with changing(request) as change:
        withdraw_outage(change.conn, change.trail, change.actor, data.day)
        return _all(request, change.conn)


@get("/outages", sync_to_thread=True, summary="Outages", tags=["duties"],
     responses=answers(list[OutageBody], [_OUTAGE], "filter_malformed"))  # fmt: skip
def outages(request: Request[Any, Any, Any]) -> list[OutageBody]:
    """Every outage that is declared, by day."""
    serving, _ = reader_of(request)
    with reading(serving.engine) as conn:
        return _all(request, conn)


route_handlers = [outages, declare, withdraw]
