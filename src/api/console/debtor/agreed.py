"""What was agreed on while a debtor is worked: a promise or a call-back; refused, the page tells why and keeps it."""

import asyncio
from typing import Any, Final

from litestar import Request, Response, post

from api.auth import actor_of
from api.changing import through_the_writer
from api.console.debtor.pages import case_in_reach, debtor_page
from api.console.frame import cookies
from api.console.frame.forms import Tried, data_of, problem_in, typed_in
from api.console.frame.page import to
from api.outcomes import answer_of
from api.problems import request_id_of
from api.reading.cases import CaseId
from api.serving import serving_of
from casework.lifecycle.commands import Open
from casework.work.cases.options import fields_of

_AGREED: Final = {"promise": "promises", "callback": "callbacks"}


def _handler(word: str, plural: str) -> Any:
    @post(f"/console/debtors/{{case_id:int}}/{plural}", opt={"page": f"{word}.open"})
    async def agree(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
        return await _agreed(request, case_id, word)

    return agree


async def _agreed(request: Request[Any, Any, Any], case_id: int, word: str) -> Response[Any]:
    typed = await typed_in(request)
    await asyncio.to_thread(case_in_reach, request, case_id)
    branch, ground, request_id = serving_of(request).branch, typed.get("ground", ""), request_id_of(request)
    part = branch.rulebook.charts[word].openings.get(ground)
    fields = [] if part is None else fields_of(part.fields, branch.rulebook.policies.all[-1])
    command = Open(
        actor=actor_of(request), noun=word, ground=ground, of=case_id, data=data_of(fields, typed, branch.time_zone)
    )
    answer = await through_the_writer(
        request, [command], lambda outcomes: answer_of(outcomes[0], request_id, created=True),
        typed.get("once") or None, None,
    )  # fmt: skip
    problem = problem_in(answer)
    if problem:
        return await asyncio.to_thread(debtor_page, request, case_id, tried=Tried(word, typed, problem))
    place = cookies.place_here(typed.get("next") or f"/console/debtors/{case_id}")
    return to(f"{place}?agreed={word}&with={case_id}")


route_handlers = [_handler(word, plural) for word, plural in _AGREED.items()]
"""POST alone."""
