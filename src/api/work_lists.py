"""The four lists of 5.4 (电催, 委催, 法催, 下户) over HTTP, counted and as rows; and a case's strategy of the day."""

from datetime import date
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get, post
from litestar.params import Body
from msgspec import Meta

from api.example import Example
from api.permitted import reach
from api.reading.asking import After, Limit, answers, reader_of
from api.several import in_one
from api.tasks import ActsAnswer, acts_answer
from casework.clock import now
from casework.storage.database import reading
from casework.work.tasks.acts import MOST
from casework.work.tasks.strategies import WorkLine, counted, lines_of, start, work_list


class WorkListCount(msgspec.Struct):
    """One of the four lists, and how many cases are on it now; `more`: more than `cases`, counted no further."""

    name: str
    zh: str
    en: str
    cases: int
    rules: list[str]
    more: bool = False


class WorkListsBody(msgspec.Struct):
    """All of them."""

    on: date
    items: list[WorkListCount]
    next: None = None


class WorkListPage(msgspec.Struct):
    """Cases by id; `next` is the `after` of the page behind it, none at the end."""

    name: str
    on: date
    items: list[WorkLine]
    next: int | None


class StrategyBody(msgspec.Struct, forbid_unknown_fields=True):
    """`strategy`: a key of `[strategies]`. `atomic`: if it may not be started for one, it is for none."""

    cases: Annotated[list[Annotated[int, Meta(ge=1, le=2**53 - 1)]], Meta(min_length=1, max_length=MOST)]
    strategy: Annotated[str, Meta(min_length=1, max_length=32)]
    atomic: bool = False


_COUNTS: Final = {
    "on": "2026-03-10",
    "items": [{"name": "phone", "zh": "电催", "en": "phone", "cases": 412, "rules": ["5.4"], "more": False}],
}  # fmt: skip
_PAGE: Final = {
    "name": "visit", "on": "2026-03-10", "next": None,
    "items": [{
        "id": 17, "loan_id": "L2024000917", "state": "phone_collection", "owner": "S0012", "handler": "S0103",
        "team": "T2", "region": "R1", "product": "consumer", "bucket": "M1", "oldest_due_date": "2026-03-01",
        "overdue_fen": 239995, "strategy": "visit",
    }],
}  # fmt: skip
_STARTED: Final = {
    "atomic": False, "tasks": 1, "by_outcome": {"strategy_not_allowed": 1},
    "results": [{
        "task_id": 17, "outcome": "strategy_not_allowed", "status": 409,
        "zh": "案件现为委外催收，“下户”只可在下户催收、失联、电话催收中启动",
        "en": "the case is in outsourced: visit is started in home_visit, lost_contact, phone_collection only",
    }],
}  # fmt: skip


@get(
    "/work-lists", sync_to_thread=True, tags=["tasks"], summary="The four lists, counted",
    responses=answers(WorkListsBody, _COUNTS, "filter_malformed"),
)  # fmt: skip
def work_lists(request: Request[Any, Any, Any]) -> WorkListsBody:
    """By today's strategies, and by state where none was started; counted up to 10,000."""
    serving, _ = reader_of(request)
    on = serving.branch.today(now())
    with reading(serving.engine, snapshot=True) as conn:
        counts = counted(conn, serving.branch, on)
    lists = serving.branch.rulebook.tasks.lists
    return WorkListsBody(
        on,
        [
            WorkListCount(name, one.zh, one.en, counts[name].cases, list(one.rules), counts[name].more)
            for name, one in lists.items()
        ],
    )


@get(
    "/work-lists/{name:str}", sync_to_thread=True, tags=["tasks"], summary="One of the four lists",
    responses=answers(WorkListPage, _PAGE, "unknown_work_list", "filter_malformed", "invalid_request"),
)  # fmt: skip
def one_work_list(
    request: Request[Any, Any, Any], name: Annotated[str, Meta(max_length=32)], after: After = None, limit: Limit = 50
) -> WorkListPage:
    """`name`: phone, agency, legal, visit."""
    serving, _ = reader_of(request, "after", "limit")
    on = serving.branch.today(now())
    work_list(serving.branch, name)
    with reading(serving.engine, snapshot=True) as conn:
        found = lines_of(conn, serving.branch, name, on, after=after or 0, limit=limit + 1, reach=reach(request))
    items = found[:limit]
    return WorkListPage(name, on, items, items[-1].id if len(found) > limit else None)


@post(
    "/strategies", status_code=200, sync_to_thread=True, tags=["tasks"], summary="Start a strategy for cases today",
    responses=answers(
        ActsAnswer, _STARTED, "unknown_strategy", "malformed_json", "invalid_request", "unsupported_media_type",
        "body_too_large", "database_busy", "database_full",
    ),
)  # fmt: skip
def start_strategy(
    request: Request[Any, Any, Any], data: Annotated[StrategyBody, Body(examples=[
        Example(id="visit", summary="these are visited today", value={"cases": [17, 18], "strategy": "visit"})])],
) -> ActsAnswer:  # fmt: skip
    """An entry for each case; `task_id` of a result is the case. Another one later that day takes its place."""
    became = in_one(
        request,
        lambda by: start(by.conn, by.branch, by.actor, data.cases, data.strategy, by.at, atomic=data.atomic),
    )  # fmt: skip
    return acts_answer(became, atomic=data.atomic)


route_handlers = [work_lists, one_work_list, start_strategy]
