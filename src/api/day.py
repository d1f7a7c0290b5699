"""17:00 over HTTP: how a day stands, handing in, the ledger as a file, who could not be repaired, the daily report."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, QueryParameter
from msgspec import Meta

from api.auth import actor_of, still_valid
from api.changing import IdempotencyKey
from api.example import Example
from api.idempotency import StoredAnswer
from api.language import Language
from api.problems import problem_responses, status_of
from api.reading.asking import answers, reader_of
from api.reading.exports import CSV, XLSX, file_named
from api.serving import serving_of
from api.written import written
from casework.clock import now
from casework.errors import CallerError
from casework.evidence.evening.exporting import EXPORTED, REPORT_EXPORTED
from casework.evidence.evening.handing_in import HandIn, Outcome, hand_in
from casework.evidence.evening.of_day import ledger_name, ledger_of, sheets_of, workbook_of
from casework.evidence.evening.report import Daily, daily, issue
from casework.evidence.evening.report_sheets import report_name, report_workbook
from casework.evidence.evening.standing import PersonDay, evening_of
from casework.evidence.evening.tables import LEDGER, SUPPLEMENT
from casework.evidence.ledger.line import LedgerLine
from casework.evidence.ledger.lines import unrepaired
from casework.evidence.ledger.people import members_of
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.table import Lang, as_csv
from casework.work.cases.disclosure import record_export
from casework.work.cases.sight import reach_of

On = Annotated[date, QueryParameter(description="The day.")]
Team = Annotated[
    str | None, QueryParameter(max_length=64, description="Only who belonged to this team then, by code or name.")
]
Part = Annotated[
    Literal["cases", "unrepaired", "not_done", "contacts"], QueryParameter(description="Which of the four sheets.")
]
_PARTS = ("cases", "unrepaired", "not_done", "contacts")
_Who = Annotated[str, Meta(min_length=1, max_length=32)]
MOST = 500
"""People for whom one request hands in."""


class HandedIn(msgspec.Struct):
    """That something was handed in: by whom, when, whether late, in which entry, with which digest."""

    by: str
    at: datetime
    late: bool
    entry_id: str
    digest: str


class PersonBody(msgspec.Struct):
    """One person (or post): of whoever has handed in as they did, else as it stands.

    `came` is handed_in, late, missing or not_yet; `since` how many contacts are still to go into a supplement.
    """

    owed_by: str
    team: str | None
    due: int
    done: int
    late: int
    exempt: int
    open: int
    contacts: int
    came: str
    ledger: HandedIn | None
    since: int
    supplement_came: str | None
    supplement: HandedIn | None


class DayBody(msgspec.Struct):
    """Everybody of a day, who is missing or late first."""

    on: date
    people: list[PersonBody]


class HandInBody(msgspec.Struct, forbid_unknown_fields=True):
    """For whom to hand in: `whose` (staff numbers, or posts), a whole `team`, or neither: oneself."""

    on: date
    whose: Annotated[list[_Who], Meta(min_length=1, max_length=MOST)] | None = None
    team: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    supplement: bool = False


class HandInResult(msgspec.Struct):
    """What came of one: the act, or a code with why not."""

    owed_by: str
    status: int
    handed_in: HandedIn | None = None
    code: str | None = None
    detail: str | None = None
    detail_zh: str | None = None


class HandInAnswer(msgspec.Struct):
    """A result for each. Of a team those who have nothing to hand in are left out."""

    on: date
    part: str
    results: list[HandInResult]


class UnrepairedBody(msgspec.Struct):
    """Customers who could not be repaired, a line for each of their cases; amounts in fen."""

    items: list[LedgerLine]
    next: None = None


class DailyBody(msgspec.Struct):
    """The report: as it was issued (`issued`), else as it stands."""

    report: Daily
    totals: dict[str, int]
    issued: HandedIn | None


class IssueBody(msgspec.Struct, forbid_unknown_fields=True):
    """The day whose report is issued."""

    on: date


_ACT = {
    "by": "S0103", "at": "2026-03-09T08:52:00.000000Z", "late": False, "entry_id": "evening:hand_ins:17",
    "digest": "5f" * 32,
}  # fmt: skip
_PERSON = {
    "owed_by": "S0103", "team": "电催一组", "due": 46, "done": 31, "late": 2, "exempt": 6, "open": 7, "contacts": 58,
    "came": "handed_in", "ledger": _ACT, "since": 2, "supplement_came": "not_yet", "supplement": None,
}  # fmt: skip
_CASE = {
    "case_id": 1207, "institution": "wuhan", "borrower_id": "B000731", "loan_id": "L2024000917", "owner": "S0012",
    "handler": "S0103", "collector": "S0103", "dpd": 9, "bucket": "M1", "overdue_fen": 239995,
    "outstanding_fen": 4800000, "lost_on": "2026-03-08", "repaired_on": "2026-03-09", "repair": "nothing_new",
}  # fmt: skip
_REPORT = {
    "report": {
        "on": "2026-03-09", "made_at": "2026-03-09T09:05:00.000000Z",
        "teams": [{"team": "电催一组", "people": 6, "handed_in": 5, "missing": 1, "due": 240, "done": 201, "late": 9,
                   "exempt": 22, "open": 8, "contacts": 311}],
        "people": [], "missing": [], "breaches": [], "unrepaired": [], "without_feed": {},
        "holds": [{"hold": "complaint", "in_force": 3, "to_review": 1}],
        "lacking": [{"why": "unrecorded", "contacts": 4, "reviewed": 1}],
    },
    "totals": {"due": 240, "done": 201, "late": 9, "exempt": 22, "open": 8, "contacts": 311}, "issued": _ACT,
}  # fmt: skip
_RESULTS = {
    "on": "2026-03-09", "part": "ledger",
    "results": [
        {"owed_by": "S0103", "status": 200, "handed_in": _ACT, "code": None, "detail": None, "detail_zh": None},
        {"owed_by": "S0104", "status": 409, "handed_in": None, "code": "handed_in_already",
         "detail": "S0104's ledger of 2026-03-09 was handed in already, by S0104 at …", "detail_zh": "S0104的…"},
    ],
}  # fmt: skip
_DAY = ("unknown_team", "day_to_come", "day_without_feed", "invalid_request", "filter_malformed")
_WRITING = (
    "malformed_json", "malformed_header", "idempotency_running", "idempotency_mismatch", "invalid_request",
    "unsupported_media_type", "body_too_large", "post_not_permitted", "day_to_come", "day_without_feed",
    "database_busy", "database_full",
)  # fmt: skip
_ASKED = [
    Example(id="own", summary="One's own", value={"on": "2026-03-09"}),
    Example(id="team", summary="A team, by the basic-risk post", value={"on": "2026-03-09", "team": "电催一组"}),
    Example(id="deputy", summary="What came later, of who is away", value={"on": "2026-03-09", "whose": ["S0104"],
                                                                           "supplement": True}),
]  # fmt: skip
_ISSUED = [Example(id="day", summary="A day", value={"on": "2026-03-09"})]


@get("/day", sync_to_thread=True, summary="How a day stands, by person", tags=["day"],
     responses=answers(DayBody, {"on": "2026-03-09", "people": [_PERSON]}, *_DAY))  # fmt: skip
def day_of(request: Request[Any, Any, Any], on: On, team: Team = None) -> DayBody:
    """Everybody for whom one's posts reach every case; else oneself, one's posts, and whom one deputises for."""
    serving, _ = reader_of(request, "on", "team")
    with reading(serving.engine, snapshot=True) as conn:
        found = evening_of(conn, serving.branch, on, team, may_look_at(request))
    return DayBody(on, [_person(one) for one in found.people])


@post("/day/hand-ins", status_code=200, summary="Hand in what was done on a day", tags=["day"],
      responses={200: ResponseSpec(HandInAnswer, generate_examples=False, description="A result for each.",
                                   examples=[Example(summary="one in, one not", value=_RESULTS)]),
                 **problem_responses(*_WRITING, "unknown_team", "whose_or_team")})  # fmt: skip
async def hand_in_day(
    request: Request[Any, Any, Any], data: Annotated[HandInBody, Body(examples=_ASKED)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """An act with a time, an entry for each; what cannot be handed in keeps nobody else's back."""
    if data.whose is not None and data.team is not None:
        raise CallerError("whose_or_team")

    def work(conn: Any, actor: Actor) -> StoredAnswer:
        return StoredAnswer(200, msgspec.json.encode(handed_in_by(conn, request, actor, data)), {})

    return await written(request, work, idempotency_key)


