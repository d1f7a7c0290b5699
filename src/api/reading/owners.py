"""Who answers for a case, by date: of one case, and of one person on a day."""

from datetime import date
from typing import Annotated, Any

from litestar import Request, get
from litestar.params import PathParameter, QueryParameter

from api.permitted import case_in_sight, reach
from api.reading.asking import After, Limit, answers, reader_of
from api.reading.cases import CaseId
from casework.storage.database import reading
from casework.work.cases.responsible import OwnedPage, OwnersOfCase, owned_on, owners_of_case

On = Annotated[date | None, QueryParameter(description="Who was responsible on this business date?")]
Day = Annotated[date, QueryParameter(description="The business date asked about.")]
StaffNo = Annotated[
    str,
    PathParameter(description="A staff number.", min_length=1, max_length=32, pattern=r"^[A-Za-z0-9._-]{1,32}$(?!\n)"),
]

_OWNERS = {
    "case_id": 1207,
    "owners": [
        {"owner": "S0012", "handler": "S0012", "since_on": "2026-03-02", "since_at": "2026-03-03T01:02:03.000004Z",
         "post": "business_rep", "reason": "by_rule", "reason_zh": "按规则分派", "reason_en": "by rule",
         "rule": "own_customer", "rule_zh": "本人客户", "rule_en": "the rep's own customer",
         "entry_id": "case:1207:1"},
        {"owner": "S0103", "handler": "S0103", "since_on": "2026-03-09", "since_at": "2026-03-09T08:15:02.114523Z",
         "post": "phone_collector", "reason": "workload", "reason_zh": "工作量均衡",
         "reason_en": "to even out the load",
         "rule": None, "rule_zh": None, "rule_en": None, "entry_id": "case:1207:7"},
    ],
    "on": "2026-03-05", "responsible": "S0012",
}  # fmt: skip
_OWNED = {
    "staff_no": "S0012", "on": "2026-03-05",
    "items": [
        {"case_id": 1207, "loan_id": "L2024000917", "institution": "wuhan", "since_on": "2026-03-02",
         "handler": "S0012", "reason": "by_rule", "rule": "own_customer", "state": "phone_collection",
         "owner_now": "S0103", "overdue_fen": 239995}
    ],
    "next": None,
}  # fmt: skip


@get(
    "/cases/{case_id:int}/owners", sync_to_thread=True,
    responses=answers(OwnersOfCase, _OWNERS, "unknown_case", "filter_malformed", "invalid_request"),
    tags=["cases"],
)  # fmt: skip
def case_owners(request: Request[Any, Any, Any], case_id: CaseId, on: On = None) -> OwnersOfCase:
    """The owners of a case from its opening on, each with reason and rule; with `on`, who was responsible that day."""
    serving, _ = reader_of(request, "on")
    with reading(serving.engine, snapshot=True) as conn:
        case_in_sight(conn, request, case_id)
        return owners_of_case(conn, serving.branch, case_id, on=on)


@get(
    "/staff/{staff_no:str}/cases", sync_to_thread=True,
    responses=answers(OwnedPage, _OWNED, "filter_malformed", "invalid_request"), tags=["cases"],
)  # fmt: skip
def cases_owned_on(
    request: Request[Any, Any, Any], staff_no: StaffNo, on: Day, limit: Limit = 50, after: After = None
) -> OwnedPage:
    """The cases that somebody owned on a day, of those within the caller's reach."""
    serving, _ = reader_of(request, "on", "limit", "after")
    with reading(serving.engine) as conn:
        return owned_on(conn, staff_no, on, within=reach(request), limit=limit, after=after)
