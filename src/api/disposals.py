"""Judicial disposal forms over HTTP, beside what every noun has: what is known already, and the form on paper."""

from collections.abc import Mapping
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter

from api.auth import still_valid
from api.nouns import Number
from api.permitted import case_in_sight
from api.reading.asking import answers, reader_of
from api.reading.exports import XLSX, file_named
from casework.clock import now
from casework.evidence.disposal_form import Prefilled, form_file, form_name, prefilled
from casework.storage.database import reading, writing
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import MAX_ID
from casework.work.cases.lifecycles import DISPOSALS

_CaseId = Annotated[int, QueryParameter(ge=1, le=MAX_ID, description="The case of which a form is drawn up.")]
_KNOWN: Mapping[str, Any] = {
    "case_id": 1207, "loan_id": "L2024000917", "borrower_id": "B000731", "customer": "张**",
    "data": {"overdue_since": "2026-01-02", "principal_fen": 6250000, "interest_fen": 41200, "penalty_fen": 3100,
             "security": "none", "limitation_ends_on": "2029-01-02", "calls": 41, "visits": 2, "promises_broken": 1},
}  # fmt: skip


@get("/disposals/prefilled", sync_to_thread=True, tags=["disposals"], summary="What a form would say of a case",
     responses=answers(Prefilled, _KNOWN, "unknown_case", "invalid_request", "filter_malformed"))  # fmt: skip
def prefilled_form(request: Request[Any, Any, Any], case_id: _CaseId) -> Prefilled:
    """`data` as POST /disposals takes it, with amounts of the newest snapshot; what nobody knows is left out."""
    serving, actor = reader_of(request, "case_id")
    with reading(serving.engine, snapshot=True) as conn:
        case = case_in_sight(conn, request, case_id)
        known = prefilled(conn, serving.branch, actor, case)
    if known.customer is not None:
        with writing(serving.engine) as conn:
            record_read(conn, serving.branch, actor, [case.customer], {"name"})
    return known


@get("/disposals/{number:int}/form.xlsx", sync_to_thread=True, tags=["disposals"], summary="The form on paper",
     responses=answers(bytes, "(a workbook)", f"unknown_{DISPOSALS.word}", "database_busy", "database_full",
                       media_type=XLSX))  # fmt: skip
def form_as_xlsx(request: Request[Any, Any, Any], number: Number) -> Response[bytes]:
    """To be signed; the customer masked, texts as you are shown them. That it was taken out is an entry."""
    serving, _ = reader_of(request)
    on = serving.branch.today(now())
    with writing(serving.engine) as conn:
        body = form_file(conn, serving.branch, still_valid(conn, request), number, on)
    return file_named(body, XLSX, form_name(number, on))


reading_handlers = (prefilled_form, form_as_xlsx)
