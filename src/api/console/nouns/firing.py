"""An event or a fact of a noun from a page that deserved a hand: through the door, and the problem comes back."""

from collections.abc import Mapping
from typing import Any

from litestar import Request

from api.auth import actor_of
from api.changing import MAX_CASE_ID, through_the_writer
from api.console.frame.forms import data_of, problem_in
from api.outcomes import Named, answer_of
from api.problems import request_id_of
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.lifecycle.commands import Fire, Record
from casework.lifecycle.kept import Kept
from casework.work.cases.options import fields_of
from casework.work.cases.shown import unseen_of


async def fired(
    request: Request[Any, Any, Any], noun: Kept, named: Named, number: int, event: str, typed: Mapping[str, str],
    usual: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Fire it with what was typed, and with what is `usual` where nothing was; the problem, nothing where it is done.

    CallerError `unknown_<noun>`. Such pages name no version: what phones send meanwhile is a change too.
    """
    branch = serving_of(request).branch
    if not 1 <= number <= MAX_CASE_ID:
        raise unseen_of(branch, noun, number)
    part = branch.rulebook.charts[noun.chart].events.get(event)
    fields = [] if part is None else fields_of(part.fields, branch.rulebook.policies.all[-1])
    data = {**(usual or {}), **data_of(fields, typed, branch.time_zone)}
    command = Fire(actor=actor_of(request), noun=noun.chart, id=number, event=event, data=data, version=None)
    return await _written(request, noun, named, command, typed)


async def recorded(
    request: Request[Any, Any, Any], noun: Kept, named: Named, number: int, kind: str, typed: Mapping[str, str],
    evidence: str,
) -> dict[str, Any]:  # fmt: skip
    """Record a fact of today with what was typed; the problem as of `fired`."""
    branch = serving_of(request).branch
    if not 1 <= number <= MAX_CASE_ID:
        raise unseen_of(branch, noun, number)
    fields = fields_of(branch.rulebook.charts[noun.chart].facts[kind].fields, branch.rulebook.policies.all[-1])
    command = Record(
        actor=actor_of(request), noun=noun.chart, id=number, kind=kind, on=branch.today(now()), evidence=evidence,
        data=data_of(fields, typed, branch.time_zone), version=None,
    )  # fmt: skip
    return await _written(request, noun, named, command, typed)


async def _written(
    request: Request[Any, Any, Any], noun: Kept, named: Named, command: Fire | Record, typed: Mapping[str, str]
) -> dict[str, Any]:
    request_id = request_id_of(request)
    answer = await through_the_writer(
        request, [command], lambda outcomes: answer_of(outcomes[0], request_id, named=named),
        typed.get("once") or None, None,
    )  # fmt: skip
    problem = problem_in(answer)
    if problem.get("code") == f"unknown_{noun.word}":
        raise CallerError(problem["code"], problem["detail_zh"], problem["detail"])
    return problem
