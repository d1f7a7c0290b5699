"""Looking at every noun but cases over HTTP: list, file, one, history, what may be done, the grounds of opening."""

from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter

from api import examples
from api.language import Language
from api.list_shape import whole, whole_of
from api.nouns import Described, Number, today_of
from api.permitted import reach
from api.reading.asking import After, Cursor, Limit, UpdatedSince, answers, check_unsorted, reader_of, time_of
from api.reading.exports import CSV, sent
from casework.clock import now
from casework.customer import Customer
from casework.storage.database import reading, writing
from casework.table import MAX_ROWS
from casework.work.cases.disclosure import record_read
from casework.work.cases.export import noun_cells, noun_list
from casework.work.cases.filter import BusinessDates
from casework.work.cases.history import HistoryPage
from casework.work.cases.options import OpeningOffer
from casework.work.cases.shown import (
    NounOptions,
    ShownWanted,
    all_of,
    history_of_noun,
    openings_of,
    options_of,
    page_of,
    page_of_changed,
    seen,
)
from casework.work.cases.sorts import SortOfNouns
from casework.work.cases.taking_out import file_of_list, taker_of
from casework.work.four_eyes.listing import show_pending

SortBy = Annotated[SortOfNouns, QueryParameter(description="A minus is descending; what has no day due comes last.")]
_FILTERS = ("case_id", "loan_id", "state", "due_by", "all", "sort")


def wanted_of(
    *,
    case_id: Annotated[
        int | None, QueryParameter(ge=1, le=2**53 - 1, description="Of this case, or binding it.")
    ] = None,
    loan_id: Annotated[str | None, QueryParameter(max_length=64)] = None,
    in_state: Annotated[str | None, QueryParameter(name="state", max_length=64)] = None,
    due_by: Annotated[date | None, QueryParameter(description="Due on this day or before.")] = None,
    every: Annotated[bool, QueryParameter(name="all", description="What is over too.")] = False,
) -> ShownWanted:  # fmt: skip
    """The filter that a request's query names; for `Provide`."""
    return ShownWanted(case_id=case_id, loan_id=loan_id, state=in_state, due_by=due_by, every=every)


_WANTED = {"wanted": Provide(wanted_of, sync_to_thread=False)}


def _list(one: Described) -> Any:
    page = msgspec.to_builtins({"items": [one.shown], "next": "WyI5YzBiMWY3ZDJhNGU2YzgxIixudWxsLDIwNF0"})

    @get(
        f"/{one.plural}", sync_to_thread=True, summary=f"List {one.plural}", tags=[one.plural], dependencies=_WANTED,
        responses=answers(one.page, page, "filter_malformed", "cursor_malformed", "invalid_request"),
    )  # fmt: skip
    def listed(
        request: Request[Any, Any, Any],
        wanted: NamedDependency[ShownWanted],
        sort: SortBy = "id",
        limit: Limit = 50,
        cursor: Cursor = None,
        updated_since: UpdatedSince = None,
    ) -> Response[Any]:
        """By filter and sort, page by page: what is live, or in the state asked for, within your reach."""
        serving, _ = reader_of(request, *_FILTERS, "limit", "cursor", "updated_since")
        asked = (serving.branch, one.noun, reach(request), wanted)
        with reading(serving.engine) as conn:
            if (since := time_of("updated_since", updated_since)) is None:
                found, following = page_of(conn, *asked, sort=sort, limit=limit, cursor=cursor)
            else:
                check_unsorted(request)
                found, following = page_of_changed(conn, *asked, since=since, limit=limit, cursor=cursor)
        chart = one.chart_of(serving)
        return Response(one.page([one.line_of(subject, chart) for subject in found], following))

    return listed


def _csv(one: Described) -> Any:
    @get(
        f"/{one.plural}.csv", sync_to_thread=True, summary=f"{one.plural.capitalize()} as a file", tags=[one.plural],
        dependencies=_WANTED,
        responses=answers(str, "编号,状态,…\r\n204,…\r\n", "filter_malformed", "invalid_request", media_type=CSV),
    )  # fmt: skip
    def as_csv(
        request: Request[Any, Any, Any],
        wanted: NamedDependency[ShownWanted],
        sort: SortBy = "id",
        *,
        spoken: Language,
    ) -> Response[bytes]:
        """Those of a filter, at most 20,000 (`Casework-Cut`); the last row says who took it out."""
        serving, actor = reader_of(request, *_FILTERS, "lang")
        with reading(serving.engine, snapshot=True) as conn:
            found, cut = all_of(conn, serving.branch, one.noun, reach(request), wanted, sort=sort, at_most=MAX_ROWS)
            taker = taker_of(conn, serving.branch, actor, now())
        asked, chart = {"noun": one.word, **msgspec.to_builtins(wanted)}, one.chart_of(serving)
        listed, cells = (
            noun_list(one.noun, chart, one.plural),
            noun_cells(one.noun, chart, spoken, taker.time_zone),
        )
        return sent(request, file_of_list(listed, map(cells, found), "csv", spoken, asked, taker, cut=cut))

    return as_csv


