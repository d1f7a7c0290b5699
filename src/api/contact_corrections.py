"""Wrong outcomes of contacts put right over HTTP, some at a time."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.params import Body
from msgspec import Meta

from api.contacts import ContactsAnswer, answer_of
from api.example import Example
from api.reading.asking import answers
from api.several import in_one
from casework.intake.dialler.correcting import Correction, correct_contacts
from casework.intake.dialler.typed import MOST, Told


class CorrectionBody(msgspec.Struct, forbid_unknown_fields=True):
    """A contact by its reference, and the result that is right (code or Chinese); `reason` is sealed.

    `source` says whose contact is meant (dialler, sheet, api, agency:…), where several have one of that reference.
    """

    contact_ref: Annotated[str, Meta(min_length=1, max_length=64)]
    result: Annotated[str, Meta(min_length=1, max_length=32)]
    source: Annotated[str, Meta(max_length=64)] | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class CorrectionsBody(msgspec.Struct, forbid_unknown_fields=True):
    """One contact, or up to 50. `atomic`: if one may not be put right, none is."""

    corrections: Annotated[list[CorrectionBody], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


_SHOWN = {
    "atomic": False, "contacts": 1, "by_outcome": {"done": 1}, "by_reason": {},
    "results": [
        {"contact_ref": "R1-0331-07", "outcome": "done", "status": 200, "column": None, "zh": None, "en": None,
         "late": False, "entry_id": "borrower:wuhan~B000731:14"},
    ],
}  # fmt: skip
_ASKED = [
    Example(id="third_party", summary="It was not the debtor who answered", value={"corrections": [
        {"contact_ref": "R1-0331-07", "result": "third_party", "source": "sheet", "reason": "听错"},
    ]}),
]  # fmt: skip


@post(
    "/contacts/corrections", status_code=200, sync_to_thread=True, tags=["contacts"],
    summary="Put wrong outcomes of contacts right",
    responses=answers(
        ContactsAnswer, _SHOWN, "malformed_json", "post_not_permitted", "key_not_permitted", "invalid_request",
        "body_too_large", "unsupported_media_type", "database_busy", "database_full",
    ),
)  # fmt: skip
def correct_outcomes(
    request: Request[Any, Any, Any], data: Annotated[CorrectionsBody, Body(examples=_ASKED)]
) -> ContactsAnswer:  # fmt: skip
    """An entry each, which counts from now on wherever the contact counts: gate, breaches, lost and reached, duties.

    People put right their own contacts; whoever reaches every case, all. One that is right already is `repeated`. What
    has happened since is not undone.
    """
    asked = [Correction(one.contact_ref, one.result, one.source, one.reason) for one in data.corrections]
    return answer_of(corrected(request, asked, atomic=data.atomic), atomic=data.atomic)


def corrected(request: Request[Any, Any, Any], asked: Sequence[Correction], *, atomic: bool) -> list[Told]:
    """The same for whoever has been let through."""
    return in_one(request, lambda by: correct_contacts(by.conn, by.branch, asked, by.actor, by.at, atomic=atomic))


route_handlers = [correct_outcomes]
