"""The contact book where a debtor is worked: a new number with its source and ground; one refused, or ended."""

import asyncio
from typing import Any

from litestar import Request, Response, post

from api.console.debtor.pages import case_in_reach, debtor_page
from api.console.frame.forms import Tried, number_of, problem_of, typed_in
from api.console.frame.page import to
from api.contact_book import MarkBody, WayBody, entry_marked, ways_added
from api.reading.cases import CaseId
from casework.errors import CallerError
from casework.intake.contact_book.adding import NotAdded


@post("/console/debtors/{case_id:int}/numbers", opt={"page": "contact.add"})
async def enter_number(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """Then the page again, with the number on it; one that is there already changes nothing."""
    typed = await typed_in(request)
    return await asyncio.to_thread(_entered, request, case_id, typed)


def _entered(request: Request[Any, Any, Any], case_id: int, typed: dict[str, str]) -> Response[Any]:
    source, _, basis = typed.get("from", "").partition("/")
    way = WayBody(
        case_in_reach(request, case_id).loan_id, typed.get("role", ""), source, basis, phone=typed.get("phone", ""),
        name=typed.get("name", "").strip() or None,
    )  # fmt: skip
    (told,) = ways_added(request, [way])
    if isinstance(told, NotAdded):
        mistake = CallerError(told.code, told.zh, told.en, field=told.field)
        return debtor_page(request, case_id, tried=Tried("number", typed, problem_of(mistake)))
    return to(f"/console/debtors/{case_id}")


@post("/console/debtors/{case_id:int}/marks", opt={"page": "contact.mark"})
async def mark_number(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """Whoever is there refused, or it is no longer used; then the page again."""
    typed = await typed_in(request)
    return await asyncio.to_thread(_marked, request, case_id, typed)


def _marked(request: Request[Any, Any, Any], case_id: int, typed: dict[str, str]) -> Response[Any]:
    case_in_reach(request, case_id)
    remark = typed.get("remark", "").strip()[:500]
    try:
        if not remark:
            raise CallerError("remark_needed")
        entry_marked(request, number_of(typed, "contact_id") or 0, MarkBody(typed.get("mark", ""), remark))
    except CallerError as mistake:
        return debtor_page(request, case_id, tried=Tried("mark", typed, problem_of(mistake)))
    return to(f"/console/debtors/{case_id}")


route_handlers = [enter_number, mark_number]