def handed_in_by(conn: Any, request: Request[Any, Any, Any], actor: Actor, data: HandInBody) -> HandInAnswer:
    """The same in somebody's transaction, for the console too."""
    branch = serving_of(request).branch
    names: Sequence[str] = list(dict.fromkeys(data.whose or (actor.id,)))
    if data.team is not None:
        names = sorted(members_of(conn, data.team, data.on, branch.today(now())))
    part = SUPPLEMENT if data.supplement else LEDGER
    told = [
        _result(who, one)
        for who, one in zip(names, hand_in(conn, branch, data.on, names, actor, part), strict=True)
    ]  # fmt: skip
    if data.team is not None:
        told = [one for one in told if one.code != "nothing_to_hand_in"]
    return HandInAnswer(data.on, part, told)


@get("/day/ledger.xlsx", sync_to_thread=True, summary="The day's ledger as a workbook", tags=["day"],
     responses=answers(bytes, "(a workbook)", *_DAY, "database_busy", "database_full", media_type=XLSX))  # fmt: skip
def ledger_as_xlsx(
    request: Request[Any, Any, Any], on: On, team: Team = None, *, spoken: Language
) -> Response[bytes]:  # fmt: skip
    """Four sheets, ready to print and to be sent on, customers masked; that it was taken out is an entry.

    Of whoever has handed in it shows what they handed in. The entry has the file's digest.
    """
    reader_of(request, "on", "team", "lang")
    return ledger_file(request, on, team, spoken)


