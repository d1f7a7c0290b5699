"""Contacts that were against the gate or lack something, and what the basic-risk post makes of them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Body, QueryParameter
from msgspec import Meta

from api.auth import still_valid
from api.example import Example
from api.language import Language
from api.permitted import reach
from api.reading.asking import answers, reader_of
from api.reading.exports import CSV, file_of
from api.serving import serving_of
from api.written import changing
from casework.errors import CallerError
from casework.evidence.evening.review_sheet import review_file
from casework.intake.feed.past_arrears import past_arrears
from casework.storage.database import reading, writing
from casework.work.cases.taking_out import record_taken
from casework.work.gate import reviews
from casework.work.gate.found import found
from casework.work.gate.subjects import Subject, of_breaches, subjects

MOST_DAYS = 92
_MOST_LISTED = 1_000
_From = Annotated[date, QueryParameter(name="from", description="The first day on which such a contact began.")]
_To = Annotated[date, QueryParameter(description=f"The last such day, at most {MOST_DAYS} days on.")]


class BreachBody(msgspec.Struct):
    """A contact, the rules that it broke, and the verdict on it for these very reasons; none: it waits for review.

    `reasons`: the rules, and what else it goes to review for.
    """

    contact_ref: str
    source: str
    loan_id: str
    started_at: datetime
    staff_no: str | None
    agency: str | None
    party: str
    channel: str
    rules: list[str]
    verdict: str | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    reasons: list[str]


class BreachPage(msgspec.Struct):
    """All of the days asked for, as they began."""

    items: list[BreachBody]
    next: None = None


class ToReview(msgspec.Struct):
    """A contact and why it goes to review: `why` says first what it lacks, and a rule where it lacks nothing.

    `reasons`: the rules of the gate that it broke, then unrecorded, unregistered_line, no_template, unknown_template;
    `verdict` on it for these very reasons; none: it waits for review.
    """

    contact_ref: str
    source: str
    loan_id: str
    started_at: datetime
    staff_no: str | None
    agency: str | None
    party: str
    channel: str
    why: str
    reasons: list[str]
    verdict: str | None
    reviewed_by: str | None
    reviewed_at: datetime | None


class ReviewPage(msgspec.Struct):
    """All breaches of the days asked for, then the first 1,000 others; each as they began. `more`: there are others."""

    items: list[ToReview]
    more: bool
    next: None = None


class ReviewBody(msgspec.Struct, forbid_unknown_fields=True):
    """`verdict`: confirmed, explained, or cleared where a correction has made it none; `remark` is sealed.

    `source` says whose contact is meant, where several have one of that reference.
    """

    contact_ref: Annotated[str, Meta(min_length=1, max_length=64)]
    verdict: Annotated[str, Meta(max_length=16)]
    remark: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None
    source: Annotated[str, Meta(max_length=64)] | None = None


class Reviewed(msgspec.Struct):
    """What was reviewed, and for which reasons; `rules`: those of them that are rules of the gate."""

    contact_ref: str
    rules: list[str]
    verdict: str
    reasons: list[str]


_UNRECORDED = {
    "contact_ref": "m0331-5019", "source": "dialler", "loan_id": "L2024000917",
    "started_at": "2026-03-09T02:01:00.000000Z", "staff_no": "S0012", "agency": None, "party": "debtor",
    "channel": "call", "why": "unrecorded", "reasons": ["unrecorded"], "verdict": None, "reviewed_by": None,
    "reviewed_at": None,
}  # fmt: skip
_PAGE = {
    "items": [{
        "contact_ref": "m0331-5018", "source": "dialler", "loan_id": "L2024000917",
        "started_at": "2026-03-09T14:01:00.000000Z", "staff_no": "S0012", "agency": None, "party": "debtor",
        "channel": "call", "rules": ["X1"], "verdict": "explained", "reviewed_by": "S0031",
        "reviewed_at": "2026-03-10T01:00:00.000000Z", "reasons": ["X1"],
    }],
}  # fmt: skip
_ASKED = [
    Example(id="explained", summary="They had asked to be called back",
            value={"contact_ref": "m0331-5018", "verdict": "explained", "remark": "客户来电要求回拨"}),
]  # fmt: skip


@get(
    "/contact-breaches", sync_to_thread=True, tags=["contacts"], summary="Contacts that were against the gate",
    responses=answers(
        BreachPage, _PAGE, "filter_malformed", "invalid_request", "post_not_permitted", "period_too_long"
    ),
)  # fmt: skip
def breaches_of_days(request: Request[Any, Any, Any], first: _From, to: _To) -> BreachPage:
    """Judged against everything on record now: what comes late, or is corrected, changes the answer. Not paged."""
    reader_of(request, "from", "to")
    return breaches_between(request, first, to)


def breaches_between(request: Request[Any, Any, Any], first: date, to: date) -> BreachPage:
    """Those of these days, for whoever reaches every case; CallerError `period_too_long`."""
    serving = serving_of(request)
    _within(first, to)
    if not reach(request).everything:
        return BreachPage([])
    with reading(serving.engine, snapshot=True) as conn:
        listed = list(of_breaches(serving.branch, found(conn, serving.branch, past_arrears, first, to)))
        reviewed = reviews.reviews(conn, [one.contact for one in listed])
    return BreachPage(
        [
            BreachBody(
                **_contact_of(one), **_verdict_of(reviewed, one), rules=list(one.rules), reasons=list(one.reasons)
            )
            for one in listed
        ]
    )


_OF_CONTACT: Final = (
    "contact_ref", "source", "loan_id", "started_at", "staff_no", "agency", "party", "channel",
)  # fmt: skip


def _contact_of(subject: Subject) -> dict[str, Any]:
    """What every list says of a contact."""
    return {name: getattr(subject.contact, name) for name in _OF_CONTACT}


def _verdict_of(reviewed: Mapping[tuple[str, str], reviews.Review], subject: Subject) -> dict[str, Any]:
    """The verdict, by whom and when; none of them: it waits."""
    one = reviews.verdict_on(reviewed, subject)
    return {
        "verdict": one and one.verdict, "reviewed_by": one and one.actor_id, "reviewed_at": one and one.reviewed_at,
    }  # fmt: skip


def _within(first: date, to: date) -> None:
    if not timedelta() <= to - first <= timedelta(days=MOST_DAYS - 1):
        raise CallerError(
            "period_too_long", f"起止日期须顺序排列且不超过{MOST_DAYS}天", f"name 1 to {MOST_DAYS} days, in order"
        )


@post(
    "/contact-breaches/reviews", status_code=200, sync_to_thread=True, tags=["contacts"], summary="Review a contact",
    responses=answers(
        Reviewed, {"contact_ref": "m0331-5018", "rules": ["X1"], "verdict": "explained", "reasons": ["X1"]},
        "malformed_json",
        "unknown_verdict", "unknown_contact_ref", "source_needed", "no_breach", "still_a_breach", "invalid_request",
        "post_not_permitted", "unsupported_media_type", "body_too_large", "database_busy", "database_full",
    ),
)  # fmt: skip
def review_breach(request: Request[Any, Any, Any], data: Annotated[ReviewBody, Body(examples=_ASKED)]) -> Reviewed:
    """An entry in the debtor's stream: confirmed, explained, or cleared by a correction."""
    return breach_reviewed(request, data)


