"""The list of cases, one case with all that may be done with it, its past, its chart."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from api.auth import actor_of
from api.console.borrowers.people import People, people_of_case
from api.console.cases.facts import facts_of
from api.console.cases.timeline import Moment, meanwhile, told
from api.console.frame.forms import Tried
from api.console.frame.page import HEADERS, language_of, render
from api.console.nouns.shown import children_of, live_of
from api.duties import told_of_case
from api.permitted import case_in_sight, reach
from api.reading.asking import FILTERS, Cursor, case_filter, check_parameters
from api.reading.cases import CaseId, SortBy
from api.reading.past import instant_of
from api.serving import serving_of
from casework.clock import now
from casework.evidence.past.one_case import case_as_of, case_difference
from casework.people.staff.listing import names_of
from casework.rules.statechart.draw import svg
from casework.storage.database import reading, writing
from casework.work.cases.case import Case
from casework.work.cases.detail import detail_of
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.history import HistoryItem, history_of_case
from casework.work.cases.options import options_of_case
from casework.work.cases.queries import page_of_cases
from casework.work.cases.responsible import owners_of_case
from casework.work.four_eyes.listing import show_pending

ROWS: Final = 50
_MOMENTS: Final = 60
_PAGE: Final = 200
_SORTS: Final = ("oldest_due_date", "-overdue_fen", "overdue_fen", "-id", "id")
_PARTS: Final = (*sorted(FILTERS), "sort", "cursor", "mine")


@get("/console/cases", sync_to_thread=True, opt={"page": "case.read"},
     dependencies={"wanted": Provide(case_filter, sync_to_thread=False)})  # fmt: skip
def cases(
    request: Request[Any, Any, Any],
    wanted: NamedDependency[CaseFilter],
    sort: SortBy = "oldest_due_date",
    cursor: Cursor = None,
) -> Response[Any]:
    """Cases within reach; filters, order and page stand in the address."""
    check_parameters(request, _PARTS)
    serving = serving_of(request)
    with reading(serving.engine) as conn:
        dates = BusinessDates(conn, serving.branch)
        page = page_of_cases(conn, dates, wanted, within=reach(request), sort=sort, limit=ROWS, cursor=cursor)
    rulebook = serving.branch.rulebook
    return render(
        request, "cases/list.html", items=page.items, following=page.next, wanted=wanted, sort=sort, sorts=_SORTS,
        states=rulebook.chart.states, buckets=sorted(rulebook.policies.bucket_names), first=cursor is None,
        asked=_asked(request), may_open=rulebook.permissions.may(actor_of(request), "case.open"),
        may_export=rulebook.permissions.may(actor_of(request), "case.export"),
    )  # fmt: skip


def _asked(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    """The filter as it stands in the address, without the place on the list; empty parts fall away."""
    return [(name, value) for name, value in request.query_params.multi_items() if name != "cursor" and value]


@get("/console/cases/{case_id:int}", sync_to_thread=True, opt={"page": "case.read"})
def case(
    request: Request[Any, Any, Any], case_id: CaseId,
    done: Annotated[str, QueryParameter(max_length=64)] = "",
) -> Response[Any]:  # fmt: skip
    """All of a case on one page."""
    return case_page(request, case_id, done=done)


def case_page(
    request: Request[Any, Any, Any], case_id: int, *, tried: Tried | None = None, done: str = "", status: int = 200
) -> Response[Any]:  # fmt: skip
    """The page of a case, perhaps with a form that came back, or with what was just done; call it in a thread."""
    serving, actor, lang = serving_of(request), actor_of(request), language_of(request)
    branch = serving.branch
    may_read_duties = branch.rulebook.permissions.may(actor, "duty.read")
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        dates = BusinessDates(conn, branch)
        detail = detail_of(conn, found, branch.rulebook, dates.of(found.institution))
        options = options_of_case(conn, branch, dates, found, actor)
        show_pending(conn, branch, found.stream, options.events)
        history = history_of_case(conn, branch, found, actor, limit=_MOMENTS, newest_first=True)
        owners = owners_of_case(conn, branch, case_id).owners
        people = people_of_case(conn, branch, dates, found, actor)
        children = children_of(conn, branch, found, actor)
        owed = told_of_case(branch, conn, case_id, branch.today(now())) if may_read_duties else []
        names = names_of(conn, {one.owner for one in owners} | {item.actor for item in history.items})
    _on_record(request, found, people, history.items)
    return render(
        request, "cases/case.html", status=status, case=detail, options=options, owners=owners, names=names,
        people=people, children=children, tried=tried, more=history.next is not None,
        moments=_moments(branch, history.items, lang, names), facts=list(facts_of(detail.facts, lang)),
        done=_done(branch, done, lang), meanwhile=meanwhile(branch, history.items, tried, lang, names),
        risks=live_of(children, "risk"), owed=owed, chart_at="#chart",
        may_call=branch.rulebook.permissions.may(actor, "contact.permit"),
        may_note=branch.rulebook.permissions.may(actor, "case.note"),
    )  # fmt: skip


def _moments(branch: Any, items: list[HistoryItem], lang: str, names: Mapping[str, str]) -> list[Moment]:
    return [told(branch, item, lang, names) for item in items]


def _on_record(request: Request[Any, Any, Any], found: Case, people: People | None, items: list[HistoryItem]) -> None:
    fields = {name for item in items for name in item.texts} | (people.fields if people else set())
    if fields:
        serving = serving_of(request)
        with writing(serving.engine) as conn:
            record_read(conn, serving.branch, actor_of(request), [found.customer], fields)


def _done(branch: Any, done: str, lang: str) -> str:
    """What was just done, as the chart calls it; nothing for what it does not know."""
    chart = branch.rulebook.chart
    part = chart.events.get(done) or chart.facts.get(done)
    return str(getattr(part, lang)) if part else ""


# ── its past ────────────────────────────────────────────────────────────────────────────────────────────────────────


@get("/console/cases/{case_id:int}/then", sync_to_thread=True, opt={"page": "case.read"})
def case_then(
    request: Request[Any, Any, Any], case_id: CaseId, at: Annotated[date | None, QueryParameter()] = None
) -> Response[Any]:
    """The case as of the end of a past day, by its entries alone, and what has become of it since."""
    serving = serving_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        day = at or found.opened_on
        is_over = day < serving.branch.today(now())  # the log tells no end of a day that goes on
        start = instant_of(serving.branch, day.isoformat() if is_over else "now")
        then = case_as_of(conn, serving.branch, case_id, start)
        since = case_difference(conn, serving.branch, case_id, start, instant_of(serving.branch, "now"), limit=_PAGE)
        today = BusinessDates(conn, serving.branch).of(found.institution)
        present = detail_of(conn, found, serving.branch.rulebook, today)
    return render(request, "cases/then.html", then=then, since=since, case=present, at=day)


@get("/console/cases/{case_id:int}/history", sync_to_thread=True, opt={"page": "case.read"})
def case_history(
    request: Request[Any, Any, Any], case_id: CaseId,
    after: Annotated[int | None, QueryParameter(ge=0, le=2**53 - 1)] = None,
) -> Response[Any]:  # fmt: skip
    """Every entry of the case, from the first on."""
    serving, actor, lang = serving_of(request), actor_of(request), language_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        page = history_of_case(conn, serving.branch, found, actor, after=after, limit=_PAGE)
        names = names_of(conn, {item.actor for item in page.items})
    _on_record(request, found, None, page.items)
    moments = _moments(serving.branch, page.items, lang, names)
    return render(request, "cases/history.html", case=found, moments=moments, following=page.next)


@get("/console/cases/{case_id:int}/chart.svg", sync_to_thread=True, opt={"page": "case.read"})
def case_chart(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """The chart, with where the case stands and where it has been."""
    serving, actor = serving_of(request), actor_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        been, after = set[str](), 0
        while True:
            page = history_of_case(conn, serving.branch, found, actor, after=after, limit=_PAGE)
            been |= {str(item.to_state) for item in page.items if item.event.startswith("case.") and item.to_state}
            if page.next is None:
                break
            after = page.next
        policy = serving.branch.rulebook.policies.at(BusinessDates(conn, serving.branch).of(found.institution))
    chart = serving.branch.rulebook.chart.told_with(policy)
    drawn = svg(chart, language_of(request), at=found.state, been=been)
    return Response(drawn, media_type="image/svg+xml", headers=dict(HEADERS))


route_handlers = [cases, case, case_then, case_history, case_chart]
