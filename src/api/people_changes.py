"""Changing the register: people, their leave, teams and regions. Posts are asked for, somebody else approves."""

from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from msgspec import UNSET, Meta, UnsetType

from api.example import Example, whole_answer
from api.people import HISTORY, REGION, TEAM, DatedView, MemberHistory, RegionBody, StaffNo, TeamBody
from api.problems import problem_responses
from api.written import Change, changing
from casework.errors import CallerError
from casework.intake.enrolment.grants import PostsGranted, enrol
from casework.people.staff import (
    absence,
    listing,
    places,
    register,
)
from casework.people.staff.person import day_before
from casework.work.cases.merging import merge as merge_into
from casework.work.cases.options import ReasonOffer, reason_offer

Number = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,32}$(?!\n)", max_length=32)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Place = Annotated[str, Meta(min_length=1, max_length=32)]
PostCode = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)", max_length=32)]
Cases = Annotated[int, Meta(ge=0, le=100_000)]


class NewMember(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody new, or one whom a feed has named. `posts` are asked for; somebody else approves each."""

    staff_no: Number
    name: Name
    posts: Annotated[list[PostCode], Meta(max_length=16)] = []
    team: Place | None = None
    region: Place | None = None
    capacity: Cases | None = None
    joined_on: date | None = None
    leaves_on: date | None = None


class ConfirmBody(msgspec.Struct, forbid_unknown_fields=True):
    """The name of somebody whom only a feed named, and where they belong."""

    name: Name
    team: Place | None = None
    region: Place | None = None


class MergeBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who the unverified one turns out to be."""

    into: Number


class LeaveReturnBody(msgspec.Struct, forbid_unknown_fields=True):
    """Where somebody who comes back belongs."""

    team: Place | None = None
    region: Place | None = None


class MoveBody(msgspec.Struct, forbid_unknown_fields=True):
    """Another team and region, from a day on (today if none)."""

    team: Place | None = None
    region: Place | None = None
    from_on: date | None = None


class CertificateBody(msgspec.Struct, forbid_unknown_fields=True):
    """A training certificate of a kind, such as collector_training."""

    kind: PostCode
    issued_on: date
    expires_on: date | None = None


class PostEndBody(msgspec.Struct, forbid_unknown_fields=True):
    """A post and its last day (yesterday if none: it ends at once)."""

    post: PostCode
    on: date | None = None


class ChangesBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to change, all of it or nothing; what is left out stays. null: no capacity of their own, no last day."""

    name: Name | UnsetType = UNSET
    joined_on: date | UnsetType = UNSET
    capacity: Cases | UnsetType | None = UNSET
    leaves_on: date | UnsetType | None = UNSET
    move: MoveBody | UnsetType = UNSET
    certificate: CertificateBody | UnsetType = UNSET
    end_post: PostEndBody | UnsetType = UNSET


class AbsenceBody(msgspec.Struct, forbid_unknown_fields=True):
    """A leave from its first day through its last, and who deputises."""

    from_on: date
    until_on: date
    reason: Literal["leave", "sick", "training", "other"] = "leave"
    deputy: Number | None = None


class AbsenceEndBody(msgspec.Struct, forbid_unknown_fields=True):
    """The leave that began on `from_on` now ends on `on` (none: yesterday, or today if somebody deputised today)."""

    from_on: date
    on: date | None = None


class TeamGiven(msgspec.Struct, forbid_unknown_fields=True):
    """A team: its code as feeds name it, its name, its region."""

    code: Place
    name: Name
    region: Place | None = None


class RegionGiven(msgspec.Struct, forbid_unknown_fields=True):
    """A region: its code as feeds name it, its name."""

    code: Place
    name: Name


class PostAsked(msgspec.Struct):
    """What became of a post: asked for in `request`, or not, for `reasons`."""

    post: str
    request: int | None
    reasons: list[ReasonOffer]


class Enrolled(msgspec.Struct):
    """They are in the register; their posts wait for somebody else's approval."""

    staff_no: str
    posts: list[PostAsked]


class Merged(msgspec.Struct):
    """How many cases went with them."""

    staff_no: str
    into: str
    cases: int


def _shown(change: Change, staff_no: str) -> MemberHistory:
    member, person = listing.member(change.conn, staff_no, change.trail.today)
    return MemberHistory(
        member, person.joined_on, person.left_on, person.returned_on, person.merged_into,
        msgspec.convert(listing.dated(person), DatedView),
    )  # fmt: skip


def _answers(kind: Any, example: Any, *codes: str, status: int = 200) -> dict[int, ResponseSpec]:
    shown = ResponseSpec(
        kind, generate_examples=False, description="Done",
        examples=whole_answer(kind, example),
    )  # fmt: skip
    return {status: shown, **problem_responses(*codes, *_ALWAYS)}


_ALWAYS = ("post_not_permitted", "invalid_request", "malformed_json", "unsupported_media_type", "body_too_large",
           "database_busy", "database_full")  # fmt: skip
_PLACES = ("unknown_team", "unknown_region", "region_differs", "staff_malformed")
_ENROLLED = {"staff_no": "10021", "posts": [{"post": "business_rep", "request": 12, "reasons": []}]}


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@post("/staff", status_code=201, summary="Register somebody", tags=["staff"], sync_to_thread=True,
      responses=_answers(Enrolled, _ENROLLED, "staff_exists", "staff_no_malformed", "unknown_post", "posts_conflict",
                         "day_in_future", "day_in_past", "day_out_of_range", *_PLACES, status=201))  # fmt: skip
def register_member(
    request: Request[Any, Any, Any],
    data: Annotated[NewMember, Body(examples=[Example(
        id="rep", summary="A business rep",
        value={"staff_no": "10021", "name": "张伟", "posts": ["business_rep"], "team": "T1"},
    )])],
) -> Response[Enrolled]:  # fmt: skip
    """They are in the register at once, without a post; each post becomes a request that somebody else approves."""
    given = msgspec.structs.asdict(data)
    with changing(request) as change:
        _, granted = enrol(change.conn, change.branch, change.trail, change.actor, **given)
    return Response(Enrolled(data.staff_no, [_asked(one) for one in granted]), headers=_place_of(data.staff_no))


def _place_of(staff_no: str) -> dict[str, str]:
    return {"Location": f"/staff/{quote(staff_no, safe='')}"}


def _asked(granted: PostsGranted) -> PostAsked:
    return PostAsked(granted.post, granted.request, [reason_offer(reason) for reason in granted.reasons])


@post("/staff/{staff_no:str}/confirm", status_code=200, summary="Confirm somebody whom a feed named", tags=["staff"],
      sync_to_thread=True,
      responses=_answers(MemberHistory, HISTORY, "unknown_staff", "wrong_status", *_PLACES))  # fmt: skip
def confirm(
    request: Request[Any, Any, Any], staff_no: StaffNo,
    data: Annotated[ConfirmBody, Body(examples=[Example(
        id="name", summary="Name and team", value={"name": "李强", "team": "T2"})])],
) -> MemberHistory:  # fmt: skip
    """They become active and keep the cases that name them; posts are asked for afterwards."""
    with changing(request) as change:
        register.confirm(
            change.conn, change.trail, change.actor, staff_no=staff_no, name=data.name, team=data.team,
            region=data.region,
        )  # fmt: skip
        return _shown(change, staff_no)


@post("/staff/{staff_no:str}/merge", status_code=200, summary="Merge somebody whom a feed named", tags=["staff"],
      sync_to_thread=True,
      responses=_answers(Merged, {"staff_no": "1OO21", "into": "10021", "cases": 3}, "unknown_staff", "wrong_status",
                         "merged_into_himself", "cases_not_moved", "owns_open_cases"))  # fmt: skip
def merge(
    request: Request[Any, Any, Any], staff_no: StaffNo,
    data: Annotated[MergeBody, Body(examples=[Example(id="into", summary="Into", value={"into": "10021"})])],
) -> Merged:  # fmt: skip
    """They are somebody already registered: their cases go there, and from now on the number means that one."""
    with changing(request) as change:
        moved = merge_into(change.conn, change.branch, change.trail, change.actor, staff_no=staff_no, into=data.into)
    return Merged(staff_no, data.into, moved)


@post("/staff/{staff_no:str}/return", status_code=200, summary="Somebody who left is back", tags=["staff"],
      sync_to_thread=True,
      responses=_answers(MemberHistory, HISTORY, "unknown_staff", "wrong_status", *_PLACES))  # fmt: skip
def come_back(
    request: Request[Any, Any, Any], staff_no: StaffNo,
    data: Annotated[LeaveReturnBody, Body(examples=[Example(id="team", summary="To a team", value={"team": "T2"})])],
) -> MemberHistory:  # fmt: skip
    """From today on, without posts, keys and any of their old cases."""
    with changing(request) as change:
        register.come_back(
            change.conn, change.trail, change.actor, staff_no=staff_no, team=data.team, region=data.region
        )
        return _shown(change, staff_no)


@post("/staff/{staff_no:str}/changes", status_code=200, summary="Change somebody", tags=["staff"], sync_to_thread=True,
      responses=_answers(
          MemberHistory, HISTORY, "unknown_staff", "wrong_status", "nothing_changes", "day_in_past", "day_in_future",
          "day_out_of_range", "dates_out_of_order", "certificate_exists", "post_not_held", *_PLACES))  # fmt: skip
def change_member(
    request: Request[Any, Any, Any], staff_no: StaffNo,
    data: Annotated[ChangesBody, Body(examples=[
        Example(id="leaves", summary="A last day", value={"leaves_on": "2026-04-30"}),
        Example(id="move", summary="To another team", value={"move": {"team": "T2", "from_on": "2026-04-01"}}),
        Example(id="certificate", summary="A certificate",
                value={"certificate": {"kind": "collector_training", "issued_on": "2026-01-15"}}),
        Example(id="end_post", summary="A post ends", value={"end_post": {"post": "approver"}}),
    ])],
) -> MemberHistory:  # fmt: skip
    """Name, first and last day, capacity, team, a certificate, the end of a post. To grant one, ask for it."""
    with changing(request) as change:
        if not _change(change, staff_no, data):
            raise CallerError("nothing_changes")
        return _shown(change, staff_no)


def _change(change: Change, staff_no: str, data: ChangesBody) -> bool:
    """Whether there was anything to do."""
    at = (change.conn, change.trail, change.actor)
    figures = {
        key: value for key, value in (("capacity", data.capacity), ("leaves_on", data.leaves_on)) if value is not UNSET
    }
    name = None if data.name is UNSET else data.name
    joined_on = None if data.joined_on is UNSET else data.joined_on
    particulars = bool(figures) or name is not None or joined_on is not None
    if particulars:
        register.change(*at, staff_no=staff_no, name=name, joined_on=joined_on, figures=figures)
    if data.move is not UNSET:
        register.move(
            *at, staff_no=staff_no, team=data.move.team, region=data.move.region,
            from_on=data.move.from_on or change.trail.today, cause={},
        )  # fmt: skip
    if data.certificate is not UNSET:
        absence.certify(*at, staff_no=staff_no, **msgspec.structs.asdict(data.certificate))
    if data.end_post is not UNSET:
        last = data.end_post.on or day_before(change.trail.today)
        register.end_post(*at, staff_no=staff_no, post=data.end_post.post, on=last)
    return particulars or any(part is not UNSET for part in (data.move, data.certificate, data.end_post))


# ── leave ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_DAYS = ("dates_out_of_order", "day_in_past", "day_out_of_range")


@post("/staff/{staff_no:str}/absences", status_code=201, summary="Record leave", tags=["staff"], sync_to_thread=True,
      responses=_answers(
          MemberHistory, HISTORY, "unknown_staff", "wrong_status", "unknown_reason", "leave_too_long", "leave_overlaps",
          "deputy_himself", "deputy_by_himself", "deputy_away", "deputises_then", "posts_conflict",
          "lent_from_tomorrow", "lent_too_long", *_DAYS, status=201))  # fmt: skip
def record_absence(
    request: Request[Any, Any, Any], staff_no: StaffNo,
    data: Annotated[AbsenceBody, Body(examples=[Example(
        id="leave", summary="A week, with a deputy",
        value={"from_on": "2026-03-09", "until_on": "2026-03-13", "deputy": "10022"})])],
) -> Response[MemberHistory]:  # fmt: skip
    """Somebody is away; on those days their deputy sees and acts in their place, and the log names both.

    One's own leave anybody records, with a deputy who holds every post that they are lent. Posts that reach cases of
    others are lent from tomorrow on, for 31 days at most.
    """
    with changing(request) as change:
        _check_recorder(change, staff_no, data.deputy, (data.from_on, data.until_on))
        absence.absent(
            change.conn, change.trail, change.actor, change.branch.rulebook.permissions, staff_no=staff_no,
            **msgspec.structs.asdict(data),
        )  # fmt: skip
        return Response(_shown(change, staff_no), headers=_place_of(staff_no))


@post("/staff/{staff_no:str}/absences/end", status_code=200, summary="Back early", tags=["staff"], sync_to_thread=True,
      responses=_answers(MemberHistory, HISTORY, "unknown_staff", "wrong_status", "leave_unknown",
                         "deputy_by_himself", *_DAYS))  # fmt: skip
def end_absence(
    request: Request[Any, Any, Any], staff_no: StaffNo,
    data: Annotated[AbsenceEndBody, Body(examples=[Example(
        id="today", summary="Back today", value={"from_on": "2026-03-09"})])],
) -> MemberHistory:  # fmt: skip
    """Somebody is back before the last day of their leave, and their deputy's part ends with it."""
    with changing(request) as change:
        _check_recorder(change, staff_no, None)
        absence.end_absence(
            change.conn, change.trail, change.actor, staff_no=staff_no, from_on=data.from_on,
            on=data.on,
        )  # fmt: skip
        return _shown(change, staff_no)


def _check_recorder(change: Change, staff_no: str, deputy: str | None, days: tuple[date, date] | None = None) -> None:
    absence.check_recorder(
        change.conn, change.branch.rulebook.permissions, change.actor, staff_no, deputy, days, today=change.trail.today
    )


# ── teams and regions ───────────────────────────────────────────────────────────────────────────────────────────────


@post("/teams", status_code=200, summary="Register a team", tags=["staff"], sync_to_thread=True,
      responses=_answers(TeamBody, TEAM, "place_malformed", "unknown_region"))  # fmt: skip
def set_team(
    request: Request[Any, Any, Any],
    data: Annotated[TeamGiven, Body(examples=[Example(id="team", summary="A team", value=TEAM)])],
) -> TeamBody:
    """A team, or another name or region for one. Once one is registered, no other can be named."""
    with changing(request) as change:
        team = places.set_team(
            change.conn, change.trail, change.actor, code=data.code, name=data.name, region=data.region
        )
    return TeamBody(*team)


@post("/regions", status_code=200, summary="Register a region", tags=["staff"], sync_to_thread=True,
      responses=_answers(RegionBody, REGION, "place_malformed"))  # fmt: skip
def set_region(
    request: Request[Any, Any, Any],
    data: Annotated[RegionGiven, Body(examples=[Example(id="region", summary="A region", value=REGION)])],
) -> RegionBody:
    """A region, or another name for one."""
    with changing(request) as change:
        return RegionBody(*places.set_region(change.conn, change.trail, change.actor, code=data.code, name=data.name))


route_handlers = [
    register_member, confirm, merge, come_back, change_member, record_absence, end_absence, set_team, set_region,
]  # fmt: skip
