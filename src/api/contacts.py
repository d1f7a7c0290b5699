"""Contacts over HTTP: what staff type of contacts that were made, some at a time; a debtor's contacts listed."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import Body, QueryParameter
from msgspec import Meta

from api.example import Example
from api.permitted import case_in_sight, reach
from api.reading.asking import TIMES, Cursor, Limit, answers, reader_of, time_of
from api.several import DONE, counted, in_one, refused
from casework.errors import CallerError
from casework.intake.dialler.listing import ContactPage, contacts_page
from casework.intake.dialler.recording import REPEATED, Recorded
from casework.intake.dialler.row import COLUMNS_OF_ROW
from casework.intake.dialler.typed import MOST, Told, record_typed, texts_of_kind
from casework.intake.feed.last_known import customer_of_loan
from casework.storage.database import reading, writing
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import MAX_ID, filter_malformed

ContactRow: Any = msgspec.defstruct(
    "ContactRow",
    [(name, (int | str if name == "seconds" else str) | None, None) for name in COLUMNS_OF_ROW],
    forbid_unknown_fields=True,
    namespace={
        "__doc__": "A row of a contact file (docs/day.md): its columns, its codes and texts, its checks. Without a "
        "`staff_no` the contact is the caller's own."
    },
)


class ContactsBody(msgspec.Struct, forbid_unknown_fields=True):
    """One contact, or up to 50. `atomic`: if one may not be recorded, none is."""

    contacts: Annotated[list[ContactRow], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


class ContactResult(msgspec.Struct, kw_only=True):
    """What became of a row: done, repeated (it was there already), not_done, or what is wrong and in which column.

    `status` is what it would have been answered with alone. `late`: typed later than the policy's hours (补录).
    """

    contact_ref: str | None
    outcome: str
    status: int
    column: str | None = None
    zh: str | None = None
    en: str | None = None
    late: bool | None = None
    entry_id: str | None = None


class ContactsAnswer(msgspec.Struct):
    """Totals and a result for each, in the order given."""

    atomic: bool
    contacts: int
    by_outcome: dict[str, int]
    by_reason: dict[str, int]
    results: list[ContactResult]


_SHOWN = {
    "atomic": False, "contacts": 2, "by_outcome": {"done": 1, "unknown_result": 1},
    "by_reason": {"unknown_result": 1},
    "results": [
        {"contact_ref": "R1-0331-07", "outcome": "done", "status": 200, "column": None, "zh": None, "en": None,
         "late": False, "entry_id": "borrower:wuhan~B000731:12"},
        {"contact_ref": "R1-0331-08", "outcome": "unknown_result", "status": 422, "column": "result",
         "zh": "未知的联系结果", "en": "not in the table of results", "late": None, "entry_id": None},
    ],
}  # fmt: skip
_ASKED = [
    Example(id="visit", summary="A visit on which the debtor was met", value={"contacts": [
        {"contact_ref": "R1-0331-07", "loan_id": "L2024000917", "party": "debtor", "channel": "visit",
         "address": "江岸区示例路1号", "started_at": "2026-03-09T10:00:00+08:00", "result": "found"},
    ]}),
]  # fmt: skip


@post(
    "/contacts", status_code=200, sync_to_thread=True, tags=["contacts"], summary="Record contacts that were made",
    responses=answers(
        ContactsAnswer, _SHOWN, "malformed_json", "post_not_permitted", "key_not_permitted", "invalid_request",
        "body_too_large", "unsupported_media_type", "database_busy", "database_full",
    ),
)  # fmt: skip
def record_contacts(
    request: Request[Any, Any, Any], data: Annotated[ContactsBody, Body(examples=_ASKED)]
) -> ContactsAnswer:  # fmt: skip
    """Each row has its own result, as if it came alone; they are one transaction.

    A reference that is known with the same content changes nothing; with other content it is refused. Who was reached
    is no longer lost. A contact with a permit is recorded by its outcome instead.
    """
    typed = [{name: str(cell) for name, cell in msgspec.structs.asdict(row).items() if cell is not None}
             for row in data.contacts]  # fmt: skip
    told = in_one(
        request, lambda by: record_typed(by.conn, by.branch, typed, by.actor, by.at, atomic=data.atomic)
    )  # fmt: skip
    return answer_of(told, atomic=data.atomic)


def answer_of(told: Sequence[Told], *, atomic: bool) -> ContactsAnswer:
    """What became of each, and of all."""
    results = [_result(one) for one in told]
    faults = Counter(result.outcome for one, result in zip(told, results, strict=True) if one.is_fault)
    return ContactsAnswer(atomic, len(results), counted(results), dict(sorted(faults.items())), results)


def _result(told: Told) -> ContactResult:
    became = told.became
    if isinstance(became, Recorded):
        return ContactResult(
            contact_ref=told.contact_ref, **DONE, late=became.contact.late, entry_id=became.entry_id
        )  # fmt: skip
    if became is REPEATED:
        return ContactResult(contact_ref=told.contact_ref, outcome=became.kind, status=200)
    fault = CallerError(became.kind, *texts_of_kind(became.kind))
    return ContactResult(contact_ref=told.contact_ref, **refused(fault), column=became.column or None)


_CaseId = Annotated[int | None, QueryParameter(ge=1, le=MAX_ID, description="All contacts of the case's debtor.")]
_Since = Annotated[str | None, QueryParameter(max_length=40, description=f"That began then or later: {TIMES}.")]
_LoanId = Annotated[str | None, QueryParameter(max_length=64, description="The contacts made for this loan.")]
_PAGE = {
    "items": [{
        "contact_ref": "R1-0331-07", "source": "sheet", "loan_id": "L2024000917", "party": "debtor", "channel": "call",
        "purpose": "demand", "started_at": "2026-03-09T02:00:00.000000Z", "ended_at": None, "result": "no_answer",
        "zh": "无人接听", "en": "no answer", "outcome": "unanswered", "staff_no": "S0012", "agency": None,
        "phone": "120****0000", "has_address": False, "recording": True, "late": False, "permit_id": None,
        "recorded_at": "2026-03-09T02:05:00.000000Z", "line": "02759990000", "seconds": 22, "template": None,
        "next_action": "call_again", "to_review": None,
    }],
    "next": None,
}  # fmt: skip


@get(
    "/contacts", sync_to_thread=True, tags=["contacts"], summary="Contacts with a debtor, the newest first",
    responses=answers(
        ContactPage, _PAGE, "unknown_case", "unknown_loan", "filter_malformed", "cursor_malformed", "invalid_request",
        "sealed_value_altered",
    ),
)  # fmt: skip
def contacts_of_debtor(
    request: Request[Any, Any, Any], case_id: _CaseId = None, loan_id: _LoanId = None, cursor: Cursor = None,
    limit: Limit = 50, since: _Since = None,
) -> ContactPage:  # fmt: skip
    """Those of a case's debtor over all loans and callers, as the gate counts them; or those made for one loan.

    Numbers are masked as the reader's posts see them; that they were shown is an entry.
    """
    serving, actor = reader_of(request, "case_id", "loan_id", "cursor", "limit", "since")
    if (case_id is None) == (loan_id is None):
        raise filter_malformed("case_id", "given, or loan_id, and not both")
    with reading(serving.engine, snapshot=True) as conn:
        if loan_id is not None:
            customer = customer_of_loan(conn, loan_id, reach(request))
        else:
            customer = case_in_sight(conn, request, case_id or 0).customer
        began = time_of("since", since)
        page = contacts_page(conn, serving.branch, actor, customer, loan_id, limit=limit, cursor=cursor, since=began)
    if page.fields:
        with writing(serving.engine) as conn:
            record_read(conn, serving.branch, actor, [customer], page.fields)
    return page


route_handlers = [record_contacts, contacts_of_debtor]
