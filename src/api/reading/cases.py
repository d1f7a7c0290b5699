"""Cases: lists, one case, its history and notes, what may be done next."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, PathParameter, QueryParameter

from api.permitted import case_in_sight, reach
from api.reading.asking import (
    CASE_LINE,
    FILTERS,
    After,
    Cursor,
    Limit,
    UpdatedSince,
    answers,
    case_filter,
    check_unsorted,
    reader_of,
    time_of,
)
from casework.evidence.list_acts import ListActs, acts_of_case
from casework.evidence.search.cursor import MAX_LENGTH
from casework.people.staff.permissions import Reach
from casework.storage.database import reading, writing
from casework.work.cases.case import Case
from casework.work.cases.detail import CaseDetail, detail_of
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.history import (
    HistoryPage,
    NotePage,
    history_of_case,
    notes_of_case,
)
from casework.work.cases.line import CasePage
from casework.work.cases.options import CaseOptions, options_of_case
from casework.work.cases.queries import page_of_cases, page_of_changed
from casework.work.cases.sorts import Sort
from casework.work.four_eyes.listing import show_pending

_ActsCursor = Annotated[
    str | None,
    QueryParameter(max_length=MAX_LENGTH, description="`next` of the page before; opaque, of this list only."),
]
CaseId = Annotated[int, PathParameter(ge=1, le=2**53 - 1, description="Number of the case.")]
SortBy = Annotated[
    Sort, QueryParameter(description="A minus is descending; days past due descend as due dates ascend.")
]


_PAGE = {"items": [CASE_LINE], "next": "WyI5YzBiMWY3ZDJhNGU2YzgxIixudWxsLDEyMDdd"}
_DETAIL = {
    **{key: value for key, value in CASE_LINE.items() if key != "last_entry_at"},
    "chart": "overdue_loan@1", "state_zh": "电话催收", "state_en": "Phone collection", "opened_by": "system",
    "deadline_zh": "第五个未接通日", "deadline_en": "fifth failed day", "business_date": "2026-03-09",
    "half_lost": False, "facts": {"attempt_days": [["2026-03-08", 2, False, []]]},
    "audit_seq": 6, "audit_head": "5f" * 32,
}  # fmt: skip
_HISTORY = {
    "items": [
        {
            "entry_id": "case:1207:3", "seq": 3, "event": "case.step.start_visit", "zh": "安排下户",
            "en": "Start a home visit", "actor": "S0012", "via": "api",
            "recorded_at": "2026-03-09T08:15:02.114523Z",
            "from_state": "phone_collection", "to_state": "home_visit", "reason_code": None,
            "rules": ["1.3.2a"], "data": {"given": {"address_kind": "home", "visit_on": "2026-03-10"}},
            "committed": ["address"], "texts": {"address": "武汉市江岸区***"}, "mac_holds": True, "erased_on": None,
        }
    ],
    "next": None,
}  # fmt: skip
_ACTS = {
    "items": [{
        "entry_id": "tasks:311:1", "event": "tasks.postponed", "zh": "推迟任务", "en": "Task put off", "actor": "S0103",
        "via": "api", "recorded_at": "2026-03-10T02:11:00.000001Z", "reason_code": "debtor_asked",
        "reason_zh": "客户要求改期", "reason_en": "the debtor asked for another day", "rules": ["5.2"],
        "data": {"on": "2026-03-10", "task": 311, "case": 1207, "until": "2026-03-12"}, "mac_holds": True,
    }],
    "next": None,
}  # fmt: skip
_NOTES = {
    "items": [{"entry_id": "case:1207:5", "seq": 5, "actor": "S0012",
               "recorded_at": "2026-03-09T08:20:00.000001Z", "text": "客户称月底还款"}],
    "next": None,
}  # fmt: skip
_OPTIONS = {
    "case_id": 1207, "version": 6, "state": "phone_collection", "business_date": "2026-03-09",
    "chart": "overdue_loan@1", "policy": "2024-01-01",
    "events": [
        {
            "event": "place", "zh": "委外", "en": "Place with an agency", "allowed": False,
            "reasons": [{"code": "dpd_at_least", "rules": ["3.2"], "saw": {"days_past_due": 8},
                         "needs": {"days_at_least": 31}, "zh": "逾期8天，须满31天",
                         "en": "DPD is 8; at least 31 is needed", "opens_on": "2026-04-01"}],
            "data": [{"name": "agency", "type": "ref", "zh": "委外机构", "en": "agency", "required": True}],
            "posts": ["agency_post", "basic_risk_manager"], "leads_to": ["outsourced"],
            "opens_on": "2026-04-01", "rules": ["3.2"], "four_eyes": None,
        }
    ],
    "facts": [{"kind": "promise", "zh": "还款承诺", "en": "Promise to pay", "allowed": True, "reasons": [],
               "data": [{"name": "amount_fen", "type": "fen", "zh": "承诺金额", "en": "amount promised",
                         "required": True}],
               "posts": ["phone_collector"], "rules": ["1.3.1d"]}],
}  # fmt: skip


@get(
    "/cases",
    sync_to_thread=True,
    dependencies={"wanted": Provide(case_filter, sync_to_thread=False)},
    responses=answers(CasePage, _PAGE, "filter_malformed", "cursor_malformed", "invalid_request"),
    tags=["cases"],
)
def cases(
    request: Request[Any, Any, Any],
    wanted: NamedDependency[CaseFilter],
    sort: SortBy = "id",
    limit: Limit = 50,
    cursor: Cursor = None,
    updated_since: UpdatedSince = None,
) -> CasePage:
    """Cases by filter and sort, page by page; those within the caller's reach.

    A page may be short, or empty, and still have a `next`: so far it was looked for what a filter seldom finds.
    """
    serving, _ = reader_of(request, *FILTERS, "sort", "limit", "cursor", "updated_since")
    with reading(serving.engine) as conn:
        dates = BusinessDates(conn, serving.branch)
        if (since := time_of("updated_since", updated_since)) is not None:
            check_unsorted(request)
            return page_of_changed(conn, dates, wanted, within=reach(request), since=since, limit=limit, cursor=cursor)
        return page_of_cases(conn, dates, wanted, within=reach(request), sort=sort, limit=limit, cursor=cursor)


@get(
    "/me/cases",
    sync_to_thread=True,
    responses=answers(CasePage, _PAGE, "filter_malformed", "cursor_malformed", "invalid_request"),
    tags=["cases"],
)
def my_cases(
    request: Request[Any, Any, Any],
    live: Annotated[bool, QueryParameter(description="Open or written off; false shows the others.")] = True,
    sort: SortBy = "oldest_due_date",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CasePage:
    """The cases that the caller owns or handles, or somebody whom they deputise for today (`owner` says who)."""
    serving, actor = reader_of(request, "live", "sort", "limit", "cursor")
    wanted, theirs = CaseFilter(live=live), Reach(people=actor.people)
    with reading(serving.engine) as conn:
        dates = BusinessDates(conn, serving.branch)
        return page_of_cases(conn, dates, wanted, within=theirs, sort=sort, limit=limit, cursor=cursor)


@get(
    "/cases/{case_id:int}",
    sync_to_thread=True,
    responses=answers(CaseDetail, _DETAIL, "unknown_case"),
    tags=["cases"],
)
def case(request: Request[Any, Any, Any], case_id: CaseId) -> Response[CaseDetail]:
    """One case as it stands; its version is the ETag that a change names in If-Match."""
    serving, _ = reader_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        today = BusinessDates(conn, serving.branch).of(found.institution)
        detail = detail_of(conn, found, serving.branch.rulebook, today)
    return Response(detail, headers={"ETag": f'"{found.version}"'})


@get(
    "/cases/{case_id:int}/history",
    sync_to_thread=True,
    responses=answers(
        HistoryPage, _HISTORY, "unknown_case", "filter_malformed", "invalid_request", "sealed_value_altered"
    ),
    tags=["cases"],
)
def case_history(
    request: Request[Any, Any, Any],
    case_id: CaseId,
    after: After = None,
    limit: Limit = 50,
    newest_first: FromQuery[bool] = False,
) -> HistoryPage:
    """The case's entries; texts are opened for those who may read them, and that is an entry itself."""
    serving, actor = reader_of(request, "after", "limit", "newest_first")
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        page = history_of_case(conn, serving.branch, found, actor, after=after, limit=limit, newest_first=newest_first)
    _on_record(request, found, {name for item in page.items for name in item.texts})
    return page


