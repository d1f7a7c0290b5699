"""The register to look at: colleagues, everything of one that has days, teams, and who one is oneself."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.params import PathParameter, QueryParameter

from api.auth import holder_of
from api.list_shape import whole, whole_of
from api.reading.asking import answers, reader_of
from casework.clock import now
from casework.people.staff import listing, places
from casework.people.staff.listing import MOST, Member, StaffWanted
from casework.storage.database import reading

StaffNo = Annotated[str, PathParameter(max_length=32, description="The staff number.")]
On = Annotated[date | None, QueryParameter(description="As of this day; today if none.")]
_Code = Annotated[str | None, QueryParameter(max_length=32)]


class MemberPage(msgspec.Struct):
    """One page; `next` is the `after` of the page that follows, none at the end."""

    items: list[Member]
    next: str | None


class PostHeld(msgspec.Struct):
    """A post, from its first day through its last (none: without end); `request_id` is what four eyes decided."""

    post: str
    from_on: date
    until_on: date | None
    granted_by: str
    request_id: int | None


class HomeHeld(msgspec.Struct):
    """Team and region of those days."""

    from_on: date
    until_on: date | None
    team: str | None
    region: str | None


class CertificateHeld(msgspec.Struct):
    """A training certificate."""

    kind: str
    issued_on: date
    expires_on: date | None


class AbsenceHeld(msgspec.Struct):
    """A leave, and who deputises."""

    from_on: date
    until_on: date
    reason: str
    deputy: str | None


class DatedView(msgspec.Struct):
    """Everything of a person that has days, whatever is over too."""

    posts: list[PostHeld]
    homes: list[HomeHeld]
    certificates: list[CertificateHeld]
    absences: list[AbsenceHeld]


class MemberHistory(msgspec.Struct):
    """One person: as of the day asked for, and their dated rows."""

    member: Member
    joined_on: date | None
    left_on: date | None
    returned_on: date | None
    merged_into: str | None
    dated: DatedView


class PrincipalBody(msgspec.Struct):
    """Somebody on leave for whom one deputises today, and with which posts."""

    staff_no: str
    posts: list[str]


class Me(msgspec.Struct):
    """Who asks: number, posts, place, whom they deputise for, and the commands of the permission table open to them."""

    staff_no: str
    posts: list[str]
    team: str | None
    region: str | None
    deputises_for: list[PrincipalBody]
    commands: list[str]


class TeamBody(msgspec.Struct):
    """A team and the region in which it lies."""

    code: str
    name: str
    region: str | None


class RegionBody(msgspec.Struct):
    """A region."""

    code: str
    name: str


MEMBER: dict[str, Any] = {
    "staff_no": "10021", "name": "张伟", "posts": ["business_rep"], "team": "T1", "region": "R1", "status": "active",
    "capacity": None, "leaves_on": None, "away_until": "2026-03-13", "deputy": "10022", "shell_posts": [],
}  # fmt: skip
DATED: dict[str, Any] = {
    "posts": [{"post": "business_rep", "from_on": "2025-07-01", "until_on": None, "granted_by": "10003",
               "request_id": 12}],
    "homes": [{"from_on": "2025-07-01", "until_on": None, "team": "T1", "region": "R1"}],
    "certificates": [{"kind": "collector_training", "issued_on": "2025-07-10", "expires_on": "2027-07-09"}],
    "absences": [{"from_on": "2026-03-09", "until_on": "2026-03-13", "reason": "leave", "deputy": "10022"}],
}  # fmt: skip
HISTORY: dict[str, Any] = {
    "member": MEMBER, "joined_on": "2025-07-01", "left_on": None, "returned_on": None, "merged_into": None,
    "dated": DATED,
}  # fmt: skip
_ME = {
    "staff_no": "10022", "posts": ["business_rep"], "team": "T1", "region": "R1",
    "deputises_for": [{"staff_no": "10021", "posts": ["business_rep"]}], "commands": ["case.read", "case.note"],
}  # fmt: skip
TEAM, REGION = {"code": "T1", "name": "江岸一组", "region": "R1"}, {"code": "R1", "name": "武汉"}


@get("/me", summary="Who am I", tags=["staff"],
     responses=answers(Me, _ME, "filter_malformed"))  # fmt: skip
async def me(request: Request[Any, Any, Any]) -> Me:
    """Number, posts, team, whom one deputises for today, and every command open to one (over some cases at least)."""
    serving, actor = reader_of(request)
    return Me(
        actor.id, sorted(actor.posts), actor.team, actor.region,
        [PrincipalBody(one.id, sorted(one.posts)) for one in actor.principals],
        serving.branch.rulebook.permissions.commands_of(holder_of(request).actor),
    )  # fmt: skip


@get("/staff", sync_to_thread=True, summary="Members of staff", tags=["staff"],
     responses=answers(MemberPage, {"items": [MEMBER], "next": None}, "invalid_request",
                       "filter_malformed"))  # fmt: skip
def members(
    request: Request[Any, Any, Any],
    post: _Code = None,
    team: _Code = None,
    region: _Code = None,
    status: Annotated[Literal["active", "unverified", "left", "merged"] | None, QueryParameter()] = None,
    on: On = None,
    after: Annotated[str, QueryParameter(max_length=32, description="`next` of the page before.")] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=MOST, description="Members on a page.")] = 200,
) -> MemberPage:
    """Colleagues by staff number, with posts, team and leave as of a day; filters must all hold.

    `status` is how they stand now: active, unverified (a feed named them, nobody registered them), left or merged.
    """
    serving, _ = reader_of(request, "post", "team", "region", "status", "on", "after", "limit")
    with reading(serving.engine) as conn:
        found = listing.members(
            conn,
            on or serving.branch.today(now()),
            StaffWanted(post, team, region, status),
            after=after,
            limit=limit + 1,
        )
    return MemberPage(found[:limit], found[limit - 1].staff_no if len(found) > limit else None)


@get("/staff/{staff_no:str}", sync_to_thread=True, summary="One member of staff", tags=["staff"],
     responses=answers(Member, MEMBER, "unknown_staff", "invalid_request", "filter_malformed"))  # fmt: skip
def member(request: Request[Any, Any, Any], staff_no: StaffNo, on: On = None) -> Member:
    """A colleague as of a day."""
    serving, _ = reader_of(request, "on")
    with reading(serving.engine, snapshot=True) as conn:
        return listing.member(conn, staff_no, on or serving.branch.today(now()))[0]


@get("/staff/{staff_no:str}/history", sync_to_thread=True, summary="What a member of staff was, and when",
     tags=["staff"],
     responses=answers(MemberHistory, HISTORY, "unknown_staff", "invalid_request", "filter_malformed"))  # fmt: skip
def history(
    request: Request[Any, Any, Any],
    staff_no: StaffNo,
    on: Annotated[date | None, QueryParameter(description="Only what was in force on this day.")] = None,
) -> MemberHistory:
    """Posts, teams, certificates and leave with their days: which posts somebody held on day X has an answer."""
    serving, _ = reader_of(request, "on")
    with reading(serving.engine, snapshot=True) as conn:
        shown, person = listing.member(conn, staff_no, on or serving.branch.today(now()))
    return MemberHistory(
        shown, person.joined_on, person.left_on, person.returned_on, person.merged_into,
        msgspec.convert(listing.dated(person, on), DatedView),
    )  # fmt: skip


@get("/teams", sync_to_thread=True, summary="Registered teams", tags=["staff"],
     responses=answers(whole(TeamBody), {"items": [TEAM], "next": None}, "filter_malformed"))  # fmt: skip
def teams(request: Request[Any, Any, Any]) -> Response[Any]:
    """Every registered team; as long as there is none, a team may be called anything."""
    serving, _ = reader_of(request)
    with reading(serving.engine) as conn:
        return whole_of(TeamBody, [TeamBody(*one) for one in places.all_teams(conn)])


@get("/regions", sync_to_thread=True, summary="Registered regions", tags=["staff"],
     responses=answers(whole(RegionBody), {"items": [REGION], "next": None}, "filter_malformed"))  # fmt: skip
def regions(request: Request[Any, Any, Any]) -> Response[Any]:
    """Every registered region; as long as there is none, a region may be called anything."""
    serving, _ = reader_of(request)
    with reading(serving.engine) as conn:
        return whole_of(RegionBody, [RegionBody(*one) for one in places.all_regions(conn)])


route_handlers = [me, members, member, history, teams, regions]
