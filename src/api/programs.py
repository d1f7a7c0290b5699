"""Keys of programs: an administrator issues them to somebody who answers for the program, and revokes them."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, PathParameter
from msgspec import Meta

from api.auth import holder_of, session_of
from api.example import Example
from api.list_shape import whole, whole_of
from api.own_access import MAX_ID
from api.people_changes import Number
from api.problems import problem_responses
from api.reading.asking import check_parameters
from api.serving import serving_of
from api.written import changing
from casework.clock import now
from casework.errors import CallerError
from casework.people.identity import holding, programs
from casework.people.identity.programs import ProgramKey
from casework.people.staff.tokens import MAX_DAYS, Issued
from casework.storage.database import reading

Program = Annotated[str, PathParameter(max_length=31, description="Small letters, digits and hyphens.")]
KeyId = Annotated[int, PathParameter(description="The id that the list shows.")]
_WRITES = ("invalid_request", "post_not_permitted", "database_busy", "database_full")


class ProgramKeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who answers for the program, what it may do (of the commands open to programs), and for how many days."""

    owner: Number
    commands: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=64)]
    days: Annotated[int, Meta(ge=1, le=MAX_DAYS)]


class ProgramKeyIssued(msgspec.Struct):
    """The key itself, told this once."""

    id: int
    program: str
    owner: str
    key: str
    expires_at: datetime


_ASKED = Example(id="prometheus", summary="Reads the metrics",
                 value={"owner": "10021", "commands": ["service.read"], "days": 180})  # fmt: skip
_ISSUED = Example(id="issued", summary="Once", value={
    "id": 9, "program": "prometheus", "owner": "10021", "key": "cw_Zk3…", "expires_at": "2026-09-05T08:15:02.114523Z",
})  # fmt: skip
_LINE = Example(id="keys", summary="One program, one key", value={"items": [{
    "program": "prometheus", "owner": "10021", "id": 9, "commands": ["service.read"],
    "created_at": "2026-03-09T08:15:02.114523Z", "expires_at": "2026-09-05T08:15:02.114523Z",
    "last_used_at": "2026-03-11T09:00:00.000000Z",
}], "next": None})  # fmt: skip


def issue(
    request: Request[Any, Any, Any], program: str, owner: str, commands: list[str], days: int
) -> Issued:  # fmt: skip
    """A key of a program by whoever asks; a key makes no keys (`session_needed`)."""
    if holder_of(request).kind == holding.KEY:
        session_of(request)
    with changing(request) as change:
        return programs.issue_program_key(
            change.conn, change.trail, change.actor, change.branch.rulebook.permissions.for_programs, program=program,
            owner=owner, days=days, commands=commands, session_id=holder_of(request).session_id,
        )  # fmt: skip


def revoke(request: Request[Any, Any, Any], program: str, key_id: int) -> None:
    """End a key of a program; CallerError `unknown_key`."""
    if not 1 <= key_id <= MAX_ID:
        raise CallerError("unknown_key")
    with changing(request) as change:
        programs.revoke_program_key(change.conn, change.trail, change.actor, program=program, key_id=key_id)


@post("/programs/{program:str}/keys", status_code=201, summary="Issue a key of a program", tags=["staff"],
      sync_to_thread=True,
      responses={201: ResponseSpec(ProgramKeyIssued, generate_examples=False, description="Issued", examples=[_ISSUED]),
                 **problem_responses("program_name_malformed", "command_not_for_programs", "too_many_keys",
                                     "key_after_code", "session_needed", "unknown_staff", "staff_unverified",
                                     "staff_left", "malformed_json", "unsupported_media_type", "body_too_large",
                                     *_WRITES)})  # fmt: skip
def issue_program_key(
    request: Request[Any, Any, Any], program: Program, data: Annotated[ProgramKeyBody, Body(examples=[_ASKED])]
) -> Response[ProgramKeyIssued]:
    """A key with which a program comes in its own name; shown this once.

    A program has two at most: the next is issued while the one in use goes on, which is revoked then. So is an owner
    followed by another: by a key that names them.
    """
    made = issue(request, program, data.owner, data.commands, data.days)
    issued = ProgramKeyIssued(made.id, program, data.owner, made.token, made.expires_at)
    return Response(issued, headers={"Location": f"/programs/{program}/keys/{made.id}"})


@delete("/programs/{program:str}/keys/{key_id:int}", status_code=204, summary="Revoke a key of a program",
        tags=["staff"], sync_to_thread=True, responses=problem_responses("unknown_key", *_WRITES))  # fmt: skip
def end_program_key(request: Request[Any, Any, Any], program: Program, key_id: KeyId) -> None:
    """It changes nothing from now on, and reads nothing within two seconds."""
    revoke(request, program, key_id)


@get("/programs", summary="Keys of programs", tags=["staff"], sync_to_thread=True,
     responses={200: ResponseSpec(whole(ProgramKey), generate_examples=False, description="By program",
                                  examples=[_LINE]),
                **problem_responses("post_not_permitted")})  # fmt: skip
def list_program_keys(request: Request[Any, Any, Any]) -> Response[Any]:
    """Every live key of every program: whose it is, what it may do, until when, and when it was last used."""
    check_parameters(request, ())
    with reading(serving_of(request).engine) as conn:
        return whole_of(ProgramKey, programs.program_keys(conn, now()))


route_handlers = [issue_program_key, end_program_key, list_program_keys]
