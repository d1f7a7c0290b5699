"""Permits for contacts: asked for before the act; dialling begins with the number in clear."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.params import Body, PathParameter
from msgspec import Meta
from sqlalchemy.engine import Connection

from api.auth import still_valid
from api.changing import IdempotencyKey
from api.contacts import ContactsAnswer, answer_of
from api.example import Example
from api.idempotency import StoredAnswer
from api.outcomes import encode
from api.reading.asking import answers
from api.serving import serving_of
from api.written import changing, written
from casework.clock import now
from casework.intake.dialler.dialling import Dialling, dial
from casework.intake.dialler.outcome import Outcome, PermitOutcome, record_outcome, record_outcomes
from casework.intake.dialler.typed import MOST
from casework.people.staff.actor import Actor
from casework.work.gate.asking import Wanted
from casework.work.gate.permits import Permit

_Code = Annotated[str, Meta(max_length=32)]


class PermitBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to contact for which case, how and what for: a contact on record, or a phone that is not.

    `party`: debtor, co_borrower, guarantor, contact, representative, heir or guardian. `channel`: call, ai_voice,
    message, visit or letter. `purpose`: demand where none is given; for an heir, and for a contact person, who may be
    asked nothing else, locate.
    """

    case_id: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    party: _Code
    channel: _Code
    purpose: _Code | None = None
    contact_id: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    phone: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class OutcomeRecorded(msgspec.Struct):
    """The contact as the log holds it, and its entry."""

    contact_ref: str
    outcome: str
    entry_id: str


_ASKED = [
    Example(id="debtor", summary="Call the debtor on a number on record",
            value={"case_id": 1207, "party": "debtor", "contact_id": 9, "channel": "call", "purpose": "demand"}),
    Example(id="phone", summary="Ask a contact person where the debtor is",
            value={"case_id": 1207, "party": "contact", "phone": "12000000000", "channel": "call"}),
]  # fmt: skip
_PERMIT = {
    "allowed": False, "permit_id": None, "expires_at": None,
    "reasons": [{"rule": "X2", "zh": "当日接通本人（含未了结的联系许可）已达3次，不得再拨",
                 "en": "3 calls today reached the debtor, or are permitted and open",
                 "allowed_from": "2026-03-10T08:00:00+08:00"}],
}  # fmt: skip
_DIALLING = {"permit_id": 5501, "holds_until": "2026-03-09T03:04:05.000000Z", "phone": "12000000000"}


@post(
    "/contact-permits", status_code=200, tags=["contacts"],
    summary="Ask whether a contact may be made now, and reserve it",
    responses=answers(
        Permit, _PERMIT, "malformed_json", "unknown_case", "unknown_contact", "party_differs", "number_needed",
        "contact_or_phone", "malformed_phone", "unknown_party", "unknown_channel", "unknown_purpose",
        "purpose_not_for_contact", "post_not_permitted", "key_not_permitted", "out_of_reach", "invalid_request",
        "body_too_large", "unsupported_media_type", "database_busy", "database_full",
    ),
)  # fmt: skip
async def ask_for_permit(
    request: Request[Any, Any, Any], data: Annotated[PermitBody, Body(examples=_ASKED)]
) -> Permit:  # fmt: skip
    """Allowed, with a permit that reserves the contact; or not, with every reason and when each no longer holds.

    Counted are the debtor's contacts over all loans, staff, agencies and robots, and all calls to the number; an open
    permit counts as a connected and an unanswered call, so two callers never both get the last one.
    """
    return await serving_of(request).permits.ask(request.scope["auth"], Wanted(**msgspec.structs.asdict(data)))


@post(
    "/contact-permits/{permit_id:int}/dialling", status_code=200, sync_to_thread=True, tags=["contacts"],
    summary="Begin to dial: the number in clear",
    responses=answers(
        Dialling, _DIALLING, "unknown_permit", "permit_expired", "permit_used", "post_not_permitted",
        "key_not_permitted", "reveal_not_permitted", "purpose_not_permitted", "unknown_borrower", "unknown_contact",
        "sealed_value_altered", "invalid_request", "database_busy", "database_full",
    ),
)  # fmt: skip
def begin_to_dial(
    request: Request[Any, Any, Any], permit_id: Annotated[int, PathParameter(description="The permit.")]
) -> Dialling:
    """From now on the permit holds until its outcome is recorded, an hour at most. Showing the number is an entry."""
    return dialling_begun(request, permit_id)


