"""The past: a case and the portfolio at past instants, from the log alone.

Who may ask of a case is decided by the case as it is now: whoever sees it sees its past. The portfolio is one pass over
the log, so it is bounded here, and one at a time in a process; beyond that it is asked for at the shell.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.params import QueryParameter

from api.permitted import case_in_sight
from api.reading.asking import CASE_LINE, After, Limit, answers, reader_of
from api.reading.cases import CaseId
from casework.clock import now
from casework.errors import TryAgain
from casework.evidence.past.case_then import CaseDifference, CaseThen
from casework.evidence.past.instant import Instant, read_instant
from casework.evidence.past.one_case import case_as_of, case_difference
from casework.evidence.past.portfolio import Portfolio, PortfolioDifference, PortfolioFilter
from casework.evidence.past.whole import portfolio_as_of, portfolio_difference
from casework.storage.database import reading
from casework.work.cases.branch import Branch

MAX_ENTRIES: Final = 50_000
"""Entries of a log of which the portfolio is still answered here: a second or two of one thread."""

_WHEN = (
    "`2026-03-01T12:00+08:00` (the + written as %2B), `2026-03-01T12:00` in branch time, `2026-03-01` for the end of"
    " that branch day; as it is printed, `2026-03-01 12:00:00 +08:00`, the end of that second; or `now`; not in the"
    " future."
)
At = Annotated[str, QueryParameter(min_length=3, max_length=40, description=_WHEN)]
From = Annotated[str, QueryParameter(name="from", min_length=3, max_length=40, description=_WHEN)]
To = Annotated[str, QueryParameter(name="to", min_length=3, max_length=40, description="As `from`, and not before it.")]
_Code = Annotated[str | None, QueryParameter(max_length=64)]

_INSTANT = {
    "at": "2026-03-09T04:00:00Z", "branch_time": "2026-03-09T12:00:00+08:00", "time_zone": "Asia/Shanghai",
    "read_as": "branch_time",
}  # fmt: skip
_EARLIER = _INSTANT | {"at": "2026-03-02T04:00:00Z", "branch_time": "2026-03-02T12:00:00+08:00"}
_THEN: dict[str, Any] = {
    **{key: value for key, value in CASE_LINE.items() if key != "bucket"},
    "instant": _INSTANT, "business_date": "2026-03-08", "business_date_from": "feed",
    "policy": f"2024-01-01#{'5f' * 32}", "days_past_due": 7, "bucket_recorded": "M1", "bucket_computed": "M1",
    "chart": "overdue_loan@1", "state_zh": "电话催收", "state_en": "Phone collection", "opened_by": "system",
    "facts": {"attempt_days": [["2026-03-08", 2, False, []]]}, "last_entry_id": "case:1207:6", "audit_seq": 6,
    "audit_head": "5f" * 32,
}  # fmt: skip
_CASE_DIFFERENCE = {
    "case_id": 1207, "from_at": _EARLIER, "to_at": _INSTANT, "before": None, "after": _THEN,
    "changes": [{"field": "state", "before": None, "after": "phone_collection"}], "entries_in_all": 1,
    "entries": [{"entry_id": "case:1207:1", "seq": 1, "event": "case.opened", "zh": "入催", "en": "Case opened",
                 "actor": "system", "via": "feed", "acting_for": None, "recorded_at": "2026-03-03T01:02:03.000004Z",
                 "from_state": None, "to_state": "phone_collection", "reason_code": None, "rules": ["1.1.2"]}],
    "next": None,
}  # fmt: skip
_SUMS = {"cases": 812, "live": 640, "overdue_fen": 239995000, "outstanding_principal_fen": 6250000000}
_PORTFOLIO = {
    "instant": _INSTANT, "filter": {"institution": "wuhan"}, "entries": 4120,
    "business_dates": [{"institution": "wuhan", "business_date": "2026-03-08", "source": "feed"}], "total": _SUMS,
    "by_state_and_bucket": [_SUMS | {"state": "phone_collection", "bucket_recorded": "M1", "bucket_computed": "M1"}],
    "by_owner": [_SUMS | {"owner": "S0012"}], "by_team": [_SUMS | {"region": "R1", "team": "T2"}],
}  # fmt: skip
_SIDE = {
    "state": "phone_collection", "owner": "S0012", "handler": "S0012", "closed_as": None, "ended_as": None,
    "bucket_recorded": "M1",
    "bucket_computed": "M1", "overdue_fen": 239995, "outstanding_principal_fen": 6250000,
}  # fmt: skip
_PORTFOLIO_DIFFERENCE = {
    "from_at": _EARLIER, "to_at": _INSTANT, "filter": {}, "entries": 4120, "before": _SUMS, "after": _SUMS,
    "opened": 3, "closed": 3, "reopened": 0, "owner_changed": 1, "untouched": 790, "changed_in_all": 12,
    "moves": [{"from_state": "phone_collection", "to_state": "lost_contact", "cases": 2, "overdue_before_fen": 410000,
               "overdue_after_fen": 420000, "outstanding_principal_before_fen": 9000000,
               "outstanding_principal_after_fen": 9000000}],
    "owners": [{"owner": "S0012", "cases_before": 40, "given": 1, "taken": 2, "cases_after": 39,
                "overdue_before_fen": 8000000, "overdue_after_fen": 7900000}],
    "changed": [{"case_id": 1207, "before": _SIDE, "after": _SIDE | {"state": "lost_contact"}, "entries": 2,
                 "last_entry_id": "case:1207:8", "last_event": "case.step.mark_lost", "last_actor": "system"}],
    "next": 1207,
}  # fmt: skip
_OF_CASE = (
    "unknown_case", "case_not_opened_then", "instant_malformed", "instant_in_future", "invalid_request",
    "filter_malformed", "log_broken",
)  # fmt: skip
_OF_PORTFOLIO = (
    "instant_malformed", "instant_in_future", "invalid_request", "filter_malformed", "portfolio_too_large",
    "log_broken", "overloaded",
)  # fmt: skip


@get(
    "/cases/{case_id:int}/as-of", sync_to_thread=True, tags=["cases"], summary="A case at a past instant",
    responses=answers(CaseThen, _THEN, *_OF_CASE),
)  # fmt: skip
def case_then(request: Request[Any, Any, Any], case_id: CaseId, at: At) -> CaseThen:
    """The case as its entries recorded up to that instant say, for whoever may see the case as it is now."""
    serving, _ = reader_of(request, "at")
    with reading(serving.engine, snapshot=True) as conn:
        case_in_sight(conn, request, case_id)
        return case_as_of(conn, serving.branch, case_id, instant_of(serving.branch, at))


@get(
    "/cases/{case_id:int}/diff", sync_to_thread=True, tags=["cases"], summary="A case between two past instants",
    responses=answers(CaseDifference, _CASE_DIFFERENCE, *_OF_CASE, "instants_reversed"),
)  # fmt: skip
def case_between(
    request: Request[Any, Any, Any], case_id: CaseId, start: From, end: To, after: After = None, limit: Limit = 50
) -> CaseDifference:
    """The fields that changed, and who did what, for whoever may see the case as it is now."""
    serving, _ = reader_of(request, "from", "to", "after", "limit")
    with reading(serving.engine, snapshot=True) as conn:
        case_in_sight(conn, request, case_id)
        instants = instant_of(serving.branch, start), instant_of(serving.branch, end)
        return case_difference(conn, serving.branch, case_id, *instants, after=after, limit=limit)


@get(
    "/portfolio", sync_to_thread=True, tags=["audit"], summary="The portfolio at a past instant",
    responses=answers(Portfolio, _PORTFOLIO, *_OF_PORTFOLIO),
)  # fmt: skip
def portfolio_then(
    request: Request[Any, Any, Any], at: At, institution: _Code = None, product: _Code = None, owner: _Code = None,
    in_state: Annotated[str | None, QueryParameter(name="state", max_length=64)] = None,
) -> Portfolio:  # fmt: skip
    """Cases and amounts by state and bucket, owner, team; of a log of at most 50,000 entries, else at the shell."""
    serving, _ = reader_of(request, "at", "institution", "product", "owner", "state")
    wanted = PortfolioFilter(institution=institution, product=product, owner=owner, state=in_state)
    with _alone(), reading(serving.engine, snapshot=True) as conn:
        return portfolio_as_of(conn, serving.branch, instant_of(serving.branch, at), wanted, at_most=MAX_ENTRIES)


@get(
    "/portfolio/diff", sync_to_thread=True, tags=["audit"], summary="The portfolio between two past instants",
    responses=answers(PortfolioDifference, _PORTFOLIO_DIFFERENCE, *_OF_PORTFOLIO, "instants_reversed"),
)  # fmt: skip
def portfolio_between(
    request: Request[Any, Any, Any], start: From, end: To, institution: _Code = None, product: _Code = None,
    owner: _Code = None, in_state: Annotated[str | None, QueryParameter(name="state", max_length=64)] = None,
    after: After = None, limit: Limit = 50,
) -> PortfolioDifference:  # fmt: skip
    """From state to state, opened, closed, owners, and a page of the changed cases; bounded as `/portfolio` is."""
    serving, _ = reader_of(request, "from", "to", "institution", "product", "owner", "state", "after", "limit")
    wanted = PortfolioFilter(institution=institution, product=product, owner=owner, state=in_state)
    with _alone(), reading(serving.engine, snapshot=True) as conn:
        instants = instant_of(serving.branch, start), instant_of(serving.branch, end)
        return portfolio_difference(
            conn, serving.branch, *instants, wanted, after=after or 0, limit=limit, at_most=MAX_ENTRIES
        )


_passing = threading.Lock()


@contextmanager
def _alone() -> Iterator[None]:
    """One pass over the log at a time in a process, so that none slows down everybody; TryAgain `overloaded`."""
    if not _passing.acquire(blocking=False):
        raise TryAgain("overloaded", "another pass over the log is under way", retry_after_s=2)
    try:
        yield
    finally:
        _passing.release()


def instant_of(branch: Branch, text: str) -> Instant:
    """What was asked for, in branch time."""
    return read_instant(text, branch.time_zone, now())
