"""Requests as the API reads them: a body is JSON in UTF-8, whatever else is refused as the caller's mistake."""

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar import Request

from api.faults import body_of, taken
from casework.errors import CallerError

_JSON = (b"application/json", b"application/json; charset=utf-8", b"")
_decode = msgspec.json.Decoder().decode


class JsonRequest(Request[Any, Any, Any]):
    """A request whose `json` fails as CallerErrors: `unsupported_media_type`, `malformed_json`, `invalid_request`."""

    async def json(self) -> Any:
        """The body as its handler takes it; decoded alone where none does, and None when it is empty."""
        body, wanted = decoded(self.scope["headers"], await self.body()), body_of(self.route_handler)
        return body if wanted is None else taken(body, wanted)


def decoded(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Any:
    """A body as JSON; None when it is empty."""
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    if kind.lower() not in _JSON and not _is_json(kind):
        raise CallerError(
            "unsupported_media_type", "正文须为 application/json(UTF-8)", "the body must be application/json in UTF-8"
        )
    try:
        return _decode(body or b"null")
    except (ValueError, RecursionError):  # a UnicodeDecodeError is one too, and msgspec's own
        raise CallerError("malformed_json") from None


def _is_json(kind: bytes) -> bool:
    media_type, _, parameters = kind.decode("latin-1").lower().partition(";")
    given = [part.strip().replace('"', "") for part in parameters.split(";") if part.strip()]
    plain = media_type.strip() == "application/json" or media_type.strip().endswith("+json")
    return plain and all(part == "charset=utf-8" or not part.startswith("charset") for part in given)
