"""Duties of a day over HTTP: of people, of a team, of a case; as they were taken, or as they stand."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter
from sqlalchemy.engine import Connection

from api.language import Language
from api.list_shape import whole, whole_of
from api.permitted import case_in_sight, reach
from api.reading.asking import answers, reader_of
from api.reading.cases import CaseId
from api.reading.exports import XLSX, sent
from api.serving import serving_of
from casework.clock import now
from casework.people.staff.permissions import Reach
from casework.people.staff.roster_rows import read_roster
from casework.storage.database import reading
from casework.table import MAX_ROWS, Lang
from casework.work.cases.branch import Branch
from casework.work.cases.taking_out import FileKind, file_of_list, taker_of
from casework.work.duties.listing import DutiesWanted, Listed, page_of_duties
from casework.work.duties.table import DUTIES, duty_cells

_On = Annotated[date | None, QueryParameter(description="The day; today, if left out.")]
_Text = Annotated[str | None, QueryParameter(max_length=64)]
_After = Annotated[
    str | None,
    QueryParameter(pattern=r"^[0-9]{1,15}\.[a-z_]{0,32}$(?!\n)", description="`next` of the page before."),
]
_OwedBy = Annotated[str | None, QueryParameter(max_length=32, description="A staff number, or a post.")]
_Team = Annotated[str | None, QueryParameter(max_length=64, description="Who belongs to it that day.")]
_Case = Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1)]
_Status = Annotated[Literal["done", "late", "open", "exempt"] | None, QueryParameter()]
_ExemptBy = Annotated[
    str | None, QueryParameter(max_length=32, description="A hold's name, `promise`, X1–X6, `outage` or `day_off`.")
]
_MOST: Final = 1_000
_FILTERS: Final = ("on", "owed_by", "team", "case_id", "duty", "status", "exempt_by")


class DutyBody(msgspec.Struct):
    """What is owed to a case that day: done, late, open or exempt; `owed_by`: who answers for it, or a post."""

    day: date
    case_id: int
    duty: str
    duty_zh: str
    duty_en: str
    loan_id: str
    status: str
    exempt_by: str | None
    due_on: date
    owed_by: str
    rules: list[str]


class DutyPage(msgspec.Struct):
    """By case and duty; `next` is the `after` of the page that follows, none at the end."""

    items: list[DutyBody]
    next: str | None


_DUTY = {
    "day": "2026-03-10", "case_id": 1207, "duty": "dial", "duty_zh": "每日拨打", "duty_en": "dial every day",
    "loan_id": "L2024000917", "status": "open", "exempt_by": None, "due_on": "2026-03-10", "owed_by": "S0103",
    "rules": ["1.3.1a", "1.3.1d", "1.3.2w"],
}  # fmt: skip


@get("/duties", sync_to_thread=True, summary="Duties of a day", tags=["duties"],
     responses=answers(DutyPage, {"items": [_DUTY], "next": None}, "duties_not_taken_yet", "filter_malformed",
                       "invalid_request"))  # fmt: skip
def duties(
    request: Request[Any, Any, Any], on: _On = None, owed_by: _OwedBy = None, team: _Team = None,
    case_id: _Case = None, duty: _Text = None, status: _Status = None, exempt_by: _ExemptBy = None,
    after: _After = None, limit: Annotated[int, QueryParameter(ge=1, le=_MOST)] = 200,
) -> DutyPage:  # fmt: skip
    """Those of cases within one's reach: of a day that is closed as they were known then, never changed since.

    Of a day that is not closed they are reckoned as they stand; then say whose: `owed_by`, `team` or `case_id`.
    """
    reader_of(request, *_FILTERS, "after", "limit")
    branch = serving_of(request).branch
    number, _, name = (after or "0.").partition(".")
    with reading(serving_of(request).engine, snapshot=True) as conn:
        asked = DutiesWanted(None, case_id, duty, status, (int(number), name), exempt_by)
        found = duties_found(conn, request, on, owed_by, team, asked, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return DutyPage(
        [_told(branch, one) for one in found[:limit]], None if last is None else f"{last.case_id}.{last.duty}"
    )


def duties_found(
    conn: Connection, request: Request[Any, Any, Any], on: date | None, owed_by: str | None, team: str | None,
    wanted: DutiesWanted, limit: int,
) -> list[Listed]:  # fmt: skip
    """Those within the reader's reach, of today where no day is given; CallerError duties_not_taken_yet."""
    branch = serving_of(request).branch
    day = on or branch.today(now())
    people = wanted.people if owed_by is None else frozenset({owed_by})
    if team is not None:
        members = (one for one in read_roster(conn, day).colleagues.values() if one.team == team)
        of_team = frozenset(one.staff_no for one in members)
        people = of_team if people is None else people & of_team
    return page_of_duties(conn, branch, day, reach(request), wanted._replace(people=people), limit)


