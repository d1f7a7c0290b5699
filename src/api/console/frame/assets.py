"""Style, script and mark of the pages: our own, read once, named after what is in them, kept by browsers for good."""

import hashlib
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath

from casework.errors import CallerError

_KINDS: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_FILES: Final = {path.name: path.read_bytes() for path in sorted((Path(__file__).parent / "assets").iterdir())}
PLACES: Final = {
    name: f"/console/assets/{name}?{hashlib.sha256(data).hexdigest()[:12]}" for name, data in _FILES.items()
}
"""Where each is found; another content has another place."""
BYTES: Final = sum(map(len, _FILES.values()))
"""What all of them are together."""


@get("/console/assets/{name:str}", sync_to_thread=False, opt={"page": None})
def asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:  # noqa: ARG001  # handlers get it
    """One of them, for anybody."""
    data = _FILES.get(name)
    if data is None:
        raise CallerError("not_found")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(data, media_type=_KINDS[name.rpartition(".")[2]], headers=headers)