@get(
    "/cases/{case_id:int}/list-acts",
    sync_to_thread=True,
    summary="What people did with a case's tasks",
    responses=answers(ListActs, _ACTS, "unknown_case", "filter_malformed", "cursor_malformed", "invalid_request"),
    tags=["cases"],
)
def case_list_acts(
    request: Request[Any, Any, Any], case_id: CaseId, limit: Limit = 50, cursor: _ActsCursor = None
) -> ListActs:
    """Moved, put off, begun, added, ended, strategies started: entries about the case, in none of its own streams."""
    serving, _ = reader_of(request, "limit", "cursor")
    with reading(serving.engine, snapshot=True) as conn:
        case_in_sight(conn, request, case_id)
        return acts_of_case(conn, serving.branch, case_id, limit=limit, cursor=cursor)


@get(
    "/cases/{case_id:int}/notes",
    sync_to_thread=True,
    responses=answers(NotePage, _NOTES, "unknown_case", "filter_malformed", "invalid_request", "sealed_value_altered"),
    tags=["cases"],
)
def case_notes(request: Request[Any, Any, Any], case_id: CaseId, before: After = None, limit: Limit = 50) -> NotePage:
    """The case's notes, newest first; opening them is an entry itself."""
    serving, actor = reader_of(request, "before", "limit")
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        page = notes_of_case(conn, serving.branch, found, actor, before=before, limit=limit)
    _on_record(request, found, {"note"} if any(item.text is not None for item in page.items) else set())
    return page


@get(
    "/cases/{case_id:int}/options",
    sync_to_thread=True,
    responses=answers(CaseOptions, _OPTIONS, "unknown_case"),
    tags=["cases"],
)
def case_options(request: Request[Any, Any, Any], case_id: CaseId) -> Response[CaseOptions]:
    """What the caller may do next with the case: each event and fact, every reason why not, and from when."""
    serving, actor = reader_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        options = options_of_case(conn, serving.branch, BusinessDates(conn, serving.branch), found, actor)
        show_pending(conn, serving.branch, found.stream, options.events)
    return Response(options, headers={"ETag": f'"{found.version}"'})


def _on_record(request: Request[Any, Any, Any], found: Case, fields: set[str]) -> None:
    """Say in the log what the caller is about to be shown; before it is shown."""
    if fields:
        serving, actor = reader_of(request, *request.query_params)
        with writing(serving.engine) as conn:
            record_read(conn, serving.branch, actor, [found.customer], fields)
