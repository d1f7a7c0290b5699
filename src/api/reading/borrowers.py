"""Borrowers: one over their loans and cases, finding them, and their data in clear. All of it is on record.

permissions.toml says which fields a post sees masked and may be shown in clear; an entry is committed before anything
is shown.
"""

from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import Body, FromPath, QueryParameter

from api.auth import still_valid
from api.example import Example
from api.permitted import reach
from api.reading.asking import CASE_LINE, answers, reader_of
from casework.clock import now
from casework.intake.feed.borrowers import (
    Borrower,
    FoundPage,
    Search,
    borrower_page,
    customer_of,
    fields_found,
    fields_shown,
    find,
)
from casework.intake.feed.customers import customer_named
from casework.intake.feed.reveal import MAX_CONTACTS, ClearBorrower, reveal
from casework.storage.database import reading, writing
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import BusinessDates
from casework.work.cases.sight import reach_of

Purpose = Annotated[
    str | None,
    QueryParameter(
        max_length=64,
        description="A purpose of permissions.toml, for the entry of this read; the usual one of your posts if none.",
    ),
]


_WHOSE = "Whose customer is meant; needed where several institutions have a borrower of this number."
Institution = Annotated[str | None, QueryParameter(max_length=64, description=_WHOSE)]


class RevealBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which fields, what for, and of which contacts (all of them if none is named and they are at most 50).

    `institution` says whose customer is meant, where several institutions have a borrower of this number.
    """

    fields: Annotated[list[Annotated[str, msgspec.Meta(max_length=32)]], msgspec.Meta(min_length=1, max_length=16)]
    purpose: Annotated[str, msgspec.Meta(max_length=64)]
    contact_ids: Annotated[list[int], msgspec.Meta(max_length=MAX_CONTACTS)] | None = None
    institution: Annotated[str, msgspec.Meta(max_length=64)] | None = None


_BORROWER = {
    "borrower_id": "B000731", "institution": "wuhan", "name": "张**", "id_number": "4201**********1234",
    "overdue_fen": 239995,
    "loans": [{"loan_id": "L2024000917", "product": "consumer", "channel_code": "CH03",
               "owner_staff_no": "S0012", "team": "T2", "region": "R1",
               "disbursed_on": "2024-05-20", "principal_fen": 9000000,
               "outstanding_principal_fen": 6250000, "risk_class": "normal", "npl_since": None,
               "status": "on_book"}],
    "cases": [CASE_LINE],
    "contacts": [{"id": 9, "role": "debtor", "relation": None, "name": "张**", "phone": "138****0000",
                  "address_kind": "home", "address": "武汉市江岸区***", "source": "application_form",
                  "legal_basis": "contract", "state": "valid", "found_by": None,
                  "added_at": "2026-03-08T16:00:00.000000Z", "ended_at": None,
                  "last_tried_at": "2026-03-09T02:00:00.000000Z",
                  "last_connected_at": "2026-03-09T02:00:00.000000Z"}],
    "cut": False, "beyond": False, "erased_on": None,
}  # fmt: skip
_ASKED = [Example(id="phone", summary="By phone", value={"phone": "13800000000", "purpose": "complaint"})]
_FOUND = {
    "items": [{"borrower_id": "B000731", "institution": "wuhan", "name": "张**", "id_number": "4201**********1234",
               "matched": ["phone"],
               "cases": [{"id": 1207, "loan_id": "L2024000917", "state": "phone_collection", "live": True}],
               "erased_on": None}],
    "cut": False,
}  # fmt: skip


@get(
    "/borrowers/{borrower_id:str}",
    sync_to_thread=True,
    responses=answers(Borrower, _BORROWER, "unknown_borrower", "institution_needed", "sealed_value_altered",
                      "filter_malformed", "invalid_request", "purpose_unknown", "purpose_not_permitted"),
    tags=["borrowers"],
)  # fmt: skip
def borrower(
    request: Request[Any, Any, Any], borrower_id: FromPath[str], institution: Institution = None,
    purpose: Purpose = None,
) -> Borrower:  # fmt: skip
    """A borrower over their loans, cases and contacts within reach, masked; the read is an entry.

    Borrowers none of whose cases or loans is within reach answer 404, as those do who are not there. Where several
    institutions have a borrower of this number, a reader who works with more than one of them has to say which: 409
    lists them.
    """
    serving, actor = reader_of(request, "institution", "purpose")
    within = reach(request)
    with reading(serving.engine, snapshot=True) as conn:
        dates = BusinessDates(conn, serving.branch)
        customer = customer_named(conn, borrower_id, institution, within=within)
        page = borrower_page(conn, serving.branch, dates, customer, actor=actor, within=within)
    with writing(serving.engine) as conn:
        record_read(conn, serving.branch, actor, [customer], fields_shown(page), purpose=purpose)
    return page


@post(
    "/find",
    status_code=200,
    sync_to_thread=True,
    responses=answers(FoundPage, _FOUND, "malformed_json", "filter_malformed", "purpose_unknown",
                      "sealed_value_altered",
                      "unsupported_media_type", "purpose_not_permitted"),
    tags=["borrowers"],
)  # fmt: skip
def find_borrowers(request: Request[Any, Any, Any], data: Annotated[Search, Body(examples=_ASKED)]) -> FoundPage:
    """Borrowers by loan, phone, name or ID number, exactly; a POST, so that none of it stands in an address.

    The read is an entry of each borrower found, before they are shown.
    """
    serving, actor = reader_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        page = find(conn, serving.branch, data, actor=actor, within=reach(request))
    if page.items:
        with writing(serving.engine) as conn:
            shown = [customer_of(item) for item in page.items]
            record_read(conn, serving.branch, actor, shown, fields_found(page), purpose=data.purpose)
    return page


_REVEALED = {
    "borrower_id": "B000731", "institution": "wuhan", "name": "张伟明", "id_number": None,
    "contacts": [{"id": 9, "phone": "13800000000"}], "purpose": "collection", "erased_on": None,
}  # fmt: skip
_REVEAL_ASKED = [
    Example(
        id="dial", summary="Their phone, to dial it",
        value={"fields": ["name", "phone"], "purpose": "collection", "contact_ids": [9]},
    )
]  # fmt: skip


@post(
    "/borrowers/{borrower_id:str}/reveal",
    status_code=200,
    sync_to_thread=True,
    responses=answers(ClearBorrower, _REVEALED, "malformed_json", "unknown_borrower", "unknown_contact",
                      "institution_needed", "reveal_not_permitted", "purpose_not_permitted",
                      "purpose_unknown", "unknown_field", "too_many_contacts", "filter_malformed", "invalid_request",
                      "unsupported_media_type", "database_busy", "database_full", "sealed_value_altered"),
    tags=["borrowers"],
)  # fmt: skip
def reveal_of_borrower(
    request: Request[Any, Any, Any],
    borrower_id: FromPath[str],
    data: Annotated[RevealBody, Body(examples=_REVEAL_ASKED)],
) -> ClearBorrower:
    """Fields in clear, for a purpose; `personal.revealed` says so in the log before they are shown."""
    serving, _ = reader_of(request)
    with writing(serving.engine) as conn:
        actor = still_valid(conn, request)  # a token that died a moment ago is shown nothing
        serving.branch.rulebook.permissions.require(actor, "borrower.reveal")
        within = reach_of(serving.branch, actor, "borrower.reveal", serving.branch.today(now()))
        customer = customer_named(conn, borrower_id, data.institution, within=within)
        found = reveal(
            conn, serving.branch, customer, data.fields, data.contact_ids, actor=actor, within=within,
            purpose=data.purpose,
        )  # fmt: skip
    return found.open(serving.branch.vault)
