"""The register: everybody with posts, home, leave and deputy, and one person with what is dated."""

from datetime import date
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from api.console.frame.page import render
from api.reading.asking import check_parameters
from api.serving import serving_of
from casework.clock import now
from casework.people.staff import listing
from casework.people.staff.listing import StaffWanted
from casework.storage.database import reading

_ROWS = 100
_Code = Annotated[str | None, QueryParameter(max_length=32)]
On = Annotated[date | None, QueryParameter()]


@get("/console/staff", sync_to_thread=True, opt={"page": "staff.read"})
def staff(
    request: Request[Any, Any, Any],
    post: _Code = None,
    team: _Code = None,
    region: _Code = None,
    status: Annotated[str | None, QueryParameter(pattern="^(|active|unverified|left|merged)$")] = None,
    after: Annotated[str, QueryParameter(max_length=32)] = "",
) -> Response[Any]:
    """Members of staff as of today."""
    check_parameters(request, ("post", "team", "region", "status", "after"))
    serving = serving_of(request)
    wanted = StaffWanted(post or None, team or None, region or None, status or None)
    with reading(serving.engine) as conn:
        found = listing.members(conn, serving.branch.today(now()), wanted, after=after, limit=_ROWS + 1)
    following = found[_ROWS - 1].staff_no if len(found) > _ROWS else None
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "after" and value]
    return render(
        request, "people/list.html", items=found[:_ROWS], following=following, wanted=wanted, asked=asked,
        every_post=list(serving.branch.rulebook.permissions.posts),
    )  # fmt: skip


@get("/console/staff/{staff_no:str}", sync_to_thread=True, opt={"page": "staff.read"})
def member(request: Request[Any, Any, Any], staff_no: FromPath[str], on: On = None) -> Response[Any]:
    """One person: posts, homes, certificates, absences by date."""
    serving = serving_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        shown, person = listing.member(conn, staff_no, on or serving.branch.today(now()))
    return render(request, "people/one.html", one=shown, person_row=person, dated=listing.dated(person), on=on)


route_handlers = [staff, member]
