"""Feeds over HTTP: entered and answered at once; their run tells what became of them."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import UploadFile
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Schema
from litestar.openapi.spec.enums import OpenAPIType
from msgspec import Meta

from api.auth import actor_of, still_valid
from api.example import Example
from api.faults import taken
from api.one_file import DRY_RUN, TRUTH, OwnBody, form_of, said_in
from api.problems import problem_responses, request_id_of
from api.request import decoded
from api.serving import Serving, serving_of
from api.uploads import Upload
from api.wire import RunStarted
from casework.errors import CallerError
from casework.intake.feed.load import ImportRequest

MAX_FILES = 8
MAX_NAME_BYTES = 200  # file systems take 255
MAX_JSON_BYTES = 4_096
_PIECE = 1024 * 1024


class FeedBody(msgspec.Struct, forbid_unknown_fields=True):
    """A folder below the inbox (CASEWORK_FEED_INBOX), as the core bank left it there."""

    folder: Annotated[str, Meta(min_length=1, max_length=200)]
    confirm_vanished: bool = False
    correction: bool = False
    dry_run: bool = False


_STARTED = ResponseSpec(
    RunStarted, generate_examples=False, description="Entered; Location names the run to follow.",
    examples=[Example(summary="entered", value={"run": 12, "status": "running", "location": "/feeds/12"})],
)  # fmt: skip
_PROBLEMS = problem_responses(
    "malformed_request", "malformed_json", "post_not_permitted", "key_not_permitted", "unknown_folder",
    "import_running", "body_too_large",
    "unsupported_media_type", "invalid_request", "file_name_unsafe", "database_busy", "database_full",
)  # fmt: skip
_FLAGS = {"confirm_vanished": TRUTH, "correction": TRUTH, **DRY_RUN}
_FILE = Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream")
_UPLOAD = Schema(
    type=OpenAPIType.OBJECT,
    properties={
        "files": Schema(
            type=OpenAPIType.ARRAY, items=_FILE, min_items=2, max_items=MAX_FILES,
            description="manifest.json and the files it names",
        ),
        **{name: Schema(type=OpenAPIType.STRING, enum=list(some)) for name, some in _FLAGS.items()},
    },
    required=["files"], additional_properties=False,
)  # fmt: skip
_FOLDER = Schema(
    type=OpenAPIType.OBJECT,
    properties={
        "folder": Schema(type=OpenAPIType.STRING, min_length=1, max_length=200),
        **{name: Schema(type=OpenAPIType.BOOLEAN) for name in _FLAGS},
    },
    required=["folder"], additional_properties=False,
)  # fmt: skip


class _TwoBodies(OwnBody):
    """The route takes a folder's name or the files themselves."""

    def bodies(self) -> dict[str, OpenAPIMediaType]:
        return {
            "application/json": OpenAPIMediaType(
                schema=_FOLDER,
                examples={"folder": Example(summary="a day of the inbox", value={"folder": "2026-03-01"})},
            ),
            "multipart/form-data": OpenAPIMediaType(schema=_UPLOAD),
        }


@post("/feeds", status_code=202, summary="Import a feed", tags=["feeds"], operation_class=_TwoBodies,
      responses={202: _STARTED, **_PROBLEMS})  # fmt: skip
async def import_feed(request: Request[Any, Any, Any]) -> Response[RunStarted]:
    """Import a folder of the inbox, or the files of a multipart body; the answer is the run to follow.

    `dry_run` true: it is told what an import would do, or why it would be refused, and nothing is changed; `location`
    is then below /feeds/dry-runs.
    """
    run_id, dry_run = await import_begun(request)
    location = f"/feeds/dry-runs/{run_id}" if dry_run else f"/feeds/{run_id}"
    return Response(
        RunStarted(run=run_id, status="running", location=location), status_code=202, headers={"Location": location}
    )


async def import_begun(request: Request[Any, Any, Any]) -> tuple[int, bool]:
    """The run of what the request brings or names, entered, and whether it is a dry run; CallerErrors if not begun."""
    actor, serving = actor_of(request), serving_of(request)
    upload: Upload | None = None
    if request.content_type[0] == "multipart/form-data":
        upload, wanted = await _received(request)
        folder = upload.folder
    else:
        wanted = await _wanted(request)
        folder = _below_inbox(serving, wanted.folder)
    asked = ImportRequest(actor, wanted.confirm_vanished, wanted.correction, dry_run=wanted.dry_run)
    run_id = await asyncio.to_thread(
        serving.imports.begin, asked, folder, request_id_of(request),
        vouch=lambda conn: still_valid(conn, request), upload=upload,
    )  # fmt: skip
    return run_id, wanted.dry_run


async def _wanted(request: Request[Any, Any, Any]) -> FeedBody:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_JSON_BYTES:
            raise CallerError("body_too_large", at_most_bytes=MAX_JSON_BYTES)
    wanted: FeedBody = taken(decoded(request.scope["headers"], bytes(body)), FeedBody)
    return wanted


def _below_inbox(serving: Serving, name: str) -> Path:
    """The folder, if it lies below the inbox; whatever else is asked for does not exist."""
    inbox = serving.settings.feed_inbox
    unknown = CallerError("unknown_folder")
    if inbox is None or "\x00" in name:
        raise unknown
    try:
        root, folder = inbox.resolve(), (inbox / name).resolve()
        if folder == root or not folder.is_relative_to(root) or not folder.is_dir():
            raise unknown
    except (OSError, RuntimeError, ValueError):
        raise unknown from None
    return folder


async def _received(request: Request[Any, Any, Any]) -> tuple[Upload, FeedBody]:
    """The files of a multipart body in a folder of their own, and what is said beside them."""
    form, files = await form_of(request)
    said = said_in(form, _FLAGS, "files")
    upload = await asyncio.to_thread(Upload)
    try:
        if not 2 <= len(files) <= MAX_FILES:
            raise CallerError(
                "malformed_request", f"须上传 manifest.json 及其所列文件（2至{MAX_FILES}个）",
                f"send manifest.json and the files it names (2 to {MAX_FILES})",
            )  # fmt: skip
        for part in files:
            await _keep(upload.folder, part)
    except BaseException:
        upload.close()
        raise
    return upload, FeedBody(str(upload.folder), **{name: said.get(name) == "true" for name in _FLAGS})


async def _keep(folder: Path, part: UploadFile) -> None:
    place = folder / _safe(part.filename)
    if place.exists():
        raise CallerError("file_name_unsafe")
    with place.open("wb") as file:
        while piece := await part.read(_PIECE):
            await asyncio.to_thread(file.write, piece)


def _safe(name: str) -> str:
    """The name, if it is a plain one: it becomes a file's."""
    if (
        not 1 <= len(name) <= 100
        or not name.isprintable()
        or len(name.encode()) > MAX_NAME_BYTES
        or name.startswith(".")
        or set(name) & set('/\\:*?"<>|')
    ):
        raise CallerError("file_name_unsafe", "文件名不可用", "a file has a name that cannot be used")
    return name


route_handlers = [import_feed]
