"""17:00: what each person owed and did, handing it in, what is missing; contacts, reviewed; the daily report."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import QueryParameter

from api.auth import actor_of
from api.begun_behind import Went
from api.console.frame import words
from api.console.frame.forms import Tried, problem_of, typed_in
from api.console.frame.made_behind import About, Made, file_made, made_behind
from api.console.frame.page import language_of, render, to
from api.contact_breaches import ReviewBody, breach_reviewed, to_review_between
from api.day import HandInBody, HandInResult, handed_in_by, ledger_file, may_look_at, report_file
from api.problems import status_of
from api.reading.asking import check_parameters
from api.serving import serving_of
from api.written import changing
from casework.clock import now
from casework.errors import CallerError
from casework.evidence.evening.handing_in import may_hand_in
from casework.evidence.evening.of_day import ledger_name, people_called
from casework.evidence.evening.report import daily, issue
from casework.evidence.evening.report_sheets import report_name, report_sheets
from casework.evidence.evening.standing import STATUSES, Evening, evening_of
from casework.file_names import FileName
from casework.people.staff.places import all_teams
from casework.storage.database import reading
from casework.table import shown
from casework.work.cases.lifecycles import VISITS
from casework.work.contacts.registered import WHY
from casework.work.duties.listing import Listed, counts_on, duties_on
from casework.work.gate.reviews import VERDICTS

_TO_DO: Final = 50
_TO_REVIEW: Final = 200
"""Contacts that lack something, beside all breaches: a dialler that records nothing has thousands."""
_On = Annotated[date | None, QueryParameter()]
_Team = Annotated[str | None, QueryParameter(max_length=64)]


@get("/console/evening", sync_to_thread=True, opt={"page": "day.read"})
def evening(request: Request[Any, Any, Any], on: _On = None, team: _Team = None) -> Response[Any]:
    """Of today, or of a day before."""
    check_parameters(request, ("on", "team"))
    return _page(request, on, team or None)


@get("/console/evening/ledger.xlsx", sync_to_thread=True, opt={"page": "ledger.export"})
def ledger(request: Request[Any, Any, Any], on: _On = None, team: _Team = None) -> Response[Any]:
    """The ledger as a workbook; an entry."""
    check_parameters(request, ("on", "team"))
    day, asked = on or _today(request), team or None
    lang = language_of(request)
    name = ledger_name(day, asked, lang=lang)
    return _file(request, day, "ledger.export", name, lambda: ledger_file(request, day, asked, lang))


@get("/console/evening/report.xlsx", sync_to_thread=True, opt={"page": "day.report"})
def report_workbook(request: Request[Any, Any, Any], on: _On = None) -> Response[Any]:
    """The daily report as a workbook; an entry."""
    check_parameters(request, ("on",))
    day = on or _today(request)
    lang = language_of(request)
    return _file(request, day, "day.report", report_name(day, lang), lambda: report_file(request, day, lang))


@get("/console/evening/report", sync_to_thread=True, opt={"page": "day.report"})
def report(request: Request[Any, Any, Any], on: _On = None) -> Response[Any]:
    """The daily report: as it was issued, else as it stands."""
    check_parameters(request, ("on",))
    return _report(request, on or _today(request), None)


@post("/console/evening/report", opt={"page": "day.report_issue"})
async def issue_report(request: Request[Any, Any, Any]) -> Response[Any]:
    """Issue it: kept as it is from now on; an entry."""
    typed = await typed_in(request)
    on = _day(typed.get("on", "")) or _today(request)

    def work() -> Response[Any]:
        try:
            with changing(request) as change:
                issue(change.conn, change.branch, on, change.actor)
        except CallerError as told:
            return _report(request, on, _tried(told, "issue", typed))
        return to(f"/console/evening/report?on={on}")

    return await asyncio.to_thread(work)


@post("/console/evening/hand-ins", opt={"page": "day.hand_in"})
async def hand_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Hand in what somebody (or a team) did; an entry for each. What did not go is shown."""
    typed = await typed_in(request)
    on = _day(typed.get("on", "")) or _today(request)
    team, whose = typed.get("team", "")[:64] or None, typed.get("whose", "")[:32] or None
    wanted = HandInBody(on, [whose] if whose and not team else None, team, typed.get("part") == "supplement")

    def work() -> Response[Any]:
        try:
            with changing(request) as change:
                answer = handed_in_by(change.conn, request, change.actor, wanted)
        except CallerError as told:
            return _page(request, on, None, tried=_tried(told, "hand_in", typed))
        if all(one.code is None for one in answer.results) and answer.results:
            return to(f"/console/evening?on={on}")
        return _page(request, on, None, results=answer.results)

    return await asyncio.to_thread(work)