def ledger_file(request: Request[Any, Any, Any], on: date, team: str | None, lang: Lang) -> Response[bytes]:
    """That workbook, on record."""
    serving, actor = serving_of(request), actor_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found = ledger_of(conn, serving.branch, on, team)
        body, rows = workbook_of(conn, serving.branch, found, actor, lang), len(found.whole().cases)
    with writing(serving.engine) as conn:  # not before: a large day takes seconds
        actor = still_valid(conn, request)
        wanted = {"on": on.isoformat(), "team": team}
        record_export(conn, serving.branch, actor, wanted, rows=rows, kind="xlsx", event=EXPORTED, file=body)
    return file_named(body, XLSX, ledger_name(on, team, lang=lang))


@get("/day/ledger.csv", sync_to_thread=True, summary="A sheet of the day's ledger as CSV", tags=["day"],
     responses=answers(str, "日期,催收人,…\r\n", *_DAY, "database_busy", "database_full",
                       media_type="text/csv"))  # fmt: skip
def ledger_as_csv(
    request: Request[Any, Any, Any], on: On, team: Team = None, sheet: Part = "cases", *, spoken: Language
) -> Response[bytes]:  # fmt: skip
    """One of the four sheets; that it was taken out is an entry."""
    serving, _ = reader_of(request, "on", "team", "sheet", "lang")
    with writing(serving.engine) as conn:
        actor = still_valid(conn, request)
        found = ledger_of(conn, serving.branch, on, team)
        body = as_csv(sheets_of(conn, serving.branch, found, actor, spoken)[_PARTS.index(sheet)], spoken)
        wanted = {"on": on.isoformat(), "team": team, "sheet": sheet}
        rows = body.count(b"\r\n") - 2  # the header, and the mark
        record_export(conn, serving.branch, actor, wanted, rows=rows, kind="csv", event=EXPORTED, file=body)
    return file_named(body, CSV, ledger_name(on, team, "csv", spoken))


@get("/day/unrepaired", sync_to_thread=True, summary="Customers who could not be repaired", tags=["day"],
     responses=answers(UnrepairedBody, {"items": [_CASE]}, *_DAY))  # fmt: skip
def unrepaired_on(request: Request[Any, Any, Any], on: On, team: Team = None) -> UnrepairedBody:
    """Lost still, though information was repaired since; of whoever has handed in as they did."""
    serving, _ = reader_of(request, "on", "team")
    with reading(serving.engine, snapshot=True) as conn:
        return UnrepairedBody(list(unrepaired(ledger_of(conn, serving.branch, on, team).whole())))


