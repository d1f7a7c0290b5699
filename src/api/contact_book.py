"""The contact book of debtors over HTTP: looked at, added to some at a time, an entry of it refused or ended."""

from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import Body, PathParameter, QueryParameter
from msgspec import Meta

from api.example import Example
from api.permitted import case_in_sight, reach
from api.reading.asking import answers, reader_of
from api.several import DONE, answered, in_one, refused
from casework.errors import CallerError
from casework.intake.contact_book.adding import MOST, Added, NewWay, NotAdded, add
from casework.intake.contact_book.marking import Mark, Marked, mark, mark_many
from casework.intake.contact_book.shown import ContactBook, contact_book
from casework.intake.feed.last_known import customer_of_loan
from casework.storage.database import reading, writing
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import MAX_ID, filter_malformed

_Code = Annotated[str, Meta(max_length=32)]


class WayBody(msgspec.Struct, forbid_unknown_fields=True):
    """A number, an address or both of somebody around the debtor of a loan, with source and legal ground.

    `role`: debtor, co_borrower, guarantor, contact, representative, heir or guardian. `source` and `legal_basis` are
    codes of the table of lawful sources.
    """

    loan_id: Annotated[str, Meta(min_length=1, max_length=64)]
    role: _Code
    source: _Code
    legal_basis: _Code
    phone: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    address: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    address_kind: _Code | None = None
    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    relation: _Code | None = None