def breach_reviewed(request: Request[Any, Any, Any], data: ReviewBody) -> Reviewed:
    """The same for whoever has been let through."""
    with changing(request) as by:
        subject = reviews.review(
            by.conn, by.trail, by.branch, by.actor, past_arrears, data.contact_ref, data.verdict, data.remark,
            data.source,
        )  # fmt: skip
    return Reviewed(data.contact_ref, list(subject.rules), data.verdict, list(subject.reasons))


@get(
    "/contacts/to-review", sync_to_thread=True, tags=["contacts"], summary="Contacts that go to review",
    responses=answers(
        ReviewPage, {"items": [_UNRECORDED], "more": False}, "filter_malformed", "invalid_request",
        "post_not_permitted", "period_too_long",
    ),
)  # fmt: skip
def contacts_of_days_to_review(request: Request[Any, Any, Any], first: _From, to: _To) -> ReviewPage:
    """Breaches; calls without a recording, messages without a template, lines and templates that nobody registered."""
    reader_of(request, "from", "to")
    return to_review_between(request, first, to)


def to_review_between(
    request: Request[Any, Any, Any], first: date, to: date, at_most: int = _MOST_LISTED
) -> ReviewPage:
    """Those of these days, for whoever reaches every case; CallerError `period_too_long`."""
    serving = serving_of(request)
    _within(first, to)
    if not reach(request).everything:
        return ReviewPage([], more=False)
    with reading(serving.engine, snapshot=True) as conn:
        listed, more = subjects(conn, serving.branch, past_arrears, first, to, at_most)
        reviewed = reviews.reviews(conn, [one.contact for one in listed])
    items = [
        ToReview(
            **_contact_of(one), **_verdict_of(reviewed, one), why=(one.lacks or one.rules)[0],
            reasons=list(one.reasons),
        )
        for one in listed
    ]  # fmt: skip
    return ReviewPage(items, more)


@get(
    "/contacts/to-review.csv", sync_to_thread=True, tags=["contacts"], summary="The same over a period as CSV",
    responses=answers(
        str, "时间,借据号,催收人,…\r\n", "filter_malformed", "invalid_request", "post_not_permitted", "period_too_long",
        "out_of_reach", "database_busy", "database_full", media_type="text/csv",
    ),
)  # fmt: skip
def contacts_to_review_as_csv(
    request: Request[Any, Any, Any], first: _From, to: _To, spoken: Language
) -> Response[bytes]:
    """All of them, not paged; that it was taken out is an entry with the file's digest."""
    serving, _ = reader_of(request, "from", "to", "lang")
    _within(first, to)
    with writing(serving.engine) as conn:
        actor = still_valid(conn, request)
        if not reach(request).everything:
            raise CallerError("out_of_reach")
        taken = review_file(conn, serving.branch, first, to, actor, "csv", spoken)
        record_taken(conn, serving.branch, actor, taken)
    return file_of(taken.body, CSV, taken.name, cut=taken.cut)


route_handlers = [breaches_of_days, contacts_of_days_to_review, contacts_to_review_as_csv, review_breach]