@get("/day/report", sync_to_thread=True, summary="The daily report", tags=["day"],
     responses=answers(DailyBody, _REPORT, *_DAY))  # fmt: skip
def report_of(request: Request[Any, Any, Any], on: On) -> DailyBody:
    """As it was issued, else as it stands: people and teams, what is missing, breaches, holds, who is lost."""
    serving, _ = reader_of(request, "on")
    with reading(serving.engine, snapshot=True) as conn:
        return _daily(*daily(conn, serving.branch, on))


@post("/day/report", status_code=201, summary="Issue the daily report", tags=["day"],
      responses={201: ResponseSpec(DailyBody, generate_examples=False, description="As it is kept from now on.",
                                   examples=[Example(summary="Issued", value=_REPORT)]),
                 **problem_responses(*_WRITING, "report_issued")})  # fmt: skip
async def issue_report(
    request: Request[Any, Any, Any], data: Annotated[IssueBody, Body(examples=_ISSUED)],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:  # fmt: skip
    """Kept as it is from now on; an entry has its digest. Once a day."""
    branch = serving_of(request).branch

    def work(conn: Any, actor: Actor) -> StoredAnswer:
        issue(conn, branch, data.on, actor)
        body = msgspec.json.encode(_daily(*daily(conn, branch, data.on)))
        return StoredAnswer(201, body, {"Location": f"/day/report?on={data.on}"})

    return await written(request, work, idempotency_key)


@get("/day/report.xlsx", sync_to_thread=True, summary="The daily report as a workbook", tags=["day"],
     responses=answers(bytes, "(a workbook)", *_DAY, "database_busy", "database_full", media_type=XLSX))  # fmt: skip
def report_as_xlsx(request: Request[Any, Any, Any], on: On, spoken: Language) -> Response[bytes]:
    """Ready to print; that it was taken out is an entry, with the file's digest."""
    reader_of(request, "on", "lang")
    return report_file(request, on, spoken)


def report_file(request: Request[Any, Any, Any], on: date, lang: Lang) -> Response[bytes]:
    """That workbook, on record."""
    serving, actor = serving_of(request), actor_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        found, act = daily(conn, serving.branch, on)
        body = report_workbook(conn, serving.branch, found, act, actor, now(), lang)
    with writing(serving.engine) as conn:
        actor = still_valid(conn, request)
        wanted = {"on": on.isoformat()}
        rows = len(found.people)
        record_export(conn, serving.branch, actor, wanted, rows=rows, kind="xlsx", event=REPORT_EXPORTED, file=body)
    return file_named(body, XLSX, report_name(on, lang))


def may_look_at(request: Request[Any, Any, Any]) -> set[str] | None:
    """Whose day somebody sees; none: everybody's."""
    actor, branch = actor_of(request), serving_of(request).branch
    within = reach_of(branch, actor, "day.read", branch.today(now()))
    return None if within.everything else {*actor.people, *actor.posts}


def _daily(report: Daily, act: HandIn | None) -> DailyBody:
    return DailyBody(report, report.totals, _act(act))


def _act(done: HandIn | None) -> HandedIn | None:
    if done is None:
        return None
    return HandedIn(done.handed_in_by, done.handed_in_at, done.is_late, done.entry_id, done.digest.hex())


def _person(one: PersonDay) -> PersonBody:
    return PersonBody(
        one.owed_by, one.team, one.due, one.done, one.late, one.exempt, one.open, one.contacts, one.came,
        _act(one.ledger), one.since, one.supplement_came, _act(one.supplement),
    )  # fmt: skip


def _result(who: str, one: Outcome) -> HandInResult:
    if isinstance(one, CallerError):
        return HandInResult(who, status_of(one.code), None, one.code, str(one), one.zh)
    return HandInResult(who, 200, _act(one))


route_handlers = [
    hand_in_day, issue_report, day_of, ledger_as_xlsx, ledger_as_csv, unrepaired_on, report_of, report_as_xlsx,
]  # fmt: skip