_FAULTS: Final = ("duties_not_taken_yet", "filter_malformed", "invalid_request", "database_busy", "database_full")


@get("/duties.csv", sync_to_thread=True, summary="Duties of a day as CSV", tags=["duties"],
     responses=answers(str, "日期,借据号,…\r\n", *_FAULTS, media_type="text/csv"))  # fmt: skip
def duties_as_csv(
    request: Request[Any, Any, Any], on: _On = None, owed_by: _OwedBy = None, team: _Team = None,
    case_id: _Case = None, duty: _Text = None, status: _Status = None, exempt_by: _ExemptBy = None,
    *,
    spoken: Language,
) -> Response[bytes]:  # fmt: skip
    """Those of `GET /duties`, at most 20,000 (`Casework-Cut` says if there are more); an entry."""
    wanted = DutiesWanted(None, case_id, duty, status, exempt_by=exempt_by)
    return _file(request, on, owed_by, team, wanted, "csv", spoken)


@get("/duties.xlsx", sync_to_thread=True, summary="Duties of a day as a workbook", tags=["duties"],
     responses=answers(bytes, "(a workbook)", *_FAULTS, media_type=XLSX))  # fmt: skip
def duties_as_xlsx(
    request: Request[Any, Any, Any], on: _On = None, owed_by: _OwedBy = None, team: _Team = None,
    case_id: _Case = None, duty: _Text = None, status: _Status = None, exempt_by: _ExemptBy = None,
    *,
    spoken: Language,
) -> Response[bytes]:  # fmt: skip
    """Those of `GET /duties`, at most 20,000 (`Casework-Cut` says if there are more), to print; an entry."""
    wanted = DutiesWanted(None, case_id, duty, status, exempt_by=exempt_by)
    return _file(request, on, owed_by, team, wanted, "xlsx", spoken)


def _file(
    request: Request[Any, Any, Any], on: date | None, owed_by: str | None, team: str | None, wanted: DutiesWanted,
    kind: FileKind, lang: Lang,
) -> Response[bytes]:  # fmt: skip
    serving, actor = reader_of(request, *_FILTERS, "lang")
    day = on or serving.branch.today(now())
    asked: dict[str, Any] = {
        "list": DUTIES.name, "on": day.isoformat(), "owed_by": owed_by, "team": team, "case_id": wanted.case_id,
        "duty": wanted.duty, "status": wanted.status, "exempt_by": wanted.exempt_by,
    }  # fmt: skip
    said = {name: value for name, value in asked.items() if value is not None}
    with reading(serving.engine, snapshot=True) as conn:
        found = duties_found(conn, request, day, owed_by, team, wanted, MAX_ROWS + 1)
        cells, taker = duty_cells(conn, serving.branch, found, lang), taker_of(conn, serving.branch, actor, now())
    return sent(request, file_of_list(DUTIES, cells, kind, lang, said, taker))


@get("/cases/{case_id:int}/duties", sync_to_thread=True, summary="Duties of one case", tags=["duties"],
     responses=answers(whole(DutyBody), {"items": [_DUTY], "next": None}, "unknown_case", "filter_malformed",
                       "invalid_request"))  # fmt: skip
def duties_of_case(request: Request[Any, Any, Any], case_id: CaseId, on: _On = None) -> Response[Any]:
    """What is owed to a case on a day, done or not, and what exempts."""
    serving, _ = reader_of(request, "on")
    day = on or serving.branch.today(now())
    with reading(serving.engine, snapshot=True) as conn:
        case_in_sight(conn, request, case_id)
        return whole_of(DutyBody, told_of_case(serving.branch, conn, case_id, day))


def told_of_case(branch: Branch, conn: Any, case_id: int, on: date) -> list[DutyBody]:
    """The same for a page; that the reader sees the case has been seen to."""
    wanted = DutiesWanted(case_id=case_id)
    found: Sequence[Listed] = page_of_duties(conn, branch, on, Reach(everything=True), wanted, _MOST)
    return [_told(branch, one) for one in found]


def _told(branch: Branch, one: Listed) -> DutyBody:
    rule = branch.rulebook.duties.by_name.get(one.duty)
    zh, en, rules = (one.duty, one.duty, []) if rule is None else (rule.zh, rule.en, list(rule.rules))
    return DutyBody(
        one.day, one.case_id, one.duty, zh, en, one.loan_id, one.status, one.exempt_by, one.due_on, one.owed_by, rules
    )


route_handlers = [duties_as_csv, duties_as_xlsx, duties, duties_of_case]
