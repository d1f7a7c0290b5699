"""What every changing route shares: the version the caller saw, their idempotency key, and the way to the writer."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import HeaderParameter, PathParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from api.auth import actor_of
from api.idempotency import StoredAnswer, key_of
from api.jobs import Job
from api.problems import request_id_of
from api.receipts import tell_recorded
from api.serving import serving_of
from casework.errors import CallerError
from casework.lifecycle.commands import Outcome
from casework.work.cases.commands import Command
from casework.work.cases.unseen import unseen

MAX_CASE_ID = 2**53 - 1
_ETAG = re.compile(r'"([1-9][0-9]{0,15})(?:-[0-9a-f]{16}(?:-gz)?)?"')

CHANGING = (
    "malformed_json", "malformed_header", "post_not_permitted", "out_of_reach", "key_not_permitted", "refused",
    "idempotency_running", "body_too_large", "unsupported_media_type", "faulty_data", "invalid_request",
    "idempotency_mismatch", "database_busy", "outcome_unknown", "overloaded", "database_full",
)  # fmt: skip
"""What every route that changes one subject may answer, beside what there is none of."""

CaseId = Annotated[int, PathParameter(description="The id of the case.")]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", required=False,
        description="The ETag of the case as you saw it, or * for whatever it is now.",
    ),
]  # fmt: skip
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key", required=False,
        description="1 to 128 visible ASCII characters, yours alone; a repeat within 24 hours gets the first answer.",
    ),
]  # fmt: skip


def seen_version(if_match: str | None, *, required: bool) -> int | None:
    """The version that If-Match pins; none for `*`. CallerErrors `version_required` (428), `malformed_header` (400)."""
    if if_match is None:
        if not required:
            return None
        raise CallerError("version_required", header="If-Match")
    text = if_match.strip()
    if text == "*":
        return None
    found = _ETAG.fullmatch(text.removeprefix("W/"))
    if found is None:
        raise CallerError(
            "malformed_header", "If-Match 须为一个 ETag，如 \"12\"", 'If-Match must be one ETag such as "12", or *',
            header="If-Match",
        )  # fmt: skip
    # A weak tag never matches (RFC 9110): no case has version 0.
    return 0 if text.startswith("W/") else int(found[1])


def known_case_id(case_id: int) -> int:
    """The id, if a case could have it: the databases take no more than 64 bits."""
    if not 1 <= case_id <= MAX_CASE_ID:
        raise unseen("unknown_case", case_id=case_id)
    return case_id


async def through_the_writer(
    request: Request[Any, Any, Any], commands: Sequence[Command], answer: Callable[[list[Outcome]], StoredAnswer],
    idempotency_key: str | None, if_match: str | None, *, atomic: bool = False, alone: bool = False,
) -> Response[bytes]:  # fmt: skip
    """Hand the commands to the writer and answer what was committed."""
    key = None
    if idempotency_key is not None:
        parts = (
            request.method.encode(),
            request.scope["path"].encode(),
            (if_match or "").encode(),
            await request.body(),
        )
        key = key_of(idempotency_key, actor_of(request).id, *parts)
    job = Job(
        commands, answer, key, atomic=atomic, alone=alone, request_id=request_id_of(request),
        holder=request.scope["auth"],
    )  # fmt: skip
    told = await serving_of(request).writer.write(job)
    tell_recorded(request, told.change)
    return respond(told)


def respond(answer: StoredAnswer) -> Response[bytes]:
    """An answer as a response."""
    return _Told(answer.body, status_code=answer.status, media_type=answer.media_type, headers=dict(answer.headers))


class _Told(Response[bytes]):
    """An answer that is bytes already: sent as it is, where the framework would build its headers three times over."""

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]  # no route adds to it
        """What sends it."""
        return self._send

    async def _send(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        headers += [
            (b"content-type", str(self.media_type).encode()), (b"content-length", str(len(self.content)).encode())
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": self.status_code or 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.content, "more_body": False})