class WaysBody(msgspec.Struct, forbid_unknown_fields=True):
    """One, or up to 50. `atomic`: if one may not be entered, none is."""

    entries: Annotated[list[WayBody], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


class WayResult(msgspec.Struct, kw_only=True):
    """What became of a row: done, repeated (it was there already), not_done, or what is wrong and in which field.

    `status` is what it would have been answered with alone.
    """

    outcome: str
    status: int
    contact_id: int | None = None
    entry_id: str | None = None
    field: str | None = None
    zh: str | None = None
    en: str | None = None


class WaysAnswer(msgspec.Struct):
    """Totals and a result for each, in the order given."""

    atomic: bool
    entries: int
    by_outcome: dict[str, int]
    results: list[WayResult]


class MarkBody(msgspec.Struct, forbid_unknown_fields=True):
    """`refused`: whoever is reached there will not be contacted again, for ever. `ended`: it is no longer used.

    `remark` says how that became known; it is sealed.
    """

    mark: _Code
    remark: Annotated[str, Meta(min_length=1, max_length=500)]


class MarkAnswer(msgspec.Struct):
    """`entry_id` none: it had the mark already."""

    contact_id: int
    mark: str
    entry_id: str | None


class MarkOfBody(MarkBody, kw_only=True, forbid_unknown_fields=True):
    """The entry of the book, and what is noted of it."""

    contact_id: int


class MarksBody(msgspec.Struct, forbid_unknown_fields=True):
    """One mark, or up to 50. `atomic`: if one may not be noted, none is."""

    marks: Annotated[list[MarkOfBody], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


_CaseId = Annotated[int | None, QueryParameter(ge=1, le=MAX_ID, description="The case's debtor.")]
_LoanId = Annotated[str | None, QueryParameter(max_length=64, description="The loan's debtor.")]
_AsOf = Annotated[date | None, QueryParameter(description="As it was at the end of this day.")]
_BOOK = {
    "borrower_id": "B000731", "institution": "wuhan",
    "items": [{
        "id": 9, "role": "contact", "relation": "sibling", "name": "张**", "phone": "120****0000",
        "address_kind": None, "address": None, "source": "debtor", "legal_basis": "consent", "state": "unverified",
        "found_by": "S0012", "added_at": "2026-03-09T02:05:00.000000Z", "ended_at": None, "last_tried_at": None,
        "last_connected_at": None,
    }],
    "cut": False,
}  # fmt: skip
_ASKED = [
    Example(id="sister", summary="A contact person whom the debtor named", value={"entries": [
        {"loan_id": "L2024000917", "role": "contact", "relation": "sibling", "name": "张某", "phone": "120 0000 0000",
         "source": "debtor", "legal_basis": "consent"},
    ]}),
]  # fmt: skip
_RESULTS = {
    "atomic": False, "entries": 2, "by_outcome": {"done": 1, "unlawful_source": 1},
    "results": [
        {"outcome": "done", "status": 200, "contact_id": 9, "entry_id": "borrower:wuhan~B000731:12", "field": None,
         "zh": None, "en": None},
        {"outcome": "unlawful_source", "status": 422, "contact_id": None, "entry_id": None, "field": "source",
         "zh": "购买的个人信息：个人信息不得买卖",
         "en": "bought personal data: personal data must not be bought or sold"},
    ],
}  # fmt: skip


@get(
    "/contact-book", sync_to_thread=True, tags=["contacts"], summary="A debtor's contact book, numbers masked",
    responses=answers(
        ContactBook, _BOOK, "unknown_case", "unknown_loan", "filter_malformed", "invalid_request",
        "sealed_value_altered",
    ),
)  # fmt: skip
def book_of_debtor(
    request: Request[Any, Any, Any], case_id: _CaseId = None, loan_id: _LoanId = None, as_of: _AsOf = None
) -> ContactBook:  # fmt: skip
    """What feeds brought and what was entered since, with states as calls have told; that it is shown is an entry.

    As of a day: by contacts that had begun by its end (as put right since), what was entered and feeds had brought.
    """
    serving, actor = reader_of(request, "case_id", "loan_id", "as_of")
    if (case_id is None) == (loan_id is None):
        raise filter_malformed("case_id", "given, or loan_id, and not both")
    with reading(serving.engine, snapshot=True) as conn:
        if loan_id is not None:
            customer = customer_of_loan(conn, loan_id, reach(request))
        else:
            customer = case_in_sight(conn, request, case_id or 0).customer
        book = contact_book(conn, serving.branch, actor, customer, as_of)
    if book.fields:
        with writing(serving.engine) as conn:
            record_read(conn, serving.branch, actor, [customer], book.fields)
    return book


@post(
    "/contact-book", status_code=200, sync_to_thread=True, tags=["contacts"],
    summary="Enter numbers and addresses with their source",
    responses=answers(
        WaysAnswer, _RESULTS, "malformed_json", "post_not_permitted", "key_not_permitted", "invalid_request",
        "body_too_large", "unsupported_media_type", "database_busy", "database_full",
    ),
)  # fmt: skip
def add_to_book(request: Request[Any, Any, Any], data: Annotated[WaysBody, Body(examples=_ASKED)]) -> WaysAnswer:
    """Each row has its own result; what is in the book already changes nothing. They are one transaction.

    A source that the table does not know, or names as unlawful, is refused. Numbers are one number however they are
    written; whether one can exist is not judged.
    """
    told = ways_added(request, data.entries, atomic=data.atomic)
    return answered(WaysAnswer, [_result(one) for one in told], atomic=data.atomic)


def ways_added(
    request: Request[Any, Any, Any], entries: list[WayBody], *, atomic: bool = False
) -> list[Added | NotAdded]:  # fmt: skip
    """The same for whoever has been let through."""
    given = [NewWay(**msgspec.structs.asdict(one)) for one in entries]
    return in_one(request, lambda by: add(by.conn, by.branch, given, by.actor, by.at, atomic=atomic))


def _result(told: Added | NotAdded | Marked | CallerError) -> WayResult:
    if isinstance(told, Added | Marked):
        said = DONE if told.entry_id else DONE | {"outcome": "repeated"}
        return WayResult(**said, contact_id=told.contact_id, entry_id=told.entry_id)
    if isinstance(told, NotAdded):
        return WayResult(**refused(CallerError(told.code, told.zh, told.en)), field=told.field or None)
    field = {"unknown_mark": "mark", "unknown_contact": "contact_id"}.get(told.code)
    return WayResult(**refused(told), field=field)


_REFUSED = {"mark": "refused", "remark": "来信要求不再联系"}
_MARK = [Example(id="refused", summary="Refused in writing", value=_REFUSED)]


@post(
    "/contact-book/{contact_id:int}/marks", status_code=200, sync_to_thread=True, tags=["contacts"],
    summary="Note a refusal, or that it is no longer used",
    responses=answers(
        MarkAnswer, {"contact_id": 9, "mark": "refused", "entry_id": "borrower:wuhan~B000731:13"}, "malformed_json",
        "unknown_contact", "unknown_mark", "invalid_request", "post_not_permitted", "key_not_permitted",
        "body_too_large", "unsupported_media_type", "database_busy", "database_full",
    ),
)  # fmt: skip
def mark_in_book(
    request: Request[Any, Any, Any],
    contact_id: Annotated[int, PathParameter(ge=1, le=MAX_ID, description="Its number in the book.")],
    data: Annotated[MarkBody, Body(examples=_MARK)],
) -> MarkAnswer:
    """A refusal is for ever, for whomever the number is called; what is ended is used no more, and stays on record."""
    return entry_marked(request, contact_id, data)


_MARKS = [
    Example(id="two", summary="Refused in writing, and one that is no longer used", value={"marks": [
        {"contact_id": 9, **_REFUSED}, {"contact_id": 10, "mark": "ended", "remark": "登记有误"},
    ]}),
]  # fmt: skip


@post(
    "/contact-book/marks", status_code=200, sync_to_thread=True, tags=["contacts"],
    summary="Note refusals and what is no longer used",
    responses=answers(
        WaysAnswer, _RESULTS, "malformed_json", "post_not_permitted", "key_not_permitted", "invalid_request",
        "body_too_large", "unsupported_media_type", "database_busy", "database_full",
    ),
)  # fmt: skip
def mark_many_in_book(
    request: Request[Any, Any, Any], data: Annotated[MarksBody, Body(examples=_MARKS)]
) -> WaysAnswer:  # fmt: skip
    """Each has its own result; what has its mark already changes nothing. They are one transaction."""
    asked = [Mark(one.contact_id, one.mark, one.remark) for one in data.marks]
    told = in_one(request, lambda by: mark_many(by.conn, by.branch, asked, by.actor, by.at, atomic=data.atomic))
    return answered(WaysAnswer, [_result(one) for one in told], atomic=data.atomic)


def entry_marked(request: Request[Any, Any, Any], contact_id: int, data: MarkBody) -> MarkAnswer:
    """The same for whoever has been let through."""
    marked = in_one(
        request, lambda by: mark(by.conn, by.branch, contact_id, data.mark, data.remark, by.actor, by.at)
    )  # fmt: skip
    return MarkAnswer(*marked)


route_handlers = [book_of_debtor, add_to_book, mark_in_book, mark_many_in_book]
