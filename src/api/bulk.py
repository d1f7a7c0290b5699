"""One event for many cases: a result per case and totals by reason, atomic or not, or only asked."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from msgspec import Meta

from api.auth import actor_of
from api.changing import IdempotencyKey, respond, through_the_writer
from api.example import Example
from api.idempotency import StoredAnswer
from api.outcomes import CASE_NAMED, Named, bulk_answer
from api.permitted import reach
from api.problems import problem_responses
from api.serving import Serving, serving_of
from api.wire import MAX_CASES, BulkAnswer, CaseRef, Code, Data
from casework.errors import CallerError
from casework.intake.feed.customers import institution_needed
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Fire
from casework.lifecycle.opening import unknown_event
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.rules.statechart.chart import Chart
from casework.storage.database import reading
from casework.work.cases.commands import Command
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.queries import walk_cases


class BulkBody(msgspec.Struct, forbid_unknown_fields=True):
    """An event for the `cases` named, or for those that `filter` finds now (at most 1,000 either way).

    `atomic`: if it may not happen to one, it happens to none. `dry_run`: decide, change nothing.
    """

    event: Code
    data: Data = {}
    cases: Annotated[list[CaseRef], Meta(min_length=1, max_length=MAX_CASES)] | None = None
    filter: CaseFilter | None = None
    atomic: bool = False
    dry_run: bool = False


_EXAMPLES = [
    Example(
        id="recall", summary="recall two cases, or none",
        value={"event": "recall", "data": {"reason": "term_over", "destruction_due_on": "2026-03-01"},
               "cases": [{"id": 17, "version": 4}, {"id": 18}], "atomic": True},
    ),
    Example(
        id="dry_run", summary="what would happen",
        value={"event": "place", "data": {"agency": "agency:A01", "term_until": "2026-06-30"},
               "filter": {"state": ["lost_contact"], "dpd_min": 31}, "dry_run": True},
    ),
]  # fmt: skip
_ANSWER = ResponseSpec(
    BulkAnswer, generate_examples=False, description="A result per case.",
    examples=[
        Example(
            summary="one done, one refused",
            value={"dry_run": False, "atomic": False, "cases": 2, "by_outcome": {"done": 1, "stale_version": 1},
                   "by_reason": {"stale_version": 1},
                   "results": [
                       {"case_id": 17, "outcome": "done", "status": 200, "version": 5, "from_state": "outsourced",
                        "state": "lost_contact", "entry_id": "case:17:9"},
                       {"case_id": 18, "outcome": "stale_version", "status": 412, "version": 7},
                   ]},
        )
    ],
)  # fmt: skip
BULK = (
    "malformed_json", "malformed_header", "post_not_permitted", "key_not_permitted", "idempotency_running",
    "body_too_large", "unsupported_media_type", "unknown_event", "invalid_request", "filter_malformed",
    "idempotency_mismatch", "database_busy", "outcome_unknown", "overloaded", "database_full",
)  # fmt: skip
"""What every route that changes many may answer."""


class BulkNames(NamedTuple):
    """What those are called that a bulk request names: its key, and in words."""

    key: str
    zh: str
    en: str


_CASES = BulkNames("cases", "案件", "case")
_PROBLEMS = problem_responses(*BULK, "cases_or_filter", "repeated_case", "too_many_cases", "institution_needed")


@post("/cases/events", status_code=200, summary="Fire an event for many cases", tags=["cases"],
      responses={200: _ANSWER, **_PROBLEMS})  # fmt: skip
async def fire_many(
    request: Request[Any, Any, Any], data: Annotated[BulkBody, Body(examples=_EXAMPLES)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Each case has its own result, as if it had been asked for alone; everything is one transaction."""
    actor, serving, within = actor_of(request), serving_of(request), reach(request)
    check_bulk(data.event, data.cases, data.filter, serving.branch.rulebook.chart, _CASES)
    return await decided(
        request, lambda: _commands(serving, actor, data, within), data, idempotency_key, CASE_NAMED
    )  # fmt: skip


def check_bulk(event: str, named: Sequence[CaseRef] | None, wanted: Any, chart: Chart, words: BulkNames) -> None:
    """CallerErrors `unknown_event`; `cases_or_filter`, `repeated_case` (of other nouns with their words)."""
    key, zh, en = words
    if (named is None) == (wanted is None):
        raise CallerError(f"{key}_or_filter", f"须提供 {key} 或 filter 之一", f"give either {key} or a filter")
    if event not in chart.events:
        raise unknown_event(event, chart)
    if named is not None and len({one.id for one in named}) < len(named):
        raise CallerError(
            f"repeated_{en}", f"同一{zh}不得重复出现", f"{'an' if en[0] in 'aeiou' else 'a'} {en} may appear once"
        )


def too_many(words: BulkNames) -> CallerError:
    """CallerError `too_many_cases`, or of other nouns."""
    return CallerError(
        f"too_many_{words.key}", f"筛选结果超过{MAX_CASES}个{words.zh}，请缩小范围",
        f"the filter finds more than {MAX_CASES} {words.key}; narrow it", at_most=MAX_CASES,
    )  # fmt: skip


async def decided(
    request: Request[Any, Any, Any], commands: Callable[[], Sequence[Command]], data: Any, idempotency_key: str | None,
    named: Named,
) -> Response[bytes]:  # fmt: skip
    """The commands carried out in one transaction, or (`data.dry_run`) only decided; a result for each."""
    serving = serving_of(request)
    if data.dry_run:
        return respond(await asyncio.to_thread(_forecast, serving, commands, data, named))
    found = await asyncio.to_thread(commands)
    return await through_the_writer(
        request, found, lambda outcomes: bulk_answer(found, outcomes, atomic=data.atomic, dry_run=False, named=named),
        idempotency_key, None, atomic=data.atomic, alone=True,
    )  # fmt: skip


def _commands(serving: Serving, actor: Actor, data: BulkBody, within: Reach) -> Sequence[Fire]:
    named = data.cases if data.cases is not None else found_by(serving, data.filter or CaseFilter(), within)
    return [Fire(actor=actor, id=case.id, event=data.event, data=data.data, version=case.version) for case in named]


def found_by(serving: Serving, wanted: CaseFilter, within: Reach) -> list[CaseRef]:
    """The cases of a filter within reach, pinned to their version: one that changes meanwhile is reported as stale.

    CallerErrors `too_many_cases`; `institution_needed` where a borrower's number alone finds cases of several people.
    """
    with reading(serving.engine) as conn:
        dates = BusinessDates(conn, serving.branch)
        walk = walk_cases(conn, dates, wanted, within=within, at_most=MAX_CASES + 1)
        found = [line for chunk in walk for line in chunk]
    if len(found) > MAX_CASES:
        raise too_many(_CASES)
    institutions = sorted({line.institution for line in found})
    if wanted.borrower_id is not None and len(institutions) > 1:
        raise institution_needed(institutions)
    return [CaseRef(line.id, line.version) for line in found]


def _forecast(serving: Serving, commands: Callable[[], Sequence[Command]], data: Any, named: Named) -> StoredAnswer:
    found = commands()
    with reading(serving.engine) as conn:
        outcomes = advance(conn, found, serving.branch, lock=False, dry_run=True)
    return bulk_answer(found, outcomes, atomic=data.atomic, dry_run=True, named=named)


route_handlers = [fire_many]