def dialling_begun(request: Request[Any, Any, Any], permit_id: int) -> Dialling:
    """The number, once its entry is committed."""
    serving = serving_of(request)
    return dial(serving.engine, serving.branch, permit_id, lambda conn: still_valid(conn, request), clock=now)


_REACHED = {
    "result": "debtor", "started_at": "2026-03-09T10:00:07+08:00", "ended_at": "2026-03-09T10:03:20+08:00",
    "recording": "rec:2026-0009", "note": "客户称月底还款",
}  # fmt: skip
_OUTCOME = [Example(id="reached", summary="They answered", value=_REACHED)]


@post(
    "/contact-permits/{permit_id:int}/outcome", status_code=200, sync_to_thread=True, tags=["contacts"],
    summary="Record what came of it",
    responses=answers(
        OutcomeRecorded, {"contact_ref": "permit-5501", "outcome": "debtor", "entry_id": "borrower:wuhan~B000731:12"},
        "malformed_json", "unknown_permit", "permit_expired", "permit_used", "permit_foreign", "unknown_result",
        "result_not_of_channel", "in_the_future", "ended_before_started", "post_not_permitted", "key_not_permitted",
        "invalid_request", "unsupported_media_type", "body_too_large", "sealed_value_altered", "database_busy",
        "database_full",
    ),
)  # fmt: skip
def outcome_of_contact(
    request: Request[Any, Any, Any], permit_id: Annotated[int, PathParameter(description="The permit.")],
    data: Annotated[Outcome, Body(examples=_OUTCOME)],
) -> OutcomeRecorded:  # fmt: skip
    """The contact enters the debtor's log and uses the permit; what it reserved is free again, or counts as it came."""
    return outcome_recorded(request, permit_id, data)


class OutcomesBody(msgspec.Struct, forbid_unknown_fields=True):
    """One outcome, or up to 50. `atomic`: if one may not be recorded, none is."""

    outcomes: Annotated[list[PermitOutcome], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


_OUTCOMES = [
    Example(id="two", summary="A call that was answered, and one that was not", value={"outcomes": [
        {"permit_id": 5501, **_REACHED},
        {"permit_id": 5502, "result": "no_answer", "started_at": "2026-03-09T10:05:00+08:00"},
    ]}),
]  # fmt: skip
_RECORDED = {
    "atomic": False, "contacts": 2, "by_outcome": {"done": 1, "permit_expired": 1}, "by_reason": {"permit_expired": 1},
    "results": [
        {"contact_ref": "permit-5501", "outcome": "done", "status": 200, "column": None, "zh": None, "en": None,
         "late": False, "entry_id": "borrower:wuhan~B000731:12"},
        {"contact_ref": "permit-5502", "outcome": "permit_expired", "status": 409, "column": "permit_id",
         "zh": "该联系许可已过期", "en": "the permit has expired", "late": None, "entry_id": None},
    ],
}  # fmt: skip


@post(
    "/contact-permits/outcomes", status_code=200, tags=["contacts"], summary="Record what came of several",
    responses=answers(
        ContactsAnswer, _RECORDED, "malformed_json", "malformed_header", "post_not_permitted", "key_not_permitted",
        "invalid_request", "unsupported_media_type", "body_too_large", "sealed_value_altered", "idempotency_running",
        "idempotency_mismatch", "database_busy", "database_full",
    ),
)  # fmt: skip
async def outcomes_of_contacts(
    request: Request[Any, Any, Any], data: Annotated[OutcomesBody, Body(examples=_OUTCOMES)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Each has its own result, in the order given, as if it came alone; they are one transaction."""
    reported = [(one.permit_id, one) for one in data.outcomes]
    branch = serving_of(request).branch

    def work(conn: Connection, actor: Actor) -> StoredAnswer:
        told = record_outcomes(conn, branch, reported, actor, now(), atomic=data.atomic)
        return StoredAnswer(200, encode(answer_of(told, atomic=data.atomic)), {})

    return await written(request, work, idempotency_key)


def outcome_recorded(request: Request[Any, Any, Any], permit_id: int, outcome: Outcome) -> OutcomeRecorded:
    """The same for whoever has read what came of it."""
    with changing(request) as by:
        done = record_outcome(by.conn, by.branch, permit_id, outcome, by.actor, now())
    return OutcomeRecorded(done.contact.contact_ref, done.contact.outcome, done.entry_id)


route_handlers = [ask_for_permit, begin_to_dial, outcome_of_contact, outcomes_of_contacts]
