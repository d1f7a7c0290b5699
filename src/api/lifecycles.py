"""Every noun but cases over HTTP: list, one, what may be done, opening, events; made from its chart and its struct."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, get_type_hints

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import Body, PathParameter, QueryParameter

from api import examples
from api.auth import actor_of
from api.changing import MAX_CASE_ID, IdempotencyKey, IfMatch, seen_version, through_the_writer
from api.idempotency import Answer
from api.outcomes import CASE_NAMED, Named, answer_of
from api.permitted import reach
from api.problems import problem_responses, request_id_of
from api.reading.asking import Cursor, Limit, answers, reader_of
from api.serving import Serving, serving_of
from api.wire import DoneOfNoun, EventBody, OpeningOf, OpeningOfChild
from casework.clock import now
from casework.lifecycle.commands import Fire, Open, Outcome
from casework.lifecycle.kept import Kept
from casework.lifecycle.subject import HEAD
from casework.lifecycles import LIFECYCLES
from casework.rules.statechart.chart import Chart
from casework.settings import shipped
from casework.storage.database import reading
from casework.work.cases.filter import BusinessDates
from casework.work.cases.options import OpeningOffer, opening_offer
from casework.work.cases.rulebook import Rulebook, load_rulebook
from casework.work.cases.shown import (
    Options,
    Wanted,
    openings_of,
    options_of,
    page_of,
    seen,
    unseen_of,
)

Number = Annotated[int, PathParameter(description="Its number.")]
_CHANGING = (
    "malformed_json", "malformed_header", "post_not_permitted", "out_of_reach", "key_not_permitted", "refused",
    "idempotency_running", "body_too_large", "unsupported_media_type", "faulty_data", "invalid_request",
    "idempotency_mismatch", "database_busy", "outcome_unknown", "overloaded", "database_full",
)  # fmt: skip


class _Described:
    """A noun as the API shows it: its line is its struct, with its state in words and its parent by name."""

    def __init__(self, noun: Kept, rulebook: Rulebook) -> None:
        self.noun, self.plural, self.word = noun, noun.table.name, noun.word
        self.parent = CASE_NAMED.number if noun.child else ""
        chart = rulebook.charts[noun.chart]
        hints = get_type_hints(noun.subject)
        kinds = [(self._called(name), hints[name]) for name in noun.rows.columns if name not in HEAD]
        title = noun.word.capitalize()
        self.line = msgspec.defstruct(
            f"{title}Line", [*kinds, ("state_zh", str), ("state_en", str)], kw_only=True,
            namespace={"__doc__": noun.subject.__doc__},
        )  # fmt: skip
        self.page = msgspec.defstruct(
            f"{title}Page", [("items", list[self.line]), ("next", str | None)],  # type: ignore[name-defined]  # made above
            namespace={"__doc__": "One page; `next` is the cursor of the page after it, none at the end."},
        )  # fmt: skip
        self._describe(chart, rulebook)

    def _describe(self, chart: Chart, rulebook: Rulebook) -> None:
        policy, ground, event = rulebook.policies.all[-1], examples.ground_of(chart), examples.event_of(chart)
        subject = examples.subject_of(self.noun, chart, policy)
        self.shown = self.line_of(subject, chart)
        self.offer, self.ground = examples.offer_of(event, policy), opening_offer(ground, [], policy)
        child = {"of": 1207} if self.noun.child else {}
        self.opening = [
            Example(id=ground.name, summary=ground.en,
                    value={**child, "ground": ground.name, "data": examples.data_of(ground.fields)}),
        ]  # fmt: skip
        self.event = [
            Example(id=event.name, summary=event.en,
                    value={"event": event.name, "data": examples.data_of(event.fields)}),
        ]  # fmt: skip
        done = {"id": subject.id, "version": 1, "from_state": None, "state": subject.state,
                "entry_id": "case:1207:7" if self.noun.child else f"{self.noun.word}:204:1"}  # fmt: skip
        self.done = Example(summary="done", value=done)

    def _called(self, column: str) -> str:
        return self.parent if column == "parent_id" else column

    def line_of(self, subject: Any, chart: Chart) -> Any:
        """As lists and the page of one show it."""
        values = {self._called(name): getattr(subject, name) for name in self.noun.rows.columns if name not in HEAD}
        state = chart.state_named(subject.state)
        return self.line(**values, state_zh=state.zh, state_en=state.en)

    def chart_of(self, serving: Serving) -> Chart:
        """The chart in force."""
        return serving.branch.rulebook.charts[self.noun.chart]

    def told(self, request: Request[Any, Any, Any], *, created: bool = False) -> Callable[[list[Outcome]], Answer]:
        """How the outcome of the one command is answered."""
        chart, request_id = self.chart_of(serving_of(request)), request_id_of(request)
        named = Named(f"/{self.plural}", "id", chart.zh, chart.en.lower(), self.word)
        return lambda outcomes: answer_of(outcomes[0], request_id, created=created, named=named)


def _today(serving: Serving) -> date:
    return serving.branch.today(now())


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────


def _list(one: _Described) -> Any:
    page = msgspec.to_builtins({"items": [one.shown], "next": "WyI5YzBiMWY3ZDJhNGU2YzgxIixudWxsLDIwNF0"})

    @get(
        f"/{one.plural}", sync_to_thread=True, summary=f"List {one.plural}", tags=[one.plural],
        responses=answers(one.page, page, "filter_malformed", "cursor_malformed", "invalid_request"),
    )  # fmt: skip
    def listed(
        request: Request[Any, Any, Any],
        case_id: Annotated[
            int | None, QueryParameter(ge=1, le=2**53 - 1, description="Of this case, or binding it.")
        ] = None,
        loan_id: Annotated[str | None, QueryParameter(max_length=64)] = None,
        in_state: Annotated[str | None, QueryParameter(name="state", max_length=64)] = None,
        every: Annotated[bool, QueryParameter(name="all", description="What is over too.")] = False,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response[Any]:  # fmt: skip
        """In the order of their numbers, page by page: what is live, or in the state asked for, within your reach."""
        serving, _ = reader_of(request, "case_id", "loan_id", "state", "all", "limit", "cursor")
        wanted = Wanted(case_id, loan_id, in_state, every)
        with reading(serving.engine) as conn:
            found, following = page_of(
                conn, serving.branch, one.noun, reach(request), wanted, limit=limit, cursor=cursor
            )
        chart = one.chart_of(serving)
        return Response(one.page([one.line_of(subject, chart) for subject in found], following))

    return listed


def _one(one: _Described) -> Any:
    @get(
        f"/{one.plural}/{{number:int}}", sync_to_thread=True, summary=f"Show a {one.word}", tags=[one.plural],
        responses=answers(one.line, msgspec.to_builtins(one.shown), f"unknown_{one.word}"),
    )  # fmt: skip
    def shown(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
        """As it stands; its version is the ETag that an event names in If-Match."""
        serving, actor = reader_of(request)
        with reading(serving.engine, snapshot=True) as conn:
            subject, _ = seen(conn, serving.branch, one.noun, actor, number, _today(serving))
        line = one.line_of(subject, one.chart_of(serving))
        return Response(line, headers={"ETag": f'"{subject.version}"'})

    return shown


def _options(one: _Described) -> Any:
    example = {
        "id": 204, "version": 1, "state": one.shown.state, "business_date": "2026-03-09", "chart": one.shown.chart,
        "policy": "2024-01-01", "events": [msgspec.to_builtins(one.offer)],
    }  # fmt: skip

    @get(
        f"/{one.plural}/{{number:int}}/options", sync_to_thread=True, tags=[one.plural],
        summary=f"What may be done with a {one.word}",
        responses=answers(Options, example, f"unknown_{one.word}"),
    )  # fmt: skip
    def options(request: Request[Any, Any, Any], number: Number) -> Response[Options]:
        """Each event of the chart with the data it takes, every reason why not, and from when."""
        serving, actor = reader_of(request)
        with reading(serving.engine, snapshot=True) as conn:
            subject, whose = seen(conn, serving.branch, one.noun, actor, number, _today(serving))
            offers = options_of(serving.branch, BusinessDates(conn, serving.branch), one.noun, subject, whose, actor)
        return Response(offers, headers={"ETag": f'"{subject.version}"'})

    return options


def _openings(one: _Described) -> Any:
    @get(
        f"/{one.plural}/openings", sync_to_thread=True, tags=[one.plural],
        summary=f"The grounds on which a {one.word} is opened",
        responses=answers(list[OpeningOffer], [msgspec.to_builtins(one.ground)]),
    )  # fmt: skip
    def openings(request: Request[Any, Any, Any]) -> list[OpeningOffer]:
        """The grounds of the chart with the data that each takes; whether your posts may, the guards aside."""
        serving, actor = reader_of(request)
        return openings_of(serving.branch, one.noun, actor, _today(serving))

    return openings


# ── doing ───────────────────────────────────────────────────────────────────────────────────────────────────


def _open(one: _Described) -> Any:
    kind: Any = OpeningOfChild if one.noun.child else OpeningOf
    done = ResponseSpec(
        DoneOfNoun, generate_examples=False, description="Opened; Location names it.", examples=[one.done]
    )
    unknown = f"unknown_{LIFECYCLES[0].word}" if one.noun.child else "unknown_loan"

    @post(
        f"/{one.plural}", status_code=201, summary=f"Open a {one.word}", tags=[one.plural],
        responses={201: done, **problem_responses(*_CHANGING, unknown, "unknown_ground")},
    )  # fmt: skip
    async def open_(
        request: Request[Any, Any, Any],
        data: Annotated[kind, Body(examples=one.opening)],  # one of two, by the noun
        idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:
        """Open it on a ground of its chart, if the guards allow it; otherwise 409 with every reason."""
        command = Open(
            actor=actor_of(request), noun=one.noun.chart, ground=data.ground, data=data.data,
            of=getattr(data, "of", None),
        )  # fmt: skip
        return await through_the_writer(request, [command], one.told(request, created=True), idempotency_key, None)

    return open_


def _fire(one: _Described) -> Any:
    done = ResponseSpec(
        DoneOfNoun, generate_examples=False, description="Done; the ETag is the new version.", examples=[one.done]
    )
    codes = (*_CHANGING, f"unknown_{one.word}", "unknown_event", "stale_version", "version_required")

    @post(
        f"/{one.plural}/{{number:int}}/events", status_code=200, summary=f"Fire an event of a {one.word}",
        tags=[one.plural], responses={200: done, **problem_responses(*codes)},
    )  # fmt: skip
    async def fire(
        request: Request[Any, Any, Any], number: Number, data: Annotated[EventBody, Body(examples=one.event)],
        if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:  # fmt: skip
        """Move it, if the chart allows it; otherwise 409 with every reason (403 if none of your posts may)."""
        actor, version = actor_of(request), seen_version(if_match, required=True)
        if not 1 <= number <= MAX_CASE_ID:
            raise unseen_of(serving_of(request).branch, one.noun, number)
        command = Fire(
            actor=actor, noun=one.noun.chart, id=number, event=data.event, data=data.data, version=version
        )  # fmt: skip
        return await through_the_writer(request, [command], one.told(request), idempotency_key, if_match)

    return fire


def route_handlers() -> list[Any]:
    """For `api.app.create_app`; what the description shows is made from the charts that come with the service."""
    rulebook = load_rulebook(shipped("statecharts"))
    described = [_Described(noun, rulebook) for noun in LIFECYCLES[1:]]
    makers = (_open, _fire, _list, _openings, _one, _options)  # POST first: a GET is spoilt by a later one
    return [made(one) for one in described for made in makers]
