"""The dry run: what could be done with a list or a filter of cases, in totals."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.params import Body

from api.example import Example
from api.permitted import reach
from api.reading.asking import answers, reader_of
from casework.storage.database import reading
from casework.work.cases.dry_run import DryRun, dry_run
from casework.work.cases.filter import BusinessDates, CaseFilter, filter_malformed


class DryRunRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Either `cases` or `filter`; `events` narrows the answer to these events."""

    cases: Annotated[list[int], msgspec.Meta(max_length=10_000)] | None = None
    filter: CaseFilter | None = None
    events: Annotated[list[str], msgspec.Meta(max_length=64)] = []


_ASKED = [
    Example(
        id="filter",
        summary="A filter",
        value={"filter": {"bucket": ["M2"], "live": True}, "events": ["place"]},
    ),
    Example(id="cases", summary="A list", value={"cases": [1207, 1208]}),
]
_TOTALS = {
    "cases": 812, "cut": False, "unknown": [],
    "by_state": {"phone_collection": 700, "lost_contact": 112},
    "events": [{"event": "place", "allowed": 41, "refused": 771, "opens_later": 690,
                "reasons": {"dpd_at_least": 690, "repair_duty_done": 81}}],
}  # fmt: skip


@post(
    "/cases/options",
    status_code=200,
    sync_to_thread=True,
    responses=answers(DryRun, _TOTALS, "malformed_json", "filter_malformed", "too_many_cases",
                      "unknown_event", "unsupported_media_type"),
    tags=["cases"],
)  # fmt: skip
def dry_run_of_cases(request: Request[Any, Any, Any], data: Annotated[DryRunRequest, Body(examples=_ASKED)]) -> DryRun:
    """What the caller could do with these cases now: totals by event and by reason; nothing is changed."""
    serving, actor = reader_of(request)
    if (data.cases is None) == (data.filter is None):
        raise filter_malformed("cases", "given, or filter, and not both")
    asked: CaseFilter | list[int] = data.filter if data.filter is not None else list(data.cases or ())
    with reading(serving.engine, snapshot=True) as conn:
        dates = BusinessDates(conn, serving.branch)
        return dry_run(conn, serving.branch, dates, asked, actor, within=reach(request), events=data.events)
