"""What lies behind the figures of a day: the duties, each with its case, and the contacts that somebody made."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from sqlalchemy.engine import Connection

from api.auth import actor_of
from api.console.frame import shown, words
from api.console.frame.files import ListFile, columns_named, named_list
from api.console.frame.page import render
from api.day import may_look_at
from api.duties import duties_found
from api.reading.asking import check_parameters
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.evidence.evening.handing_in import check_day
from casework.evidence.ledger.people import members_of
from casework.people.staff.listing import names_of
from casework.people.staff.roster_rows import read_roster
from casework.storage.database import reading
from casework.table import MAX_ROWS, Lang
from casework.work.contacts.contact import Contact
from casework.work.contacts.latest import contacts_of_day
from casework.work.duties.listing import DutiesWanted, Listed
from casework.work.duties.table import DUTIES, duty_cells

_Request = Request[Any, Any, Any]
_ROWS: Final = 100
_STATUSES: Final = ("done", "late", "open", "exempt")
_CONTACTS: Final = columns_named(
    ("at", "debtor.when", 24), ("loan_id", "case.loan", 18), ("party", "people.who", 12),
    ("channel", "evening.channel", 10), ("result", "debtor.result", 18), ("seconds", "evening.seconds", 8),
    ("who", "evening.who", 12),
)  # fmt: skip


class _Duties(NamedTuple):
    on: date | None
    owed_by: str | None
    team: str | None
    duty: str | None
    status: str | None


class _Contacts(NamedTuple):
    on: date | None
    who: str | None
    outcome: str | None
    calls: bool | None


def _duties_wanted(
    on: Annotated[date | None, QueryParameter()] = None,
    owed_by: Annotated[str, QueryParameter(max_length=32)] = "",
    team: Annotated[str, QueryParameter(max_length=64)] = "",
    duty: Annotated[str, QueryParameter(max_length=32)] = "",
    status: Annotated[Literal["", "done", "late", "open", "exempt"], QueryParameter()] = "",
) -> _Duties:
    return _Duties(on, owed_by or None, team or None, duty or None, status or None)


def _contacts_wanted(
    on: Annotated[date | None, QueryParameter()] = None,
    who: Annotated[str, QueryParameter(max_length=32)] = "",
    outcome: Annotated[Literal["", "debtor", "third_party", "unanswered"], QueryParameter()] = "",
    calls: Annotated[bool | None, QueryParameter()] = None,
) -> _Contacts:
    return _Contacts(on, who or None, outcome or None, calls)


@get("/console/evening/duties", sync_to_thread=True, opt={"page": "duty.read"},
     dependencies={"wanted": Provide(_duties_wanted, sync_to_thread=False)})  # fmt: skip
def duties(
    request: _Request, wanted: NamedDependency[_Duties],
    after: Annotated[str, QueryParameter(pattern=r"^[0-9]{1,15}\.[a-z_]{0,32}$(?!\n)")] = "0.",
) -> Response[Any]:  # fmt: skip
    """The duties that a figure counts, by case; filters and page stand in the address."""
    check_parameters(request, (*_Duties._fields, "after"))
    branch = serving_of(request).branch
    with reading(serving_of(request).engine, snapshot=True) as conn:
        found = _duties(conn, request, wanted, _ROWS + 1, after)
        names = names_of(conn, {one.owed_by for one in found} - branch.rulebook.permissions.posts.keys())
    last = found[_ROWS - 1] if len(found) > _ROWS else None
    return render(
        request, "evening/duties.html", wanted=wanted, on=wanted.on or branch.today(now()), items=found[:_ROWS],
        names=names, rules=branch.rulebook.duties.by_name, statuses=_STATUSES, asked=_asked(wanted),
        following=None if last is None else f"{last.case_id}.{last.duty}", first=after == "0.",
    )  # fmt: skip


@get("/console/evening/contacts", sync_to_thread=True, opt={"page": "day.read"},
     dependencies={"wanted": Provide(_contacts_wanted, sync_to_thread=False)})  # fmt: skip
def contacts(
    request: _Request, wanted: NamedDependency[_Contacts],
    after: Annotated[int, QueryParameter(ge=0, le=MAX_ROWS)] = 0,
) -> Response[Any]:  # fmt: skip
    """The contacts that a figure counts: somebody's of a day, one's own where nobody is named."""
    check_parameters(request, (*_Contacts._fields, "after"))
    branch, whose = serving_of(request).branch, wanted.who or actor_of(request).id
    with reading(serving_of(request).engine, snapshot=True) as conn:
        found = _contacts(conn, request, wanted, _ROWS + 1, after)
        names = names_of(conn, [whose])
    return render(
        request, "evening/contacts.html", wanted=wanted, on=wanted.on or branch.today(now()), whose=whose, names=names,
        items=found[:_ROWS], results=branch.rulebook.results.by_code, asked=_asked(wanted), first=after == 0,
        following=str(after + _ROWS) if len(found) > _ROWS else None,
    )  # fmt: skip


def _asked(wanted: _Duties | _Contacts) -> list[tuple[str, str]]:
    return [
        (name, str(value).lower() if value is True else str(value))
        for name, value in wanted._asdict().items()
        if value is not None
    ]


def _duties(conn: Connection, request: _Request, wanted: _Duties, limit: int, after: str = "0.") -> list[Listed]:
    branch = serving_of(request).branch
    day, (number, _, name) = wanted.on or branch.today(now()), after.partition(".")
    check_day(conn, day, branch.today(now()))
    seen = may_look_at(request)
    everybody = frozenset(read_roster(conn, day).colleagues) | branch.rulebook.permissions.posts.keys()
    people = everybody if seen is None else frozenset(seen)
    if wanted.team is not None:
        people &= members_of(conn, wanted.team, day, branch.today(now()))
    asked = DutiesWanted(people, None, wanted.duty, wanted.status, (int(number), name))
    return duties_found(conn, request, day, wanted.owed_by, None, asked, limit)


def _contacts(conn: Connection, request: _Request, wanted: _Contacts, limit: int, after: int = 0) -> list[Contact]:
    branch, people = serving_of(request).branch, may_look_at(request)
    whose = wanted.who or actor_of(request).id
    if people is not None and whose not in people:
        raise CallerError("out_of_reach")
    day = wanted.on or branch.today(now())
    return contacts_of_day(conn, whose, day, calls=bool(wanted.calls), outcome=wanted.outcome, after=after, limit=limit)


def _duty_rows(request: _Request, wanted: _Duties, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    with reading(serving_of(request).engine, snapshot=True) as conn:
        found = _duties(conn, request, wanted, MAX_ROWS + 1)
        yield from duty_cells(conn, serving_of(request).branch, found, lang)


def _contact_rows(request: _Request, wanted: _Contacts, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    branch = serving_of(request).branch
    with reading(serving_of(request).engine, snapshot=True) as conn:
        found = _contacts(conn, request, wanted, MAX_ROWS + 1)
    for one in found:
        result = branch.rulebook.results.by_code.get(one.result)
        yield (
            one.started_at.astimezone(ZoneInfo(branch.time_zone)), one.loan_id, words.say(f"role.{one.party}", lang),
            words.say(f"channel.{one.channel}", lang), shown.told(result, lang) if result else one.result, one.seconds,
            one.staff_no,
        )  # fmt: skip


def _said(wanted: _Duties | _Contacts) -> dict[str, str]:
    return dict(_asked(wanted))


FILES: Final = (
    ListFile("/console/evening/duties", "duty.read", lambda _: DUTIES, _duty_rows,
             wanted=_duties_wanted, said=_said),
    ListFile("/console/evening/contacts", "day.read", named_list("evening.contact_list", _CONTACTS), _contact_rows,
             wanted=_contacts_wanted, said=_said),
)  # fmt: skip
route_handlers = [duties, contacts]
