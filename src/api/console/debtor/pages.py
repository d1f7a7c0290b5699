"""Work one debtor: numbers with the gate's answer before dialling, dialling, what came of it, the next one.

The number in clear is shown in the answer to dialling alone; the page that is left has it no more.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from litestar import Request, Response, get, post

from api.auth import actor_of
from api.console.borrowers.people import People, people_of_case
from api.console.cases.timeline import told
from api.console.day.pages import lines_of
from api.console.debtor.contact import contact_named
from api.console.debtor.results import results_of
from api.console.frame.forms import Tried, number_of, problem_of, typed_in
from api.console.frame.page import language_of, render, to
from api.console.nouns.shown import children_of, live_of
from api.contact_permits import dialling_begun, outcome_recorded
from api.permitted import case_in_sight, reach
from api.problems import status_of
from api.reading.cases import CaseId
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.intake.contact_book.adding import COMMAND as ADD
from casework.intake.contact_book.marking import COMMAND as MARK
from casework.intake.dialler.outcome import Outcome
from casework.intake.dialler.recording import API
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.detail import detail_of
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.history import history_of_case
from casework.work.cases.queries import page_of_cases
from casework.work.contacts.contact import NEXT_ACTIONS, PARTIES, Contact
from casework.work.contacts.latest import latest_contacts
from casework.work.contacts.results import Result
from casework.work.gate.asking import Wanted, askings_of
from casework.work.gate.permits import Foreseen, Permit, foresee
from casework.work.gate.under_way import call_under_way
from casework.work.tasks.own import Task, tasks_of

PROMISED_IN: Final = timedelta(days=3)
_QUEUE: Final = 200
_MOMENTS: Final = 12


class Number(NamedTuple):
    """A way to reach somebody, masked, and what the gate says of calling it now; none: it cannot be asked for."""

    contact: Any
    gate: Foreseen | None


@dataclass(frozen=True)
class Call:
    """A call under way: its permit, and the number in clear (none where the page was left or a form came back)."""

    permit_id: int
    contact_id: int
    began_at: datetime
    phone: str | None = None
    holds_until: datetime | None = None


@get("/console/debtors/{case_id:int}", sync_to_thread=True, opt={"page": "contact.permit"})
def work(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """Everything that a call needs."""
    return debtor_page(request, case_id)


@post("/console/debtors/{case_id:int}/dial", opt={"page": "contact.permit"})
async def dial(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """Ask the gate; allowed, the number is shown and the call begins. Of a call under way, the number once more."""
    typed = await typed_in(request)
    await asyncio.to_thread(case_in_reach, request, case_id)
    contact_id, permit_id, began_at = number_of(typed, "contact_id"), number_of(typed, "permit_id"), _began(typed)
    try:
        if permit_id is None or began_at is None:
            permit = await serving_of(request).permits.ask(
                request.scope["auth"], Wanted(case_id, typed.get("party", ""), "call", contact_id=contact_id)
            )
            if not permit.allowed or permit.permit_id is None:
                return await asyncio.to_thread(debtor_page, request, case_id, refused=permit)
            permit_id, began_at = permit.permit_id, now().replace(microsecond=0)
        dialling = await asyncio.to_thread(dialling_begun, request, permit_id)
    except CallerError as mistake:
        return await _again(request, case_id, typed, mistake)
    call = Call(permit_id, contact_id or 0, began_at, dialling.phone, dialling.holds_until)
    return await asyncio.to_thread(debtor_page, request, case_id, call=call)


@post("/console/debtors/{case_id:int}/outcome", opt={"page": "contact.permit"})
async def outcome(request: Request[Any, Any, Any], case_id: CaseId) -> Response[Any]:
    """What came of the call; then the next debtor, or this one again where they were spoken to."""
    typed = await typed_in(request)
    await asyncio.to_thread(case_in_reach, request, case_id)
    at, began_at = now(), _began(typed)
    try:
        if began_at is None:
            raise CallerError("malformed_request")
        result = Outcome(
            typed.get("result", ""), began_at, at, note=typed.get("note", "").strip() or None,
            next_action=typed.get("next_action") or None,
            seconds=max(0, int((at - began_at).total_seconds())),
        )  # fmt: skip
        done = await asyncio.to_thread(outcome_recorded, request, number_of(typed, "permit_id") or 0, result)
    except CallerError as mistake:
        return await _again(request, case_id, typed, mistake)
    following = number_of(typed, "following")
    stays = done.outcome == "debtor" or following is None
    return to(f"/console/debtors/{case_id if stays else following}?saved={done.contact_ref}")


async def _again(
    request: Request[Any, Any, Any], case_id: int, typed: dict[str, str], mistake: CallerError
) -> Response[Any]:
    if status_of(mistake.code) in (401, 403):
        raise mistake
    tried = Tried("call", typed, problem_of(mistake))
    return await asyncio.to_thread(debtor_page, request, case_id, tried=tried)


def _began(typed: Mapping[str, str]) -> datetime | None:
    """When the call began, as its form has it: with an offset, or it is none of ours."""
    with suppress(ValueError):
        began_at = datetime.fromisoformat(typed.get("began_at", ""))
        return began_at if began_at.tzinfo else None
    return None


def case_in_reach(request: Request[Any, Any, Any], case_id: int) -> Case:
    """The case, if the reader may work it."""
    with reading(serving_of(request).engine) as conn:
        found = case_in_sight(conn, request, case_id)
    if not reach(request).covers(found):
        raise CallerError("out_of_reach")
    return found


def debtor_page(
    request: Request[Any, Any, Any], case_id: int, *, call: Call | None = None, refused: Permit | None = None,
    tried: Tried | None = None,
) -> Response[Any]:  # fmt: skip
    """The page, with the call under way, what the gate refused, or a form that came back."""
    serving, actor, lang = serving_of(request), actor_of(request), language_of(request)
    branch, found = serving.branch, case_in_reach(request, case_id)
    with reading(serving.engine, snapshot=True) as conn:
        dates = BusinessDates(conn, branch)
        detail = detail_of(conn, found, branch.rulebook, dates.of(found.institution))
        people = people_of_case(conn, branch, dates, found, actor)
        children = children_of(conn, branch, found, actor)
        history = history_of_case(conn, branch, found, actor, limit=_MOMENTS, newest_first=True)
        numbers = list(_numbers(conn, branch, found, people, actor))
        log = latest_contacts(conn, found.customer, _MOMENTS)
        listed = tasks_of(conn, branch, dates.otherwise, actor)
        tasks = lines_of(
            conn, branch, [one for one in listed if one.case_id == case_id], lang, plain=True, on=dates.otherwise
        )
        following = _following(conn, dates, actor, listed, case_id)
        saved = _saved(conn, request)
        if call is None and (left := call_under_way(conn, found.customer, actor.id, now())) is not None:
            call = Call(left.permit_id, left.contact_id, left.began_at, None, left.holds_until)
    fields = {name for item in history.items for name in item.texts} | (people.fields if people else set())
    with writing(serving.engine) as conn:
        record_read(conn, branch, actor, [found.customer], fields)
    return render(
        request, "debtor/work.html", status=_status(refused, tried), case=detail, people=people, numbers=numbers,
        call=call, refused=refused, tried=tried, children=children, holds=live_of(children, "hold"),
        log=_log(branch, log),
        moments=[told(branch, item, lang) for item in history.items], following=following, tasks=tasks,
        results=results_of(branch.rulebook.results.by_code, "call"),
        budget=next((one.gate for one in numbers if one.gate), None),
        promised_on=branch.today(now()) + PROMISED_IN, made_on=branch.today(now()), risks=live_of(children, "risk"),
        may_note=branch.rulebook.permissions.may(actor, "case.note"), may_repair=_repair(branch, actor),
        saved=next(iter(_log(branch, saved)), None), agreed=_agreed(request, branch),
        may_mark=branch.rulebook.permissions.may(actor, MARK),
        next_actions=NEXT_ACTIONS, chart_at=f"/console/cases/{case_id}#chart",
        may_add=branch.rulebook.permissions.may(actor, ADD), roles=PARTIES, sources=branch.rulebook.sources.lawful,
        bases=branch.rulebook.sources.bases,
        repay_to=branch.rulebook.policies.at(dates.otherwise).figures["branch.repayment_account"],
    )  # fmt: skip


def _repair(branch: Branch, actor: Actor) -> Any:
    """The fact that records a repair of what is known of them, where one of their posts may record it."""
    found = branch.rulebook.chart.facts.get("information_repair")
    return found if found and actor.posts & set(found.posts) else None


def _agreed(request: Request[Any, Any, Any], branch: Branch) -> tuple[Any, int] | None:
    """What was agreed on a moment ago, by the words of its chart, and with whose case: perhaps the one before."""
    chart = branch.rulebook.charts.get(request.query_params.get("agreed", ""))
    number = number_of(request.query_params, "with")
    return None if chart is None or number is None else (chart, number)


def _saved(conn: Any, request: Request[Any, Any, Any]) -> list[Contact]:
    """The outcome that was saved a moment ago, of this debtor or the one before; none that the reader may not see."""
    if (contact_ref := request.query_params.get("saved")) is None:
        return []
    with suppress(CallerError):
        return [contact_named(conn, request, API, contact_ref)]
    return []


def _status(refused: Permit | None, tried: Tried | None) -> int:
    return int(tried.problem["status"]) if tried else 409 if refused else 200


def _numbers(conn: Any, branch: Branch, found: Case, people: People | None, actor: Actor) -> Iterator[Number]:
    """The ways to call somebody, the debtor's first, each with the gate's answer."""
    at = now()
    ways = [one for one in (people.page.contacts if people else ()) if one.phone and one.ended_at is None]
    ways.sort(key=lambda one: one.role != "debtor")
    wanted = [(actor, Wanted(found.id, one.role, "call", contact_id=one.id)) for one in ways]
    askings = askings_of(conn, branch, wanted, at)
    asked = [one for one in askings if not isinstance(one, CallerError)]
    answers = iter(foresee(conn, branch, asked, at))
    for way, asking in zip(ways, askings, strict=True):
        yield Number(way, None if isinstance(asking, CallerError) else next(answers))


def _following(
    conn: Any, dates: BusinessDates, actor: Actor, tasks: Sequence[Task], case_id: int
) -> int | None:  # fmt: skip
    """The case after this one on the reader's list of the day, or among all of theirs, the longest overdue first."""
    listed = [row.case_id for row in tasks if row.case_id is not None]
    if case_id in listed:
        rest = [one for one in listed[listed.index(case_id) + 1 :] if one != case_id]
        return rest[0] if rest else None
    theirs = Reach(people=actor.people)
    page = page_of_cases(conn, dates, CaseFilter(live=True), within=theirs, sort="oldest_due_date", limit=_QUEUE)
    ids = [one.id for one in page.items]
    place = ids.index(case_id) + 1 if case_id in ids else 0
    return ids[place] if place < len(ids) and ids[place] != case_id else None


def _log(branch: Branch, contacts: Sequence[Contact]) -> list[tuple[Contact, Result | None]]:
    return [(one, branch.rulebook.results.by_code.get(one.result)) for one in contacts]


route_handlers = [dial, outcome, work]
