"""What the reading routes share: who reads, the query parameters of lists, how a route shows its answers."""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from api.auth import actor_of
from api.example import whole_answer
from api.faults import parameters_of
from api.problems import problem_responses
from api.serving import Serving, serving_of
from api.wanted import members
from casework.instants import read_instant_text
from casework.people.staff.actor import Actor
from casework.work.cases.filter import CaseFilter, filter_malformed
from casework.work.cases.paging import MAX_PAGE

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="Rows on a page, at most 200.")]
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=400, description="`next` of the page before; opaque, of this list only."),
]
After = Annotated[int | None, QueryParameter(ge=0, le=2**53 - 1, description="`next` of the page before.")]
UpdatedSince = Annotated[
    str | None,
    QueryParameter(
        max_length=40,
        description="Only what an entry was written of since this time (with its offset), over or not, in the order "
        "of the log; no sort. What was recorded up to a minute before comes too, what changed again comes again, and a "
        "page may be short while there is a next. What has left your reach is not told of; days past due grow without "
        "an entry.",
    ),
]
_FIRST_YEAR, _LAST_YEAR = "1900", "2999"
_Codes = Annotated[list[str] | None, QueryParameter(max_items=20)]
_Code = Annotated[str | None, QueryParameter(max_length=64)]
_Days = Annotated[int | None, QueryParameter(ge=0, le=36_500)]
_Fen = Annotated[int | None, QueryParameter(ge=0, le=2**53 - 1)]

FILTERS = frozenset(CaseFilter.__struct_fields__)


def reader_of(request: Request[Any, Any, Any], *parameters: str) -> tuple[Serving, Actor]:
    """Who reads and what serves them; that they may has been checked (`api.permitted`).

    `parameters` are the query parameters that the route knows: an unknown one is refused, because a mistyped
    filter would quietly show everything.
    """
    check_parameters(request, parameters)
    return serving_of(request), actor_of(request)


def check_parameters(request: Request[Any, Any, Any], known: Collection[str]) -> None:
    """CallerError `filter_malformed` for a query parameter that is not `known`, or given twice and no list."""
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        what = f"known are {', '.join(sorted(known))}" if known else "no parameter is taken here"
        raise filter_malformed(unknown[0][:64], f"left out; {what}")
    for name in _days_of(request.route_handler) & set(request.query_params):
        if not _FIRST_YEAR <= request.query_params[name][:4] <= _LAST_YEAR:
            raise filter_malformed(name, f"a day from {_FIRST_YEAR} to {_LAST_YEAR}")
    # The framework takes the last: who asked for two teams would be shown one, and not know it.
    for name in request.query_params:
        if len(request.query_params.getall(name)) > 1 and name not in _lists_of(request.route_handler):
            raise filter_malformed(name, "given once")


def check_unsorted(request: Request[Any, Any, Any]) -> None:
    """CallerError `filter_malformed` for a sort of what comes in the order of the log."""
    if "sort" in request.query_params:
        raise filter_malformed("sort", "left out with updated_since")


@lru_cache(1_024)
def _days_of(handler: HTTPRouteHandler) -> frozenset[str]:
    """Parameters that are days: nobody can reckon from the calendar's last."""
    return _of_kind(handler, msgspec.inspect.DateType, msgspec.inspect.DateTimeType)


@lru_cache(1_024)
def _lists_of(handler: HTTPRouteHandler) -> frozenset[str]:
    """Parameters that may be given several times."""
    return _of_kind(handler, msgspec.inspect.ListType)


def _of_kind(handler: HTTPRouteHandler, *wanted: type[msgspec.inspect.Type]) -> frozenset[str]:
    kinds = ((called, members(msgspec.inspect.type_info(field.type))) for called, field in parameters_of(handler))
    return frozenset(called for called, found in kinds if any(isinstance(one, wanted) for one in found))


def case_filter(
    *,
    in_state: Annotated[list[str] | None, QueryParameter(name="state", max_items=20)] = None,
    bucket: _Codes = None,
    owner: _Code = None,
    handler: _Code = None,
    worked_by: Annotated[str | None, QueryParameter(max_length=64, description="Owner or handler.")] = None,
    team: _Code = None,
    region: _Code = None,
    product: _Code = None,
    institution: _Code = None,
    borrower_id: _Code = None,
    loan_id: _Code = None,
    live: Annotated[bool | None, QueryParameter(description="Open or written off.")] = None,
    dpd_min: _Days = None,
    dpd_max: _Days = None,
    overdue_fen_min: _Fen = None,
    overdue_fen_max: _Fen = None,
) -> CaseFilter:
    """The filter that a request's query names; for `Provide`."""
    return CaseFilter(
        state=tuple(in_state or ()), bucket=tuple(bucket or ()), owner=owner, handler=handler,
        worked_by=worked_by, team=team, region=region, product=product, institution=institution,
        borrower_id=borrower_id, loan_id=loan_id, live=live, dpd_min=dpd_min, dpd_max=dpd_max,
        overdue_fen_min=overdue_fen_min, overdue_fen_max=overdue_fen_max,
    )  # fmt: skip


def answers(kind: Any, example: Any, *codes: str, media_type: str = "application/json") -> dict[int, ResponseSpec]:
    """`responses=` of a route: what it answers with an example, and the problems it may answer."""
    shown = ResponseSpec(
        data_container=kind, generate_examples=False, media_type=media_type, description="As asked for",
        examples=whole_answer(kind, example),
    )  # fmt: skip
    return {200: shown, **problem_responses(*codes, "post_not_permitted", "key_not_permitted")}


CASE_LINE: dict[str, Any] = {
    "id": 1207, "institution": "wuhan", "loan_id": "L2024000917", "borrower_id": "B000731",
    "product": "consumer", "channel_code": "CH03", "team": "T2", "region": "R1", "state": "phone_collection",
    "state_since": "2026-03-02", "live": True, "version": 6, "owner": "S0012", "handler": "S0012",
    "owner_name": "王伟", "handler_name": "王伟", "ended_as": None,
    "opened_on": "2026-03-02", "opened_for": "arrears", "closed_as": None,
    "principal_at_opening_fen": 6250000, "oldest_due_date": "2026-03-01", "bucket": "M1",
    "overdue_principal_fen": 208333,
    "overdue_interest_fen": 31250, "overdue_penalty_fen": 412, "overdue_fen": 239995,
    "outstanding_principal_fen": 6250000, "last_entry_at": "2026-03-09T08:15:02.114523Z", "days_past_due": 8,
}  # fmt: skip


TIMES: Final = "a time such as 2026-03-01T12:00:00Z, or as it is printed, 2026-03-01 20:00:00 +08:00"
"""What a parameter of times takes, for its description."""


def time_of(name: str, text: str | None) -> datetime | None:
    """The instant that a parameter names, in any form that is printed with its offset; CallerError filter_malformed."""
    try:
        return None if text is None else read_instant_text(text, None)
    except ValueError:
        raise filter_malformed(name, f"{TIMES} (with its offset; in an address + is %2B)") from None
