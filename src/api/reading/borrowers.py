"""Borrowers: one over all his loans and cases, and finding him. Masked, and the reading is on record."""

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, QueryParameter

from api.reading.asking import CASE_LINE, answers, reader_of
from casework.cases.disclosure import DEFAULT_PURPOSE, record_read
from casework.cases.filter import BusinessDates
from casework.database import reading, writing
from casework.feed.borrowers import Borrower, FoundPage, Search, borrower_page, fields_shown, find

Purpose = Annotated[
    str,
    QueryParameter(pattern="^[a-z][a-z0-9_]{0,63}$", description="A code, kept in the entry of this read."),
]

_BORROWER = {
    "borrower_id": "B000731", "institution": "wuhan", "name": "张**", "id_number": "4201**********1234",
    "overdue_fen": 239995,
    "loans": [{"loan_id": "L2024000917", "product": "consumer", "channel_code": "CH03",
               "owner_staff_no": "S0012", "team": "T2", "region": "R1",
               "disbursed_on": "2024-05-20", "principal_fen": 9000000,
               "outstanding_principal_fen": 6250000, "risk_class": "normal", "npl_since": None}],
    "cases": [CASE_LINE],
    "contacts": [{"id": 9, "role": "debtor", "relation": None, "name": "张**", "phone": "138****0000",
                  "address_kind": "home", "address": "武汉市江岸区***", "source": "application_form",
                  "legal_basis": "contract"}],
    "cut": False,
}  # fmt: skip
_ASKED = [Example(id="phone", summary="By phone", value={"phone": "13800000000", "purpose": "complaint"})]
_FOUND = {
    "items": [{"borrower_id": "B000731", "name": "张**", "id_number": "4201**********1234",
               "matched": ["phone"],
               "cases": [{"id": 1207, "loan_id": "L2024000917", "state": "phone_collection", "live": True}]}],
    "cut": False,
}  # fmt: skip


@get(
    "/borrowers/{borrower_id:str}",
    sync_to_thread=True,
    responses=answers(Borrower, _BORROWER, "unknown_borrower", "filter_malformed", "invalid_request"),
    tags=["borrowers"],
)
def borrower(
    request: Request[Any, Any, Any], borrower_id: FromPath[str], purpose: Purpose = DEFAULT_PURPOSE
) -> Borrower:
    """A borrower over all his loans, cases and contacts, masked; the read is an entry."""
    serving, actor = reader_of(request, "purpose")
    with reading(serving.engine, snapshot=True) as conn:
        page = borrower_page(conn, serving.branch, BusinessDates(conn, serving.branch), borrower_id)
    with writing(serving.engine) as conn:
        record_read(conn, serving.branch, actor, [borrower_id], fields_shown(page), purpose=purpose)
    return page


@post(
    "/find",
    status_code=200,
    sync_to_thread=True,
    responses=answers(FoundPage, _FOUND, "malformed_json", "filter_malformed", "purpose_malformed",
                      "unsupported_media_type"),
    tags=["borrowers"],
)  # fmt: skip
def find_borrowers(request: Request[Any, Any, Any], data: Annotated[Search, Body(examples=_ASKED)]) -> FoundPage:
    """Borrowers by loan, phone, name or ID number, exactly; a POST, so that none of it stands in an address.

    The read is an entry of each borrower found, before he is shown.
    """
    serving, actor = reader_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        page = find(conn, serving.branch, data)
    if page.items:
        with writing(serving.engine) as conn:
            shown = [item.borrower_id for item in page.items]
            record_read(conn, serving.branch, actor, shown, {"name", "id_number"}, purpose=data.purpose)
    return page
