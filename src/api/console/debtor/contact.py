"""One contact: what it was, and its outcome put right: in one key just after it was saved, later with a reason."""

import asyncio
from datetime import timedelta
from typing import Any, Final

from litestar import Request, Response, get, post
from sqlalchemy.engine import Connection

from api.auth import actor_of
from api.console.debtor.results import results_of
from api.console.frame import cookies
from api.console.frame.forms import Tried, problem_of, typed_in
from api.console.frame.page import render, to
from api.contact_corrections import corrected
from api.problems import status_of
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.intake.dialler.correcting import Correction
from casework.intake.dialler.recording import REPEATED, Not
from casework.intake.dialler.typed import Sight, texts_of_kind
from casework.storage.database import reading
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of

AT_ONCE: Final = timedelta(minutes=1)
"""For so long after it was saved no reason is asked for."""


def contact_named(conn: Connection, request: Request[Any, Any, Any], source: str, contact_ref: str) -> Contact:
    """The contact, if the reader may put it right; CallerErrors `unknown_contact_ref`, `out_of_reach`, `not_your_own`.

    Of a contact that they do not see it is said that there is none.
    """
    wanted = CONTACTS.where(contact_log.c.contact_ref == contact_ref, contact_log.c.source == source)
    row = conn.execute(wanted).one_or_none()
    if row is None:
        raise CallerError("unknown_contact_ref", contact_ref=contact_ref)
    contact = contact_of(row)
    fault = Sight(conn, serving_of(request).branch, {contact.loan_id}, actor_of(request), now()).fault_of(contact)
    if fault is not None:
        kind = "unknown_contact_ref" if fault.kind == "unknown_loan" else fault.kind
        raise CallerError(kind, *texts_of_kind(kind), contact_ref=contact_ref)
    return contact


@get("/console/contacts/one", sync_to_thread=True, opt={"page": "contact.record"})
def one(request: Request[Any, Any, Any]) -> Response[Any]:
    """What it was, and the results that it may have had instead."""
    return _page(request, request.query_params.get("source", ""), request.query_params.get("contact_ref", ""),
                 request.query_params.get("next", ""))  # fmt: skip


@post("/console/contacts/one", opt={"page": "contact.record"})
async def put_right(request: Request[Any, Any, Any]) -> Response[Any]:
    """Another result in the place of the wrong one; then back to where the reader was."""
    typed = await typed_in(request)
    source, contact_ref, following = (typed.get(name, "") for name in ("source", "contact_ref", "next"))
    try:
        await asyncio.to_thread(_put_right, request, source, contact_ref, typed)
    except CallerError as mistake:
        if status_of(mistake.code) in (401, 403, 404):
            raise
        tried = Tried("contact", typed, problem_of(mistake))
        return await asyncio.to_thread(_page, request, source, contact_ref, following, tried)
    return to(cookies.place_here(following))


def _put_right(request: Request[Any, Any, Any], source: str, contact_ref: str, typed: dict[str, str]) -> None:
    reason = typed.get("reason", "").strip() or None
    with reading(serving_of(request).engine) as conn:
        contact = contact_named(conn, request, source, contact_ref)
    if reason is None and not _just_saved(contact):
        raise CallerError("reason_needed")
    (done,) = corrected(request, [Correction(contact_ref, typed.get("result", ""), source, reason)], atomic=True)
    if isinstance(done.became, Not) and done.became is not REPEATED:
        raise CallerError(done.became.kind, *texts_of_kind(done.became.kind), contact_ref=contact_ref)


def _just_saved(contact: Contact) -> bool:
    return now() - contact.recorded_at <= AT_ONCE


def _page(
    request: Request[Any, Any, Any], source: str, contact_ref: str, following: str, tried: Tried | None = None
) -> Response[Any]:  # fmt: skip
    with reading(serving_of(request).engine) as conn:
        contact = contact_named(conn, request, source, contact_ref)
    known = serving_of(request).branch.rulebook.results.by_code
    return render(
        request, "debtor/contact.html", status=int(tried.problem["status"]) if tried else 200, contact=contact,
        result=known.get(contact.result), results=results_of(known, contact.channel), following=following,
        tried=tried, needs_reason=not _just_saved(contact),
    )  # fmt: skip


route_handlers = [put_right, one]