def _one(one: Described) -> Any:
    @get(
        f"/{one.plural}/{{number:int}}", sync_to_thread=True, summary=f"Show a {one.word}", tags=[one.plural],
        responses=answers(one.line, msgspec.to_builtins(one.shown), f"unknown_{one.word}"),
    )  # fmt: skip
    def shown(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
        """As it stands; its version is the ETag that an event names in If-Match."""
        serving, actor = reader_of(request)
        with reading(serving.engine, snapshot=True) as conn:
            subject, _ = seen(conn, serving.branch, one.noun, actor, number, today_of(serving))
        line = one.line_of(subject, one.chart_of(serving))
        return Response(line, headers={"ETag": f'"{subject.version}"'})

    return shown


def _history(one: Described) -> Any:
    @get(
        f"/{one.plural}/{{number:int}}/history", sync_to_thread=True, summary=f"What happened to a {one.word}",
        tags=[one.plural],
        responses=answers(HistoryPage, examples.history_of(one.word, one.fired, one.outcome),
                          f"unknown_{one.word}", "filter_malformed", "invalid_request", "sealed_value_altered"),
    )  # fmt: skip
    def history(
        request: Request[Any, Any, Any], number: Number, after: After = None, limit: Limit = 50,
        newest_first: FromQuery[bool] = False,
    ) -> HistoryPage:  # fmt: skip
        """Its entries; texts are opened for those who may read them, and that is an entry itself."""
        serving, actor = reader_of(request, "after", "limit", "newest_first")
        with reading(serving.engine, snapshot=True) as conn:
            subject, whose = seen(conn, serving.branch, one.noun, actor, number, today_of(serving))
            page = history_of_noun(
                conn, serving.branch, one.noun, subject, whose, actor, after=after, limit=limit,
                newest_first=newest_first,
            )  # fmt: skip
        fields = {name for item in page.items for name in item.texts}
        if fields:
            holder = whose[0] if one.noun.child else subject
            with writing(serving.engine) as conn:
                customer = Customer(holder.institution, holder.borrower_id)
                record_read(conn, serving.branch, actor, [customer], fields)
        return page

    return history


def _options(one: Described) -> Any:
    example = {
        "id": 204, "version": 1, "state": one.shown.state, "business_date": "2026-03-09", "chart": one.shown.chart,
        "policy": "2024-01-01", "events": [msgspec.to_builtins(one.offer)], "facts": [],
    }  # fmt: skip

    @get(
        f"/{one.plural}/{{number:int}}/options", sync_to_thread=True, tags=[one.plural],
        summary=f"What may be done with a {one.word}",
        responses=answers(NounOptions, example, f"unknown_{one.word}"),
    )  # fmt: skip
    def options(request: Request[Any, Any, Any], number: Number) -> Response[NounOptions]:
        """Each event of the chart with the data it takes, every reason why not, and from when."""
        serving, actor = reader_of(request)
        with reading(serving.engine, snapshot=True) as conn:
            subject, whose = seen(conn, serving.branch, one.noun, actor, number, today_of(serving))
            offers = options_of(serving.branch, BusinessDates(conn, serving.branch), one.noun, subject, whose, actor)
            show_pending(conn, serving.branch, f"{one.word}:{subject.id}", offers.events)
        return Response(offers, headers={"ETag": f'"{subject.version}"'})

    return options


def _openings(one: Described) -> Any:
    @get(
        f"/{one.plural}/openings", sync_to_thread=True, tags=[one.plural],
        summary=f"The grounds on which a {one.word} is opened",
        responses=answers(whole(OpeningOffer), {"items": [msgspec.to_builtins(one.ground)], "next": None}),
    )  # fmt: skip
    def openings(request: Request[Any, Any, Any]) -> Response[Any]:
        """The grounds of the chart with the data that each takes; whether your posts may, the guards aside."""
        serving, actor = reader_of(request)
        return whole_of(OpeningOffer, openings_of(serving.branch, one.noun, actor, today_of(serving)))

    return openings


def route_handlers(nouns: list[Described]) -> list[Any]:
    """For `api.app.create_app`."""
    return [made(one) for one in nouns for made in (_list, _csv, _openings, _one, _history, _options)]
