"""The register: everybody with posts, home, leave and deputy, one person with what is dated, and what may be done."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter

from api.auth import actor_of
from api.console.frame.forms import Tried, problem_of, typed_in
from api.console.frame.page import render, to
from api.console.people.deeds import DEEDS, NEW, Deed, values_of
from api.problems import status_of
from api.reading.asking import check_parameters
from api.serving import serving_of
from api.written import changing
from casework.clock import now
from casework.errors import CallerError
from casework.people.identity import second_factor
from casework.people.identity.keys import keys_of
from casework.people.identity.sessions import open_sessions
from casework.people.staff import listing, places
from casework.people.staff.absence import REASONS
from casework.people.staff.listing import StaffWanted
from casework.people.staff.posts import post_labels
from casework.storage.database import reading

_ROWS: Final = 100
_Code = Annotated[str | None, QueryParameter(max_length=32)]
On = Annotated[date | None, QueryParameter()]


@dataclass(frozen=True, slots=True)
class _Done:
    """What a deed told."""

    deed: str
    told: Any = None


async def _do(request: Request[Any, Any, Any], deed: Deed | None, command: str, staff_no: str | None) -> Response[Any]:
    typed = await typed_in(request)
    if deed is None or deed.command != command:
        raise CallerError("not_found")

    def work() -> Any:
        values = values_of(deed, typed)
        with changing(request) as change:
            return deed.act(change, staff_no or "", values)

    try:
        told = await asyncio.to_thread(work)
    except CallerError as mistake:
        if status_of(mistake.code) in (401, 403):
            raise
        tried = Tried(f"deed.{deed.name}", typed, problem_of(mistake))
        shown = _member if staff_no is not None else _all
        return await asyncio.to_thread(shown, request, staff_no or "", tried=tried)
    if told is not None:
        done = _Done(deed.name, told)
        return await asyncio.to_thread(_member, request, staff_no or typed.get("staff_no", "").strip(), done=done)
    return to(f"/console/staff/{staff_no}" if staff_no is not None else "/console/staff")


@post("/console/staff/new/{name:str}", opt={"page": "staff.change"})
async def registered(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """Somebody new; their posts wait for somebody else's approval."""
    return await _do(request, NEW.get(name), "staff.change", None)


@post("/console/staff/places/{name:str}", opt={"page": "team.change"})
async def placed(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """A team or a region."""
    return await _do(request, NEW.get(name), "team.change", None)


@post("/console/staff/{staff_no:str}/changes/{name:str}", opt={"page": "staff.change"})
async def changed(request: Request[Any, Any, Any], staff_no: FromPath[str], name: FromPath[str]) -> Response[Any]:
    """Something of somebody in the register."""
    return await _do(request, DEEDS.get(name), "staff.change", staff_no)


@post("/console/staff/{staff_no:str}/leave/{name:str}", opt={"page": "leave.own"})
async def away(request: Request[Any, Any, Any], staff_no: FromPath[str], name: FromPath[str]) -> Response[Any]:
    """Leave with a deputy, or back before its end: one's own, with `leave.record` anybody's."""
    return await _do(request, DEEDS.get(name), "leave.own", staff_no)


@post("/console/staff/{staff_no:str}/access/{name:str}", opt={"page": "staff.reset"})
async def access(request: Request[Any, Any, Any], staff_no: FromPath[str], name: FromPath[str]) -> Response[Any]:
    """A one-time code, told this once, or the end of sessions and keys."""
    return await _do(request, DEEDS.get(name), "staff.reset", staff_no)


@get("/console/staff", sync_to_thread=True, opt={"page": "staff.read"})
def staff(
    request: Request[Any, Any, Any],
    post: _Code = None,
    team: _Code = None,
    region: _Code = None,
    status: Annotated[Literal["", "active", "unverified", "left", "merged"] | None, QueryParameter()] = None,
    after: Annotated[str, QueryParameter(max_length=32)] = "",
) -> Response[Any]:
    """Members of staff as of today."""
    check_parameters(request, ("post", "team", "region", "status", "after"))
    return _all(request, after, StaffWanted(post or None, team or None, region or None, status or None))


def _all(
    request: Request[Any, Any, Any], after: str, wanted: StaffWanted | None = None, *, tried: Tried | None = None
) -> Response[Any]:
    serving, wanted = serving_of(request), wanted or StaffWanted(None, None, None, None)
    with reading(serving.engine) as conn:
        found = listing.members(conn, serving.branch.today(now()), wanted, after=after, limit=_ROWS + 1)
        teams, regions = places.all_teams(conn), places.all_regions(conn)
    following = found[_ROWS - 1].staff_no if len(found) > _ROWS else None
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "after" and value]
    return render(
        request, "people/list.html", status=int(tried.problem["status"]) if tried else 200, items=found[:_ROWS],
        following=following, wanted=wanted, asked=asked, first=not after, teams=teams, regions=regions, tried=tried,
        every_post=list(serving.branch.rulebook.permissions.posts), deeds=_open(request, NEW),
        choices=_choices(request),
    )  # fmt: skip


@get("/console/staff/{staff_no:str}", sync_to_thread=True, opt={"page": "staff.read"})
def member(request: Request[Any, Any, Any], staff_no: FromPath[str], on: On = None) -> Response[Any]:
    """One person: posts, homes, certificates, absences by date; and what may be done."""
    return _member(request, staff_no, on=on)


def _member(
    request: Request[Any, Any, Any], staff_no: str, *, on: date | None = None, tried: Tried | None = None,
    done: _Done | None = None,
) -> Response[Any]:  # fmt: skip
    serving, actor = serving_of(request), actor_of(request)
    permissions = serving.branch.rulebook.permissions
    with reading(serving.engine, snapshot=True) as conn:
        shown, person = listing.member(conn, staff_no, on or serving.branch.today(now()))
        keeps = permissions.may(actor, "staff.reset")
        keys = keys_of(conn, staff_no, now()) if keeps else []
        sessions = open_sessions(conn, staff_no, now()) if keeps else []
        factor = second_factor.is_confirmed(conn, staff_no) if keeps else None
    deeds = [one for one in _open(request, DEEDS) if shown.status in one.of]
    if not permissions.may(actor, "leave.record") and actor.id != staff_no:
        deeds = [one for one in deeds if one.command != "leave.own"]
    return render(
        request, "people/one.html", status=int(tried.problem["status"]) if tried else 200, one=shown, person_row=person,
        dated=listing.dated(person), on=on, tried=tried, done=done, deeds=deeds, choices=_choices(request),
        keeps=keeps, keys=keys, sessions=sessions, factor=factor,
        may_plan=permissions.may(actor, "handover.plan") and shown.status == "active",
    )  # fmt: skip


def _open(request: Request[Any, Any, Any], deeds: Mapping[str, Deed]) -> list[Deed]:
    permissions, actor = serving_of(request).branch.rulebook.permissions, actor_of(request)
    return [one for one in deeds.values() if permissions.may(actor, one.command)]


def _choices(request: Request[Any, Any, Any]) -> dict[str, list[dict[str, str]]]:
    """What fields of a kind may hold, in words."""
    known = post_labels(serving_of(request).branch.rulebook.chart)
    return {
        "post": [{"code": code, "zh": known[code]["zh"], "en": known[code]["en"]} for code in sorted(known)],
        "leave": [{"code": code, "zh": zh, "en": en} for code, (zh, en) in REASONS.items()],
    }  # fmt: skip


route_handlers = [registered, placed, changed, away, access, staff, member]