@post("/console/evening/reviews", opt={"page": "breach.review"})
async def review(request: Request[Any, Any, Any]) -> Response[Any]:
    """What the basic-risk post makes of a contact that goes to review; an entry."""
    typed = await typed_in(request)
    on = _day(typed.get("on", ""))
    remark = typed.get("remark", "").strip()[:2_000] or None
    body = ReviewBody(typed.get("contact_ref", ""), typed.get("verdict", ""), remark, typed.get("source") or None)
    try:
        await asyncio.to_thread(breach_reviewed, request, body)
    except CallerError as told:
        tried = _tried(told, "review", typed)
        return await asyncio.to_thread(lambda: _page(request, on, None, tried=tried))
    return to(f"/console/evening?on={on}" if on else "/console/evening")


def _tried(told: CallerError, key: str, typed: Mapping[str, str]) -> Tried:
    """The form that came back; who must not do it at all is shown a page that says so."""
    if status_of(told.code) in (401, 403):
        raise told
    return Tried(key, typed, problem_of(told))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _file(
    request: Request[Any, Any, Any], on: date, command: str, name: FileName, make: Callable[[], Response[bytes]]
) -> Response[Any]:
    """At once, or behind where the day has more duties than a list may have rows to be answered at once."""
    serving = serving_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        rows = sum(one.number for one in counts_on(conn, serving.branch, on))

    def work(_: Went | None = None) -> Made:
        answer = make()
        return Made(answer.content, str(answer.media_type))

    called = words.WORDS["evening.ledger" if command == "ledger.export" else "evening.report"]
    about = About(f"{called['zh']} {on}", f"{called['en']} {on}", name, command)
    return made_behind(request, about, work) if rows > serving.settings.export_rows else file_made(about, work())


def _page(
    request: Request[Any, Any, Any], on: date | None, team: str | None, *, tried: Tried | None = None,
    results: list[HandInResult] | None = None,
) -> Response[Any]:  # fmt: skip
    serving, actor = serving_of(request), actor_of(request)
    branch = serving.branch
    day = on or branch.today(now())
    permissions = branch.rulebook.permissions
    people = may_look_at(request)
    to_do: list[Listed] = []
    with reading(serving.engine, snapshot=True) as conn:
        try:
            found = evening_of(conn, branch, day, team, people)
        except CallerError as told:
            found, tried = Evening(day, now(), [], {}), tried or Tried("look", {}, problem_of(told))
        else:
            own = duties_on(conn, branch, day, actor.people)
            to_do = [one for one in own if one.status in {"open", "late"}]
            to_do.sort(key=lambda one: (one.due_on, one.loan_id))  # not all are shown: late ones come first
        lang = language_of(request)
        names = people_called(conn, branch, {one.owed_by for one in found.people}, lang)
        mine = may_hand_in(conn, branch, actor, day)
        teams = all_teams(conn) if people is None else []
    may_hand = permissions.may(actor, "day.hand_in")
    sees_breaches = permissions.may(actor, "breach.read")
    return render(
        request, "evening/evening.html", status=int(tried.problem["status"]) if tried else 200, day=day, team=team,
        people=found.people, by_team=found.by_team() if people is None else {}, names=names, teams=teams,
        duties=found.duties, rules=branch.rulebook.duties.by_name, statuses=STATUSES, to_do=to_do[:_TO_DO],
        more=max(0, len(to_do) - _TO_DO), tried=tried, results=results or [],
        hands_in=lambda who: may_hand and (mine is None or who in mine), for_team=may_hand and mine is None,
        to_review=to_review_between(request, day, day, _TO_REVIEW) if sees_breaches else None, verdicts=VERDICTS,
        why=lambda code: WHY[code][lang == "en"] if code in WHY else _ground(code, lang),
        reviews_visits=bool(actor.posts & branch.rulebook.charts[VISITS.chart].events["accept"].posts),
        may_review=permissions.may(actor, "breach.review"), may_export=permissions.may(actor, "ledger.export"),
        may_report=permissions.may(actor, "day.report"),
    )  # fmt: skip


def _report(request: Request[Any, Any, Any], on: date, tried: Tried | None) -> Response[Any]:
    serving, actor = serving_of(request), actor_of(request)
    permissions = serving.branch.rulebook.permissions
    lang = language_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found, act = daily(conn, serving.branch, on)
        tables = [
            (sheet, [
                [(type(value) is int, shown(column, value)) for column, value in zip(sheet.columns, line, strict=True)]
                for line in sheet.lines
            ])
            for sheet in report_sheets(conn, serving.branch, found, act, actor, now(), lang)
        ]  # fmt: skip
    return render(
        request, "evening/report.html", status=int(tried.problem["status"]) if tried else 200, day=on, tables=tables,
        issued=act, tried=tried, may_issue=permissions.may(actor, "day.report_issue"),
    )  # fmt: skip


def _today(request: Request[Any, Any, Any]) -> date:
    return serving_of(request).branch.today(now())


def _ground(code: str, lang: str) -> str:
    """What a rule of the gate, or a hold, is called."""
    key = f"code.{code}"
    return words.say(key, lang) if words.has(key) else code


route_handlers = [hand_in, issue_report, review, ledger, report_workbook, report, evening]
