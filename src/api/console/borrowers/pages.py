"""Finding a borrower, their page masked, their data in clear for a purpose: each look is first of all an entry."""

import asyncio
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from sqlalchemy.engine import Connection

from api.auth import actor_of, still_valid
from api.console.borrowers.people import people
from api.console.frame.forms import Tried, number_of, problem_of, typed_in
from api.console.frame.page import render
from api.permitted import case_in_sight, reach
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed.borrowers import (
    FoundPage,
    Search,
    borrower_page,
    customer_of,
    fields_found,
    find,
)
from casework.intake.feed.customers import customer_named
from casework.intake.feed.reveal import ClearBorrower, reveal
from casework.storage.database import reading, writing
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import BusinessDates
from casework.work.cases.sight import reach_of

CASE: Final = "case"
KEYS: Final = ("loan_id", "phone", "name", "id_number", CASE)
Institution = Annotated[str | None, QueryParameter(max_length=64)]


@post("/console/find", opt={"page": "borrower.read"})
async def find_borrowers(request: Request[Any, Any, Any]) -> Response[Any]:
    """By exactly one key; a POST, so that none of it stands in an address."""
    typed = await typed_in(request)
    within = reach(request)

    def work() -> Response[Any]:
        serving, actor = serving_of(request), actor_of(request)
        key, text = typed.get("key", ""), typed.get("text", "").strip()
        try:
            with reading(serving.engine, snapshot=True) as conn:
                if key == CASE:
                    key, text = "loan_id", _loan_of(conn, request, text)
                search = Search(**{key: text} if key in KEYS and text else {})
                page = find(conn, serving.branch, search, actor=actor, within=within)
        except CallerError as told:
            tried = Tried("find", typed, problem_of(told))
            return _find_page(request, typed, None, tried)
        if page.items:
            with writing(serving.engine) as conn:
                shown = [customer_of(item) for item in page.items]
                record_read(conn, serving.branch, actor, shown, fields_found(page))
        return _find_page(request, typed, page, None)

    return await asyncio.to_thread(work)


def _loan_of(conn: Connection, request: Request[Any, Any, Any], text: str) -> str:
    """The loan of the case with this number; CallerError `unknown_case`, the same for one out of sight."""
    number = number_of({CASE: text}, CASE)
    if number is None:
        raise CallerError("unknown_case")
    return case_in_sight(conn, request, number).loan_id


@get("/console/find", sync_to_thread=True, opt={"page": "borrower.read"})
def find_form(request: Request[Any, Any, Any]) -> Response[Any]:
    """One key, exactly."""
    return _find_page(request, {}, None, None)


def _find_page(
    request: Request[Any, Any, Any], typed: dict[str, str], page: FoundPage | None, tried: Tried | None
) -> Response[Any]:
    return render(
        request, "borrowers/find.html", status=int(tried.problem["status"]) if tried else 200, keys=KEYS, typed=typed,
        page=page, tried=tried,
    )  # fmt: skip


@post("/console/borrowers/{borrower_id:str}/reveal", opt={"page": "borrower.reveal"})
async def reveal_borrower(request: Request[Any, Any, Any], borrower_id: FromPath[str]) -> Response[Any]:
    """In clear, for the purpose that was chosen; gone when the page is left, for it is kept nowhere."""
    typed = await typed_in(request)

    def work() -> Response[Any]:
        serving = serving_of(request)
        institution = typed.get("institution") or None
        fields = [name for name in serving.branch.rulebook.permissions.personal if typed.get(f"field.{name}")]
        try:
            with writing(serving.engine) as conn:
                actor = still_valid(conn, request)
                serving.branch.rulebook.permissions.require(actor, "borrower.reveal")
                within = reach_of(serving.branch, actor, "borrower.reveal", serving.branch.today(now()))
                customer = customer_named(conn, borrower_id, institution, within=within)
                sealed = reveal(
                    conn, serving.branch, customer, fields, None, actor=actor, within=within,
                    purpose=typed.get("purpose", ""),
                )  # fmt: skip
        except CallerError as told:
            if told.code not in ("unknown_field", "purpose_unknown"):
                raise
            return _page(request, borrower_id, institution, tried=Tried("reveal", typed, problem_of(told)))
        return _page(request, borrower_id, institution, clear=sealed.open(serving.branch.vault))

    return await asyncio.to_thread(work)


@get("/console/borrowers/{borrower_id:str}", sync_to_thread=True, opt={"page": "borrower.read"})
def borrower(
    request: Request[Any, Any, Any], borrower_id: FromPath[str], institution: Institution = None
) -> Response[Any]:
    """A borrower over their loans, cases and contacts within reach, masked."""
    return _page(request, borrower_id, institution)


def _page(
    request: Request[Any, Any, Any], borrower_id: str, institution: str | None, *, clear: ClearBorrower | None = None,
    tried: Tried | None = None,
) -> Response[Any]:  # fmt: skip
    serving, actor = serving_of(request), actor_of(request)
    branch = serving.branch
    within = reach_of(branch, actor, "borrower.read", branch.today(now()))
    with reading(serving.engine, snapshot=True) as conn:
        customer = customer_named(conn, borrower_id, institution, within=within)
        page = borrower_page(conn, branch, BusinessDates(conn, branch), customer, actor=actor, within=within)
    shown = people(branch, actor, page)
    with writing(serving.engine) as conn:
        record_read(conn, branch, actor, [customer], shown.fields)
    return render(
        request, "borrowers/one.html", status=int(tried.problem["status"]) if tried else 200, people=shown,
        clear=clear, tried=tried,
    )  # fmt: skip


route_handlers = [find_borrowers, find_form, reveal_borrower, borrower]
