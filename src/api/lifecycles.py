"""Changing every noun but cases over HTTP: opening, events, facts, notes, one event for many, many opened at once.

All of it is made from the noun's chart.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from msgspec import Meta

from api.auth import actor_of
from api.bulk import BULK, BulkNames, check_bulk, decided, too_many
from api.changing import (
    CHANGING,
    MAX_CASE_ID,
    IdempotencyKey,
    IfMatch,
    seen_version,
    through_the_writer,
)
from api.example import Example
from api.nouns import Described, Number
from api.permitted import reach
from api.problems import problem_responses
from api.serving import Serving, serving_of
from api.wire import (
    MAX_CASES,
    NOTE_EXAMPLES,
    BulkAnswerOfNoun,
    BulkAnswerOfOpenings,
    CaseRef,
    Code,
    Data,
    DoneOfNoun,
    EventBody,
    FactBody,
    NoteBody,
    OpeningOf,
    OpeningOfChild,
)
from casework.lifecycle.commands import Fire, Note, Open, Record
from casework.people.staff.permissions import Reach
from casework.storage.database import reading
from casework.work.cases.lifecycles import LIFECYCLES
from casework.work.cases.shown import ShownWanted, all_of, unseen_of

BULK_NAMES = BulkNames("items", "项目", "item")


def _done(one: Described, *codes: str) -> dict[int, ResponseSpec]:
    done = ResponseSpec(
        DoneOfNoun, generate_examples=False, description="Done; the ETag is the new version.", examples=[one.done]
    )
    return {200: done, **problem_responses(*CHANGING, f"unknown_{one.word}", "stale_version", *codes)}


def _open(one: Described) -> Any:
    kind: Any = OpeningOfChild if one.noun.child else OpeningOf
    done = ResponseSpec(
        DoneOfNoun, generate_examples=False, description="Opened; Location names it.", examples=[one.done]
    )
    unknown = f"unknown_{LIFECYCLES[0].word}" if one.noun.child else "unknown_loan"

    @post(
        f"/{one.plural}", status_code=201, summary=f"Open a {one.word}", tags=[one.plural],
        responses={201: done, **problem_responses(*CHANGING, unknown, "unknown_ground")},
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


def _fire(one: Described) -> Any:
    @post(
        f"/{one.plural}/{{number:int}}/events", status_code=200, summary=f"Fire an event of a {one.word}",
        tags=[one.plural], responses=_done(one, "unknown_event", "version_required"),
    )  # fmt: skip
    async def fire(
        request: Request[Any, Any, Any], number: Number, data: Annotated[EventBody, Body(examples=one.event)],
        if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:  # fmt: skip
        """Move it, if the chart allows it; otherwise 409 with every reason (403 if none of your posts may)."""
        actor, version = actor_of(request), seen_version(if_match, required=True)
        _check_number(request, one, number)
        command = Fire(
            actor=actor, noun=one.noun.chart, id=number, event=data.event, data=data.data, version=version
        )  # fmt: skip
        return await through_the_writer(request, [command], one.told(request), idempotency_key, if_match)

    return fire


def _record(one: Described) -> Any:
    @post(
        f"/{one.plural}/{{number:int}}/facts", status_code=200, summary=f"Record a fact of a {one.word}",
        tags=[one.plural], responses=_done(one, "unknown_fact"),
    )  # fmt: skip
    async def record(
        request: Request[Any, Any, Any], number: Number, data: Annotated[FactBody, Body(examples=one.fact)],
        if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:  # fmt: skip
        """Record what happened, when, and with which evidence; guards read such facts."""
        actor, version = actor_of(request), seen_version(if_match, required=False)
        _check_number(request, one, number)
        command = Record(
            actor=actor, noun=one.noun.chart, id=number, kind=data.kind, on=data.on, evidence=data.evidence,
            data=data.data, version=version,
        )  # fmt: skip
        return await through_the_writer(request, [command], one.told(request), idempotency_key, if_match)

    return record


def _note(one: Described) -> Any:
    @post(
        f"/{one.plural}/{{number:int}}/notes", status_code=200, summary=f"Write a note on a {one.word}",
        tags=[one.plural], responses=_done(one),
    )  # fmt: skip
    async def note(
        request: Request[Any, Any, Any], number: Number, data: Annotated[NoteBody, Body(examples=NOTE_EXAMPLES)],
        if_match: IfMatch = None, idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:  # fmt: skip
        """Write a note; the log commits to its text without holding it."""
        actor, version = actor_of(request), seen_version(if_match, required=False)
        _check_number(request, one, number)
        command = Note(actor=actor, noun=one.noun.chart, id=number, text=data.text, version=version)
        return await through_the_writer(request, [command], one.told(request), idempotency_key, if_match)

    return note


def _check_number(request: Request[Any, Any, Any], one: Described, number: int) -> None:
    if not 1 <= number <= MAX_CASE_ID:
        raise unseen_of(serving_of(request).branch, one.noun, number)


# ── many ─────────────────────────────────────────────────────────────────────────────────────────────────────


class BulkOfNoun(msgspec.Struct, forbid_unknown_fields=True):
    """An event for the `items` named, or for those that `filter` finds now (at most 1,000 either way).

    `atomic`: if it may not happen to one, it happens to none. `dry_run`: decide, change nothing.
    """

    event: Code
    data: Data = {}
    items: Annotated[list[CaseRef], Meta(min_length=1, max_length=MAX_CASES)] | None = None
    filter: ShownWanted | None = None
    atomic: bool = False
    dry_run: bool = False


def _fire_many(one: Described) -> Any:
    shown = {"dry_run": False, "atomic": False, "items": 1, "by_outcome": {"done": 1}, "by_reason": {},
             "results": [{**one.outcome, "outcome": "done", "status": 200}]}  # fmt: skip
    answer = ResponseSpec(
        BulkAnswerOfNoun, generate_examples=False, description="A result for each.",
        examples=[Example(summary="done", value=shown)],
    )  # fmt: skip

    @post(
        f"/{one.plural}/events", status_code=200, summary=f"Fire an event of many {one.plural}", tags=[one.plural],
        responses={200: answer, **problem_responses(*BULK)},
    )  # fmt: skip
    async def fire_many(
        request: Request[Any, Any, Any], data: Annotated[BulkOfNoun, Body(examples=one.many)],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:  # fmt: skip
        """Each has its own result, as if it had been asked for alone; everything is one transaction."""
        serving, actor, within = serving_of(request), actor_of(request), reach(request)
        check_bulk(data.event, data.items, data.filter, one.chart_of(serving), BULK_NAMES)

        def commands() -> Sequence[Fire]:
            named = (
                data.items if data.items is not None else _found_by(serving, one, data.filter or ShownWanted(), within)
            )
            return [
                Fire(actor=actor, noun=one.noun.chart, id=ref.id, event=data.event, data=data.data, version=ref.version)
                for ref in named
            ]

        return await decided(request, commands, data, idempotency_key, one.named(serving))

    return fire_many


class _ManyOpened(msgspec.Struct, forbid_unknown_fields=True):
    atomic: bool = False
    dry_run: bool = False


def _body_of_openings(kind: Any) -> Any:
    return msgspec.defstruct(
        f"Many{kind.__name__}", [("items", Annotated[list[kind], Meta(min_length=1, max_length=MAX_CASES)])],
        bases=(_ManyOpened,), kw_only=True, forbid_unknown_fields=True,
        namespace={"__doc__": "What is opened, at most 1,000. `atomic`: if one may not be opened, none is. `dry_run`: "
                              "decide, change nothing."},
    )  # fmt: skip


_MANY = {kind: _body_of_openings(kind) for kind in (OpeningOf, OpeningOfChild)}


def _open_many(one: Described) -> Any:
    kind: Any = _MANY[OpeningOfChild if one.noun.child else OpeningOf]
    shown = {"dry_run": False, "atomic": False, "items": 1, "by_outcome": {"done": 1}, "by_reason": {},
             "results": [{**one.outcome, "outcome": "done", "status": 200}]}  # fmt: skip
    answer = ResponseSpec(
        BulkAnswerOfOpenings, generate_examples=False, description="A result for each.",
        examples=[Example(summary="done", value=shown)],
    )  # fmt: skip
    codes = [code for code in BULK if code not in ("unknown_event", "filter_malformed")]
    example = Example(id="many", summary="several, or none",
                      value={"items": [example.value for example in one.opening], "atomic": True})  # fmt: skip

    @post(
        f"/{one.plural}/openings", status_code=200, summary=f"Open many {one.plural}", tags=[one.plural],
        responses={200: answer, **problem_responses(*codes)},
    )  # fmt: skip
    async def open_many(
        request: Request[Any, Any, Any], data: Annotated[kind, Body(examples=[example])],  # one of two, by the noun
        idempotency_key: IdempotencyKey = None,
    ) -> Response[bytes]:  # fmt: skip
        """Each has its own result, as if it had been asked for alone; everything is one transaction."""
        actor = actor_of(request)
        commands = [
            Open(actor=actor, noun=one.noun.chart, ground=each.ground, data=each.data, of=getattr(each, "of", None))
            for each in data.items
        ]
        return await decided(request, lambda: commands, data, idempotency_key, one.named(serving_of(request)))

    return open_many


def _found_by(serving: Serving, one: Described, wanted: ShownWanted, within: Reach) -> list[CaseRef]:
    """Those of a filter within reach, pinned to their version; CallerError `too_many_items`."""
    with reading(serving.engine) as conn:
        found, cut = all_of(conn, serving.branch, one.noun, within, wanted, at_most=MAX_CASES)
    if cut:
        raise too_many(BULK_NAMES)
    return [CaseRef(subject.id, subject.version) for subject in found]


def route_handlers(nouns: list[Described]) -> list[Any]:
    """For `api.app.create_app`."""
    return [made(one) for one in nouns for made in (_open, _fire, _record, _note, _fire_many, _open_many)]
