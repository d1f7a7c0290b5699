"""What an administrator does for somebody's access: a one-time code for a password, and the end of all tokens."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, delete, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, PathParameter

from api.example import Example
from api.problems import problem_responses
from api.serving import serving_of
from api.written import changing
from casework.people.identity import ending, resetting

StaffNo = Annotated[str, PathParameter(description="The staff number.")]
_PROBLEMS = ("unknown_staff", "post_not_permitted", "database_busy", "database_full")


class ResetBody(msgspec.Struct, forbid_unknown_fields=True):
    """`second_factor_too`: also take away the second factor, for somebody whose phone is gone."""

    second_factor_too: bool = False


class CodeBody(msgspec.Struct):
    """The code, told this once; hand it over in person.

    `awaits_second_administrator`: the second factor of somebody whose post asks for one stays until another
    administrator asks for its end too; that one's code then counts.
    """

    staff_no: str
    code: str
    expires_at: datetime
    awaits_second_administrator: bool = False


class Revoked(msgspec.Struct):
    """How many tokens and keys died."""

    staff_no: str
    revoked: int


_CODE = Example(
    id="code", summary="A code",
    value={"staff_no": "10021", "code": "7KQM-2XRT-PB4C-W9HD", "expires_at": "2026-03-10T08:15:02.114523Z",
           "awaits_second_administrator": False},
)  # fmt: skip
_REVOKED = Example(id="revoked", summary="Three of them", value={"staff_no": "10021", "revoked": 3})


@post("/staff/{staff_no:str}/reset-code", status_code=201, summary="A one-time code for a password", tags=["staff"],
      sync_to_thread=True,
      responses={201: ResponseSpec(CodeBody, generate_examples=False, description="Issued", examples=[_CODE]),
                 **problem_responses("own_reset", "staff_unverified", "staff_left", "invalid_request", "malformed_json",
                                     "unsupported_media_type", "body_too_large", *_PROBLEMS)})  # fmt: skip
def issue_reset_code(
    request: Request[Any, Any, Any], staff_no: StaffNo,
    data: Annotated[ResetBody, Body(examples=[Example(id="plain", summary="A new password", value={})])],
) -> Response[CodeBody]:  # fmt: skip
    """A code with which somebody else sets their password, good for some hours and once; an earlier one dies."""
    serving = serving_of(request)
    with changing(request) as change:
        policy = serving.branch.rulebook.policies.at(change.trail.today)
        issued = resetting.issue_code(
            change.conn, change.trail, policy, change.actor, staff_no=staff_no, second_factor_too=data.second_factor_too
        )
    body = CodeBody(issued.staff_no, issued.code, issued.expires_at, issued.awaits_second_administrator)
    return Response(body, headers={"Location": f"/staff/{quote(issued.staff_no, safe='')}"})  # the code is shown once


@delete("/staff/{staff_no:str}/tokens", status_code=200, summary="Revoke all tokens of somebody", tags=["staff"],
        sync_to_thread=True,
        responses={200: ResponseSpec(Revoked, generate_examples=False, description="Revoked", examples=[_REVOKED]),
                   **problem_responses(*_PROBLEMS)})  # fmt: skip
def revoke_tokens(request: Request[Any, Any, Any], staff_no: StaffNo) -> Revoked:
    """End all sessions, tokens and keys of somebody who stays (a lost machine); their password still logs them in."""
    with changing(request) as change:
        revoked = ending.revoke_tokens(change.conn, change.trail, change.actor, staff_no=staff_no)
    return Revoked(staff_no, revoked)


route_handlers = [issue_reset_code, revoke_tokens]
