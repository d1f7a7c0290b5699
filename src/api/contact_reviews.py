"""Contacts that go to review, judged some at a time."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, post
from litestar.params import Body
from msgspec import Meta

from api.contact_breaches import ReviewBody
from api.example import Example
from api.reading.asking import answers
from api.several import DONE, answered, in_one, refused
from casework.errors import CallerError
from casework.intake.feed.past_arrears import past_arrears
from casework.work.gate.reviews import ReviewAsked, ReviewDone, review_many

MOST: Final = 50


class ReviewsBody(msgspec.Struct, forbid_unknown_fields=True):
    """One review, or up to 50. `atomic`: if one may not be recorded, none is."""

    reviews: Annotated[list[ReviewBody], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


class ReviewResult(msgspec.Struct, kw_only=True):
    """What became of one: done, not_done, or what is wrong; `status` is what it would have been answered with alone.

    `reasons`: for which the contact was reviewed; `rules`: those of them that are rules of the gate.
    """

    contact_ref: str
    outcome: str
    status: int
    verdict: str | None = None
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    entry_id: str | None = None
    zh: str | None = None
    en: str | None = None


class ReviewsAnswer(msgspec.Struct):
    """Totals and a result for each, in the order given."""

    atomic: bool
    reviews: int
    by_outcome: dict[str, int]
    results: list[ReviewResult]


_ASKED = [
    Example(id="two", summary="One explained, one confirmed", value={"reviews": [
        {"contact_ref": "m0331-5018", "verdict": "explained", "remark": "客户来电要求回拨"},
        {"contact_ref": "m0331-5019", "verdict": "confirmed", "source": "dialler"},
    ]}),
]  # fmt: skip
_SHOWN = {
    "atomic": False, "reviews": 2, "by_outcome": {"done": 1, "no_breach": 1},
    "results": [
        {"contact_ref": "m0331-5018", "outcome": "done", "status": 200, "verdict": "explained", "rules": ["X1"],
         "reasons": ["X1"], "entry_id": "borrower:wuhan~B000731:14", "zh": None, "en": None},
        {"contact_ref": "m0331-5019", "outcome": "no_breach", "status": 409, "verdict": None, "rules": [],
         "reasons": [], "entry_id": None, "zh": "该联系现无须复核", "en": "nothing of this contact goes to review now"},
    ],
}  # fmt: skip


@post(
    "/contact-reviews", status_code=200, sync_to_thread=True, tags=["contacts"], summary="Review several contacts",
    responses=answers(
        ReviewsAnswer, _SHOWN, "malformed_json", "invalid_request", "post_not_permitted", "key_not_permitted",
        "unsupported_media_type", "body_too_large", "database_busy", "database_full",
    ),
)  # fmt: skip
def review_contacts(
    request: Request[Any, Any, Any], data: Annotated[ReviewsBody, Body(examples=_ASKED)]
) -> ReviewsAnswer:  # fmt: skip
    """An entry each in the debtor's stream, with its own result; they are one transaction."""
    asked = [ReviewAsked(one.contact_ref, one.verdict, one.remark, one.source) for one in data.reviews]
    told = in_one(
        request,
        lambda by: review_many(by.conn, by.trail, by.branch, by.actor, past_arrears, asked, atomic=data.atomic),
    )  # fmt: skip
    results = [_result(of, became) for of, became in zip(asked, told, strict=True)]
    return answered(ReviewsAnswer, results, atomic=data.atomic)


def _result(of: ReviewAsked, became: ReviewDone | CallerError) -> ReviewResult:
    if isinstance(became, CallerError):
        return ReviewResult(contact_ref=of.contact_ref, **refused(became))
    subject = became.subject
    return ReviewResult(
        contact_ref=of.contact_ref, **DONE, verdict=of.verdict, rules=subject.rules, reasons=subject.reasons,
        entry_id=became.entry_id,
    )  # fmt: skip


route_handlers = [review_contacts]
